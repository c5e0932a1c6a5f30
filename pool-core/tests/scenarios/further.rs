//! Further scenarios of the same groups, rebuilt from what the rules say they must check: their ids
//! are cited in the specification but not described there.

use crate::harness::*;
use pool_core::pool::DrainCause;
use pool_core::report::{ClosedBy::*, StreamEnd};

fn h1() -> Setup {
    Setup::exclusive().max_connections(1)
}

/// Many streams per connection, as many as the configuration says from the first moment on.
fn h2() -> Setup {
    Setup::streams(100)
}

// ---- H1 ----

#[test]
fn h1_03_cancel_of_an_older_request_from_the_failure_of_a_newer_one() {
    // Envoy delivers failures one by one, so that the older request can still be cancelled. Here all
    // are failed by the time the first is looked at: the cancel answers that it came too late.
    let mut w = Setup::exclusive().start();
    w.request(R1);
    w.request(R2);
    w.expect([Queued(R1), Open(C0), Queued(R2), Open(C1)]);
    let r1 = w.waiter(R1);
    w.closed(C0, Remote);
    w.expect([Fail(R2, RemoteConnectionFailure), Fail(R1, RemoteConnectionFailure)]);
    assert!(!w.cancel_raw(r1, CancelPolicy::CloseExcess));
    w.expect([]);
    assert_eq!(w.stats().rq_cancelled, 0);
    assert_eq!(w.stats().rq_pending_failure_eject, 2);
    w.finish();
}

#[test]
fn h1_06_connect_failure() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.closed(C0, Remote);
    w.expect([Fail(R1, RemoteConnectionFailure), Idle]);
    let stats = w.stats();
    assert_eq!((stats.cx_connect_fail, stats.rq_pending_failure_eject), (1, 1));
    assert_eq!((stats.cx_destroy, stats.cx_destroy_remote, stats.cx_destroy_with_active_rq), (1, 1, 0));
    assert_eq!((stats.rq_total, stats.rq_pending_total), (0, 1));
    w.assert_samples(0, 1);
    w.finish();
}

#[test]
fn h1_09_cancel_before_bound_leaves_the_attempt() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.cancel(R1, CancelPolicy::Default);
    w.expect([]);
    w.connected(C0);
    w.expect([]);
    w.assert_state(C0, S::Ready);
    w.assert_triple(0, 0, 1);
    assert_eq!(w.stats().rq_cancelled, 1);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_connect_fail, 0);
    w.finish();
}

