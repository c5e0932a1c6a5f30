//! An engine that follows a recording: the same books, with steps that are told instead of planned.

use pool_core::id::{ConnId, PoolId, Token, WaiterId};
use pool_core::pool::{Action, Answer, Request as Ask};
use pool_core::time::Instant;
use pool_core::trace::Step;

use super::desk::Guided;
use super::request::Phase;
use super::socket::Stand;
use super::{Arrival, Course, Engine, NEVER, Nature, Todo, Use, What};
use crate::workload::books::Ended;

impl<N: Nature> Engine<N> {
    /// A request comes for the first time.
    pub(crate) fn tell_arrival(&mut self, arrival: &Arrival) -> u32 {
        self.outcome.requests += 1;
        self.requests.add(arrival, self.policy)
    }

    /// A request asks a pool.
    pub(crate) fn tell_request(
        &mut self,
        worker: u32,
        at: Instant,
        slot: u32,
        step: &Step,
    ) -> Option<Answer> {
        let set = &mut self.workers[worker as usize].set;
        let token = Token(u64::from(slot));
        let (pool, answer) = match *step {
            Step::Request { pool, early_data, .. } => {
                (pool, set.request(at, pool, Ask { token, early_data }))
            }
            Step::Requeue { pool, early_data, deadline, .. } => {
                (pool, set.requeue(at, pool, Ask { token, early_data }, deadline))
            }
            _ => return None,
        };
        self.answered(slot, pool, answer);
        answer
    }

    /// Any other step than one that asks or makes something.
    pub(crate) fn tell(&mut self, worker: u32, at: Instant, step: &Step) {
        let index = worker as usize;
        match *step {
            Step::Cancel { pool, waiter, policy } => {
                if let Some(slot) = self.waiting(worker, pool, waiter) {
                    self.unqueue(slot);
                    self.requests.get(slot).phase = Phase::Between(Ended::GivenUpWaiting);
                }
                self.workers[index].set.cancel(at, pool, waiter, policy);
            }
            Step::Report { pool, conn, report } => {
                if self.workers[index].set.pool(pool).is_some() {
                    self.report(at, worker, pool, conn, report);
                }
            }
            Step::Finish { pool, conn, end } => {
                if self.workers[index].set.pool(pool).is_some() {
                    let _ = self.exchange_over(worker, pool, conn, end);
                }
                self.workers[index].set.finish(at, pool, conn, end);
            }
            Step::Settled { pool } => self.workers[index].set.handle_settled(at, pool),
            Step::Timeout => self.workers[index].set.handle_timeout(at),
            Step::SeatsFreed => self.workers[index].set.handle_seats_freed(at),
            Step::Drain { pool, mode } => self.workers[index].set.drain(at, pool, mode),
            Step::Retire { pool, conn } => self.workers[index].set.retire(at, pool, conn),
            Step::Abort { pool } => self.workers[index].set.abort(at, pool),
            Step::AddCluster(_)
            | Step::AddPool { .. }
            | Step::Request { .. }
            | Step::Requeue { .. }
            | Step::Note(_) => {}
        }
    }

    /// A cluster with a guide, for the home of a place.
    pub(crate) fn tell_cluster(&mut self, place: u32, guided: Guided) {
        self.add_cluster(place, Some(guided));
    }

    /// The next order of a worker's pools.
    pub(crate) fn told_action(&mut self, worker: u32) -> Option<(PoolId, Action)> {
        self.workers[worker as usize].set.poll_action()
    }

    /// When a worker's pools want to be called.
    pub(crate) fn told_deadline(&self, worker: u32) -> Option<Instant> {
        match self.workers[worker as usize].set.deadline() {
            pool_core::time::Deadline::At(at, ()) => Some(at),
            pool_core::time::Deadline::Now(()) | pool_core::time::Deadline::Never => None,
        }
    }

    /// Whether another worker freed a seat for this one.
    pub(crate) fn told_bell(&self, worker: u32) -> bool {
        self.workers[worker as usize].bell.take()
    }

