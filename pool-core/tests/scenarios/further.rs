//! Further scenarios of the same groups, rebuilt from what the rules say they must check: their ids
//! are cited in the specification but not described there.

use crate::harness::*;
use pool_core::pool::DrainCause;
use pool_core::report::{ClosedBy::*, StreamEnd};

fn h1() -> Setup {
    Setup::exclusive().max_connections(1)
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