#[test]
fn h1_12_max_connections_queues_the_second_request() {
    let mut w = h1().start();
    assert!(!w.open_gauge(Connections));
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    assert!(w.open_gauge(Connections));
    w.request(R2);
    w.expect([Queued(R2)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.complete(R1);
    w.expect([]);
    w.settle();
    w.expect([Bind(R2, C0)]);
    w.complete(R2);
    w.settle();
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    let stats = w.stats();
    assert_eq!((stats.cx_overflow, stats.cx_total, stats.rq_total), (1, 1, 2));
    assert_eq!(stats.cx_destroy_with_active_rq, 0);
    assert!(!w.open_gauge(Connections));
    w.finish();
}

#[test]
fn h1_15_proxy_connection_close_in_the_response() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.end(R1, StreamEnd::CloseNotified);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    let stats = w.stats();
    assert_eq!((stats.cx_close_notify, stats.cx_destroy_local, stats.cx_destroy_with_active_rq), (1, 1, 0));
    w.finish();
}

#[test]
fn h1_18_concurrent_connections() {
    let mut w = h1().max_connections(2).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.request(R3);
    w.expect([Queued(R3)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.complete(R1);
    w.settle();
    w.expect([Bind(R3, C0)]);
    w.complete(R2);
    w.complete(R3);
    w.settle();
    w.expect([]);
    // Both are ready, the one that was used last is first.
    w.request(R4);
    w.expect([BindNow(R4, C0)]);
    w.complete(R4);
    w.settle();
    w.closed(C0, Remote);
    w.closed(C1, Remote);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn h1_21_remote_close_completes_the_response() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.end_undrained(R1, StreamEnd::Final);
    w.closed(C0, Remote);
    w.expect([Idle]);
    let stats = w.stats();
    assert_eq!((stats.cx_destroy, stats.cx_destroy_remote, stats.cx_destroy_local), (1, 1, 0));
    assert_eq!(stats.cx_destroy_with_active_rq, 0);
    w.finish();
}

#[test]
fn h1_24_a_ready_connection_is_not_active() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.complete(R1);
    assert!(!w.has_active_connections());
    w.settle();
    assert!(!w.has_active_connections());
    assert!(!w.is_idle());
    w.finish();
}

// ---- BASE ----

#[test]
fn base_03_no_preconnect_to_an_unhealthy_host() {
    let mut w = Setup::streams(1).ratio(1_500).start();
    w.health(HostHealth::Unhealthy);
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 1);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.assert_triple(0, 0, 0);
    w.finish();
}

#[test]
fn base_06_no_predictive_preconnect_to_a_host_that_is_not_healthy() {
    for health in [HostHealth::Degraded, HostHealth::Unhealthy] {
        let mut w = Setup::streams(1).ratio(1_500).start();
        w.health(health);
        assert!(!w.preconnect(1_000));
        assert!(!w.preconnect(3_000));
        w.expect([]);
        w.assert_triple(0, 0, 0);
        w.health(HostHealth::Healthy);
        assert!(w.preconnect(1_000), "one more request is expected");
        assert!(!w.preconnect(1_000));
        w.expect([Open(C0)]);
        w.finish();
    }
}

#[test]
fn base_09_duration_expires_while_busy() {
    let mut w = Setup::streams(1).max_connection_duration_ms(5_000).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Busy);
    w.at(4_999);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    w.assert_state(C0, S::Busy);
    w.at(5_001);
    assert_eq!(w.stats().cx_max_duration_reached, 1);
    w.assert_draining_because(C0, DrainCause::MaxAge);
    w.expect([]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn base_12_duration_expires_after_the_pool_was_drained() {
    let mut w = Setup::streams(2).max_connection_duration_ms(5_000).start();
    w.bound(R1, C0);
    w.drain(DrainMode::Existing);
    w.assert_draining_because(C0, DrainCause::Drained);
    w.at(6_000);
    w.expect([]);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn base_18_idle_on_local_close_of_the_last_connection() {
    let mut w = Setup::streams(1).start();
    w.bound(R1, C0);
    w.complete(R1);
    assert!(!w.is_idle());
    w.closed(C0, Local);
    w.expect([Idle]);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.finish();
}

#[test]
fn base_21_early_data_up_to_the_stream_limit() {
    let mut w = Setup::streams(2).early_data().start();
    w.request_early(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.early_data_ready(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_state(C0, S::EarlyData);
    w.request_early(R2);
    w.expect([BindNow(R2, C0)]);
    w.assert_state(C0, S::Busy);
    w.assert_triple(2, 0, 0);
    w.request_early(R3);
    w.expect([Queued(R3), Open(C1)]);
    w.assert_triple(2, 1, 2);
    w.complete(R1);
    w.expect([Bind(R3, C0)]);
    w.assert_state(C0, S::Busy);
    w.complete(R2);
    w.assert_state(C0, S::EarlyData);
    assert_eq!(w.stats().rq_0rtt, 3);
    w.connected(C0);
    w.assert_state(C0, S::Ready);
    w.finish();
}

#[test]
fn base_22_twin_a_spare_that_could_take_early_data_is_replaced_too() {
    let mut w = Setup::streams(2).early_data().ratio(2_100).start();
    w.request_early(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.early_data_ready(C1);
    w.expect([Bind(R1, C1)]);
    w.early_data_ready(C0);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0), Open(C2)]);
    w.assert_triple(1, 0, 2);
    w.finish();
}

#[test]
fn base_36_the_first_connection_of_a_pool_passes_the_limit_and_is_counted() {
    let mut w = Setup::streams(1).max_connections(1).start_two();
    w.use_pool(A);
    w.bound(R1, C0);
    assert_eq!(w.stats().cx_overflow, 0);
    w.use_pool(B);
    w.request(R2);
    w.expect([Queued(R2), Open(C0)]);
    assert_eq!((w.stats().cx_overflow, w.stats().cx_total, w.forced()), (1, 1, 1));
    w.connected(C0);
    w.expect([Bind(R2, C0)]);
    assert_eq!(w.gauge(Connections), 1);
    // The seat of A's connection goes to B's forced one.
    w.use_pool(A);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.use_pool(B);
    assert_eq!((w.forced(), w.gauge(Connections)), (0, 1));
    w.finish();
}

// ---- H2 ----

#[test]
fn h2_03_drain_with_a_busy_connection() {
    let mut w = Setup::streams(1).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Busy);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.assert_state(C0, S::Draining);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn h2_06_close_excess_closes_one_of_two() {
    let mut w = Setup::streams(1).start();
    w.request(R1);
    w.request(R2);
    w.expect([Queued(R1), Open(C0), Queued(R2), Open(C1)]);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C1)]);
    w.cancel(R2, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.assert_triple(0, 0, 0);
    let stats = w.stats();
    assert_eq!((stats.rq_cancelled, stats.cx_connect_fail), (2, 0));
    w.finish();
}

#[test]
fn h2_09_drain_connections() {
    // One closes by its lifetime, one drains with its stream, the pool stays usable.
    let mut w = h2().max_requests_per_connection(1).max_connections(2).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Draining);
    w.bound(R2, C1);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.request(R3);
    w.expect([Queued(R3), Open(C2)]);
    w.complete(R2);
    w.expect([Close(C1)]);
    assert_eq!(w.stats().cx_max_requests, 2);
    w.finish();
}

