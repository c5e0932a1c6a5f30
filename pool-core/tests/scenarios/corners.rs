//! Corners of the rules: facts at awkward moments, numbers at their borders.

use crate::harness::*;
use pool_core::report::{ClosedBy::*, StreamEnd};

fn h1() -> Setup {
    Setup::exclusive().max_connections(1)
}

/// Many streams per connection, as many as the configuration says from the first moment on.
fn h2() -> Setup {
    Setup::streams(100)
}

#[test]
fn rule_7_what_was_closed_as_excess_is_not_opened_again() {
    // Five streams on c0, of which the peer now allows two: the sum is negative without c1.
    let mut w = Setup::streams(5).start();
    w.bound(R1, C0);
    for r in [R2, R3, R4, R5] {
        w.request(r);
    }
    w.forget();
    w.capacity(C0, 2);
    w.request(R6);
    w.expect([Queued(R6), Open(C1)]);
    w.cancel(R6, CancelPolicy::CloseExcess);
    w.expect([Close(C1)]);
    w.finish();
}

#[test]
fn rule_3_option_a_surplus_of_streams_elsewhere_takes_no_place_away() {
    let mut w = Setup::streams(5).fail_unservable_only().start();
    w.bound(R1, C0);
    for r in [R2, R3, R4, R5] {
        w.request(r);
    }
    w.forget();
    w.capacity(C0, 1);
    w.assert_triple(5, 0, -4);
    w.request(R6);
    w.request(R7);
    w.expect([Queued(R6), Open(C1), Queued(R7), Open(C2)]);
    // c2 has places for both.
    w.closed(C1, Remote);
    w.expect([Open(C3)]);
    w.connected(C2);
    w.expect([Bind(R6, C2), Bind(R7, C2)]);
    w.finish();
}

#[test]
fn p7_each_connection_draws_its_own_age() {
    let mut w =
        Setup::streams(1).max_connection_duration_ms(1_000_000).max_connection_duration_jitter(50).start();
    for r in [R1, R2, R3, R4] {
        w.request(r);
    }
    for conn in [C0, C1, C2, C3] {
        w.connected(conn);
    }
    for r in [R1, R2, R3, R4] {
        w.complete(r);
    }
    w.forget();
    let mut closed = Vec::new();
    for second in 1..=1_000 {
        w.at(second * 1_000);
        closed.extend(w.take_log().into_iter().map(|event| (second, event)));
    }
    assert_eq!(closed.len(), 4, "a configured maximum stays one: {closed:?}");
    assert!(closed.iter().all(|(second, _)| *second >= 500), "{closed:?}");
    closed.dedup_by_key(|(second, _)| *second);
    assert_eq!(closed.len(), 4, "connections that came up together do not end together: {closed:?}");
    w.finish();
}

#[test]
fn settings_of_zero_queue_until_raised_and_the_idle_clock_still_runs() {
    let mut w = h2().idle_timeout_ms(1_000).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.capacity(C0, 0);
    w.assert_state(C0, S::Busy);
    w.assert_triple(0, 0, 0);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.capacity(C0, 1);
    w.expect([Bind(R2, C0)]);
    w.complete(R2);
    w.capacity(C0, 0);
    w.at(1_000);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn facts_between_the_end_of_a_stream_and_settle() {
    // Each with a request in the gap: it goes elsewhere, and Settle finds nothing.
    type Fact = fn(&mut World);
    let facts: [Fact; 6] = [
        |w| w.goaway(C0),
        |w| w.retire(C0),
        |w| w.drain(DrainMode::Existing),
        |w| w.health(HostHealth::Unhealthy),
        |w| w.suspect(C0),
        |w| w.protocol_error(C0),
    ];
    for fact in facts {
        let mut w = Setup::exclusive().max_connections(2).start();
        w.bound(R1, C0);
        w.complete(R1);
        w.request(R2);
        w.expect([Queued(R2)]);
        w.assert_settling(C0);
        fact(&mut w);
        w.expect([Close(C0), Open(C1)]);
        w.assert_settle_due(false);
        w.settle();
        w.expect([]);
        w.gone(C0);
        w.connected(C1);
        w.expect([Bind(R2, C1)]);
        w.finish();
    }
}

#[test]
fn an_age_that_comes_in_the_gap_closes_after_the_pass() {
    let mut w = Setup::exclusive().max_connection_duration_ms(1_000).start();
    w.bound(R1, C0);
    w.at(999);
    w.complete(R1);
    w.settle();
    w.at(1_000);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_max_duration_reached, 1);
    w.finish();
}

