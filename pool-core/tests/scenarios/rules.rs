//! The rules behind the scenarios, one law per test, where no single scenario pins the law down.

use crate::harness::*;
use pool_core::limits::Thresholds;
use pool_core::pool::DrainCause;
use pool_core::report::{ClosedBy::*, StreamEnd};

/// Requests until the connection count stops growing; `opens` in the order of requests.
fn opens_per_request(setup: &Setup, requests: u64) -> Vec<u64> {
    let mut w = setup.start();
    let mut opens = Vec::new();
    for r in 1..=requests {
        let before = w.stats().cx_total;
        w.request(Token(r));
        opens.push(w.stats().cx_total - before);
    }
    w.forget();
    w.finish();
    opens
}

#[test]
fn rule_1_preconnect_opens_repeatedly_within_one_request() {
    // Worked numbers of the specification, section 2.7.
    for (ratio, opens) in [(1_000, 1), (1_500, 2), (2_000, 2), (3_000, 3)] {
        assert_eq!(opens_per_request(&Setup::exclusive().ratio(ratio), 1), [opens], "h1 at {ratio}");
        assert_eq!(opens_per_request(&Setup::streams(1).ratio(ratio), 1), [opens], "h2 of 1 at {ratio}");
    }
    assert_eq!(opens_per_request(&Setup::streams(100).ratio(2_000), 1), [1]);
}

#[test]
fn rule_1_without_preconnect_each_queued_request_opens_what_it_needs() {
    assert_eq!(opens_per_request(&Setup::exclusive(), 10), [1; 10]);
    assert_eq!(opens_per_request(&Setup::streams(100), 10), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(opens_per_request(&Setup::streams(4), 10), [1, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
}

#[test]
fn rule_1_the_test_is_strict_and_exact() {
    // 1.05: 19 streams and no spare want one (19.95 > 19); 20 streams and one spare want none
    // (21 > 21). A float would round the second.
    let mut w = Setup::streams(1).ratio(1_050).start();
    for r in 1..=19 {
        w.request(Token(r));
        w.forget();
        let newest = Conn(usize::try_from(w.stats().cx_total).expect("few") - 1);
        if w.is_queued(Token(r)) {
            w.connected(newest);
        }
        w.forget();
    }
    // r1 found 1.05 > 1 and opened a spare; so the pool is always one ahead until 20 are active.
    w.assert_triple(19, 0, 1);
    let before = w.stats().cx_total;
    for conn in 0..before {
        w.connect_if_connecting(Conn(conn as usize));
    }
    w.forget();
    w.request(Token(20));
    w.assert_triple(20, 0, 1);
    w.forget();
    assert_eq!(w.stats().cx_total, before + 1, "20 x 1.05 = 21 > 20 + 0");
    w.request(Token(21));
    w.forget();
    // Queued behind the one spare: 21 x 1.05 = 22.05 > 20 + 1 and > 20 + 2, not > 20 + 3.
    w.assert_triple(20, 1, 3);
    w.finish();
}

#[test]
fn rule_1_one_trigger_opens_at_most_three() {
    let mut w = Setup::streams(1).max_connections(1).start();
    w.bound(R1, C0);
    for r in 2..=10 {
        w.request(Token(r));
        w.expect([Queued(Token(r))]);
    }
    // Nine wait; each trigger opens three.
    w.set_thresholds(Thresholds::default());
    w.expect([Open(C1), Open(C2), Open(C3)]);
    w.connected(C1);
    w.expect([Bind(R2, C1), Open(Conn(4)), Open(Conn(5)), Open(Conn(6))]);
    w.finish();
}

#[test]
fn rule_1_no_spares_for_an_unhealthy_host() {
    let mut w = Setup::streams(1).ratio(1_500).start();
    w.health(HostHealth::Unhealthy);
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    assert!(!w.preconnect(3_000));
    w.expect([]);
    w.health(HostHealth::Healthy);
    w.expect([]);
    w.request(R2);
    w.expect([Queued(R2), Open(C1), Open(C2)]);
    w.finish();
}

#[test]
fn rule_1_healthy_again_opens_nothing_by_itself() {
    let mut w = Setup::streams(1).ratio(2_000).start();
    w.health(HostHealth::Degraded);
    w.bound(R1, C0);
    w.health(HostHealth::Healthy);
    w.expect([]);
    w.finish();
}

#[test]
fn rule_2_planning_uses_the_smaller_of_both_limits() {
    for setup in [
        Setup::multiplexed().max_concurrent_streams(100).max_requests_per_connection(2),
        Setup::multiplexed().max_concurrent_streams(2).max_requests_per_connection(100),
    ] {
        let mut w = setup.start();
        w.request(R1);
        w.request(R2);
        w.expect([Queued(R1), Open(C0), Queued(R2)]);
        w.assert_triple(0, 2, 2);
        w.request(R3);
        w.expect([Queued(R3), Open(C1)]);
        w.assert_triple(0, 3, 4);
        w.connected(C1);
        w.expect([Bind(R1, C1), Bind(R2, C1)]);
        w.connected(C0);
        w.expect([Bind(R3, C0)]);
        w.finish();
    }
}

#[test]
fn rule_2_negative_capacity_is_provided_for_at_the_next_trigger() {
    let mut w = Setup::multiplexed().max_concurrent_streams(10).start();
    w.bound(R1, C0);
    for r in 2..=10 {
        w.request(Token(r));
        w.expect([BindNow(Token(r), C0)]);
    }
    w.capacity(C0, 5);
    w.expect([]);
    w.assert_triple(10, 0, -5);
    w.request(Token(11));
    w.expect([Queued(Token(11)), Open(C1)]);
    w.assert_triple(10, 1, 5);
    w.finish();
}

#[test]
fn rule_3_a_connect_failure_purges_everything_newest_first_whatever_else_connects() {
    let mut w = Setup::exclusive().start();
    w.request(R1);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R1), Open(C0), Queued(R2), Open(C1), Queued(R3), Open(C2)]);
    w.closed(C1, Remote);
    w.expect([
        Fail(R3, RemoteConnectionFailure),
        Fail(R2, RemoteConnectionFailure),
        Fail(R1, RemoteConnectionFailure),
    ]);
    assert_eq!(w.stats().rq_pending_failure_eject, 3);
    // The other attempts go on and become spares.
    w.connected(C0);
    w.connected(C2);
    w.expect([]);
    w.request(R4);
    w.expect([BindNow(R4, C2)]);
    w.finish();
}

