//! Single rules, each with the smallest story that shows it.

use core::time::Duration;

use super::super::*;
use super::ledger::{ME, OTHER, is_in_line, limits, used};
use crate::config::{FailQueue, Jitter, PoolConfigBuilder};
use crate::id::{ConnId, Token, WaiterId};
use crate::limits::{Ledger, Local, Need, Resource};
use crate::report::{ClosedBy, StreamEnd};
use crate::time::{Deadline, Instant};

const T0: Instant = Instant::ZERO;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn exclusive() -> PoolConfigBuilder {
    PoolConfig::builder(Multiplexing::Exclusive)
}

fn streams(max: u32) -> PoolConfigBuilder {
    PoolConfig::builder(Multiplexing::Streams { max_concurrent_streams: max })
}

fn pool(config: PoolConfigBuilder) -> Pool {
    Pool::new(config.build().unwrap(), ME, 1)
}

fn actions(pool: &mut Pool) -> Vec<Action> {
    pool.audit().unwrap();
    core::iter::from_fn(|| pool.poll_action()).collect()
}

fn opened(pool: &mut Pool) -> Vec<ConnId> {
    let connects = actions(pool).into_iter();
    connects
        .filter_map(|action| match action {
            Action::Connect { conn, .. } => Some(conn),
            _ => None,
        })
        .collect()
}

fn queue(pool: &mut Pool, book: &mut Local, now: Instant, token: u64) -> WaiterId {
    match pool.request(now, book, Request::new(Token(token))) {
        Answer::Queued(queued) => queued.waiter,
        other => panic!("not queued: {other:?}"),
    }
}

/// A pool with one connection that has just been connected.
fn connected(config: PoolConfigBuilder, book: &mut Local) -> (Pool, ConnId) {
    let mut pool = pool(config);
    queue(&mut pool, book, T0, 0);
    let conn = opened(&mut pool)[0];
    pool.handle_connected(T0, book, conn, None);
    actions(&mut pool);
    (pool, conn)
}

#[test]
fn a_request_in_the_settle_gap_waits_for_the_pass_and_opens_nothing() {
    let mut book = limits(10, 10, 10);
    let (mut pool, conn) = connected(exclusive(), &mut book);
    pool.handle_stream_ended(T0, &mut book, conn, StreamEnd::Complete);
    assert_eq!(pool.deadline(), Deadline::Now(WakeReason::Settle));
    let answer = pool.request(T0, &mut book, Request::new(Token(1)));
    assert!(matches!(answer, Answer::Queued(Queued { reason: QueueReason::Settling, .. })), "{answer:?}");
    assert_eq!(actions(&mut pool), []);
    pool.handle_timeout(T0, &mut book);
    let taken = actions(&mut pool);
    let [Action::Bind { conn: bound, reason: BindReason::Settled, usage: Usage::Reused, .. }] = taken[..]
    else {
        panic!("{taken:?}")
    };
    assert_eq!(bound, conn);
}

#[test]
fn a_connection_that_dies_in_the_gap_is_replaced() {
    let mut book = limits(1, 10, 10);
    let (mut pool, conn) = connected(exclusive(), &mut book);
    pool.handle_stream_ended(T0, &mut book, conn, StreamEnd::Complete);
    queue(&mut pool, &mut book, T0, 1);
    pool.handle_closed(T0, &mut book, conn, ClosedBy::Remote);
    assert_eq!(opened(&mut pool).len(), 1);
    assert_eq!(pool.stats().cx_overflow, 0);
}

#[test]
fn close_orders_overtake_connect_orders_that_were_not_taken() {
    let mut book = limits(10, 10, 10);
    let (mut pool, conn) = connected(exclusive(), &mut book);
    queue(&mut pool, &mut book, T0, 1);
    pool.handle_stream_ended(T0, &mut book, conn, StreamEnd::CloseNotified);
    let taken = actions(&mut pool);
    assert!(
        matches!(taken[..], [Action::Close { .. }, Action::Connect { reason: ConnectReason::Demand, .. }]),
        "{taken:?}"
    );
}

