//! Facts: what connections, clocks and hosts tell the pools.

use pool_core::config::EarlyDataSupport;
use pool_core::id::ConnId;
use pool_core::limits::Resource;
use pool_core::pool::{HostHealth, State};
use pool_core::report::{ClosedBy, StreamEnd};

use super::{Bench, Orders, Side, Streams};
use crate::book::{Drain, End, Socket, Up};
use crate::invariants::{self, Reuse};

impl Bench {
    /// Early keys are there. Illegal unless the pool supports it and the connection is connecting.
    pub fn early_data_ready(&mut self, side: usize, conn: ConnId) {
        let Side { pool, book, .. } = &mut self.sides[side];
        let supported = book.early_data == EarlyDataSupport::On;
        let connecting = pool.connection(conn).is_some_and(|view| view.state == State::Connecting);
        if supported && connecting {
            book.up(conn, Up::Early);
        }
        self.trigger(side, |pool, now, ledger| pool.handle_early_data_ready(now, ledger, conn));
        self.pump();
    }

    /// The handshake is complete.
    pub fn connected_fact(&mut self, side: usize, conn: ConnId, limit: Option<u32>) {
        let closed = self.is_closed(side, conn);
        let book = &mut self.sides[side].book;
        if book.socket(conn).up != Up::Yes && !closed {
            book.up(conn, Up::Yes);
            if let Some(limit) = limit {
                book.limit(conn, limit);
            }
        }
        self.trigger(side, |pool, now, ledger| pool.handle_connected(now, ledger, conn, limit));
        self.pump();
    }

    /// A stream ended; illegal if the connection has none.
    pub fn stream_ended(&mut self, side: usize, conn: ConnId, end: StreamEnd) {
        let Some(reuse) = self.note_stream_end(side, conn, end) else { return };
        self.trigger(side, |pool, now, ledger| pool.handle_stream_ended(now, ledger, conn, end));
        self.pump();
        self.check_reuse(side, conn, reuse);
    }

    /// The same, and what came with the response was looked at before.
    pub fn stream_ended_and_settled(&mut self, side: usize, conn: ConnId, end: StreamEnd) {
        let Some(reuse) = self.note_stream_end(side, conn, end) else { return };
        self.sides[side].book.settled();
        self.trigger(side, |pool, now, ledger| {
            pool.handle_stream_ended_and_settled(now, ledger, conn, end);
        });
        self.sides[side].triggers += 1;
        self.pump();
        self.check_reuse(side, conn, reuse);
        assert_eq!(self.sides[side].pool.counts().settling, 0, "23: settle leaves nothing settling");
    }

    /// Whether the connection may serve again; `None` if the driver cannot know of the stream.
    fn note_stream_end(&mut self, side: usize, conn: ConnId, end: StreamEnd) -> Option<Reuse> {
        match self.streams(side, conn) {
            Streams::Known => {
                let book = &mut self.sides[side].book;
                book.ended(conn);
                Some(invariants::inv_27_reuse_after(book, end))
            }
            Streams::None => Some(Reuse::Allowed),
            Streams::NotYetKnown => None,
        }
    }

    fn check_reuse(&self, side: usize, conn: ConnId, reuse: Reuse) {
        match reuse {
            Reuse::Allowed => {}
            Reuse::Forbidden => {
                invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &[conn]);
            }
        }
    }

    /// A bind was refused; illegal if the connection has no stream.
    pub fn bind_refused(&mut self, side: usize, conn: ConnId, limit: u32) {
        match self.streams(side, conn) {
            Streams::Known => {
                self.sides[side].book.bind_refused(conn, limit);
            }
            Streams::None => {}
            Streams::NotYetKnown => return,
        }
        self.trigger(side, |pool, now, ledger| pool.handle_bind_refused(now, ledger, conn, limit));
        self.pump();
    }

    /// The peer allows another number of streams.
    pub fn capacity_changed(&mut self, side: usize, conn: ConnId, limit: u32) {
        if !self.is_closed(side, conn) {
            self.sides[side].book.limit(conn, limit);
        }
        self.trigger(side, |pool, now, ledger| pool.handle_capacity_changed(now, ledger, conn, limit));
        self.pump();
    }

    /// GOAWAY.
    pub fn go_away(&mut self, side: usize, conn: ConnId) {
        self.trigger(side, |pool, now, ledger| pool.handle_go_away(now, ledger, conn));
        self.pump();
        invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &[conn]);
    }

    /// Unsolicited bytes.
    pub fn protocol_error(&mut self, side: usize, conn: ConnId) {
        self.trigger(side, |pool, now, ledger| pool.handle_protocol_error(now, ledger, conn));
        self.pump();
        assert!(self.is_closed(side, conn), "a protocol error ends {conn:?}");
    }

    /// The connection stopped answering.
    pub fn suspect(&mut self, side: usize, conn: ConnId) {
        self.trigger(side, |pool, now, ledger| pool.handle_suspect(now, ledger, conn));
        self.pump();
        invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &[conn]);
    }

    /// The transport is gone, by itself or as ordered.
    pub fn closed(&mut self, side: usize, conn: ConnId, by: ClosedBy) {
        let Side { pool, book, .. } = &mut self.sides[side];
        let Socket { up, end, drain, .. } = *book.socket(conn);
        let before = book.queue.clone();
        let policy = pool.config().on_connect_failure();
        if end != End::Gone {
            book.gone(conn);
        }
        self.trigger(side, |pool, now, ledger| pool.handle_closed(now, ledger, conn, by));
        let alone = self.sides[side].triggers == 1 && self.orders == Orders::Taken;
        // Nobody waits for a connection that drains, whether its handshake was complete or not.
        if alone && end == End::Open && up != Up::Yes && drain == Drain::No {
            self.take_orders(side);
            let Side { book, failed, .. } = &self.sides[side];
            invariants::inv_25_a_failed_attempt_fails_the_queue(book, &before, failed, policy);
        }
        self.pump();
    }

    /// The settle pass.
    pub fn settled(&mut self, side: usize) {
        self.sides[side].book.settled();
        self.trigger(side, |pool, now, ledger| pool.handle_settled(now, ledger));
        self.pump();
        assert_eq!(self.sides[side].pool.counts().settling, 0, "23: settle leaves nothing settling");
    }

    /// A wake-up that nothing asked for.
    pub fn timeout(&mut self, side: usize) {
        self.sides[side].book.settled();
        self.trigger(side, |pool, now, ledger| pool.handle_timeout(now, ledger));
        self.sides[side].triggers += self.sides[side].book.there().count();
        self.pump();
    }

    /// A seat was freed, says somebody.
    pub fn slot_freed(&mut self, side: usize, resource: Resource) {
        self.trigger(side, |pool, now, ledger| pool.handle_slot_freed(now, ledger, resource));
        self.pump();
    }

    /// The host's health.
    pub fn health(&mut self, side: usize, health: HostHealth) {
        let was = self.sides[side].pool.health();
        let connected = self.connected(side);
        self.trigger(side, |pool, now, ledger| pool.handle_host_health(now, ledger, health));
        self.pump();
        if health == HostHealth::Unhealthy && was != health {
            invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &connected);
        }
    }

    pub(super) fn connected(&self, side: usize) -> Vec<ConnId> {
        let sockets = self.sides[side].book.there();
        sockets.filter(|socket| socket.is_open() && socket.up == Up::Yes).map(|socket| socket.id).collect()
    }
}
