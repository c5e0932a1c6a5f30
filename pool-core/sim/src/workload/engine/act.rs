//! What pools answer and order, and what sockets report: books kept, and what follows planned.

use pool_core::cluster::{Endpoint, Key};
use pool_core::exchange::{BodyReplay, Next, Progress, Usage as Carried};
use pool_core::id::{ConnId, HostId, PoolId, Token};
use pool_core::limits::{Claimant, Ledger, Resource};
use pool_core::pool::{Action, Answer, CloseReason, FailReason, Request as Ask, Usage};
use pool_core::report::{ClosedBy, Report, StreamEnd};
use pool_core::time::Instant;

use super::desk::{Desk, Guided};
use super::request::Phase;
use super::socket::{Socket, Stand};
use super::{Course, Dial, Engine, How, Line, NEVER, Nature, Todo, Use, What, nanos};
use crate::workload::books::{Cause, Ended};

impl<N: Nature> Engine<N> {
    /// The pool of a place, made if there is none.
    pub(crate) fn pool_at(&mut self, place: u32) -> Option<PoolId> {
        if let Some(pool) = self.pools[place as usize] {
            return Some(pool);
        }
        let home = self.places[place as usize].home;
        let worker = &self.workers[self.places[place as usize].worker as usize];
        if worker.homes[home as usize].id.is_none() {
            self.add_cluster(place, None);
        }
        self.add_pool(place)
    }

    /// A cluster for the home of a place.
    pub(crate) fn add_cluster(&mut self, place: u32, guided: Option<Guided>) {
        let place = &self.places[place as usize];
        let worker = &mut self.workers[place.worker as usize];
        let group = place.group as usize;
        let desk = Desk::new(&self.ledgers[group], &worker.bell, guided);
        let id = worker.set.add_cluster(self.groups[group].pool.clone(), desk);
        worker.homes[place.home as usize].id = Some(id);
    }

    /// A pool at a place that has none; `None` if `max_connection_pools` has no room.
    pub(crate) fn add_pool(&mut self, number: u32) -> Option<PoolId> {
        let place = &self.places[number as usize];
        let worker = &mut self.workers[place.worker as usize];
        let home = &mut worker.homes[place.home as usize];
        let endpoint = Endpoint { cluster: u64::from(place.group), host: HostId(place.host) };
        // Places are told apart by the full key; here a number does.
        let key = Key { downstream: Some(u64::from(number)), ..Key::endpoint(endpoint, place.priority) };
        let Ok(pool) = worker.set.add_pool(&key, home.id?, place.priority) else {
            if home.pools == 0 {
                home.id = None;
            }
            return None;
        };
        home.pools += 1;
        let wanted = worker.pools.len().max(pool.0 as usize + 1);
        worker.pools.resize_with(wanted, || (0, Vec::new()));
        worker.pools[pool.0 as usize].0 = number;
        self.pools[number as usize] = Some(pool);
        Some(pool)
    }

    /// A request asks the pool of its place.
    pub(crate) fn ask(&mut self, slot: u32) {
        let number = self.requests.get(slot).place;
        let Some(pool) = self.pool_at(number) else { return self.over(slot, Ended::PoolOverflow) };
        let worker = self.places[number as usize].worker;
        let request = Ask::new(Token(u64::from(slot)));
        let answer = self.workers[worker as usize].set.request(self.now, pool, request);
        self.answered(slot, pool, answer);
        self.turn(worker);
    }

    /// A request goes back to the head of its queue.
    pub(super) fn ask_again(&mut self, slot: u32) {
        let request = self.requests.get(slot);
        let (number, deadline) = (request.place, request.exchange.queue_deadline());
        let Some(pool) = self.pools[number as usize] else { return self.ask(slot) };
        let worker = self.places[number as usize].worker;
        let request = Ask::new(Token(u64::from(slot)));
        let answer = self.workers[worker as usize].set.requeue(self.now, pool, request, deadline);
        self.answered(slot, pool, answer);
    }

    /// What a pool answered.
    #[inline]
    pub(crate) fn answered(&mut self, slot: u32, pool: PoolId, answer: Option<Answer>) {
        match answer {
            Some(Answer::Bound(bound)) => self.bound(slot, pool, bound.conn, bound.usage),
            Some(Answer::Queued(queued)) => {
                self.outcome.queued.up(self.now);
                let request = self.requests.get(slot);
                request.stamp = request.stamp.wrapping_add(1);
                request.phase = Phase::Queued { pool, waiter: queued.waiter, since: self.now };
                let group = self.places[request.place as usize].group;
                let timeout = self.groups[group as usize].pool.pending_timeout();
                let deadline = timeout.map(|timeout| self.now + timeout);
                let deadline = request.exchange.queue_deadline().or(deadline);
                request.exchange.handle_queued(self.now, deadline);
            }
            Some(Answer::Failed(failed)) => self.refused(slot, failed.reason),
            None => self.over(slot, Ended::TornDown),
        }
    }