#[test]
fn an_attempt_that_nobody_heard_of_leaves_without_a_trace() {
    let mut book = limits(10, 10, 10);
    let mut pool = pool(exclusive());
    let waiter = queue(&mut pool, &mut book, T0, 1);
    assert!(pool.cancel(T0, &mut book, waiter, CancelPolicy::CloseExcess));
    assert_eq!(actions(&mut pool), [Action::Idle]);
    assert_eq!((used(&book)[0], pool.stats().cx_destroy_local, pool.stats().cx_connect_fail), (0, 1, 0));
}

#[test]
fn one_forced_connection_at_a_time_and_it_gets_the_first_free_seat() {
    let mut book = limits(1, 10, 10);
    let (mut pool, c0) = connected(exclusive().max_requests_per_connection(Some(1)), &mut book);
    queue(&mut pool, &mut book, T0, 1);
    let taken = actions(&mut pool);
    let [Action::Connect { conn: c1, reason: ConnectReason::Forced }] = taken[..] else {
        panic!("{taken:?}")
    };
    assert_eq!((pool.stats().cx_overflow, is_in_line(&book, ME)), (1, true));
    pool.handle_connected(T0, &mut book, c1, None);
    actions(&mut pool);
    // Both drain now, and the forced one is still without a seat: no second one.
    queue(&mut pool, &mut book, T0, 2);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(pool.connection(c1).map(|view| view.seating), Some(Seating::Forced));
    // The seat of the first goes to it.
    pool.handle_stream_ended(T0, &mut book, c0, StreamEnd::Complete);
    actions(&mut pool);
    assert_eq!(used(&book)[0], 1);
    pool.handle_closed(T0, &mut book, c0, ClosedBy::Local);
    assert_eq!(used(&book)[0], 1);
    assert_eq!(pool.connection(c1).map(|view| view.seating), Some(Seating::Seated));
    // And the third request may have a forced one.
    let taken = actions(&mut pool);
    assert!(matches!(taken[..], [Action::Connect { reason: ConnectReason::Forced, .. }]), "{taken:?}");
}

#[test]
fn strict_limits_wait_for_a_seat_that_another_pool_frees() {
    let mut book = limits(1, 10, 10);
    let foreign = book.try_take(Resource::Connections, OTHER).unwrap();
    let mut pool = pool(exclusive().strict_limits(true));
    let answer = pool.request(T0, &mut book, Request::new(Token(1)));
    assert!(matches!(answer, Answer::Queued(Queued { reason: QueueReason::ConnectionLimit, .. })));
    queue(&mut pool, &mut book, T0, 2);
    assert_eq!((opened(&mut pool).len(), pool.stats().cx_overflow), (0, 1));
    book.give_back(foreign);
    assert_eq!(book.poll_freed(), Some((ME.pool, Resource::Connections)));
    pool.handle_slot_freed(T0, &mut book, Resource::Connections);
    assert_eq!(opened(&mut pool).len(), 1);
    assert_eq!((used(&book)[0], pool.stats().cx_overflow), (1, 2));
}

#[test]
fn a_wait_ends_with_the_queue() {
    let mut book = limits(1, 10, 10);
    let foreign = book.try_take(Resource::Connections, OTHER).unwrap();
    let mut pool = pool(exclusive().strict_limits(true));
    let waiter = queue(&mut pool, &mut book, T0, 1);
    assert!(pool.awaits_seat());
    pool.cancel(T0, &mut book, waiter, CancelPolicy::Default);
    assert!(!pool.awaits_seat() && !is_in_line(&book, ME));
    assert_eq!(actions(&mut pool), [Action::Idle]);
    book.give_back(foreign);
}

