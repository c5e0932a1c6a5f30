//! Who gets which connection: the pick, the bind, the service of the queue.
//!
//! Pick and queue policy live here and nowhere else: the most recently used connection, the oldest
//! request.

use super::action::{
    Action, Answer, BindReason, Bound, EarlyData, FailReason, Failed, QueueReason, Queued, Request, Usage,
};
use super::connect::Attempt;
use super::slots::{ListName, NEVER, NONE};
use super::state::{DrainCause, Handshake, State};
use super::{HostHealth, Life, Pool, Spares};
use crate::config::RequestLimit;
use crate::id::ConnId;
use crate::limits::{Ledger, Resource};
use crate::time::Instant;

impl Pool {
    /// Asks for a connection. See [`Answer`].
    ///
    /// After `drain(AndDelete)` or `abort` requests are not allowed; they fail, and are counted as
    /// ignored.
    #[inline]
    pub fn request(&mut self, now: Instant, ledger: &mut impl Ledger, request: Request) -> Answer {
        match self.bind_directly(ledger) {
            Some(answer) => answer,
            None => self.request_otherwise(now, ledger, request),
        }
    }

    /// The direct way of a request: takes the connection that became ready last, if nothing can
    /// follow from it. Answers `None`, and has changed nothing, where a connection may have to be
    /// opened or drained or the request to wait. No deadline moves forward and no action is ordered.
    // Always: as a call of its own it costs a tenth of what it does.
    #[inline(always)]
    pub(crate) fn bind_directly(&mut self, ledger: &mut impl Ledger) -> Option<Answer> {
        let who = self.who();
        let index = self.pick();
        // With nobody queued (there never is beside a ready connection), no spares to think of and a
        // stream left to take, no connection can be wanted.
        if self.capacity <= 0
            || self.spares != Spares::None
            || self.health != HostHealth::Healthy
            || self.life != Life::Open
        {
            return None;
        }
        let hot = self.slots.get_mut(index).filter(|hot| hot.remaining > 1)?;
        match self.request_limit {
            RequestLimit::Ignored => {}
            RequestLimit::Enforced => match ledger.try_take(Resource::Requests, who) {
                Ok(seat) => self.seats.put_request(seat),
                Err(_) => {
                    self.cold.stats.rq_active_overflow += 1;
                    return Some(failed(FailReason::RequestLimit));
                }
            },
        }
        let usage = core::mem::replace(&mut hot.usage, Usage::Reused);
        let (conn, next) = (ConnId { index, generation: hot.generation }, hot.next);
        hot.active += 1;
        hot.remaining -= 1;
        if hot.active >= hot.limit {
            hot.state = Some(State::Busy(Handshake::Complete));
            self.slots.pop_ready(next);
        }
        self.active += 1;
        self.capacity -= 1;
        self.rq_total += 1;
        Some(Answer::Bound(Bound { conn, reason: BindReason::MostRecentlyUsed, usage }))
    }

    /// Asks again for a request that was bound but never sent, or refused by the peer unprocessed:
    /// it goes to the head of the queue and may pass `max_pending_requests`, though it is counted
    /// there. `deadline` is the one that it had; `None` gives it a new `pending_timeout`.
    pub fn requeue(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        request: Request,
        deadline: Option<Instant>,
    ) -> Answer {
        if self.life == Life::Deleting && self.slots.serving() == 0 {
            return failed(FailReason::Deleted);
        }
        if let Some(answer) = self.bind_unqueued(now, ledger, request) {
            return answer;
        }
        let seat = ledger.take_over_limit(Resource::Pending, self.who());
        self.seats.put(seat);
        let deadline = deadline.unwrap_or_else(|| self.pending_deadline(now));
        let waiter = self.cold.queue.push_front(request, now, deadline);
        self.queued(now, ledger, waiter, request)
    }

    /// The connection that the next request gets: the one that became ready last, which is picked
    /// until it is no longer ready.
    #[inline]
    fn pick(&self) -> u32 {
        self.slots.ready.head
    }

    /// The same among connections whose handshake is not complete.
    fn pick_early(&self, request: Request) -> Option<u32> {
        let head = self.slots.table.early_data.head;
        match request.early_data {
            EarlyData::Safe => (head != NONE).then_some(head),
            EarlyData::Unsafe => None,
        }
    }

    /// Binds to a connection that is there to be picked.
    fn bind_unqueued(&mut self, now: Instant, ledger: &mut impl Ledger, request: Request) -> Option<Answer> {
        let index = self.pick();
        if index != NONE {
            return Some(self.bind_at_once(now, ledger, index, BindReason::MostRecentlyUsed));
        }
        let index = self.pick_early(request)?;
        Some(self.bind_early(now, ledger, index))
    }

    #[cold]
    fn request_otherwise(&mut self, now: Instant, ledger: &mut impl Ledger, request: Request) -> Answer {
        if self.life == Life::Deleting {
            self.ignore();
            return failed(FailReason::Deleted);
        }
        if let Some(answer) = self.bind_unqueued(now, ledger, request) {
            return answer;
        }
        let Ok(seat) = ledger.try_take(Resource::Pending, self.who()) else {
            self.cold.stats.rq_pending_overflow += 1;
            return failed(FailReason::PendingLimit);
        };
        self.seats.put(seat);
        let waiter = self.cold.queue.push_back(request, now, self.pending_deadline(now));
        self.queued(now, ledger, waiter, request)
    }