    /// A request leaves its queue.
    pub(crate) fn unqueue(&mut self, slot: u32) {
        let now = self.now;
        let request = self.requests.get(slot);
        if let Phase::Queued { since, .. } = request.phase {
            let waited = nanos(now.since(since));
            request.waited += waited;
            self.outcome.waited_nanos += u128::from(waited);
            self.outcome.queued.down(now);
        }
    }

    fn bound(&mut self, slot: u32, pool: PoolId, conn: ConnId, usage: Usage) {
        let now = self.now;
        let request = self.requests.get(slot);
        let (place, key, attempt) = (request.place, request.key, request.attempt);
        request.attempt += 1;
        let carried = match usage {
            Usage::First => Carried::Fresh,
            Usage::Reused => Carried::Reused,
        };
        request.exchange.handle_bound(now, carried);
        self.outcome.bound(now, usage);
        let worker = self.places[place as usize].worker;
        let socket = self.socket(worker, pool, conn);
        let line = Line { place, served: socket.served, peer_closes: socket.peer_closes };
        socket.peer_closes = NEVER;
        socket.active.push(slot);
        let is_gone = !matches!(socket.stand, Stand::Up { .. });
        let ending = if is_gone && self.course == Course::Planned {
            super::Ending { at: now, how: How::Breaks }
        } else {
            self.nature.exchange(now, line, key, attempt)
        };
        let request = self.requests.get(slot);
        request.phase = Phase::Bound { pool, conn, ending };
        request.stamp = request.stamp.wrapping_add(1);
        let stamp = request.stamp;
        if self.course == Course::Planned {
            self.nature.used(Use::Exchange { key, attempt });
            self.plan(ending.at, What::End { slot, stamp });
        }
    }

    /// A pool gave a request back.
    pub(crate) fn refused(&mut self, slot: u32, reason: FailReason) {
        let ended = Ended::of(reason);
        let now = self.now;
        let request = self.requests.get(slot);
        request.stamp = request.stamp.wrapping_add(1);
        request.phase = Phase::Between(ended);
        let next = request.exchange.handle_pool_failure(now, reason.failure());
        if self.course == Course::Told {
            return;
        }
        match ended {
            // Whoever took the pool away does not want it back.
            Ended::TornDown => self.over(slot, ended),
            _ => self.follow(slot, next, ended),
        }
    }

    /// Does what the exchange says after a failure.
    fn follow(&mut self, slot: u32, next: Next, ended: Ended) {
        match next {
            Next::Requeue { .. } => {
                self.outcome.replays += 1;
                self.todo.push(Todo::Requeue { slot });
            }
            Next::RetryAt(at) => {
                self.end_retry(slot);
                if !self.begin_retry(slot) {
                    self.outcome.retry_overflow += 1;
                    let _ = self.requests.get(slot).exchange.handle_retry_refused();
                    return self.over(slot, ended);
                }
                self.outcome.retries += 1;
                let stamp = self.requests.get(slot).stamp;
                self.plan(at, What::Retry { slot, stamp });
            }
            Next::Fail(_) => self.over(slot, ended),
        }
    }

    /// Takes a seat of `max_retries` if the group asks for it.
    fn begin_retry(&mut self, slot: u32) -> bool {
        let request = self.requests.get(slot);
        let place = &self.places[request.place as usize];
        if !self.groups[place.group as usize].limits_retries {
            return true;
        }
        let who = Claimant { pool: PoolId(0), host: HostId(place.host), priority: place.priority };
        let seat = self.retry_desks[place.group as usize].try_take(Resource::Retries, who);
        request.retry_seat = seat.ok();
        request.retry_seat.is_some()
    }

    fn end_retry(&mut self, slot: u32) {
        let request = self.requests.get(slot);
        if let Some(seat) = request.retry_seat.take() {
            let group = self.places[request.place as usize].group;
            self.retry_desks[group as usize].give_back(seat);
        }
    }