#[test]
fn several_pools_force_one_connection_each_and_no_more() {
    let mut w = Setup::streams(1).max_requests_per_connection(1).max_connections(1).start_pools(4);
    w.hold(Connections, 1);
    for (pool, r) in [R1, R2, R3, R4].into_iter().enumerate() {
        w.use_pool(Which(pool));
        w.bound(r, C0);
        w.assert_state(C0, S::Draining);
        assert_eq!(w.forced(), 1);
    }
    assert_eq!(w.total_connections(), 4);
    // Draining and forced: nothing more, and only the first refusal is counted.
    w.request(R5);
    w.expect([Queued(R5)]);
    w.request(R6);
    w.expect([Queued(R6)]);
    assert_eq!(w.stats().cx_overflow, 1);
    // The seat goes to the first that was forced, not to the queue of the last.
    w.release(Connections);
    let forced = (0..4).map(|pool| {
        w.use_pool(Which(pool));
        w.forced()
    });
    assert_eq!(forced.collect::<Vec<_>>(), [0, 1, 1, 1]);
    w.use_pool(Which(3));
    w.expect([]);
    w.finish();
}

#[test]
fn a_forced_connection_that_dies_leaves_no_wait_behind() {
    let mut w = h1().start_two();
    w.use_pool(A);
    w.bound(R1, C0);
    w.use_pool(B);
    w.request(R2);
    w.expect([Queued(R2), Open(C0)]);
    w.closed(C0, Remote);
    w.expect([Fail(R2, RemoteConnectionFailure), Idle]);
    assert!(!w.awaits_seat());
    // The seat is free for whoever comes.
    w.use_pool(A);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.request(R3);
    w.expect([Queued(R3), Open(C1)]);
    assert_eq!(w.forced(), 0);
    w.finish();
}

#[test]
fn nothing_but_closed_reports_after_an_abort() {
    for setup in [Setup::exclusive().max_connections(2), Setup::streams(1).max_connections(2)] {
        let mut w = setup.start();
        w.bound(R1, C0);
        w.request(R2);
        w.request(R3);
        w.forget();
        w.abort();
        w.expect([Close(C0), Close(C1), Fail(R3, LocalConnectionFailure), Fail(R2, LocalConnectionFailure)]);
        assert!(!w.awaits_seat());
        w.ended_raw(C0, StreamEnd::Complete);
        w.capacity(C0, 7);
        w.goaway(C0);
        w.health(HostHealth::Unhealthy);
        w.drain(DrainMode::Existing);
        w.settle();
        assert!(!w.preconnect(3_000));
        w.timeout_raw();
        w.expect([]);
        w.request(R4);
        w.expect([FailNow(R4, LocalConnectionFailure)]);
        w.requeue_failed(R5, LocalConnectionFailure);
        w.gone(C1);
        w.gone(C0);
        w.expect([Idle]);
        w.finish();
    }
}

#[test]
fn ratio_boundaries_of_the_predictive_test() {
    // (P + A + 1) * ratio > C + A, exactly.
    let mut w = Setup::streams(1).start();
    for n in 0..3 {
        assert!(w.preconnect(3_000), "{n}");
    }
    assert!(!w.preconnect(3_000), "3.0 > 3 is false");
    assert!(w.preconnect(3_001), "3.001 > 3");
    assert!(!w.preconnect(0));
    w.forget();
    w.finish();
}

