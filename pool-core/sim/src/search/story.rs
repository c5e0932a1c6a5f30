//! A counterexample, told step by step.

use core::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::moves::Turn;
use super::{BEGIN, Plan};
use crate::alphabet::Step;
use crate::bench::{Bench, Event, Side};
use crate::steps;

/// What was broken, and each step with what the pools answered and ordered.
#[must_use]
pub fn tell(plan: &Plan, law: &str, path: &[Turn]) -> String {
    let mut story = format!("broken: {law}\nplan {}: {}\n", plan.name, plan.about);
    let mut bench = Bench::new(&plan.settings, BEGIN);
    for (number, turn) in (1..).zip(path) {
        for (side, step) in turn.steps() {
            let _ = writeln!(story, "{number:3}. {}", name(&bench, side, step));
        }
        let went = catch_unwind(AssertUnwindSafe(|| turn.take(&mut bench)));
        for (side, event) in &bench.events {
            let _ = match event {
                Event::Answer(answer) => writeln!(story, "       pool {side} answers {answer:?}"),
                Event::Action(action) => writeln!(story, "       pool {side} orders {action:?}"),
            };
        }
        if went.is_err() {
            let _ = writeln!(story, "       and here it breaks");
            break;
        }
        bench.forget_the_past();
    }
    for (side, Side { pool, book, .. }) in bench.sides().iter().enumerate() {
        let _ = writeln!(story, "pool {side}, {} queued, {:?}:", book.queue.len(), pool.triple());
        for view in pool.connections() {
            let _ = writeln!(story, "  {view:?}");
        }
    }
    story
}

/// A step with the name of what it is about.
fn name(bench: &Bench, side: usize, step: Step) -> String {
    match step {
        Step::Connection { target, fact } => match steps::socket(bench, side, target, fact) {
            Some(conn) => format!("pool {side}, {conn:?}: {fact:?}"),
            None => format!("pool {side}, no connection: {fact:?}"),
        },
        Step::Cancel { nth, policy } => {
            let waiting = bench.sides()[side].book.queue.get(usize::from(nth));
            let token = waiting.map(|waiting| waiting.request.token);
            format!("pool {side}: Cancel {token:?} ({policy:?})")
        }
        step => format!("pool {side}: {step:?}"),
    }
}