#[test]
fn rule_3_option_fails_only_what_the_remaining_capacity_cannot_serve() {
    let mut w = Setup::exclusive().fail_unservable_only().start();
    w.request(R1);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R1), Open(C0), Queued(R2), Open(C1), Queued(R3), Open(C2)]);
    w.closed(C1, Remote);
    w.expect([Fail(R3, RemoteConnectionFailure)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.connected(C2);
    w.expect([Bind(R2, C2)]);
    w.finish();
}

#[test]
fn rule_3_streams_on_other_connections_survive_a_connect_failure() {
    let mut w = Setup::exclusive().start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.closed(C1, Remote);
    w.expect([Fail(R2, RemoteConnectionFailure)]);
    w.assert_state(C0, S::Busy);
    w.assert_triple(1, 0, 0);
    w.finish();
}

#[test]
fn rule_4_the_connection_that_became_ready_last_is_used_first() {
    let mut w = Setup::exclusive().start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.bound(R3, C2);
    w.complete(R3);
    w.complete(R1);
    w.complete(R2);
    w.settle();
    w.expect([]);
    w.request(R4);
    w.expect([BindNow(R4, C1)]);
    w.request(R5);
    w.expect([BindNow(R5, C0)]);
    w.request(R6);
    w.expect([BindNow(R6, C2)]);
    w.finish();
}

#[test]
fn rule_4_streams_pile_on_one_connection_until_it_is_full() {
    let mut w = Setup::streams(3).start();
    w.bound(R1, C0);
    w.capacity(C0, 1);
    w.bound(R2, C1);
    w.capacity(C0, 3);
    // c0 has become ready last, although c1 is younger.
    w.request(R3);
    w.request(R4);
    w.expect([BindNow(R3, C0), BindNow(R4, C0)]);
    w.request(R5);
    w.expect([BindNow(R5, C1)]);
    w.finish();
}

#[test]
fn rule_5_a_request_made_while_failures_are_delivered_is_not_purged() {
    let mut w = Setup::exclusive().start();
    w.request(R1);
    w.request(R2);
    w.expect([Queued(R1), Open(C0), Queued(R2), Open(C1)]);
    w.closed(C0, Local);
    w.expect([Fail(R2, LocalConnectionFailure), Fail(R1, LocalConnectionFailure)]);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    w.finish();
}

#[test]
fn rule_6_rq_total_counts_at_bind() {
    let mut w = Setup::multiplexed().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    assert_eq!(w.stats().rq_total, 0);
    w.at(5_000);
    w.expect([Close(C0), Fail(R1, ConnectTimeout)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().rq_total, 0);
    w.bound(R2, C1);
    assert_eq!(w.stats().rq_total, 1);
    w.complete(R2);
    w.closed(C1, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_connect_fail, 1);
    assert_eq!(w.stats().cx_connect_timeout, 1);
    assert_eq!(w.stats().cx_destroy, 2);
    // Rule 12 in passing: the timeout was ours, the second end was the peer's.
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.stats().cx_destroy_remote, 1);
    w.finish();
}

#[test]
fn rule_7_close_excess_honours_the_preconnect_ratio() {
    let mut w = Setup::streams(1).ratio(2_000).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.request(R2);
    w.expect([Queued(R2), Open(C2), Open(C3)]);
    w.cancel(R2, CancelPolicy::CloseExcess);
    w.expect([Close(C3)]);
    w.assert_triple(0, 1, 3);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C2)]);
    w.assert_triple(0, 0, 2);
    w.finish();
}

