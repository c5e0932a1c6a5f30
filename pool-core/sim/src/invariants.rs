//! What must hold, one function per law. Each name carries the number of the invariant in the
//! specification of Envoy's pools (section 13), as the project's decisions amend it; a broken one
//! panics with its number.

use pool_core::config::{Admission, EarlyDataSupport, FailQueue, Multiplexing, Ratio, RequestLimit};
use pool_core::error::PoolFailure;
use pool_core::id::{ConnId, Token, WaiterId};
use pool_core::limits::{Priority, Resource};
use pool_core::pool::{
    CancelPolicy, CloseReason, ConnectReason, EarlyData, FailReason, HostHealth, Phase, Pool, Seating, State,
    WakeReason,
};
use pool_core::report::StreamEnd;
use pool_core::time::Deadline;

use crate::bench::{Bench, Side};
use crate::book::{Book, Drain, End, Life, Up, Waiting};

/// Everything that can be checked between any two steps.
pub fn check_all(bench: &Bench) {
    inv_12_conservation(bench);
    inv_16_limits(bench);
    for Side { pool, book, .. } in bench.sides() {
        inv_01_each_connection_is_in_one_place(pool, book);
        inv_02_states_match_capacity(pool, book);
        inv_03_early_data_is_early(pool, book);
        inv_04_draining_ends_with_the_last_stream(pool, book);
        inv_05_streams_within_the_flavour(pool, book);
        inv_08_nothing_comes_back(pool, book);
        inv_09_connecting_capacity(pool, book);
        inv_10_total_capacity(pool, book);
        inv_11_active_streams(pool, book);
        inv_13_connection_counters(pool);
        inv_14_queue_counters(pool, book);
        inv_15_one_forced_connection(pool);
        inv_21_queue_order(pool, book);
        inv_22_no_orphan_queue(pool, book);
        inv_23_no_queue_beside_room(pool, book);
        inv_34_idle(pool, book);
        deadline_is_exact(pool, bench);
        // Last, because it knows no numbers.
        assert_eq!(pool.audit(), Ok(()), "the pool's own books");
    }
}

/// 1: each live connection is in the pool's book once, and the pool counts them by state.
pub fn inv_01_each_connection_is_in_one_place(pool: &Pool, book: &Book) {
    let there = book.there().count();
    assert_eq!(pool.connections().count(), there, "1: connections");
    let counts = pool.counts();
    assert_eq!((counts.active() + counts.closing) as usize, there, "1: counts");
    let mut recount = pool_core::pool::Counts::default();
    for view in pool.connections() {
        let _ = book.socket(view.id);
        match view.state {
            State::Connecting => recount.connecting += 1,
            State::EarlyData => recount.early_data += 1,
            State::Ready(phase) => {
                recount.ready += 1;
                recount.settling += u32::from(phase == Phase::Settling);
            }
            State::Busy(_) => recount.busy += 1,
            State::Draining(_) => recount.draining += 1,
            State::Closed(_) => recount.closing += 1,
        }
    }
    assert_eq!(counts, recount, "1: counts by state");
    for socket in &book.sockets {
        assert_eq!(pool.connection(socket.id).is_some(), socket.is_there(), "1: {:?}", socket.id);
    }
}

/// 2: ready means that there is room, busy means that there is none, and the handshake agrees.
pub fn inv_02_states_match_capacity(pool: &Pool, book: &Book) {
    for view in pool.connections() {
        let socket = book.socket(view.id);
        let unused = socket.unused();
        match view.state {
            State::Connecting => assert_eq!(socket.up, Up::No, "2: {:?}", view.id),
            State::EarlyData => assert!(socket.up == Up::Early && unused >= 1, "2: {:?} {unused}", view.id),
            State::Ready(_) => assert!(socket.up == Up::Yes && unused >= 1, "2: {:?} {unused}", view.id),
            State::Busy(_) => assert!(socket.up != Up::No && unused <= 0, "2: {:?} {unused}", view.id),
            State::Draining(_) | State::Closed(_) => continue,
        }
        assert_eq!(view.unused, unused, "2: {:?}", view.id);
        assert_eq!(i64::from(view.remaining), socket.remaining, "6: {:?}", view.id);
    }
}

