//! The recorded steps, as long as pools with the settings to try do what was recorded; then the engine.

use std::collections::BTreeMap;
use std::rc::Rc;

use pool_core::exchange::{Repeatable, RetryPolicy};
use pool_core::id::{PoolId, Token};
use pool_core::limits::{Priority, Resource};
use pool_core::pool::{Action, Answer};
use pool_core::time::Instant;
use pool_core::trace::{Entry, Event, Replay, Step};

use super::WhatIfError;
use super::nature::{Imputed, RecordedWorld};
use super::recorded::Facts;
use crate::workload::books::Outcome;
use crate::workload::engine::desk::{self, Guide, Guided};
use crate::workload::engine::{Arrival, Course, Engine, Plan};

/// A run of recorded load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What came of it.
    pub outcome: Outcome,
    /// When the pools first did something else than recorded; `None`: they never did.
    pub diverged_at: Option<Instant>,
    /// Recorded steps that were followed.
    pub followed: u64,
    /// Values taken and drawn after that.
    pub imputed: Imputed,
}

/// A step that comes next, with the recorded answer and the pool that it made.
type Ahead = (Entry, Option<Answer>, Option<PoolId>);

/// One worker's recording, one step ahead of the pools that follow it.
struct Follower<'a> {
    replay: Replay<'a>,
    next: Option<Box<Ahead>>,
    guide: Guide,
    clusters: u32,
    pools: usize,
    wishes: usize,
}

struct Following<'a> {
    facts: Rc<Facts>,
    engine: Engine<RecordedWorld>,
    followers: Vec<Follower<'a>>,
    /// By key: the slot of a request that has come, and how often it has asked.
    slots: BTreeMap<u64, (u32, usize)>,
    /// Requests that have come and have no outcome.
    open: Vec<u64>,
    timers_changed: bool,
    followed: u64,
    /// Every answer and order that was equal to the recorded one, for tests.
    agreed: u64,
}

/// Runs recorded load.
pub(super) fn run(files: &[&[u8]], facts: &Rc<Facts>, seed: u64) -> Result<Run, WhatIfError> {
    let plan = Plan {
        seeds: facts.seeds.clone(),
        groups: facts.groups.clone(),
        places: facts.places.clone(),
        policy: RetryPolicy::DEFAULT,
    };
    let mut engine = Engine::new(plan, RecordedWorld::new(Rc::clone(facts), seed));
    engine.course = Course::Told;
    engine.now = facts.span.0;
    engine.outcome.span = facts.span;
    let timers_changed =
        facts.groups.iter().zip(&facts.recorded_groups).any(|(new, old)| new.pool != old.pool);
    let mut followers = Vec::new();
    for file in files {
        followers.push(Follower {
            replay: Replay::new(file).map_err(WhatIfError::Log)?,
            next: None,
            guide: Guide::default(),
            clusters: 0,
            pools: 0,
            wishes: 0,
        });
    }
    let facts = Rc::clone(facts);
    let (slots, open) = (BTreeMap::new(), Vec::new());
    let mut following =
        Following { facts, engine, followers, slots, open, timers_changed, followed: 0, agreed: 0 };
    let diverged = following.follow();
    following.finish(diverged)
}