#[test]
fn rule_7_an_attempt_that_the_ratio_still_wants_is_kept() {
    // 1.5 with two streams and one spare attempt: 2 x 1.5 = 3 is not <= 2 + 0.
    let mut w = Setup::streams(1).ratio(1_500).max_connections(3).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.connected(C1);
    w.expect([]);
    w.request(R2);
    w.expect([BindNow(R2, C1), Open(C2)]);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.cancel(R3, CancelPolicy::CloseExcess);
    w.expect([]);
    w.assert_state(C2, S::Connecting);
    w.finish();
}

#[test]
fn rule_7_only_connecting_connections_are_excess() {
    let mut w = Setup::streams(1).max_connections(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.cancel(R2, CancelPolicy::CloseExcess);
    w.expect([]);
    w.complete(R1);
    w.expect([]);
    w.assert_state(C0, S::Ready);
    w.finish();
}

#[test]
fn rule_8_draining_serves_the_queue() {
    for mode in [DrainMode::Existing, DrainMode::AndDelete, DrainMode::NotifyPeerAndExisting] {
        let mut w = Setup::exclusive().start();
        w.request(R1);
        w.request(R2);
        w.expect([Queued(R1), Open(C0), Queued(R2), Open(C1)]);
        w.drain(mode);
        w.expect([]);
        w.connected(C0);
        w.expect([Bind(R1, C0)]);
        w.connected(C1);
        w.expect([Bind(R2, C1)]);
        w.finish();
    }
}

#[test]
fn rule_8_a_drained_connection_takes_nothing_from_the_queue() {
    let mut w = Setup::exclusive().max_connections(2).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.drain(DrainMode::Existing);
    // Nothing that is left could serve r3 (P1): one connection without a seat.
    w.expect([Open(C2)]);
    assert_eq!(w.forced(), 1);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.settle();
    w.expect([]);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    w.connected(C2);
    w.expect([Bind(R3, C2)]);
    w.finish();
}

#[test]
fn rule_8_drain_and_delete_serves_the_queue_from_what_exists_and_opens_nothing() {
    let mut w = Setup::exclusive().max_connections(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R2), Queued(R3)]);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.complete(R1);
    w.expect([]);
    w.settle();
    w.expect([Bind(R2, C0)]);
    // The last connection dies under r2; r3 cannot be served any more.
    w.closed(C0, Remote);
    w.expect([Fail(R3, LocalConnectionFailure), Idle]);
    assert_eq!(w.stats().cx_total, 1);
    w.finish();
}