    /// What a request has come to, if it is neither waiting nor in progress.
    pub(crate) fn told_end(&mut self, slot: u32) -> Option<Ended> {
        match self.requests.get(slot).phase {
            Phase::Between(ended) => Some(ended),
            Phase::Free | Phase::Queued { .. } | Phase::Bound { .. } => None,
        }
    }

    /// The recording ended first: whoever is still on the way is so.
    pub(crate) fn tell_end(&mut self) {
        let open: Vec<u32> = self.requests.slots().map(|(slot, _)| slot).collect();
        for slot in open {
            self.unqueue(slot);
            if let Phase::Bound { .. } = self.requests.get(slot).phase {
                let now = self.now;
                self.outcome.active.down(now);
            }
            self.over(slot, Ended::Unfinished);
        }
    }

    fn waiting(&self, worker: u32, pool: PoolId, waiter: WaiterId) -> Option<u32> {
        let is_it = |place: u32, phase: Phase| {
            self.places[place as usize].worker == worker
                && matches!(phase, Phase::Queued { pool: p, waiter: w, .. } if (p, w) == (pool, waiter))
        };
        self.requests.slots().find(|(_, request)| is_it(request.place, request.phase)).map(|(slot, _)| slot)
    }

    /// From here on everything is planned: what is under way gets its end. `later` says when a
    /// request that is between two attempts asked again, and when its caller gave it up.
    pub(crate) fn take_over(&mut self, later: impl Fn(u64) -> (Option<Instant>, Instant)) {
        self.course = Course::Planned;
        let mut dials = Vec::new();
        let mut idle = Vec::new();
        for (number, worker) in (0_u32..).zip(&self.workers) {
            for (pool, (_, sockets)) in (0_u32..).zip(&worker.pools) {
                for (index, socket) in (0_u32..).zip(sockets) {
                    let conn = ConnId { index, generation: socket.generation };
                    match socket.stand {
                        Stand::None => {}
                        Stand::Opening { since, dial } => {
                            dials.push((number, PoolId(pool), conn, since, dial));
                        }
                        Stand::Up { .. } => idle.push((number, PoolId(pool), conn)),
                        Stand::Closing(_) => {
                            self.todo.push(Todo::Closed { worker: number, pool: PoolId(pool), conn });
                        }
                    }
                }
            }
        }
        for (worker, pool, conn, since, dial) in dials {
            self.plan_dial(worker, pool, conn, since, dial);
        }
        for (worker, pool, conn) in idle {
            self.watch(worker, pool, conn);
        }
        let now = self.now;
        let open: Vec<_> = self
            .requests
            .slots()
            .map(|(slot, request)| {
                (slot, request.stamp, request.life, request.key, request.attempt, request.phase)
            })
            .collect();
        for (slot, stamp, life, key, attempt, phase) in open {
            let (again, gives_up) = later(key);
            match phase {
                Phase::Free => continue,
                Phase::Queued { .. } => {}
                Phase::Bound { ending, .. } => {
                    self.nature.used(Use::Exchange { key, attempt: attempt.saturating_sub(1) });
                    let at = if ending.at == NEVER { NEVER } else { ending.at.max(now) };
                    self.plan(at, What::End { slot, stamp });
                }
                Phase::Between(ended) => match again {
                    Some(at) => self.plan(at.max(now), What::Retry { slot, stamp }),
                    None => {
                        self.over(slot, ended);
                        continue;
                    }
                },
            }
            self.await_patience(slot, life, gives_up);
        }
    }

    /// Seats that were freed for anybody are passed on, and orders that wait are done.
    pub(crate) fn settle_all(&mut self) {
        for worker in 0..self.workers.len() {
            self.workers[worker].set.handle_seats_freed(self.now);
        }
        for worker in 0..self.workers.len() {
            self.turn(u32::try_from(worker).unwrap_or(u32::MAX));
        }
    }
}
