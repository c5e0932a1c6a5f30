//! The end of streams, and what the peer allows.

use super::action::{BindReason, CloseReason};
use super::connect::Attempt;
use super::slots::{ListName, NONE};
use super::state::{DrainCause, Handshake, Phase, State};
use super::{Flavour, Life, Pool, Wait};
use crate::id::ConnId;
use crate::limits::Ledger;
use crate::report::StreamEnd;
use crate::time::Instant;

impl Pool {
    /// One exchange on the connection has ended.
    #[inline]
    pub fn handle_stream_ended(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        end: StreamEnd,
    ) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        match state {
            State::Busy(Handshake::Complete)
                if self.flavour == Flavour::Exclusive && end == StreamEnd::Complete =>
            {
                self.settle_after(now, ledger, index);
            }
            State::Busy(_) | State::Ready(_) | State::EarlyData | State::Draining(_) => {
                self.end_stream(now, ledger, index, end);
            }
            // Its streams ended with it; this one is late.
            State::Connecting | State::Closed(_) => self.ignore(),
        }
    }

    /// Both facts at once, for a driver that had looked at what came with the response before it
    /// reported the end: [`handle_stream_ended`](Self::handle_stream_ended), then
    /// [`handle_settled`](Self::handle_settled).
    #[inline]
    pub fn handle_stream_ended_and_settled(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        end: StreamEnd,
    ) {
        if !self.settle_directly(now, ledger, conn, end) {
            self.handle_stream_ended(now, ledger, conn, end);
            self.handle_settled(now, ledger);
        }
    }

    /// The direct way of both facts: the connection can be bound again, if nothing can follow from
    /// it. Answers `false`, and has changed nothing, where somebody waits or something is to end. No
    /// deadline moves forward and no action is ordered.
    // Always: as a call of its own it costs a tenth of what it does.
    #[inline(always)]
    pub(crate) fn settle_directly(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        end: StreamEnd,
    ) -> bool {
        if self.flavour != Flavour::Exclusive
            || end != StreamEnd::Complete
            || self.seats.pending() > 0
            || self.slots.settling > 0
            || self.life != Life::Open
            || self.wait != Wait::None
        {
            return false;
        }
        let next = self.slots.ready.head;
        let Some(hot) = self.slots.find_hot(conn) else { return false };
        if hot.state != Some(State::Busy(Handshake::Complete)) || hot.active != 1 || hot.limit != 1 {
            return false;
        }
        // Nobody could have been bound in between: it never was in the list of those that settle.
        hot.active = 0;
        hot.idle_since = now;
        hot.state = Some(State::Ready(Phase::Open));
        hot.next = next;
        self.slots.push_ready(conn.index);
        self.active -= 1;
        self.capacity += 1;
        self.release_requests(ledger, 1);
        true
    }

    /// What came with the last responses was looked at: connections that settled and are still there
    /// may be bound. What [`WakeReason::Settle`](super::WakeReason::Settle) asks for.
    #[inline]
    pub fn handle_settled(&mut self, now: Instant, ledger: &mut impl Ledger) {
        // Oldest first, so that the one whose stream ended last is picked first.
        loop {
            let index = self.slots.table.settling.tail;
            if index == NONE {
                break;
            }
            self.slots.unlink(ListName::Settling, index);
            self.slots[index].state = Some(State::Ready(Phase::Open));
            self.slots.push_front(ListName::Ready, index);
        }
        if !self.cold.queue.is_empty() {
            self.serve_then_create(now, ledger, BindReason::Settled);
        }
        self.finish(now, ledger);
    }

    /// The peer changed the number of concurrent streams (SETTINGS, MAX_STREAMS). Streams beyond a
    /// lowered limit go on; a raised one serves the queue at once.
    pub fn handle_capacity_changed(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        limit: u32,
    ) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        match state {
            State::Closed(_) => return self.ignore(),
            State::Connecting | State::EarlyData | State::Ready(_) | State::Busy(_) | State::Draining(_) => {}
        }
        let limit = self.allowed(limit);
        self.change(index, |hot| {
            hot.limit = limit;
            hot.state = refit(hot.state, hot.unused());
        });
        self.use_capacity(now, ledger, BindReason::CapacityRaised);
        self.finish(now, ledger);
    }

    /// The connection could not take a stream that was bound to it, because the peer's limit had
    /// shrunk to `limit` in between. The stream no longer counts; the limit holds from now on.
    pub fn handle_bind_refused(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId, limit: u32) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        if self.slots[index].active == 0 {
            return self.ignore();
        }
        let limit = self.allowed(limit);
        self.release_requests(ledger, 1);
        match state {
            State::EarlyData | State::Ready(_) | State::Busy(_) => self.change(index, |hot| {
                hot.limit = limit;
                hot.active -= 1;
                // It was not used; its lifetime is not spent.
                hot.remaining = hot.remaining.saturating_add(1);
                hot.state = refit(hot.state, hot.unused());
                if hot.active == 0 {
                    hot.idle_since = now;
                }
            }),
            State::Draining(_) => {
                self.change(index, |hot| hot.limit = limit);
                self.drained_stream_ended(now, ledger, index);
            }
            // Neither has streams.
            State::Connecting | State::Closed(_) => self.ignore(),
        }
        self.use_capacity(now, ledger, BindReason::StreamEnded);
        self.finish(now, ledger);
    }

    /// The direct way of HTTP/1: response complete, connection to be reused after it has settled.
    #[inline]
    fn settle_after(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32) {
        let hot = &mut self.slots[index];
        if hot.active != 1 || hot.limit != 1 || self.life == Life::Deleting {
            return self.end_stream(now, ledger, index, StreamEnd::Complete);
        }
        hot.active = 0;
        hot.idle_since = now;
        hot.state = Some(State::Ready(Phase::Settling));
        self.active -= 1;
        self.capacity += 1;
        self.slots.push_front(ListName::Settling, index);
        self.release_requests(ledger, 1);
    }

    fn end_stream(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32, end: StreamEnd) {
        if self.slots[index].active == 0 {
            return self.ignore();
        }
        self.release_requests(ledger, 1);
        match self.flavour {
            Flavour::Exclusive => self.end_only_stream(now, ledger, index, end),
            Flavour::Streams => self.end_one_of_many(now, ledger, index, end),
        }
        self.finish(now, ledger);
    }

    /// HTTP/1: only a complete exchange leaves a usable connection.
    fn end_only_stream(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32, end: StreamEnd) {
        let (reason, unfinished) = match end {
            StreamEnd::Complete => return self.free_stream(now, ledger, index),
            StreamEnd::CloseNotified => {
                self.cold.stats.cx_close_notify += 1;
                (CloseReason::CloseNotified, 0)
            }
            StreamEnd::Final => (CloseReason::FinalExchange, 0),
            StreamEnd::RequestUnfinished => (CloseReason::RequestUnfinished, 1),
            StreamEnd::LocalReset | StreamEnd::RemoteReset | StreamEnd::RemoteRefused => {
                (CloseReason::StreamReset, 1)
            }
        };
        self.change(index, |hot| hot.active -= 1);
        self.order_close(now, ledger, index, reason, unfinished);
        self.replace(now, ledger);
    }

    /// HTTP/2 and HTTP/3: a stream that was reset leaves the others alone.
    fn end_one_of_many(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32, end: StreamEnd) {
        let last = match end {
            StreamEnd::Complete | StreamEnd::RequestUnfinished | StreamEnd::RemoteRefused => None,
            StreamEnd::LocalReset => {
                self.cold.stats.rq_tx_reset += 1;
                None
            }
            StreamEnd::RemoteReset => {
                self.cold.stats.rq_rx_reset += 1;
                None
            }
            StreamEnd::CloseNotified => {
                self.cold.stats.cx_close_notify += 1;
                Some(DrainCause::CloseNotified)
            }
            StreamEnd::Final => Some(DrainCause::FinalExchange),
        };
        match last {
            None => self.free_stream(now, ledger, index),
            Some(cause) => {
                if self.slots[index].active > 1 {
                    // Before the stream is free, so that nobody is bound to it.
                    self.drain_one(now, ledger, index, cause);
                    self.change(index, |hot| hot.active -= 1);
                } else {
                    self.change(index, |hot| hot.active -= 1);
                    self.order_close(now, ledger, index, cause.close_reason(), 0);
                }
                self.replace(now, ledger);
            }
        }
    }

    /// A stream is free again: on a draining connection the last one closes it, on others the queue
    /// may use it.
    fn free_stream(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32) {
        let state = self.slots[index].state;
        match state {
            Some(State::Draining(_)) => return self.drained_stream_ended(now, ledger, index),
            None
            | Some(
                State::Connecting | State::EarlyData | State::Ready(_) | State::Busy(_) | State::Closed(_),
            ) => {}
        }
        let exclusive = self.flavour == Flavour::Exclusive;
        self.change(index, |hot| {
            hot.active -= 1;
            if hot.active == 0 {
                hot.idle_since = now;
            }
            hot.state = refit(hot.state, hot.unused());
            if exclusive && state == Some(State::Busy(Handshake::Complete)) {
                if let Some(State::Ready(Phase::Open)) = hot.state {
                    hot.state = Some(State::Ready(Phase::Settling));
                }
            }
        });
        self.use_capacity(now, ledger, BindReason::StreamEnded);
    }

    fn drained_stream_ended(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32) {
        self.change(index, |hot| hot.active -= 1);
        let hot = &self.slots[index];
        match hot.state {
            Some(State::Draining(cause)) if hot.active == 0 => {
                self.order_close(now, ledger, index, cause.close_reason(), 0);
                self.replace(now, ledger);
            }
            None
            | Some(
                State::Draining(_)
                | State::Connecting
                | State::EarlyData
                | State::Ready(_)
                | State::Busy(_)
                | State::Closed(_),
            ) => {}
        }
    }

    /// Lets the queue have what became free.
    fn use_capacity(&mut self, now: Instant, ledger: &mut impl Ledger, reason: BindReason) {
        if self.cold.queue.is_empty() {
            return;
        }
        let early = self.slots.table.early_data.len > 0;
        if early {
            self.serve_early(now, ledger);
        }
        if self.slots.ready.len > 0 {
            self.serve_then_create(now, ledger, reason);
        } else if early {
            // It may have got its last stream and drain by now.
            self.replace(now, ledger);
        }
    }

    fn serve_then_create(&mut self, now: Instant, ledger: &mut impl Ledger, reason: BindReason) {
        self.serve(now, ledger, reason);
        if !self.cold.queue.is_empty() {
            self.create(now, ledger, Attempt::Fresh);
        }
    }
}

/// The state that fits `unused`: with a free stream Ready or `EarlyData`, without one Busy. A
/// settling connection settles first.
fn refit(state: Option<State>, unused: i64) -> Option<State> {
    match state {
        Some(State::EarlyData) if unused <= 0 => Some(State::Busy(Handshake::Pending)),
        Some(State::Busy(Handshake::Pending)) if unused > 0 => Some(State::EarlyData),
        Some(State::Ready(_)) if unused <= 0 => Some(State::Busy(Handshake::Complete)),
        Some(State::Busy(Handshake::Complete)) if unused > 0 => Some(State::Ready(Phase::Open)),
        None
        | Some(
            State::EarlyData
            | State::Ready(_)
            | State::Busy(_)
            | State::Connecting
            | State::Draining(_)
            | State::Closed(_),
        ) => state,
    }
}