#[test]
fn rule_10_a_goaway_opens_for_a_queue_but_not_for_a_ratio() {
    let mut w = Setup::streams(1).start();
    w.bound(R1, C0);
    w.goaway(C0);
    w.expect([]);
    w.assert_draining_because(C0, DrainCause::GoAway);
    w.goaway(C0);
    w.expect([]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn rule_11_a_pool_without_connections_may_exceed_the_limit_by_one() {
    let mut w = Setup::exclusive().max_connections(1).start();
    w.hold(Connections, 1);
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    assert_eq!(w.stats().cx_overflow, 1);
    assert_eq!(w.stats().cx_total, 1);
    assert_eq!(w.forced(), 1);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    // The seat that is freed goes to the forced connection, not to a second one.
    w.release(Connections);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    w.finish();
}

#[test]
fn rule_11_strict_limits_wait_for_a_seat_instead() {
    let mut w = Setup::exclusive().max_connections(1).strict_limits().start();
    w.hold(Connections, 1);
    w.request(R1);
    w.expect([Queued(R1)]);
    assert_eq!(w.stats().cx_overflow, 1);
    assert!(!w.is_idle());
    w.release(Connections);
    w.expect([Open(C0)]);
    assert_eq!(w.forced(), 0);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.finish();
}

#[test]
fn rule_11_the_per_host_limit_is_a_connection_limit() {
    let mut w = Setup::exclusive().max_connections_per_host(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.complete(R1);
    w.settle();
    w.expect([Bind(R2, C0)]);
    assert_eq!(w.stats().cx_total, 1);
    w.finish();
}

#[test]
fn rule_12_a_fin_that_completes_the_response_is_the_peers_close() {
    let mut w = Setup::exclusive().start();
    w.bound(R1, C0);
    w.end_undrained(R1, StreamEnd::Final);
    w.closed(C0, Remote);
    w.forget();
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_remote, 1);
    assert_eq!(w.stats().cx_destroy_with_active_rq, 0);
    assert!(w.is_idle());
    w.finish();
}

#[test]
fn rule_12_each_close_is_attributed_by_itself() {
    let mut w = Setup::multiplexed().max_connections(2).max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.complete(R2);
    w.expect([Close(C1)]);
    w.gone(C1);
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.stats().cx_destroy_remote, 1);
    assert_eq!(w.stats().cx_destroy_with_active_rq, 1);
    assert_eq!(w.stats().cx_destroy_remote_with_active_rq, 1);
    w.finish();
}

/// P13; zero is no knowledge, and our own limits always hold.
#[test]
fn rule_2_the_stream_limit_before_the_first_settings() {
    let own = || Setup::multiplexed().max_concurrent_streams(2_000);
    for (setup, capacity) in [
        (own(), 100),
        (own().initial_limits([0]), 100),
        (own().initial_limits([500]), 500),
        (own().initial_limits([5_000]), 2_000),
        (own().initial_limits([500]).max_requests_per_connection(100), 100),
        (Setup::streams(7), 7),
        (Setup::multiplexed(), 100),
        (Setup::multiplexed().initial_limits([5_000]), 1_024),
    ] {
        let mut w = setup.start();
        w.request(R1);
        w.expect([Queued(R1), Open(C0)]);
        w.assert_triple(0, 1, capacity);
        w.finish();
    }
}
