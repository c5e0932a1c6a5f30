//! From event to event.

use core::cmp::Reverse;

use pool_core::id::{ConnId, PoolId};
use pool_core::pool::CancelPolicy;
use pool_core::report::{ClosedBy, Report, StreamEnd};
use pool_core::time::{Deadline, Instant};

use super::request::Phase;
use super::socket::Stand;
use super::{Dial, Engine, How, NEVER, Nature, Todo, What, Wish};
use crate::workload::books::Ended;

/// Who is next.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Event,
    Patience,
    Deadline(u32),
    Arrival,
}

impl<N: Nature> Engine<N> {
    /// One event; `false` if there is nothing left to do.
    pub(super) fn step(&mut self, until: Instant) -> bool {
        let (mut at, mut turn) = (NEVER, Turn::Event);
        let mut sooner = |other: Instant, who: Turn| {
            if other < at {
                (at, turn) = (other, who);
            }
        };
        if let Some(event) = self.events.peek() {
            sooner(event.at.0.0, Turn::Event);
        }
        if let Some(&(due, ..)) = self.patience.front() {
            sooner(due, Turn::Patience);
        }
        for (number, worker) in (0..).zip(&self.workers) {
            match worker.set.deadline() {
                Deadline::Never => {}
                Deadline::Now(()) => sooner(self.now, Turn::Deadline(number)),
                Deadline::At(due, ()) => sooner(due, Turn::Deadline(number)),
            }
        }
        if let Some(arrival) = &self.next {
            sooner(arrival.at, Turn::Arrival);
        }
        let is_over = self.next.is_none() && self.requests.open() == 0;
        if at == NEVER || is_over && at > until {
            self.now = if is_over { self.now.max(until) } else { self.now };
            return false;
        }
        self.now = self.now.max(at);
        self.steps += 1;
        match turn {
            Turn::Event => {
                if let Some(event) = self.events.pop() {
                    let Reverse(_) = event.at;
                    self.happen(event.what);
                }
            }
            Turn::Patience => {
                if let Some((_, slot, life)) = self.patience.pop_front() {
                    self.give_up(slot, life);
                }
            }
            Turn::Deadline(worker) => {
                self.workers[worker as usize].set.handle_timeout(self.now);
                self.turn(worker);
            }
            Turn::Arrival => self.arrive(),
        }
        true
    }

    fn arrive(&mut self) {
        let Some(arrival) = self.next.take() else { return };
        self.outcome.requests += 1;
        let slot = self.requests.add(&arrival, self.policy);
        let life = self.requests.get(slot).life;
        self.await_patience(slot, life, arrival.gives_up);
        self.ask(slot);
        self.next = self.nature.arrival();
    }

    /// Plans the end of a caller's patience.
    pub(crate) fn await_patience(&mut self, slot: u32, life: u32, at: Instant) {
        if at == NEVER {
            return;
        }
        // Callers that are all alike give up in the order in which they came.
        if self.patience.back().is_none_or(|(last, ..)| *last <= at) {
            self.patience.push_back((at, slot, life));
        } else {
            self.plan(at, What::GivesUp { slot, life });
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::End { slot, stamp } => {
                let request = self.requests.get(slot);
                if request.stamp == stamp {
                    if let Phase::Bound { pool, conn, ending } = request.phase {
                        let worker = self.places[request.place as usize].worker;
                        self.end_exchange(slot, worker, pool, conn, ending.how);
                    }
                }
            }
            What::Dialled { worker, pool, index, generation } => {
                let (pool, conn) = (PoolId(pool), ConnId { index, generation });
                let socket = self.socket(worker, pool, conn);
                if let (true, Stand::Opening { dial, .. }) = (socket.generation == generation, socket.stand) {
                    let report = match dial {
                        Dial::Up(_) => Report::Connected { limit: None },
                        Dial::Refused(_) | Dial::Silent => Report::Closed(ClosedBy::Remote),
                    };
                    self.report(self.now, worker, pool, conn, report);
                    self.turn(worker);
                }
            }
            What::PeerCloses { worker, pool, index, generation } => {
                let (pool, conn) = (PoolId(pool), ConnId { index, generation });
                let now = self.now;
                let socket = self.socket(worker, pool, conn);
                if socket.generation != generation || !matches!(socket.stand, Stand::Up { .. }) {
                    return;
                }
                socket.alarm = NEVER;
                if socket.peer_closes <= now {
                    self.report(now, worker, pool, conn, Report::Closed(ClosedBy::Remote));
                    self.turn(worker);
                } else {
                    self.watch(worker, pool, conn);
                }
            }
            What::Retry { slot, stamp } => self.retry(slot, stamp),
            What::GivesUp { slot, life } => self.give_up(slot, life),
            What::Wish(number) => {
                let (Wish::Drain(place, _) | Wish::Abort(place)) = self.wishes[number as usize];
                let Some(pool) = self.pools[place as usize] else { return };
                let worker = self.places[place as usize].worker;
                let set = &mut self.workers[worker as usize].set;
                match self.wishes[number as usize] {
                    Wish::Drain(_, mode) => set.drain(self.now, pool, mode),
                    Wish::Abort(_) => set.abort(self.now, pool),
                }
                self.turn(worker);
            }
        }
    }