impl Following<'_> {
    /// Follows to the end, or to the first difference: an order that was not in the recording, if that
    /// is what it was.
    fn follow(&mut self) -> Option<Option<(u32, PoolId, Action)>> {
        for worker in 0..self.followers.len() {
            if let Err(order) = self.advance(worker) {
                return Some(order);
            }
        }
        loop {
            let ahead = self
                .followers
                .iter()
                .enumerate()
                .filter_map(|(worker, follower)| Some((follower.next.as_ref()?.0.now, worker)));
            let (at, worker) = ahead.min()?;
            if self.has_own_deadline(at) {
                return Some(None);
            }
            let Some(step) = self.followers[worker].next.take() else { continue };
            let (entry, answer, made) = *step;
            self.engine.now = self.engine.now.max(entry.now);
            desk::begin(&self.followers[worker].guide, &entry.said);
            self.followed += 1;
            if !self.apply(worker, &entry, answer.as_ref(), made) {
                return Some(None);
            }
            if let Err(order) = self.advance(worker) {
                return Some(order);
            }
            self.settle_requests();
            if let Some(other) = (0..self.followers.len()).find(|other| self.engine.told_bell(*other as u32))
            {
                // A seat went to somebody who did not get it in the recording. Where breakers are as they
                // were, the recording says itself who got what.
                if self.is_any_breaker_changed() {
                    let _ = other;
                    return Some(None);
                }
            }
        }
    }

    fn is_any_breaker_changed(&self) -> bool {
        let groups = self.facts.groups.iter().zip(&self.facts.recorded_groups);
        groups
            .into_iter()
            .any(|(new, old)| !unchanged(&new.limits, &old.limits)[Resource::Connections as usize])
    }

    /// Whether changed timers make a pool act before the next recorded step.
    fn has_own_deadline(&mut self, next: Instant) -> bool {
        if !self.timers_changed {
            return false;
        }
        for worker in 0..self.followers.len() as u32 {
            while let Some(due) = self.engine.told_deadline(worker).filter(|due| *due < next) {
                self.engine.now = self.engine.now.max(due);
                self.engine.tell(worker, due, &Step::Timeout);
                if let Some((pool, action)) = self.engine.told_action(worker) {
                    self.engine_takes_over();
                    self.engine.act(worker, pool, action);
                    return true;
                }
            }
        }
        false
    }

    /// Reads on to the next step, comparing the orders on the way.
    fn advance(&mut self, worker: usize) -> Result<(), Option<(u32, PoolId, Action)>> {
        let number = worker as u32;
        loop {
            let event = self.followers[worker].replay.next_event();
            match event {
                Ok(Some(Event::Action { pool, action, .. })) => match self.engine.told_action(number) {
                    Some((own, order)) if own == pool && same(order, action) => {
                        self.agreed += 1;
                        self.engine.act(number, own, order);
                    }
                    Some((own, order)) => return Err(Some((number, own, order))),
                    None => return Err(None),
                },
                Ok(Some(Event::Step { entry, answer, made })) => {
                    if let Step::Note(_) = entry.step {
                        continue;
                    }
                    let drained = entry.undrained.is_none();
                    self.followers[worker].next = Some(Box::new((entry, answer, made)));
                    if drained {
                        return self.nothing_more(number);
                    }
                    return Ok(());
                }
                // A recording that is cut ends here.
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    fn nothing_more(&mut self, worker: u32) -> Result<(), Option<(u32, PoolId, Action)>> {
        match self.engine.told_action(worker) {
            None => Ok(()),
            Some((pool, action)) => Err(Some((worker, pool, action))),
        }
    }

    /// Does a step; whether its answer is the recorded one.
    fn apply(&mut self, worker: usize, entry: &Entry, answer: Option<&Answer>, made: Option<PoolId>) -> bool {
        let (number, at) = (worker as u32, entry.now);
        match &entry.step {
            Step::AddCluster(_) => {
                let count = self.followers[worker].clusters;
                self.followers[worker].clusters += 1;
                let places = &self.facts.cluster_place[worker];
                if let Some(place) = places.get(count as usize).copied().flatten() {
                    let group = self.facts.places[place as usize].group as usize;
                    let (new, old) = (&self.facts.groups[group], &self.facts.recorded_groups[group]);
                    let guided = Guided {
                        guide: Rc::clone(&self.followers[worker].guide),
                        number: count,
                        unchanged: unchanged(&new.limits, &old.limits),
                    };
                    self.engine.tell_cluster(place, guided);
                }
                true
            }
            Step::AddPool { .. } => {
                let Some(made) = made else { return true };
                let life = self.followers[worker].pools;
                self.followers[worker].pools += 1;
                let place = self.facts.place_of[worker].get(life).copied();
                place.and_then(|place| self.engine.add_pool(place)) == Some(made)
            }
            Step::Request { request, .. } | Step::Requeue { request, .. } => {
                let Some(&key) = self.facts.keys[worker].get(request) else { return true };
                let slot = self.slot(key, matches!(entry.step, Step::Requeue { .. }));
                let own = self.engine.tell_request(number, at, slot, &entry.step);
                self.agreed += u64::from(own.as_ref() == answer);
                own.as_ref() == answer
            }
            Step::Drain { .. } | Step::Abort { .. } => {
                self.followers[worker].wishes += 1;
                self.engine.tell(number, at, &entry.step);
                true
            }
            _ => {
                self.engine.tell(number, at, &entry.step);
                true
            }
        }
    }

    fn slot(&mut self, key: u64, again: bool) -> u32 {
        if let Some((slot, asked)) = self.slots.get_mut(&key) {
            *asked += 1;
            let outcome = &mut self.engine.outcome;
            if again {
                outcome.replays += 1;
            } else {
                outcome.retries += 1;
            }
            return *slot;
        }
        let request = &self.facts.requests[key as usize];
        let arrival = Arrival {
            at: request.at,
            place: request.place,
            key,
            gives_up: request.gives_up,
            repeatable: Repeatable::Idempotent,
        };
        let slot = self.engine.tell_arrival(&arrival);
        self.engine.nature.begun[key as usize] = true;
        self.slots.insert(key, (slot, 1));
        self.open.push(key);
        slot
    }

    /// Requests that have ended and never ask again have their outcome.
    fn settle_requests(&mut self) {
        let mut index = 0;
        while index < self.open.len() {
            let key = self.open[index];
            let Some(&(slot, asked)) = self.slots.get(&key) else { return };
            let is_last = asked >= self.facts.requests[key as usize].asked.len();
            match self.engine.told_end(slot) {
                Some(ended) if is_last => {
                    self.engine.over(slot, ended);
                    self.open.swap_remove(index);
                }
                Some(_) | None => index += 1,
            }
        }
    }

    fn engine_takes_over(&mut self) {
        for follower in &self.followers {
            desk::end(&follower.guide);
        }
        let (facts, slots) = (Rc::clone(&self.facts), &self.slots);
        self.engine.take_over(|key| {
            let request = &facts.requests[key as usize];
            let asked = slots.get(&key).map_or(0, |(_, asked)| *asked);
            (request.asked.get(asked).copied(), request.gives_up)
        });
        for (worker, follower) in self.followers.iter().enumerate() {
            for (at, wish) in &facts.wishes[worker][follower.wishes..] {
                let at = (*at).max(self.engine.now);
                self.engine.wish(at, *wish);
            }
        }
    }

    fn finish(mut self, diverged: Option<Option<(u32, PoolId, Action)>>) -> Result<Run, WhatIfError> {
        let Some(order) = diverged else {
            self.engine.tell_end();
            self.engine.now = self.engine.now.max(self.facts.span.1);
            self.engine.close_the_books();
            let outcome = self.engine.outcome.clone();
            return Ok(Run {
                outcome,
                diverged_at: None,
                followed: self.followed,
                imputed: Imputed::default(),
            });
        };
        let at = self.engine.now;
        if self.engine.course == Course::Told {
            self.engine_takes_over();
        }
        if let Some((worker, pool, action)) = order {
            self.engine.act(worker, pool, action);
        }
        self.engine.settle_all();
        self.engine.run(self.facts.span.1);
        let followed = self.followed;
        let (outcome, nature) = self.engine.dismantle().map_err(WhatIfError::LeftOver)?;
        Ok(Run { outcome, diverged_at: Some(at), followed, imputed: nature.imputed })
    }
}

/// By resource: whether its limits are the same.
fn unchanged(
    new: &pool_core::limits::Limits,
    old: &pool_core::limits::Limits,
) -> [bool; Resource::ALL.len()] {
    Resource::ALL.map(|resource| {
        Priority::ALL.iter().all(|&priority| {
            let (new, old) = (new.thresholds(priority), old.thresholds(priority));
            let per_host = resource != Resource::Connections || new.max_per_host() == old.max_per_host();
            new.max(resource) == old.max(resource) && per_host
        })
    })
}

/// Whether two orders are the same but for the caller's name of the request.
fn same(one: Action, other: Action) -> bool {
    let plain = |action| match action {
        Action::Bind { waiter, conn, reason, usage, .. } => {
            Action::Bind { waiter, token: Token(0), conn, reason, usage }
        }
        Action::Fail { waiter, failure, reason, .. } => {
            Action::Fail { waiter, token: Token(0), failure, reason }
        }
        other => other,
    };
    plain(one) == plain(other)
}