#[test]
fn h2_12_connecting_capacity_counted_with_the_lifetime_limit() {
    let mut w = h2().max_requests_per_connection(2).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.request(R3);
    w.expect([Queued(R3), Open(C1)]);
    w.connected(C0);
    w.expect([Bind(R1, C0), Bind(R2, C0)]);
    w.assert_draining_because(C0, DrainCause::MaxRequests);
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    w.complete(R1);
    w.complete(R2);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_max_requests, 1);
    w.finish();
}

#[test]
fn h2_15_local_connect_failure_purges_the_queue() {
    let mut w = h2().start();
    for r in [R1, R2, R3] {
        w.request(r);
    }
    w.forget();
    w.closed(C0, Local);
    w.expect([
        Fail(R3, LocalConnectionFailure),
        Fail(R2, LocalConnectionFailure),
        Fail(R1, LocalConnectionFailure),
        Idle,
    ]);
    let stats = w.stats();
    assert_eq!((stats.cx_connect_fail, stats.rq_pending_failure_eject), (1, 3));
    assert_eq!((stats.cx_destroy_local, stats.cx_destroy_remote), (1, 0));
    w.finish();
}

#[test]
fn h2_18_timing_stats() {
    let mut w = h2().start();
    w.request(R1);
    w.at(30);
    w.connected(C0);
    w.assert_samples(1, 0);
    assert_eq!(w.connect_time_total_ms(), 30);
    w.complete(R1);
    w.assert_samples(1, 0);
    w.closed(C0, Remote);
    w.assert_samples(1, 1);
    w.forget();
    w.finish();
}

#[test]
fn h2_21_local_reset_frees_the_slot_and_keeps_the_connection() {
    let mut w = h2().start();
    w.bound(R1, C0);
    w.end(R1, StreamEnd::LocalReset);
    w.expect([]);
    let stats = w.stats();
    assert_eq!((stats.rq_tx_reset, stats.rq_rx_reset, stats.cx_destroy), (1, 0, 0));
    assert_eq!(w.gauge(Requests), 0);
    w.assert_triple(0, 0, 100);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_with_active_rq, 0);
    w.finish();
}

#[test]
fn h2_24_drain_then_the_pool_loses_a_draining_connection_with_a_stream() {
    let mut w = h2().max_requests_per_connection(1).max_connections(2).start();
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
    let stats = w.stats();
    assert_eq!((stats.cx_destroy, stats.cx_destroy_local, stats.cx_destroy_remote), (2, 1, 1));
    assert_eq!((stats.cx_destroy_with_active_rq, stats.cx_destroy_remote_with_active_rq), (1, 1));
    w.finish();
}

#[test]
fn h2_27_connect_timeout_then_a_new_attempt() {
    let mut w = h2().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(5_000);
    w.expect([Close(C0), Fail(R1, ConnectTimeout)]);
    w.gone(C0);
    w.expect([Idle]);
    w.bound(R2, C1);
    w.complete(R2);
    w.closed(C1, Remote);
    w.expect([Idle]);
    let stats = w.stats();
    assert_eq!((stats.rq_total, stats.cx_connect_fail, stats.cx_connect_timeout), (1, 1, 1));
    assert_eq!((stats.rq_pending_failure_eject, stats.cx_destroy), (1, 2));
    assert_eq!((stats.cx_destroy_local, stats.cx_destroy_remote), (1, 1));
    w.finish();
}

#[test]
fn h2_30_32_what_counts_as_active() {
    let mut w = h2().start();
    assert!(!w.has_active_connections());
    w.bound(R1, C0);
    assert!(w.has_active_connections());
    w.complete(R1);
    assert!(!w.has_active_connections());
    w.finish();
}

#[test]
fn h2_34_preconnect_without_multiplexing() {
    let mut w = Setup::streams(1).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.request(R2);
    w.expect([Queued(R2), Open(C2)]);
    w.request(R3);
    w.expect([Queued(R3), Open(C3), Open(Conn(4))]);
    w.assert_triple(0, 3, 5);
    w.finish();
}

#[test]
fn h2_37_preconnect_with_multiplexing() {
    let mut w = Setup::streams(2).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.request(R3);
    w.expect([Queued(R3), Open(C2)]);
    w.request(R4);
    w.expect([Queued(R4)]);
    w.assert_triple(0, 4, 6);
    w.finish();
}

