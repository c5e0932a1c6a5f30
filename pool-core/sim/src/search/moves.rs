//! Which steps are possible in a state, and which of them the rest of the world owes.

use pool_core::report::{ClosedBy, StreamEnd};

use super::Plan;
use crate::alphabet::{Aim, ConnectionFact, Step, Target};
use crate::bench::{Bench, Side};
use crate::book::{End, Life};

/// Every step that can be taken, with the pool that it is taken with.
#[must_use]
pub fn possible(plan: &Plan, bench: &Bench) -> Vec<(usize, Step)> {
    let in_flight: usize =
        bench.sides().iter().map(|Side { book, .. }| book.queue.len() + book.active() as usize).sum();
    let room = in_flight < plan.requests;
    let mut moves = Vec::new();
    for (side, Side { book, .. }) in bench.sides().iter().enumerate() {
        for step in &plan.alphabet {
            match *step {
                Step::Request { .. } | Step::Requeue { .. } => {
                    // A pool that was told to end refuses requests; once is enough to see that.
                    if room && (book.life == Life::Open || book.there().count() == 0) {
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
    moves
}

/// Whether a step is owed by peers that answer and by time: handshakes complete, exchanges end well,
/// sockets close when ordered to, a peer that allowed no stream allows some, and time passes.
#[must_use]
pub fn is_fair(plan: &Plan, step: Step) -> bool {
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