    fn queued(&mut self, now: Instant, ledger: &mut impl Ledger, waiter: u32, request: Request) -> Answer {
        self.cold.queue.begin_at(waiter, self.cold.generation);
        self.cold.idle = super::IdleReport::Due;
        self.cold.stats.rq_pending_total += 1;
        self.create(now, ledger, Attempt::Fresh);
        let reason = if self.slots.settling >= self.cold.queue.len() {
            QueueReason::Settling
        } else if request.early_data == EarlyData::Unsafe && self.slots.table.early_data.len > 0 {
            QueueReason::Handshake
        } else if self.cold.connecting > 0 {
            QueueReason::Connecting
        } else if self.awaits_seat() {
            QueueReason::ConnectionLimit
        } else {
            QueueReason::Busy
        };
        Answer::Queued(Queued { waiter: self.cold.queue.id(waiter), reason })
    }

    fn pending_deadline(&self, now: Instant) -> Instant {
        self.cold.config.pending_timeout().map_or(NEVER, |timeout| now.after(timeout))
    }

    #[inline]
    fn bind_at_once(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        index: u32,
        reason: BindReason,
    ) -> Answer {
        if !self.admit(ledger) {
            return failed(FailReason::RequestLimit);
        }
        let usage = self.attach_ready(now, index);
        let conn = self.slots.id(index);
        if self.should_create() {
            self.create(now, ledger, Attempt::Fresh);
        }
        Answer::Bound(Bound { conn, reason, usage })
    }

    fn bind_early(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32) -> Answer {
        self.cold.stats.rq_0rtt += 1;
        if !self.admit(ledger) {
            return failed(FailReason::RequestLimit);
        }
        let usage = self.attach_early(now, index);
        let conn = self.slots.id(index);
        self.create(now, ledger, Attempt::Fresh);
        Answer::Bound(Bound { conn, reason: BindReason::EarlyData, usage })
    }

    /// Takes a request seat, where requests are limited. Nobody waits for one: over the limit
    /// requests fail (#16610).
    #[inline]
    fn admit(&mut self, ledger: &mut impl Ledger) -> bool {
        match self.request_limit {
            RequestLimit::Ignored => true,
            RequestLimit::Enforced => match ledger.try_take(Resource::Requests, self.who()) {
                Ok(seat) => {
                    self.seats.put_request(seat);
                    true
                }
                Err(_) => {
                    self.cold.stats.rq_active_overflow += 1;
                    false
                }
            },
        }
    }

    /// Gives a stream to a connection in the Ready list. The state moves before the stream exists.
    #[inline]
    fn attach_ready(&mut self, now: Instant, index: u32) -> Usage {
        self.active += 1;
        self.capacity -= 1;
        self.rq_total += 1;
        let hot = &mut self.slots[index];
        let usage = core::mem::replace(&mut hot.usage, Usage::Reused);
        hot.active += 1;
        hot.remaining -= 1;
        if hot.remaining == 0 {
            hot.state = Some(State::Draining(DrainCause::MaxRequests));
            self.slots.unlink(ListName::Ready, index);
            self.slots.table.draining += 1;
            self.last_stream_taken(now, index);
        } else if hot.active >= hot.limit {
            hot.state = Some(State::Busy(Handshake::Complete));
            self.slots.unlink(ListName::Ready, index);
        }
        usage
    }

    /// The same before the handshake is complete.
    fn attach_early(&mut self, now: Instant, index: u32) -> Usage {
        self.rq_total += 1;
        let mut usage = Usage::First;
        self.change(index, |hot| {
            usage = core::mem::replace(&mut hot.usage, Usage::Reused);
            hot.active += 1;
            hot.remaining -= 1;
            if hot.remaining == 0 {
                hot.state = Some(State::Draining(DrainCause::MaxRequests));
            } else if hot.unused() <= 0 {
                hot.state = Some(State::Busy(Handshake::Pending));
            }
        });
        if self.slots[index].remaining == 0 {
            self.last_stream_taken(now, index);
        }
        usage
    }

    #[cold]
    fn last_stream_taken(&mut self, now: Instant, index: u32) {
        self.cold.stats.cx_max_requests += 1;
        self.start_drain(now, index);
    }

    /// Serves the queue, oldest first, while there is a ready connection.
    pub(super) fn serve(&mut self, now: Instant, ledger: &mut impl Ledger, reason: BindReason) {
        while let Some(waiter) = self.cold.queue.front() {
            let index = self.pick();
            if index == NONE {
                return;
            }
            if self.admit(ledger) {
                let usage = self.attach_ready(now, index);
                self.bound(ledger, waiter, index, reason, usage);
            } else {
                self.fail(ledger, waiter, FailReason::RequestLimit);
            }
        }
    }

    /// Serves those that may go out as early data, oldest first; the others keep their places.
    pub(super) fn serve_early(&mut self, now: Instant, ledger: &mut impl Ledger) {
        let mut next = self.cold.queue.front();
        while let Some(waiter) = next {
            let index = self.slots.table.early_data.head;
            if index == NONE || self.cold.queue.safe == 0 {
                return;
            }
            next = self.cold.queue.after(waiter);
            if self.cold.queue.get(waiter).early_data == EarlyData::Unsafe {
                continue;
            }
            self.cold.stats.rq_0rtt += 1;
            if self.admit(ledger) {
                let usage = self.attach_early(now, index);
                self.bound(ledger, waiter, index, BindReason::EarlyData, usage);
            } else {
                self.fail(ledger, waiter, FailReason::RequestLimit);
            }
        }
    }

    fn bound(&mut self, ledger: &mut impl Ledger, waiter: u32, index: u32, reason: BindReason, usage: Usage) {
        let (waiter, token) = self.leave_queue(ledger, waiter);
        let conn = self.slots.id(index);
        self.emit(Action::Bind { waiter, token, conn, reason, usage });
    }
}

fn failed(reason: FailReason) -> Answer {
    Answer::Failed(Failed { failure: reason.failure(), reason })
}