    /// A request has its outcome.
    pub(crate) fn over(&mut self, slot: u32, ended: Ended) {
        self.end_retry(slot);
        let request = self.requests.get(slot);
        if ended == Ended::Answered {
            self.outcome.latency.add(nanos(self.now.since(request.arrived)));
        }
        self.outcome.end(ended, request.waited);
        self.requests.free(slot);
    }

    #[inline]
    pub(crate) fn socket(&mut self, worker: u32, pool: PoolId, conn: ConnId) -> &mut Socket {
        let sockets = &mut self.workers[worker as usize].pools[pool.0 as usize].1;
        if sockets.len() <= conn.index as usize {
            sockets.resize_with(conn.index as usize + 1, Socket::default);
        }
        &mut sockets[conn.index as usize]
    }

    /// A pool gave an order.
    pub(crate) fn act(&mut self, worker: u32, pool: PoolId, action: Action) {
        match action {
            Action::Connect { conn, reason } => {
                self.outcome.order(self.now, reason);
                let now = self.now;
                let place = self.workers[worker as usize].pools[pool.0 as usize].0;
                let dial = self.nature.dial(now, place);
                let socket = self.socket(worker, pool, conn);
                let active = core::mem::take(&mut socket.active);
                let stand = Stand::Opening { since: now, dial };
                *socket = Socket { generation: conn.generation, stand, active, ..Socket::default() };
                if self.course == Course::Planned {
                    self.plan_dial(worker, pool, conn, now, dial);
                }
            }
            Action::Close { conn, reason } => self.close(worker, pool, conn, reason),
            Action::Bind { token, conn, usage, .. } => {
                let slot = token.0 as u32;
                self.unqueue(slot);
                self.bound(slot, pool, conn, usage);
            }
            Action::Fail { token, reason, .. } => {
                let slot = token.0 as u32;
                self.unqueue(slot);
                self.refused(slot, reason);
            }
            Action::NotifyGoAway { .. } => {}
            Action::Idle => {
                let worker = &mut self.workers[worker as usize];
                if worker.set.pool(pool).is_none() {
                    let place = worker.pools[pool.0 as usize].0;
                    let home = &mut worker.homes[self.places[place as usize].home as usize];
                    home.pools -= 1;
                    if home.pools == 0 {
                        home.id = None;
                    }
                    self.pools[place as usize] = None;
                }
            }
        }
    }

    /// Plans the end of a connection attempt.
    pub(crate) fn plan_dial(&mut self, worker: u32, pool: PoolId, conn: ConnId, since: Instant, dial: Dial) {
        let place = self.workers[worker as usize].pools[pool.0 as usize].0;
        self.nature.used(Use::Dial { at: since, place });
        if let Dial::Up(at) | Dial::Refused(at) = dial {
            let ConnId { index, generation } = conn;
            self.plan(at.max(self.now), What::Dialled { worker, pool: pool.0, index, generation });
        }
    }

    fn close(&mut self, worker: u32, pool: PoolId, conn: ConnId, reason: CloseReason) {
        let socket = self.socket(worker, pool, conn);
        let stand = core::mem::replace(&mut socket.stand, Stand::Closing(Cause::Ordered(reason)));
        if is_accepted(stand) {
            let place = self.workers[worker as usize].pools[pool.0 as usize].0;
            self.nature.gone(place);
        }
        let torn_down = reason == CloseReason::Aborted;
        self.break_all(worker, pool, conn, if torn_down { Ended::TornDown } else { Ended::Broken });
        if self.course == Course::Planned {
            self.todo.push(Todo::Closed { worker, pool, conn });
        }
    }

    /// Whatever is in progress on a connection is over with it.
    fn break_all(&mut self, worker: u32, pool: PoolId, conn: ConnId, ended: Ended) {
        while let Some(slot) = self.socket(worker, pool, conn).active.pop() {
            let now = self.now;
            self.outcome.active.down(now);
            let request = self.requests.get(slot);
            request.stamp = request.stamp.wrapping_add(1);
            request.phase = Phase::Between(ended);
            if self.course == Course::Told {
                continue;
            }
            if ended == Ended::TornDown {
                self.over(slot, ended);
                continue;
            }
            let failed = (Progress::RequestSent, None, BodyReplay::Possible);
            let next = request.exchange.handle_attempt_failed(now, failed.0, failed.1, failed.2);
            self.follow(slot, next, ended);
        }
    }