    fn retry(&mut self, slot: u32, stamp: u32) {
        let request = self.requests.get(slot);
        if request.stamp != stamp {
            return;
        }
        request.exchange.handle_back_off_over();
        let (place, key) = (request.place, request.key);
        let place = self.nature.other_place(place, key);
        self.requests.get(slot).place = place;
        self.ask(slot);
    }

    fn end_exchange(&mut self, slot: u32, worker: u32, pool: PoolId, conn: ConnId, how: How) {
        match how {
            How::Stream(end) => {
                self.exchange_of(worker, pool, conn, slot, end);
                match end {
                    StreamEnd::LocalReset => self.over(slot, Ended::GivenUpInProgress),
                    StreamEnd::RemoteReset | StreamEnd::RemoteRefused => self.over(slot, Ended::Broken),
                    _ => self.over(slot, Ended::Answered),
                }
                self.workers[worker as usize].set.finish(self.now, pool, conn, end);
            }
            How::Breaks => {
                self.report(self.now, worker, pool, conn, Report::Closed(ClosedBy::Remote));
            }
        }
        self.turn(worker);
    }

    /// A caller gives its request up, wherever it is.
    fn give_up(&mut self, slot: u32, life: u32) {
        let request = self.requests.get(slot);
        if request.life != life {
            return;
        }
        let worker = self.places[request.place as usize].worker;
        match request.phase {
            Phase::Free => {}
            Phase::Between(_) => self.over(slot, Ended::GivenUpWaiting),
            Phase::Queued { pool, waiter, .. } => {
                self.unqueue(slot);
                self.over(slot, Ended::GivenUpWaiting);
                let set = &mut self.workers[worker as usize].set;
                set.cancel(self.now, pool, waiter, CancelPolicy::Default);
                self.turn(worker);
            }
            Phase::Bound { pool, conn, .. } => {
                self.end_exchange(slot, worker, pool, conn, How::Stream(StreamEnd::LocalReset));
            }
        }
    }

    /// Takes orders until there are none, does what they ask for at once, and passes freed seats on.
    #[inline]
    pub(crate) fn turn(&mut self, worker: u32) {
        let mut worker = worker;
        loop {
            while let Some((pool, action)) = self.workers[worker as usize].set.poll_action() {
                self.act(worker, pool, action);
            }
            if let Deadline::Now(()) = self.workers[worker as usize].set.deadline() {
                self.workers[worker as usize].set.handle_timeout(self.now);
                continue;
            }
            if let Some(todo) = self.todo.pop() {
                match todo {
                    Todo::Closed { worker: whose, pool, conn } => {
                        self.report(self.now, whose, pool, conn, Report::Closed(ClosedBy::Local));
                        worker = whose;
                    }
                    Todo::Requeue { slot } => {
                        let place = self.requests.get(slot).place;
                        worker = self.places[place as usize].worker;
                        self.ask_again(slot);
                    }
                }
                continue;
            }
            let Some(rung) = self.workers.iter().position(|worker| worker.bell.take()) else { return };
            worker = u32::try_from(rung).unwrap_or(u32::MAX);
            self.workers[rung].set.handle_seats_freed(self.now);
        }
    }
}