#[test]
fn h2_40_preconnect_even_when_a_connection_is_ready() {
    let mut w = Setup::streams(1).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.connected(C1);
    w.expect([]);
    w.request(R2);
    w.expect([BindNow(R2, C1), Open(C2)]);
    w.assert_triple(2, 0, 1);
    w.finish();
}

#[test]
fn h2_43_close_excess_with_preconnect() {
    let mut w = Setup::streams(1).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.request(R2);
    w.expect([Queued(R2), Open(C2)]);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C2)]);
    w.assert_triple(0, 1, 2);
    w.cancel(R2, CancelPolicy::CloseExcess);
    w.expect([Close(C1)]);
    w.assert_triple(0, 0, 1);
    w.finish();
}

#[test]
fn h2_46_capacity_with_the_lifetime_limit_alone() {
    let mut w = h2().max_requests_per_connection(3).start();
    w.request(R1);
    w.assert_triple(0, 1, 3);
    w.connected(C0);
    w.assert_triple(1, 0, 2);
    w.complete(R1);
    w.assert_triple(0, 0, 2);
    w.request(R2);
    w.assert_triple(1, 0, 1);
    w.request(R3);
    w.assert_triple(2, 0, 0);
    w.assert_state(C0, S::Draining);
    w.complete(R2);
    w.assert_triple(1, 0, 0);
    w.complete(R3);
    w.assert_triple(0, 0, 0);
    w.forget();
    w.finish();
}

#[test]
fn h2_49_a_long_life_ends_at_two_to_the_29_streams() {
    for max in [0, 1 << 29, 1 << 30] {
        let mut w = h2().max_requests_per_connection(max).start();
        w.bound(R1, C0);
        assert_eq!(w.remaining(C0), (1 << 29) - 1);
        w.finish();
    }
}

#[test]
fn h2_52_a_learned_limit_below_the_configured_one() {
    let mut w = Setup::streams(2_000).initial_limits([500]).start();
    w.request(R1);
    w.assert_triple(0, 1, 500);
    w.forget();
    w.finish();
    let mut w = Setup::streams(300).initial_limits([500]).start();
    w.request(R1);
    w.assert_triple(0, 1, 300);
    w.forget();
    w.finish();
}

// ---- TCP ----

fn tcp() -> Setup {
    Setup::exclusive().max_connections(1).enforce_max_requests(false)
}

#[test]
fn tcp_03_idle_connection_closed_by_the_peer() {
    let mut w = tcp().idle_timeout_ms(1_000).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.settle();
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.at(10_000);
    w.expect([]);
    assert_eq!(w.stats().cx_idle_timeout, 0);
    w.finish();
}

#[test]
fn tcp_06_a_new_request_stops_the_idle_clock() {
    let mut w = tcp().idle_timeout_ms(1_000).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.settle();
    w.at(999);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.at(5_000);
    w.expect([]);
    w.complete(R2);
    w.settle();
    w.at(5_999);
    w.expect([]);
    w.at(6_000);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn tcp_09_connect_failed_remotely() {
    let mut w = tcp().start();
    w.request(R1);
    w.closed(C0, Remote);
    w.expect([Queued(R1), Open(C0), Fail(R1, RemoteConnectionFailure), Idle]);
    let stats = w.stats();
    assert_eq!((stats.cx_connect_fail, stats.rq_pending_failure_eject), (1, 1));
    w.finish();
}

#[test]
fn tcp_12_cancel_before_bound_keeps_the_attempt() {
    let mut w = tcp().start();
    w.request(R1);
    w.cancel(R1, CancelPolicy::Default);
    w.connected(C0);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.finish();
}

#[test]
fn tcp_14_disconnect_while_bound() {
    let mut w = tcp().start();
    w.bound(R1, C0);
    w.closed(C0, Remote);
    w.expect([Idle]);
    let stats = w.stats();
    assert_eq!((stats.cx_destroy_with_active_rq, stats.cx_destroy_remote_with_active_rq), (1, 1));
    assert_eq!(stats.rq_pending_failure_eject, 0);
    w.finish();
}

#[test]
fn tcp_17_drain_and_delete_with_one_bound_and_one_queued() {
    let mut w = tcp().start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.cancel(R2, CancelPolicy::Default);
    w.expect([]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn tcp_20_max_requests_is_not_for_tcp() {
    let mut w = tcp().max_connections(5).max_requests(1).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.complete(R1);
    w.settle();
    w.request(R3);
    w.expect([BindNow(R3, C0)]);
    assert_eq!(w.stats().rq_active_overflow, 0);
    w.finish();
}

// ---- corners of the rules ----

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