    /// A connection reported something other than the end of a stream: books first, then the pool.
    pub(crate) fn report(&mut self, at: Instant, worker: u32, pool: PoolId, conn: ConnId, report: Report) {
        let place = self.workers[worker as usize].pools[pool.0 as usize].0;
        match report {
            Report::Connected { .. } => {
                let now = self.now;
                self.socket(worker, pool, conn).stand = Stand::Up { idle_since: now };
                self.rest(worker, pool, conn);
            }
            Report::Closed(by) => {
                let socket = self.socket(worker, pool, conn);
                let busy = !socket.active.is_empty();
                let stand = core::mem::replace(&mut socket.stand, Stand::None);
                if is_accepted(stand) {
                    self.nature.gone(place);
                }
                let cause = match (stand, by, busy) {
                    (Stand::Closing(cause), _, _) => Some(cause),
                    (Stand::Opening { .. }, _, _) => Some(Cause::ConnectFailed),
                    (Stand::Up { .. }, ClosedBy::Local, _) => Some(Cause::LocalEnd),
                    (Stand::Up { .. }, ClosedBy::Remote, true) => Some(Cause::PeerWhileBusy),
                    (Stand::Up { .. }, ClosedBy::Remote, false) => Some(Cause::PeerWhileIdle),
                    (Stand::None, _, _) => None,
                };
                if let Some(cause) = cause {
                    self.outcome.gone(self.now, cause);
                }
                self.break_all(worker, pool, conn, Ended::Broken);
            }
            Report::StreamEnded(end) => {
                self.exchange_over(worker, pool, conn, end);
            }
            Report::CapacityChanged { .. } | Report::GoAwayReceived | Report::ProtocolError => {}
        }
        self.workers[worker as usize].set.handle_report(at, pool, conn, report);
    }

    /// The books of an exchange that ended; the oldest on its connection. Its request, if there was one.
    pub(crate) fn exchange_over(
        &mut self,
        worker: u32,
        pool: PoolId,
        conn: ConnId,
        end: StreamEnd,
    ) -> Option<u32> {
        let slot = self.socket(worker, pool, conn).active.first().copied()?;
        self.exchange_of(worker, pool, conn, slot, end);
        Some(slot)
    }

    /// The books of the end of one request's exchange.
    #[inline]
    pub(super) fn exchange_of(&mut self, worker: u32, pool: PoolId, conn: ConnId, slot: u32, end: StreamEnd) {
        let now = self.now;
        self.outcome.active.down(now);
        let socket = self.socket(worker, pool, conn);
        socket.active.retain(|other| *other != slot);
        socket.served += 1;
        let rests = socket.active.is_empty() && matches!(end, StreamEnd::Complete);
        let ended = match end {
            StreamEnd::Complete
            | StreamEnd::CloseNotified
            | StreamEnd::Final
            | StreamEnd::RequestUnfinished => Ended::Answered,
            StreamEnd::LocalReset => Ended::GivenUpInProgress,
            StreamEnd::RemoteReset | StreamEnd::RemoteRefused => Ended::Broken,
        };
        let request = self.requests.get(slot);
        request.stamp = request.stamp.wrapping_add(1);
        request.phase = Phase::Between(ended);
        if rests {
            if let Stand::Up { idle_since } = &mut self.socket(worker, pool, conn).stand {
                *idle_since = now;
                self.rest(worker, pool, conn);
            }
        }
    }

    /// A connection is idle from now on.
    fn rest(&mut self, worker: u32, pool: PoolId, conn: ConnId) {
        let place = self.workers[worker as usize].pools[pool.0 as usize].0;
        let now = self.now;
        let served = self.socket(worker, pool, conn).served;
        let peer_closes = self.nature.idle(now, Line { place, served, peer_closes: NEVER });
        self.socket(worker, pool, conn).peer_closes = peer_closes;
        if self.course == Course::Planned {
            self.watch(worker, pool, conn);
        }
    }

    /// Plans to look at an idle connection when its peer may close it. One event per connection: a
    /// later time is found when the earlier one comes.
    #[inline]
    pub(crate) fn watch(&mut self, worker: u32, pool: PoolId, conn: ConnId) {
        let socket = self.socket(worker, pool, conn);
        if socket.peer_closes < socket.alarm {
            socket.alarm = socket.peer_closes;
            let at = socket.alarm;
            let ConnId { index, generation } = conn;
            self.plan(at, What::PeerCloses { worker, pool: pool.0, index, generation });
        }
    }
}

/// Whether a host has, or will have, the connection.
fn is_accepted(stand: Stand) -> bool {
    matches!(stand, Stand::Up { .. } | Stand::Opening { dial: Dial::Up(_), .. })
}
