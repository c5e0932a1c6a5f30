//! How connections end: orders, reports, and the drain of a single one.

use super::Pool;
use super::action::CloseReason;
use super::connect::Attempt;
use super::slots::{Heard, NEVER};
use super::state::{DrainCause, Handshake, State};
use crate::id::ConnId;
use crate::limits::Ledger;
use crate::report::ClosedBy;
use crate::time::Instant;

impl Pool {
    /// The peer will take no new streams (RFC 9113 6.8): present ones may finish.
    pub fn handle_go_away(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {
        self.end_one(now, ledger, conn, DrainCause::GoAway);
    }

    /// The connection stopped answering (a PING was missed, streams timed out in a row): it gets no
    /// new streams, and old ones may still finish (design decision P10).
    pub fn handle_suspect(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {
        self.end_one(now, ledger, conn, DrainCause::Suspect);
    }

    /// Bytes came that nobody asked for: the connection is closed, whatever runs on it.
    pub fn handle_protocol_error(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        match state {
            State::Closed(_) => return self.ignore(),
            State::Connecting | State::EarlyData | State::Busy(Handshake::Pending) => {
                // The peer broke the attempt.
                self.cold.stats.cx_protocol_error += 1;
                self.cold.stats.cx_connect_fail += 1;
                self.order_close(now, ledger, index, CloseReason::ProtocolError, 0);
                self.attempt_failed(ledger, ClosedBy::Local);
                self.create(now, ledger, Attempt::Fresh);
            }
            State::Ready(_) | State::Busy(Handshake::Complete) | State::Draining(_) => {
                self.cold.stats.cx_protocol_error += 1;
                self.order_close(now, ledger, index, CloseReason::ProtocolError, 0);
                self.replace(now, ledger);
            }
        }
        self.finish(now, ledger);
    }

    /// The transport is gone, and every exchange on it. After an order to close was taken, `by`
    /// is not looked at: it was us.
    pub fn handle_closed(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId, by: ClosedBy) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        let failed = match state {
            State::Closed(_) => {
                let by = match self.slots.cold(index).heard {
                    Heard::Close => ClosedBy::Local,
                    // It ended by itself before the order was taken: a FIN that ended the response.
                    Heard::Connect | Heard::Nothing => by,
                };
                self.gone(now, ledger, index, by);
                false
            }
            State::Connecting | State::EarlyData | State::Busy(Handshake::Pending) => {
                self.cold.stats.cx_connect_fail += 1;
                self.drop_streams(ledger, index, CloseReason::ConnectTimeout);
                self.gone(now, ledger, index, by);
                self.attempt_failed(ledger, by);
                true
            }
            State::Ready(_) | State::Busy(Handshake::Complete) | State::Draining(_) => {
                // An attempt that drained was of no use to the queue; its failure is none either.
                let handshaken = self.slots.cold(index).connected_at != NEVER;
                self.cold.stats.cx_connect_fail += u64::from(!handshaken);
                self.drop_streams(ledger, index, CloseReason::Drained);
                self.gone(now, ledger, index, by);
                false
            }
        };
        self.seat_forced(ledger);
        // After a failed attempt also for the spares that streams in progress ask for.
        if failed || !self.cold.queue.is_empty() {
            self.create(now, ledger, Attempt::Released);
        }
        self.finish(now, ledger);
    }

    /// Takes one connection out of service: it closes at once, or after its last stream.
    pub fn retire(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {
        self.end_one(now, ledger, conn, DrainCause::Retired);
    }

    fn end_one(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId, cause: DrainCause) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        match state {
            State::Closed(_) => return self.ignore(),
            State::Connecting | State::EarlyData | State::Ready(_) | State::Busy(_) | State::Draining(_) => {}
        }
        match cause {
            DrainCause::GoAway => self.cold.stats.cx_close_notify += 1,
            DrainCause::Suspect => self.cold.stats.cx_suspect += 1,
            DrainCause::CloseNotified
            | DrainCause::FinalExchange
            | DrainCause::MaxRequests
            | DrainCause::MaxAge
            | DrainCause::Drained
            | DrainCause::HostUnhealthy
            | DrainCause::Retired => {}
        }
        self.drain_one(now, ledger, index, cause);
        self.replace(now, ledger);
        self.finish(now, ledger);
    }

    /// Closes a connection without streams, and lets one with streams drain.
    pub(super) fn drain_one(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        index: u32,
        cause: DrainCause,
    ) {
        match self.slots[index].state {
            Some(State::Connecting) => self.order_close(now, ledger, index, cause.close_reason(), 0),
            Some(State::EarlyData | State::Ready(_) | State::Busy(_)) => {
                if self.slots[index].active == 0 {
                    self.order_close(now, ledger, index, cause.close_reason(), 0);
                } else {
                    self.change(index, |hot| hot.state = Some(State::Draining(cause)));
                    self.start_drain(now, index);
                }
            }
            None | Some(State::Draining(_) | State::Closed(_)) => {}
        }
    }

    /// The clock of the drain, for a connection that has just become Draining.
    pub(super) fn start_drain(&mut self, now: Instant, index: u32) {
        if let Some(timeout) = self.cold.config.drain_timeout() {
            self.slots.cold_mut(index).drain_at = now.after(timeout);
        }
        self.slots[index].remaining = 0;
        self.arm(now, index);
    }

    /// Opens connections for requests that wait, after one stopped serving. With an empty queue
    /// nothing is opened: replacement is on demand.
    pub(super) fn replace(&mut self, now: Instant, ledger: &mut impl Ledger) {
        if !self.cold.queue.is_empty() {
            self.create(now, ledger, Attempt::Fresh);
        }
    }

    /// Gives a connection up. It keeps its seat and its name until its socket is gone; its streams
    /// are dropped now, `unfinished` ones that have just ended being counted with them.
    pub(super) fn order_close(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        index: u32,
        reason: CloseReason,
        unfinished: u32,
    ) {
        self.drop_streams(ledger, index, reason);
        let cold = self.slots.cold_mut(index);
        cold.lost += unfinished;
        match cold.heard {
            Heard::Connect | Heard::Close => self.emit_close(self.slots.id(index), reason),
            // The driver has never heard of it and cannot report anything.
            Heard::Nothing => self.gone(now, ledger, index, ClosedBy::Local),
        }
    }

    /// The connection is dead before its streams are, so that none of them can be given away again.
    fn drop_streams(&mut self, ledger: &mut impl Ledger, index: u32, reason: CloseReason) {
        if let Some(State::Closed(_)) = self.slots[index].state {
            return;
        }
        let lost = self.slots[index].active;
        self.change(index, |hot| {
            hot.state = Some(State::Closed(reason));
            hot.active = 0;
        });
        self.disarm(index);
        self.slots.cold_mut(index).lost = lost;
        self.release_requests(ledger, lost);
        if self.is_multiplexed() {
            self.cold.stats.rq_pending_failure_eject += u64::from(lost);
        }
    }

    /// The socket is gone: the seat is free and the name dead.
    fn gone(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32, by: ClosedBy) {
        let cold = self.slots.cold(index);
        let (lived, lost) = (now.since(cold.opened_at), cold.lost > 0);
        let stats = &mut self.cold.stats;
        stats.cx_length_ms.record(lived);
        stats.cx_destroy += 1;
        stats.cx_destroy_with_active_rq += u64::from(lost);
        match by {
            ClosedBy::Local => {
                stats.cx_destroy_local += 1;
                stats.cx_destroy_local_with_active_rq += u64::from(lost);
            }
            ClosedBy::Remote => {
                stats.cx_destroy_remote += 1;
                stats.cx_destroy_remote_with_active_rq += u64::from(lost);
            }
        }
        self.release_connection(ledger, index);
        self.change(index, |hot| hot.state = None);
        self.slots.remove(index);
    }
}