/// 3: early data only where it is supported, and no stream before any keys.
pub fn inv_03_early_data_is_early(pool: &Pool, book: &Book) {
    for view in pool.connections() {
        match view.state {
            State::EarlyData => assert_eq!(book.early_data, EarlyDataSupport::On, "3: {:?}", view.id),
            State::Connecting => assert_eq!(view.active, 0, "3: {:?}", view.id),
            State::Ready(_) | State::Busy(_) | State::Draining(_) | State::Closed(_) => {}
        }
    }
}

/// 4: a connection that has served its time drains, and draining without streams does not last.
pub fn inv_04_draining_ends_with_the_last_stream(pool: &Pool, book: &Book) {
    for view in pool.connections() {
        let spent = book.socket(view.id).remaining == 0;
        match view.state {
            State::Draining(cause) => assert!(view.active > 0, "4: {:?} {cause:?}", view.id),
            State::Connecting | State::EarlyData | State::Ready(_) | State::Busy(_) => {
                assert!(!spent, "4: {:?} has no streams left in its life", view.id);
            }
            State::Closed(_) => {}
        }
    }
}

/// 5: an exclusive connection carries at most one stream.
pub fn inv_05_streams_within_the_flavour(pool: &Pool, book: &Book) {
    if book.multiplexing == Multiplexing::Exclusive {
        for view in pool.connections() {
            assert!(view.active <= 1, "5: {:?}", view.id);
        }
    }
}

/// 8: nothing leaves Draining but to Closed, and nothing leaves Closed. A connect timer runs while
/// the handshake is incomplete.
pub fn inv_08_nothing_comes_back(pool: &Pool, book: &Book) {
    for view in pool.connections() {
        let socket = book.socket(view.id);
        let closed = matches!(view.state, State::Closed(_));
        let drains = matches!(view.state, State::Draining(_));
        assert_eq!(closed, matches!(socket.end, End::Ordered(_)), "8: {:?} is {:?}", view.id, view.state);
        if socket.drain == Drain::Seen {
            assert!(drains || closed, "8: {:?} drained and is {:?}", view.id, view.state);
        }
        if !closed && !drains && socket.up != Up::Yes {
            let latest = socket.opened_at + pool.config().connect_timeout();
            let wakes = match pool.deadline() {
                Deadline::Now(_) => true,
                Deadline::At(at, _) => at <= latest,
                Deadline::Never => false,
            };
            assert!(wakes, "8: {:?} has no connect timer", view.id);
        }
    }
}

/// 9: capacity of incomplete handshakes.
pub fn inv_09_connecting_capacity(pool: &Pool, book: &Book) {
    assert_eq!(pool.connecting_capacity(), book.connecting_capacity(), "9");
}

/// 10: capacity of everything that does not drain.
pub fn inv_10_total_capacity(pool: &Pool, book: &Book) {
    assert_eq!(pool.triple().capacity, book.capacity(), "10");
}

/// 11: streams in progress, in total and each.
pub fn inv_11_active_streams(pool: &Pool, book: &Book) {
    assert_eq!(pool.triple().active, book.active(), "11");
    assert_eq!(pool.triple().pending, book.queue.len() as u64, "11");
    for view in pool.connections() {
        assert_eq!(view.active as usize, book.socket(view.id).requests.len(), "11: {:?}", view.id);
    }
    assert_eq!(pool.has_active_connections(), book.active() > 0 || !book.queue.is_empty(), "11");
}