#[test]
fn pending_deadlines_of_requeued_and_regular_requests_are_served_in_time_order() {
    let mut w = Setup::streams(1).max_connections(1).pending_timeout_ms(100).start();
    w.bound(R1, C0);
    w.request(R2);
    w.at(10);
    w.request(R3);
    w.requeue_until(R4, Some(105));
    w.requeue_until(R5, Some(20));
    w.requeue_until(R6, None);
    w.forget();
    w.at(19);
    w.expect([]);
    w.at(20);
    w.expect([Fail(R5, PendingTimeout)]);
    w.at(100);
    w.expect([Fail(R2, PendingTimeout)]);
    w.at(109);
    w.expect([Fail(R4, PendingTimeout)]);
    w.at(110);
    w.expect_any_order([Fail(R3, PendingTimeout), Fail(R6, PendingTimeout)]);
    assert_eq!(w.stats().rq_pending_timeout, 5);
    assert!(!w.awaits_seat());
    w.finish();
}

#[test]
fn a_drain_timeout_under_strict_limits_frees_the_seat_for_another_pool() {
    let mut w = h1().strict_limits().drain_timeout_ms(1_000).start_two();
    w.use_pool(A);
    w.bound(R1, C0);
    w.drain(DrainMode::Existing);
    w.use_pool(B);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.at(1_000);
    w.expect([]);
    w.use_pool(A);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.use_pool(B);
    w.expect([Open(C0)]);
    w.finish();
}

#[test]
fn a_forced_connection_that_is_closing_is_replaced_by_a_seat_but_not_by_force() {
    let mut w = h1().start_two();
    w.use_pool(A);
    w.bound(R1, C0);
    w.use_pool(B);
    w.bound(R2, C0);
    assert_eq!(w.forced(), 1);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.end(R2, StreamEnd::CloseNotified);
    w.expect([Close(C0)]);
    assert!(w.awaits_seat(), "the queue waits where the forced connection did");
    // The seat of A comes first, then the socket of the forced one goes.
    w.use_pool(A);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.use_pool(B);
    w.expect([Open(C1)]);
    assert!(!w.awaits_seat());
    w.gone(C0);
    w.expect([]);
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    assert_eq!((w.gauge(Connections), w.forced()), (1, 0));
    w.finish();
}

#[test]
fn a_bind_that_is_refused_may_be_the_last_of_a_life() {
    let mut w = Setup::streams(4).max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Draining);
    w.bind_refused(R1, 0);
    w.expect([Close(C0)]);
    w.requeue(R1);
    w.expect([Queued(R1), Open(C1)]);
    w.finish();
}

#[test]
fn negative_capacity_is_gone_with_whatever_ends_its_connection() {
    type Fact = fn(&mut World);
    let facts: [Fact; 5] = [
        |w| w.goaway(C0),
        |w| w.retire(C0),
        |w| w.suspect(C0),
        |w| w.drain(DrainMode::Existing),
        |w| w.health(HostHealth::Unhealthy),
    ];
    for fact in facts {
        let mut w = Setup::streams(4).start();
        w.bound(R1, C0);
        for r in [R2, R3, R4] {
            w.request(r);
        }
        w.forget();
        w.capacity(C0, 1);
        w.assert_triple(4, 0, -3);
        fact(&mut w);
        w.expect([]);
        w.assert_triple(4, 0, 0);
        w.request(R5);
        w.expect([Queued(R5), Open(C1)]);
        w.assert_triple(4, 1, 4);
        w.finish();
    }
}

#[test]
fn a_queue_that_drains_away_with_its_deletion_ends_idle_once() {
    let mut w = Setup::streams(1).max_connections(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.goaway(C0);
    w.expect([Fail(R2, LocalConnectionFailure)]);
    w.requeue_failed(R3, LocalConnectionFailure);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn a_failed_attempt_under_the_option_opens_for_those_who_are_kept() {
    let mut w = Setup::streams(1).fail_unservable_only().start();
    for r in [R1, R2, R3] {
        w.request(r);
    }
    w.forget();
    w.closed(C1, Remote);
    w.expect([Fail(R3, RemoteConnectionFailure)]);
    w.at(5_000);
    // Both attempts time out in one turn: first one request loses its place, then the other.
    w.expect([Close(C0), Fail(R2, ConnectTimeout), Close(C2), Fail(R1, ConnectTimeout)]);
    assert_eq!((w.stats().cx_connect_fail, w.stats().rq_pending_failure_eject), (3, 3));
    w.finish();
}