#[test]
fn the_idle_timer_counts_from_the_last_stream_and_wakes_at_most_early() {
    let mut book = limits(10, 10, 10);
    let idle = Duration::from_millis(100);
    let (mut pool, conn) = connected(exclusive().idle_timeout(Some(idle)), &mut book);
    for start in [0, 70, 140] {
        if start > 0 {
            assert!(matches!(pool.request(at(start), &mut book, Request::new(Token(1))), Answer::Bound(_)));
        }
        pool.handle_stream_ended(at(start + 20), &mut book, conn, StreamEnd::Complete);
        pool.handle_timeout(at(start + 20), &mut book);
    }
    pool.handle_timeout(at(259), &mut book);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(pool.deadline(), Deadline::At(at(260), WakeReason::IdleTimeout));
    pool.handle_timeout(at(260), &mut book);
    assert_eq!(actions(&mut pool), [Action::Close { conn, reason: CloseReason::IdleTimeout }]);
    pool.handle_closed(at(261), &mut book, conn, ClosedBy::Remote);
    assert_eq!(actions(&mut pool), [Action::Idle]);
    let stats = pool.stats();
    assert_eq!((stats.cx_idle_timeout, stats.cx_destroy_local, stats.cx_destroy_remote), (1, 1, 0));
}

#[test]
fn the_drain_deadline_closes_with_streams_in_progress() {
    let mut book = limits(10, 10, 10);
    let config = streams(10).drain_timeout(Some(Duration::from_secs(30)));
    let (mut pool, conn) = connected(config, &mut book);
    pool.handle_go_away(at(1000), &mut book, conn);
    assert_eq!(pool.deadline(), Deadline::At(at(31_000), WakeReason::DrainTimeout));
    pool.handle_timeout(at(31_000), &mut book);
    assert_eq!(actions(&mut pool), [Action::Close { conn, reason: CloseReason::DrainTimeout }]);
    assert_eq!((pool.triple().active, used(&book)[2]), (0, 0));
    pool.handle_stream_ended(at(31_000), &mut book, conn, StreamEnd::LocalReset);
    pool.handle_closed(at(31_001), &mut book, conn, ClosedBy::Local);
    let stats = pool.stats();
    assert_eq!((stats.ignored_facts, stats.cx_destroy_local_with_active_rq), (1, 1));
}