/// 12: seats in use are connections with a seat, queued requests and bound requests.
pub fn inv_12_conservation(bench: &Bench) {
    let (mut connections, mut pending, mut requests) = (0, 0, 0);
    for Side { pool, book, .. } in bench.sides() {
        connections += pool.connections().filter(|view| view.seating == Seating::Seated).count() as u64;
        pending += book.queue.len() as u64;
        if book.request_limit == RequestLimit::Enforced {
            requests += book.active();
        }
    }
    for (resource, own) in
        [(Resource::Connections, connections), (Resource::Pending, pending), (Resource::Requests, requests)]
    {
        let gauge = bench.ledger().snapshot(Priority::Default, resource);
        assert_eq!(gauge.current, own + bench.held(resource), "12: {resource:?}");
    }
}

/// 13: connection counters add up.
pub fn inv_13_connection_counters(pool: &Pool) {
    let (stats, counts) = (pool.stats(), pool.counts());
    let closing = u64::from(counts.closing);
    assert_eq!(stats.cx_total, u64::from(counts.active()) + closing + stats.cx_destroy, "13");
    assert_eq!(stats.cx_destroy, stats.cx_destroy_local + stats.cx_destroy_remote, "13");
    assert!(stats.cx_connect_fail <= stats.cx_destroy + closing, "13");
    assert!(stats.cx_connect_timeout <= stats.cx_connect_fail, "13");
    assert_eq!(
        stats.cx_destroy_with_active_rq,
        stats.cx_destroy_local_with_active_rq + stats.cx_destroy_remote_with_active_rq,
        "13"
    );
}

/// 14: whoever queued was bound, failed, cancelled, or still waits.
pub fn inv_14_queue_counters(pool: &Pool, book: &Book) {
    let stats = pool.stats();
    let outcomes = book.outcomes;
    assert_eq!(stats.rq_pending_total, outcomes.queued, "14");
    assert_eq!(stats.rq_cancelled, outcomes.cancelled, "14");
    assert_eq!(
        outcomes.queued,
        outcomes.bound + outcomes.failed + outcomes.cancelled + book.queue.len() as u64,
        "14"
    );
}

/// 15: at most one connection without a seat, and none under strict limits.
pub fn inv_15_one_forced_connection(pool: &Pool) {
    let forced = pool.connections().filter(|view| view.seating == Seating::Forced).count();
    match pool.config().admission() {
        Admission::ForceOne => assert!(forced <= 1, "15: {forced} forced connections"),
        Admission::Strict => assert_eq!(forced, 0, "15: forced under strict limits"),
    }
}

/// 16: no limit is passed. (A requeued request may pass `max_pending_requests`; under a limit that was
/// lowered nothing is added.)
pub fn inv_16_limits(bench: &Bench) {
    for resource in [Resource::Connections, Resource::Pending, Resource::Requests] {
        let gauge = bench.ledger().snapshot(Priority::Default, resource);
        let excused = resource == Resource::Pending && bench.has_requeued();
        assert!(excused || gauge.current <= bench.ceiling(resource), "16: {resource:?} {gauge:?}");
    }
}

/// 17: one trigger opens at most three. (A wake-up is one trigger per deadline that was met.)
pub fn inv_17_at_most_three_opens_per_trigger(book: &Book, triggers: usize) {
    assert!(book.opened_in_trigger <= 3 * triggers, "17: {} in {triggers}", book.opened_in_trigger);
}

/// 18: just before the newest connection was opened, what there was did not suffice.
pub fn inv_18_opened_only_what_was_wanted(pool: &Pool, book: &Book, newest: ConnId, reason: ConnectReason) {
    if reason == ConnectReason::Predictive {
        return;
    }
    let unused = book.socket(newest).contribution();
    let pending = book.queue.len() as i64;
    let active = book.active() as i64;
    let wanted = if pool.health() == HostHealth::Healthy {
        let ratio = i64::from(pool.config().per_upstream_preconnect_ratio().thousandths());
        (pending + active) * ratio > (book.capacity() - unused + active) * 1000
    } else {
        pending > book.connecting_capacity() - unused
    };
    assert!(wanted, "18: {newest:?} was opened for {reason:?} with {pending} queued, {active} active");
}

