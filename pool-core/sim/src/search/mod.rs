//! Exhaustive search: every order in which the steps of a small alphabet can happen to tiny pools.
//!
//! From the unused pools every step that is possible is taken, from every state that this leads to
//! every step again, breadth first, until no new state appears. After every step all invariants are
//! checked. Two states are the same if they differ in names, absolute times, history, or in which
//! of two pools of one host is which ([`key`]).
//!
//! What no single state shows is asked of the whole graph afterwards ([`graph`]): if from some moment
//! on peers answer, sockets close when they are ordered to and time passes, then every order of these
//! steps comes to an end, nobody waits there, and a pool that was told to end is gone.
//!
//! # Reading order
//!
//! This file (plan, run, report), [`moves`] (which steps are possible), [`key`], [`graph`],
//! [`plans`] (what is searched), [`story`] (how a counterexample is told).

pub mod graph;
pub mod key;
pub mod moves;
pub mod plans;
pub mod story;

use core::fmt;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pool_core::limits::{Priority, Resource};
use pool_core::time::Instant;

use crate::alphabet::Step;
use crate::bench::{Bench, Settings, Side};
use crate::book::Life;
use crate::engines::law;
use graph::{Arrival, Graph, Left, Queue, Traits};
use moves::Turn;

/// What is searched.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in one line.
    pub about: &'static str,
    /// Pools and limits.
    pub settings: Settings,
    /// How many requests are queued or bound at a time, in all pools together.
    pub requests: usize,
    /// The alphabet. A step about a connection or a queued request stands for one step about each.
    pub alphabet: Vec<Step>,
    /// Whether drivers may hand in two things before they take orders.
    pub turns: Turns,
    /// Whether time passes, so that everything comes to rest without anybody's wish.
    pub rest: Rest,
    /// Whether tests search it, or only the program: how long it takes.
    pub size: Size,
}

/// How much happens before orders are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// One step.
    Single,
    /// One step or any two, as when a connection reports twice.
    Pairs,
}

/// How far a run comes to rest by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Idle connections stay.
    Idle,
    /// Idle connections are closed by their timers: nothing is left in the end.
    Empty,
}

/// How long a plan takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds in a debug build.
    Small,
    /// Up to minutes in a release build.
    Large,
}

/// What a complete search found: nothing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Different states, the first one included.
    pub states: usize,
    /// Steps taken.
    pub transitions: u64,
    /// Of these, steps of peers that answer and of time that passes.
    pub fair: usize,
    /// States in which such runs end.
    pub ends: usize,
    /// Steps to the state that is furthest from the first.
    pub depth: u32,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, fair, ends, depth } = self;
        write!(f, "{states} states, {transitions} transitions ({fair} fair, {ends} ends), depth {depth}")
    }
}

/// A law that was broken, with the shortest way there.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What was broken; an invariant by its number.
    pub law: String,
    /// The turns that lead there.
    pub path: Vec<Turn>,
    /// The same, told.
    pub story: String,
}

/// Why there is no report.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// A law was broken.
    Broken(Box<Counterexample>),
    /// There are more states than were allowed for.
    TooMany(Report),
}

/// When pools begin.
const BEGIN: Instant = Instant::from_millis(1_000);

/// Searches a plan to its end.
///
/// # Errors
/// The first law that is broken, by a shortest path; or `most` states were not enough.
pub fn run(plan: &Plan, most: usize, mut progress: impl FnMut(&Report)) -> Result<Report, Trouble> {
    let mut graph = Graph::default();
    let first = Bench::new(&plan.settings, BEGIN);
    graph.arrive(key::of(&first), traits(plan, &first), None);
    let mut frontier = VecDeque::from([(0, first)]);
    let mut report = Report { states: 1, transitions: 0, fair: 0, ends: 0, depth: 0 };
    while let Some((from, bench)) = frontier.pop_front() {
        for turn in moves::possible(plan, &bench) {
            let Some(next) = taken(&bench, turn) else { continue };
            report.transitions += 1;
            let next = next.map_err(|law| broken(plan, &graph, law, from, Some(turn)))?;
            let arrived = graph.arrive(key::of(&next), traits(plan, &next), Some((from, turn)));
            if moves::is_fair(plan, turn) {
                graph.fair_step(from, arrived.state());
            }
            if let Arrival::New(state) = arrived {
                checked_end(&next).map_err(|law| broken(plan, &graph, law, state, None))?;
                frontier.push_back((state, next));
            }
        }
        report.states = graph.len();
        report.depth = graph.depth();
        progress(&report);
        if report.states > most {
            return Err(Trouble::TooMany(report));
        }
    }
    let fairness = graph.fairness().map_err(|(law, state)| broken(plan, &graph, law, state, None))?;
    Ok(Report { fair: fairness.steps, ends: fairness.ends, ..report })
}

/// The world after a step, or the law that it broke; `None` if the world cannot be copied.
fn taken(bench: &Bench, turn: Turn) -> Option<Result<Bench, String>> {
    let mut next = bench.fork()?;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        turn.take(&mut next);
        next.forget_the_past();
    }));
    Some(outcome.map(|()| next).map_err(|payload| law(payload.as_ref())))
}

/// Whatever the state: torn down, nothing is left (invariants 12 and 20).
fn checked_end(bench: &Bench) -> Result<(), String> {
    let Some(mut last) = bench.fork() else { return Ok(()) };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        (0..last.sides().len()).for_each(|side| last.abort(side));
        last.close_everything();
        last.assert_nothing_is_left();
    }));
    outcome.map_err(|payload| format!("{}\n(once torn down)", law(payload.as_ref())))
}

fn broken(plan: &Plan, graph: &Graph, law: String, state: u32, last: Option<Turn>) -> Trouble {
    let mut path = graph.path(state);
    path.extend(last);
    let story = story::tell(plan, &law, &path);
    Trouble::Broken(Box::new(Counterexample { law, path, story }))
}

fn traits(plan: &Plan, bench: &Bench) -> Traits {
    let sides = bench.sides();
    let used = |resource| bench.ledger().snapshot(Priority::Default, resource).current > 0;
    let idle = sides.iter().all(|Side { pool, .. }| pool.is_idle());
    let ending = plan.rest == Rest::Empty || sides.iter().all(|Side { book, .. }| book.life == Life::Ending);
    let waits = sides.iter().any(|Side { book, .. }| !book.queue.is_empty());
    Traits {
        queue: if waits { Queue::SomebodyWaits } else { Queue::Empty },
        left: match (idle && !Resource::ALL.into_iter().any(used), ending) {
            (true, _) => Left::Nothing,
            (false, false) => Left::MayStay,
            (false, true) => Left::MustGo,
        },
    }
}