#[test]
fn queued_requests_run_into_their_deadlines_oldest_first() {
    let mut book = limits(10, 10, 10);
    let mut pool = pool(exclusive().pending_timeout(Some(Duration::from_millis(50))));
    queue(&mut pool, &mut book, at(0), 1);
    queue(&mut pool, &mut book, at(10), 2);
    let early = Some(at(30));
    assert!(matches!(
        pool.requeue(at(20), &mut book, Request::new(Token(3)), early),
        Answer::Queued(Queued { .. })
    ));
    actions(&mut pool);
    assert_eq!(pool.deadline(), Deadline::At(at(30), WakeReason::PendingTimeout));
    pool.handle_timeout(at(59), &mut book);
    let failed: Vec<u64> = actions(&mut pool)
        .into_iter()
        .map(|action| match action {
            Action::Fail { token, reason: FailReason::PendingTimeout, .. } => token.0,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(failed, [3, 1]);
    assert_eq!((pool.stats().rq_pending_timeout, used(&book)[1]), (2, 1));
}

#[test]
fn a_failed_attempt_can_spare_what_others_will_serve() {
    let mut book = limits(10, 10, 10);
    let mut pool = pool(exclusive().on_connect_failure(FailQueue::Unservable));
    for token in 1..=3 {
        queue(&mut pool, &mut book, T0, token);
    }
    let conns = opened(&mut pool);
    pool.handle_closed(T0, &mut book, conns[0], ClosedBy::Remote);
    let taken = actions(&mut pool);
    assert!(
        matches!(
            taken[..],
            [Action::Fail { token: Token(3), reason: FailReason::ConnectFailedRemotely, .. }]
        ),
        "{taken:?}"
    );
}

#[test]
fn a_raised_limit_serves_the_queue_at_once() {
    let mut book = limits(1, 10, 10);
    let (mut pool, conn) = connected(streams(10), &mut book);
    pool.handle_capacity_changed(T0, &mut book, conn, 1);
    queue(&mut pool, &mut book, T0, 1);
    assert_eq!(actions(&mut pool), []);
    pool.handle_capacity_changed(T0, &mut book, conn, 2);
    let taken = actions(&mut pool);
    assert!(matches!(taken[..], [Action::Bind { reason: BindReason::CapacityRaised, .. }]), "{taken:?}");
}

#[test]
fn a_refused_bind_does_not_count_and_lowers_the_limit() {
    let mut book = limits(1, 10, 10);
    let (mut pool, conn) = connected(streams(10), &mut book);
    assert!(matches!(pool.request(T0, &mut book, Request::new(Token(1))), Answer::Bound(_)));
    let before = pool.connection(conn).unwrap().remaining;
    pool.handle_bind_refused(T0, &mut book, conn, 1);
    let view = pool.connection(conn).unwrap();
    assert_eq!((view.active, view.limit, view.remaining), (1, 1, before + 1));
    assert_eq!(used(&book)[2], 1);
    let answer = pool.requeue(T0, &mut book, Request::new(Token(1)), None);
    assert!(matches!(answer, Answer::Queued(_)));
    assert_eq!(pool.waiters().next().map(|waiter| waiter.token), Some(Token(1)));
}

#[test]
fn a_suspect_connection_is_replaced_when_somebody_waits() {
    let mut book = limits(2, 10, 10);
    let (mut pool, conn) = connected(streams(1), &mut book);
    pool.handle_suspect(T0, &mut book, conn);
    assert_eq!(actions(&mut pool), []);
    assert_eq!(pool.connection(conn).map(|view| view.state), Some(State::Draining(DrainCause::Suspect)));
    queue(&mut pool, &mut book, T0, 1);
    assert_eq!(opened(&mut pool).len(), 1);
}

#[test]
fn deletion_serves_what_it_can_and_fails_the_rest() {
    let mut book = limits(1, 10, 10);
    let (mut pool, conn) = connected(exclusive(), &mut book);
    queue(&mut pool, &mut book, T0, 1);
    queue(&mut pool, &mut book, T0, 2);
    pool.drain(T0, &mut book, DrainMode::AndDelete);
    assert_eq!(actions(&mut pool), []);
    pool.handle_stream_ended(T0, &mut book, conn, StreamEnd::Complete);
    pool.handle_settled(T0, &mut book);
    assert!(matches!(actions(&mut pool)[..], [Action::Bind { token: Token(1), .. }]));
    pool.handle_closed(T0, &mut book, conn, ClosedBy::Remote);
    let taken = actions(&mut pool);
    assert!(
        matches!(taken[..], [Action::Fail { reason: FailReason::Deleted, .. }, Action::Idle]),
        "{taken:?}"
    );
    assert_eq!(used(&book), [0; 5]);
}

#[test]
fn goaway_is_sent_once_to_each_peer_that_understands_it() {
    let mut book = limits(2, 10, 10);
    let (mut pool, conn) = connected(streams(10), &mut book);
    pool.drain(T0, &mut book, DrainMode::NotifyPeerAndExisting);
    pool.drain(T0, &mut book, DrainMode::NotifyPeerAndExisting);
    assert_eq!(actions(&mut pool), [Action::NotifyGoAway { conn }]);
    let (mut pool, _) = connected(exclusive(), &mut book);
    pool.drain(T0, &mut book, DrainMode::NotifyPeerAndExisting);
    assert_eq!(actions(&mut pool), []);
}

#[test]
fn jitter_is_drawn_from_the_seed_and_shortens() {
    let config =
        || exclusive().max_requests_per_connection(Some(1000)).max_requests_jitter(Jitter::percent(50));
    let budgets = |seed| {
        let mut book = limits(10, 10, 10);
        let mut pool = Pool::new(config().build().unwrap(), ME, seed);
        (0..5).for_each(|token| {
            queue(&mut pool, &mut book, T0, token);
        });
        let budgets: Vec<u32> = pool.connections().map(|view| view.remaining).collect();
        budgets
    };
    assert_eq!(budgets(7), budgets(7));
    assert_ne!(budgets(7), budgets(8));
    assert!(budgets(7).iter().all(|budget| (500..=1000).contains(budget)));
}

#[test]
fn canonical_forms_forget_names_and_history() {
    let mut book = limits(10, 10, 10);
    let (mut pool, c0) = connected(exclusive(), &mut book);
    let before = pool.canonical(T0);
    let fork = pool.fork();
    pool.handle_closed(T0, &mut book, c0, ClosedBy::Remote);
    actions(&mut pool);
    let later = at(777);
    queue(&mut pool, &mut book, later, 5);
    let c1 = opened(&mut pool)[0];
    pool.handle_connected(later, &mut book, c1, None);
    actions(&mut pool);
    assert_ne!(c0, c1);
    assert_eq!(pool.canonical(later), before);
    assert_eq!(fork.canonical(T0), before);
    pool.handle_stream_ended(later, &mut book, c1, StreamEnd::Complete);
    assert_ne!(pool.canonical(later), before);
}

#[test]
fn canonical_forms_tell_what_was_drawn_apart() {
    // Of two connections that came up together the first or the second is left, in use.
    let left = |gone: usize| {
        let config = exclusive().idle_jitter(Jitter::percent(50)).max_connection_duration(None);
        let mut book = limits(10, 10, 10);
        let mut pool = pool(config);
        queue(&mut pool, &mut book, T0, 0);
        queue(&mut pool, &mut book, T0, 1);
        let conns = opened(&mut pool);
        for conn in &conns {
            pool.handle_connected(T0, &mut book, *conn, None);
        }
        pool.handle_closed(T0, &mut book, conns[gone], ClosedBy::Remote);
        actions(&mut pool);
        pool.canonical(T0)
    };
    assert_eq!(left(0), left(0));
    assert_ne!(left(0), left(1));
}

#[test]
fn canonical_forms_tell_apart_what_a_trigger_may_still_open() {
    // Two attempts and a request; a learned limit may open a third if the request opened the two.
    let two = Ratio::from_thousandths(2000);
    let canonical = |expected: u32| {
        let mut book = limits(10, 10, 10);
        let mut pool = pool(streams(1).per_upstream_preconnect_ratio(two));
        for _ in 0..expected {
            assert!(pool.maybe_preconnect(T0, &mut book, two));
        }
        queue(&mut pool, &mut book, T0, 0);
        assert_eq!(opened(&mut pool).len(), 2);
        pool.canonical(T0)
    };
    assert_eq!(canonical(0), canonical(0));
    assert_ne!(canonical(0), canonical(2));
}

#[test]
fn a_pool_with_one_connection_is_small() {
    let parts = [
        ("pool", size_of::<Pool>()),
        ("cold", size_of::<Cold>()),
        ("table", size_of::<slots::Table>()),
        // Its other record, like those of the next three, is in the pool itself.
        ("connection", size_of::<slots::Cold>()),
        ("timer", 16 + 4),
    ];
    let bytes: usize = parts.iter().map(|(_, size)| size).sum();
    assert!(bytes <= 960, "{bytes}: {parts:?}");
}

#[test]
fn of_settled_connections_the_one_that_was_used_last_is_picked_first() {
    let mut book = limits(10, 10, 10);
    let (mut pool, c0) = connected(exclusive(), &mut book);
    queue(&mut pool, &mut book, T0, 1);
    let c1 = opened(&mut pool)[0];
    pool.handle_connected(T0, &mut book, c1, None);
    actions(&mut pool);
    pool.handle_stream_ended(T0, &mut book, c1, StreamEnd::Complete);
    pool.handle_stream_ended(T0, &mut book, c0, StreamEnd::Complete);
    pool.handle_settled(T0, &mut book);
    for expected in [c0, c1] {
        let answer = pool.request(T0, &mut book, Request::new(Token(2)));
        assert!(matches!(answer, Answer::Bound(Bound { conn, .. }) if conn == expected), "{answer:?}");
    }
}

#[test]
fn a_stream_in_progress_is_never_idle_and_a_closed_connection_has_no_timer() {
    let mut book = limits(10, 10, 10);
    let (mut pool, conn) = connected(exclusive().idle_timeout(Some(Duration::from_millis(10))), &mut book);
    for ms in 0..50 {
        pool.handle_timeout(at(ms), &mut book);
    }
    assert_eq!(actions(&mut pool), []);
    pool.handle_stream_ended(at(50), &mut book, conn, StreamEnd::CloseNotified);
    actions(&mut pool);
    assert_eq!(pool.deadline(), Deadline::Never);
}

#[test]
fn an_idle_report_that_is_no_longer_true_is_not_given() {
    let mut book = limits(10, 10, 10);
    let (mut pool, conn) = connected(exclusive(), &mut book);
    pool.handle_closed(T0, &mut book, conn, ClosedBy::Remote);
    queue(&mut pool, &mut book, T0, 1);
    let taken = actions(&mut pool);
    let [Action::Connect { conn, .. }] = taken[..] else { panic!("{taken:?}") };
    pool.handle_closed(T0, &mut book, conn, ClosedBy::Remote);
    assert!(matches!(actions(&mut pool)[..], [Action::Fail { .. }, Action::Idle]));
}

#[test]
fn early_data_is_for_requests_that_allow_it() {
    let mut book = limits(10, 10, 10);
    let mut pool = pool(streams(2).early_data(EarlyDataSupport::On));
    queue(&mut pool, &mut book, T0, 1);
    let conn = opened(&mut pool)[0];
    pool.handle_early_data_ready(T0, &mut book, conn);
    assert_eq!(actions(&mut pool), []);
    let answer = pool.request(T0, &mut book, Request::new(Token(2)).early_data_safe());
    assert!(matches!(answer, Answer::Bound(Bound { reason: BindReason::EarlyData, .. })), "{answer:?}");
    assert_eq!(pool.stats().rq_0rtt, 1);
    // The handshake fails: the stream dies with it, the queue fails.
    pool.handle_closed(T0, &mut book, conn, ClosedBy::Remote);
    assert!(matches!(actions(&mut pool)[..], [Action::Fail { token: Token(1), .. }, Action::Idle]));
    let stats = pool.stats();
    assert_eq!((stats.cx_connect_fail, stats.cx_destroy_remote_with_active_rq), (1, 1));
    assert_eq!((stats.rq_pending_failure_eject, used(&book)), (2, [0; 5]));
}

#[test]
fn a_seat_that_is_no_longer_wanted_goes_to_the_next_pool() {
    let mut book = limits(2, 10, 10);
    let foreign = book.try_take(Resource::Connections, OTHER).unwrap();
    let (mut pool, conn) = connected(exclusive(), &mut book);
    queue(&mut pool, &mut book, T0, 1);
    book.await_free(Resource::Connections, OTHER, Need::Queue);
    // One stream is about to be free, which is all that the queue needs.
    pool.handle_stream_ended(T0, &mut book, conn, StreamEnd::Complete);
    book.give_back(foreign);
    assert_eq!(book.poll_freed(), Some((ME.pool, Resource::Connections)));
    pool.handle_slot_freed(T0, &mut book, Resource::Connections);
    assert_eq!(opened(&mut pool), []);
    assert_eq!(book.poll_freed(), Some((OTHER.pool, Resource::Connections)));
}

#[test]
fn deletion_closes_a_connection_on_which_the_peer_allows_nothing() {
    let mut book = limits(2, 10, 10);
    let (mut pool, conn) = connected(streams(1), &mut book);
    pool.handle_capacity_changed(T0, &mut book, conn, 0);
    pool.handle_stream_ended(T0, &mut book, conn, StreamEnd::Complete);
    assert_eq!(pool.counts().busy, 1);
    pool.drain(T0, &mut book, DrainMode::AndDelete);
    assert_eq!(actions(&mut pool), [Action::Close { conn, reason: CloseReason::Drained }]);
}