/// Connections that were closed because nobody needed them any more.
#[must_use]
pub fn excess_closes(book: &Book) -> usize {
    let excess = |end| matches!(end, End::Ordered(CloseReason::Excess));
    book.there().filter(|socket| excess(socket.end)).count()
}

/// 19: a cancel closes at most one attempt, only if told to, and only one that is not needed.
pub fn inv_19_one_excess_attempt_at_most(pool: &Pool, book: &Book, before: usize, policy: CancelPolicy) {
    let closed = excess_closes(book) - before;
    match policy {
        CancelPolicy::Default => assert_eq!(closed, 0, "19"),
        CancelPolicy::CloseExcess => {
            assert!(closed <= 1, "19: {closed} attempts for one cancel");
            if closed == 1 && pool.health() == HostHealth::Healthy && book.life == Life::Open {
                let ratio = i64::from(pool.config().per_upstream_preconnect_ratio().thousandths());
                let (pending, active) = (book.queue.len() as i64, book.active() as i64);
                let places = book.connecting_capacity() + active;
                assert!((pending + active) * ratio <= places * 1000, "19: a needed attempt was closed");
            }
        }
    }
}

/// 19: of several attempts that could go, the newest goes.
pub fn inv_19_the_newest_attempt_goes(book: &Book, conn: ConnId) {
    let younger = book.sockets.iter().skip_while(|socket| socket.id != conn).skip(1);
    let attempt = younger.clone().find(|socket| socket.is_open() && socket.up == Up::No);
    assert!(attempt.is_none(), "19: {conn:?} was closed before {attempt:?}");
}

/// 21: among requests of equal eligibility, the oldest is bound first.
pub fn inv_21_first_come_first_served(book: &Book, waiter: WaiterId) {
    let mine = book.queue.iter().find(|waiting| waiting.waiter == waiter);
    let Some(mine) = mine else { return };
    let first = book.queue.iter().find(|other| other.request.early_data == mine.request.early_data);
    assert_eq!(first, Some(mine), "21: the queue was jumped");
}

/// 21: the pool's queue is ours, in order.
pub fn inv_21_queue_order(pool: &Pool, book: &Book) {
    let theirs: Vec<WaiterId> = pool.waiters().map(|waiter| waiter.id).collect();
    let ours: Vec<WaiterId> = book.queue.iter().map(|waiting| waiting.waiter).collect();
    assert_eq!(theirs, ours, "21: the queue, oldest first");
}

/// 22: a queue has a connection that may serve it, or the pool waits for a seat. In a pool that is
/// to end, the queue fails with the last connection.
pub fn inv_22_no_orphan_queue(pool: &Pool, book: &Book) {
    let ending = book.life == Life::Ending;
    let hope = book.there().any(|socket| socket.is_open() && (ending || socket.drain == Drain::No));
    let waits = match pool.config().admission() {
        // P1: whoever cannot be served by what is there, opens; a second one is not forced while the
        // first is there.
        Admission::ForceOne => pool.connections().any(|view| view.seating == Seating::Forced),
        Admission::Strict => pool.awaits_seat(),
    };
    assert!(
        book.queue.is_empty() || hope || waits,
        "22: {} requests wait for nothing but {:?}",
        book.queue.len(),
        pool.connections().collect::<Vec<_>>()
    );
}

/// 23: nobody waits beside a connection that could take them.
pub fn inv_23_no_queue_beside_room(pool: &Pool, book: &Book) {
    for view in pool.connections() {
        match view.state {
            State::Ready(Phase::Open) => assert!(book.queue.is_empty(), "23: beside {:?}", view.id),
            State::EarlyData => {
                let safe = book.queue.iter().any(|w| w.request.early_data == EarlyData::Safe);
                assert!(!safe, "23: a safe request beside {:?}", view.id);
            }
            State::Ready(Phase::Settling)
            | State::Connecting
            | State::Busy(_)
            | State::Draining(_)
            | State::Closed(_) => {}
        }
    }
}

