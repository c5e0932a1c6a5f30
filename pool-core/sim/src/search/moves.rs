//! Which steps are possible in a state, and which of them the rest of the world owes.

use pool_core::report::{ClosedBy, StreamEnd};

use super::{Plan, Turns};
use crate::alphabet::{Aim, ConnectionFact, Step, Target};
use crate::bench::{Bench, Side};
use crate::book::{End, Life};
use crate::steps;

/// What is handed in before orders are taken: a step with its pool, and perhaps one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    before: Option<(usize, Step)>,
    last: (usize, Step),
}

impl Turn {
    /// The steps one by one, each with the pool that it is taken with.
    pub fn steps(self) -> impl Iterator<Item = (usize, Step)> {
        let held =
            self.before.into_iter().flat_map(|(side, step)| [(side, Step::HoldOrdersBack), (side, step)]);
        held.chain([self.last])
    }

    /// Takes the turn, all orders included.
    pub fn take(self, bench: &mut Bench) {
        self.steps().for_each(|(side, step)| steps::take(bench, side, step));
        if self.before.is_some() {
            // The second step may have been one that no driver could take, and passed by.
            bench.take_all_orders();
        }
    }
}

/// Every turn that can be taken.
#[must_use]
pub fn possible(plan: &Plan, bench: &Bench) -> Vec<Turn> {
    let (steps, room) = single(plan, bench);
    let mut turns: Vec<Turn> = steps.iter().map(|last| Turn { before: None, last: *last }).collect();
    match plan.turns {
        Turns::Single => return turns,
        Turns::Pairs => {}
    }
    let asks = |step: Step| matches!(step, Step::Request { .. } | Step::Requeue { .. });
    for before in &steps {
        for last in &steps {
            if room > 1 || !asks(before.1) || !asks(last.1) {
                turns.push(Turn { before: Some(*before), last: *last });
            }
        }
    }
    turns
}

/// Every step that can be taken, and for how many more requests there is room.
fn single(plan: &Plan, bench: &Bench) -> (Vec<(usize, Step)>, usize) {
    let in_flight: usize =
        bench.sides().iter().map(|Side { book, .. }| book.queue.len() + book.active() as usize).sum();
    let room = plan.requests.saturating_sub(in_flight);
    let mut moves = Vec::new();
    for (side, Side { book, .. }) in bench.sides().iter().enumerate() {
        for step in &plan.alphabet {
            match *step {
                Step::Request { .. } | Step::Requeue { .. } => {
                    // A pool that was told to end refuses requests; once is enough to see that.
                    if room > 0 && (book.life == Life::Open || book.there().count() == 0) {
                        moves.push((side, *step));
                    }
                }
                Step::Cancel { policy, .. } => {
                    let queued = u8::try_from(book.queue.len()).unwrap_or(u8::MAX);
                    moves.extend((0..queued).map(|nth| (side, Step::Cancel { nth, policy })));
                }
                Step::Connection { fact, .. } => {
                    for (nth, socket) in (0..).zip(&book.sockets) {
                        let ordered = matches!(socket.end, End::Ordered(_));
                        let fits = match fact {
                            ConnectionFact::Gone { .. } => ordered,
                            ConnectionFact::Closed { .. } => !ordered,
                            _ => true,
                        };
                        if fits {
                            let target = Target { nth, aim: Aim::Any };
                            moves.push((side, Step::Connection { target, fact }));
                        }
                    }
                }
                // Not about one pool.
                Step::Advance { .. } | Step::Sleep | Step::SetLimit { .. } if side > 0 => {}
                // A world in which another user holds seats cannot be copied.
                Step::TakeSeat { .. } | Step::GiveSeat { .. } | Step::NextPool | Step::HoldOrdersBack => {}
                step => moves.push((side, step)),
            }
        }
    }
    (moves, room)
}

/// Whether a turn is one step that is owed by peers that answer and by time: handshakes complete, exchanges end well,
/// sockets close when ordered to, a peer that allowed no stream allows some, and time passes.
#[must_use]
pub fn is_fair(plan: &Plan, turn: Turn) -> bool {
    let Turn { before: None, last: (_, step) } = turn else { return false };
    match step {
        Step::Settled | Step::Advance { .. } => true,
        Step::Connection { fact, .. } => match fact {
            ConnectionFact::Connected { limit: None }
            | ConnectionFact::StreamEnded { end: StreamEnd::Complete }
            | ConnectionFact::Gone { by: ClosedBy::Local } => true,
            ConnectionFact::CapacityChanged { limit } => limit == highest_limit(plan),
            _ => false,
        },
        _ => false,
    }
}

/// The most that a peer of this plan allows.
fn highest_limit(plan: &Plan) -> u8 {
    let limits = plan.alphabet.iter().filter_map(|step| match step {
        Step::Connection { fact: ConnectionFact::CapacityChanged { limit }, .. } => Some(*limit),
        _ => None,
    });
    limits.max().unwrap_or(0)
}
