//! The recorded world: values as they were recorded, and where there is none, drawn from those of the
//! same host.

use core::time::Duration;
use std::collections::BTreeSet;
use std::rc::Rc;

use pool_core::exchange::Repeatable;
use pool_core::report::StreamEnd;
use pool_core::time::Instant;

use super::recorded::{Dialled, Facts, Sample};
use crate::workload::engine::{Arrival, Dial, Ending, How, Line, NEVER, Nature, Use};
use crate::workload::random::Random;

/// An attempt at a connection is the recorded one if it begins within this of it.
const SAME: Duration = Duration::from_millis(100);
/// How many recorded attempts, the nearest in time, one that was not recorded is drawn from.
const NEAR: usize = 32;

/// How many values were taken from the recording, and how many were drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imputed {
    /// Exchanges whose length and end were recorded.
    pub exchanges_recorded: u64,
    /// Exchanges that were drawn.
    pub exchanges_drawn: u64,
    /// Connection attempts that were recorded.
    pub dials_recorded: u64,
    /// Connection attempts that were drawn.
    pub dials_drawn: u64,
}

impl Imputed {
    /// The share of values that were drawn, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let drawn = self.exchanges_drawn + self.dials_drawn;
        let all = drawn + self.exchanges_recorded + self.dials_recorded;
        if all == 0 { 0.0 } else { drawn as f64 / all as f64 }
    }
}

#[derive(Clone, Debug)]
pub(super) struct RecordedWorld {
    facts: Rc<Facts>,
    /// Keys in the order of arrival, the next last.
    coming: Vec<u64>,
    pub(super) begun: Vec<bool>,
    /// By host: which dials were used.
    used: Vec<Vec<bool>>,
    /// Dials that were drawn: place and time.
    drawn: BTreeSet<(u32, u64)>,
    /// By host: lengths of idle times that a peer ended, with the share of connections that live longer.
    survival: Vec<Vec<(Duration, f64)>>,
    pub(super) imputed: Imputed,
    random: Random,
}

impl RecordedWorld {
    pub(super) fn new(facts: Rc<Facts>, seed: u64) -> Self {
        let mut coming: Vec<u64> = (0..facts.requests.len() as u64).collect();
        coming.sort_by_key(|key| (facts.requests[*key as usize].at, *key));
        coming.reverse();
        Self {
            begun: vec![false; facts.requests.len()],
            used: facts.hosts.iter().map(|host| vec![false; host.dials.len()]).collect(),
            survival: facts.hosts.iter().map(|host| survival(&host.idle)).collect(),
            coming,
            drawn: BTreeSet::new(),
            imputed: Imputed::default(),
            random: Random::new(seed),
            facts,
        }
    }

    fn draw_exchange(&mut self, place: u32) -> Sample {
        let facts = Rc::clone(&self.facts);
        let own = &facts.hosts[facts.host_of[place as usize]].exchanges;
        let mut some = facts.hosts.iter().map(|host| &host.exchanges).filter(|list| !list.is_empty());
        let list = if own.is_empty() { some.next() } else { Some(own) };
        match list {
            Some(list) => list[self.random.below(list.len() as u64) as usize],
            // Nothing was ever answered: take no time, so that the pools are all that is seen.
            None => (Duration::ZERO, How::Stream(StreamEnd::Complete)),
        }
    }
}

/// Kaplan and Meier: most idle times end by a request or by this side, and say only that the peer would
/// have waited longer.
fn survival(idle: &[(Duration, bool)]) -> Vec<(Duration, f64)> {
    let mut sorted = idle.to_vec();
    sorted.sort_by_key(|(length, by_peer)| (*length, !by_peer));
    let mut alive = 1.0;
    let mut steps = Vec::new();
    for (index, (length, by_peer)) in sorted.iter().enumerate() {
        if *by_peer {
            alive *= 1.0 - 1.0 / (sorted.len() - index) as f64;
            steps.push((*length, alive));
        }
    }
    steps
}

impl Nature for RecordedWorld {
    fn arrival(&mut self) -> Option<Arrival> {
        loop {
            let key = self.coming.pop()?;
            if !self.begun[key as usize] {
                let request = &self.facts.requests[key as usize];
                let (at, place, gives_up) = (request.at, request.place, request.gives_up);
                return Some(Arrival { at, place, key, gives_up, repeatable: Repeatable::Idempotent });
            }
        }
    }

    fn exchange(&mut self, now: Instant, line: Line, key: u64, attempt: u32) -> Ending {
        let recorded = self.facts.requests[key as usize].attempts.get(attempt as usize);
        let (length, how) = match recorded {
            Some(Some(sample)) => *sample,
            Some(None) | None => self.draw_exchange(line.place),
        };
        Ending { at: now + length, how }
    }

    fn dial(&mut self, now: Instant, place: u32) -> Dial {
        let host = self.facts.host_of[place as usize];
        let dials = &self.facts.hosts[host].dials;
        let at = dials.partition_point(|(ordered, _)| *ordered < now);
        let (from, to) = (at.saturating_sub(NEAR / 2), (at + NEAR / 2).min(dials.len()));
        let apart = |index: &usize| dials[*index].0.since(now).max(now.since(dials[*index].0));
        let nearest = (from..to).filter(|index| !self.used[host][*index]).min_by_key(apart);
        let dialled = match nearest.filter(|index| apart(index) <= SAME) {
            Some(index) => {
                self.used[host][index] = true;
                dials[index].1
            }
            None => {
                self.drawn.insert((place, now.as_nanos()));
                let drawn = from + self.random.below((to - from) as u64) as usize;
                dials.get(drawn).map_or(Dialled::Up(Duration::ZERO), |(_, dialled)| *dialled)
            }
        };
        match dialled {
            Dialled::Up(after) => Dial::Up(now + after),
            // Never at once: a pool that wants a spare would try again for ever at one instant.
            Dialled::Refused(after) => Dial::Refused(now + after.max(Duration::from_micros(1))),
            Dialled::Silent => Dial::Silent,
        }
    }

    fn idle(&mut self, now: Instant, line: Line) -> Instant {
        let recorded = self.facts.idle_at.get(&(line.place, now.as_nanos())).copied();
        let survived = match recorded {
            Some((length, true)) => return now + length,
            Some((length, false)) => length,
            None => Duration::ZERO,
        };
        let steps = &self.survival[self.facts.host_of[line.place as usize]];
        // The share that is still alive, given that it has lived so long.
        let alive = steps.iter().rev().find(|(length, _)| *length <= survived).map_or(1.0, |step| step.1);
        let level = self.random.share() * alive;
        let found = steps.iter().find(|(length, alive)| *alive < level && *length > survived);
        found.map_or(NEVER, |(length, _)| now + *length)
    }

    fn used(&mut self, what: Use) {
        match what {
            Use::Exchange { key, attempt } => {
                match self.facts.requests[key as usize].attempts.get(attempt as usize) {
                    Some(Some(_)) => self.imputed.exchanges_recorded += 1,
                    Some(None) | None => self.imputed.exchanges_drawn += 1,
                }
            }
            Use::Dial { at, place } => {
                if self.drawn.contains(&(place, at.as_nanos())) {
                    self.imputed.dials_drawn += 1;
                } else {
                    self.imputed.dials_recorded += 1;
                }
            }
        }
    }
}