/// 25: a failed attempt fails the queue as configured, newest first, and nobody who came later.
pub fn inv_25_a_failed_attempt_fails_the_queue(
    book: &Book,
    before: &[Waiting],
    failed: &[(Token, FailReason)],
    policy: FailQueue,
) {
    let newest_first: Vec<Token> = before.iter().rev().map(|waiting| waiting.request.token).collect();
    let order: Vec<Token> = failed.iter().map(|(token, _)| *token).collect();
    assert!(newest_first.starts_with(&order), "25: {order:?} of {newest_first:?}");
    if policy == FailQueue::All {
        assert_eq!(order, newest_first, "25: everybody who waited");
        assert!(book.queue.is_empty(), "25");
    }
    for (token, reason) in failed {
        let connection_failure = matches!(
            reason.failure(),
            PoolFailure::LocalConnectionFailure | PoolFailure::RemoteConnectionFailure
        );
        assert!(connection_failure, "25: {token:?} {reason:?}");
    }
}

/// 26 and 29: streams in progress end only with a transport, a time limit on draining, or teardown.
pub fn inv_26_streams_are_not_failed_by_policy(book: &Book, conn: ConnId, reason: CloseReason) {
    let streams = book.socket(conn).requests.len();
    assert!(streams == 0 || Bench::may_end_streams(reason), "26: {reason:?} ends {streams} streams");
}

/// Whether a connection may serve again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It may.
    Allowed,
    /// It has to go.
    Forbidden,
}

/// 27: whether a connection may serve again after a stream ended like this.
#[must_use]
pub fn inv_27_reuse_after(book: &Book, end: StreamEnd) -> Reuse {
    match end {
        StreamEnd::Complete => Reuse::Allowed,
        StreamEnd::CloseNotified | StreamEnd::Final => Reuse::Forbidden,
        StreamEnd::RequestUnfinished
        | StreamEnd::LocalReset
        | StreamEnd::RemoteReset
        | StreamEnd::RemoteRefused => match book.multiplexing {
            Multiplexing::Exclusive => Reuse::Forbidden,
            Multiplexing::Streams { .. } => Reuse::Allowed,
        },
    }
}

/// Rule 8: a drain fails nobody, and keeps the attempts that the queue waits for.
pub fn inv_31_the_queue_keeps_its_attempts(book: &Book, needed: &[ConnId], failed: &[(Token, FailReason)]) {
    assert!(failed.is_empty(), "31: a drain failed {failed:?}");
    for id in needed {
        assert!(book.socket(*id).is_open(), "31: {id:?} was needed");
    }
}

/// 31 and 28: what was connected before a drain drains or closes.
pub fn inv_31_nothing_old_stays_usable(pool: &Pool, connected: &[ConnId]) {
    for id in connected {
        if let Some(view) = pool.connection(*id) {
            let over = matches!(view.state, State::Draining(_) | State::Closed(_));
            assert!(over, "31: {id:?} is {:?}", view.state);
        }
    }
}

/// 34: idle means that nothing is left.
pub fn inv_34_idle(pool: &Pool, book: &Book) {
    let nothing = book.there().next().is_none() && book.queue.is_empty();
    assert_eq!(pool.is_idle(), nothing, "34");
}

/// A deadline never lies in the past, and says `Now` for the settle pass alone once all orders are
/// taken.
pub fn deadline_is_exact(pool: &Pool, bench: &Bench) {
    let settling = pool.counts().settling > 0;
    match pool.deadline() {
        Deadline::Now(reason) => {
            assert_eq!(reason, WakeReason::Settle);
            assert!(settling, "a settle pass for nobody");
        }
        Deadline::At(at, reason) => {
            assert!(!settling, "a settle pass is due");
            assert!(at >= bench.now(), "{reason:?} was due at {at:?}");
        }
        Deadline::Never => assert!(!settling, "a settle pass is due"),
    }
}

/// The preconnect ratios that walks use.
pub const RATIOS: [Ratio; 4] = [
    Ratio::ONE,
    Ratio::from_thousandths(1_500),
    Ratio::from_thousandths(2_000),
    Ratio::from_thousandths(3_000),
];
