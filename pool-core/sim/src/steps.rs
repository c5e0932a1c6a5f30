//! What a step does: the alphabet, put into effect on a bench.

use core::time::Duration;

use pool_core::config::Ratio;
use pool_core::id::ConnId;

use crate::alphabet::{Aim, ConnectionFact, Step, Target};
use crate::bench::Bench;
use crate::book::{End, Socket, Up};

/// Takes one step with one of the pools. [`Step::NextPool`] is for whoever keeps count of pools.
pub fn take(bench: &mut Bench, side: usize, step: Step) {
    match step {
        Step::NextPool => {}
        Step::HoldOrdersBack => bench.hold_orders_back(),
        Step::Request { early_data } => {
            bench.request(side, early_data);
        }
        Step::Requeue { early_data, lifetime_ms } => {
            let lifetime = lifetime_ms.map(|ms| Duration::from_millis(u64::from(ms)));
            let deadline = lifetime.map(|lifetime| bench.now() + lifetime);
            bench.requeue(side, early_data, deadline);
        }
        Step::Cancel { nth, policy } => {
            let queue = &bench.sides()[side].book.queue;
            if let Some(waiting) = queue.get(usize::from(nth) % queue.len().max(1)).copied() {
                bench.cancel(side, waiting, policy);
                bench.cancel_stale(side, waiting.waiter);
            }
        }
        Step::Settled => bench.settled(side),
        Step::Timeout => bench.timeout(side),
        Step::SlotFreed { resource } => bench.slot_freed(side, resource),
        Step::Health { health } => bench.health(side, health),
        Step::Drain { mode } => bench.drain(side, mode),
        Step::Preconnect { thousandths } => bench.preconnect(side, Ratio::from_thousandths(thousandths)),
        Step::Abort => bench.abort(side),
        Step::TakeSeat { resource } => bench.take_seat(resource),
        Step::GiveSeat { nth } => bench.give_seat(usize::from(nth)),
        Step::SetLimit { resource, max } => bench.set_limit(resource, u32::from(max)),
        Step::Sleep => {
            if let Some((at, _)) = bench.next_deadline() {
                bench.advance_to(at);
            }
        }
        Step::Advance { ms } => bench.advance_to(bench.now() + Duration::from_millis(u64::from(ms))),
        Step::Connection { target, fact } => {
            if let Some(conn) = socket(bench, side, target, fact) {
                take_fact(bench, side, conn, fact);
            }
        }
    }
}

/// The connection that a step about a connection hits.
#[must_use]
pub fn socket(bench: &Bench, side: usize, target: Target, fact: ConnectionFact) -> Option<ConnId> {
    let sockets = &bench.sides()[side].book.sockets;
    let mut candidates = sockets.iter().filter(|socket| target.aim == Aim::Any || makes_sense(socket, fact));
    let count = candidates.clone().count();
    if count == 0 {
        return None;
    }
    candidates.nth(usize::from(target.nth) % count).map(|socket| socket.id)
}

fn makes_sense(socket: &Socket, fact: ConnectionFact) -> bool {
    match fact {
        ConnectionFact::Connected { .. } => socket.is_open() && socket.up != Up::Yes,
        ConnectionFact::EarlyDataReady => socket.is_open() && socket.up == Up::No,
        ConnectionFact::StreamEnded { .. }
        | ConnectionFact::StreamEndedAndSettled { .. }
        | ConnectionFact::BindRefused { .. } => !socket.requests.is_empty(),
        ConnectionFact::GoAway | ConnectionFact::ProtocolError | ConnectionFact::Suspect => {
            socket.is_open() && socket.up == Up::Yes
        }
        ConnectionFact::CapacityChanged { .. } | ConnectionFact::Retire | ConnectionFact::Closed { .. } => {
            socket.is_open()
        }
        ConnectionFact::Gone { .. } => matches!(socket.end, End::Ordered(_)),
    }
}

fn take_fact(bench: &mut Bench, side: usize, conn: ConnId, fact: ConnectionFact) {
    match fact {
        ConnectionFact::Connected { limit } => bench.connected_fact(side, conn, limit.map(u32::from)),
        ConnectionFact::EarlyDataReady => bench.early_data_ready(side, conn),
        ConnectionFact::StreamEnded { end } => bench.stream_ended(side, conn, end),
        ConnectionFact::StreamEndedAndSettled { end } => bench.stream_ended_and_settled(side, conn, end),
        ConnectionFact::BindRefused { limit } => bench.bind_refused(side, conn, u32::from(limit)),
        ConnectionFact::CapacityChanged { limit } => bench.capacity_changed(side, conn, u32::from(limit)),
        ConnectionFact::GoAway => bench.go_away(side, conn),
        ConnectionFact::ProtocolError => bench.protocol_error(side, conn),
        ConnectionFact::Suspect => bench.suspect(side, conn),
        ConnectionFact::Retire => bench.retire(side, conn),
        ConnectionFact::Closed { by } | ConnectionFact::Gone { by } => bench.closed(side, conn, by),
    }
}
