//! Group TCP: the core rules on connections of one stream, in the exclusive (h1) flavour.

use crate::harness::*;
use pool_core::report::ClosedBy::*;

/// The group's fixture: one connection allowed, `max_requests` not enforced.
fn tcp() -> Setup {
    Setup::exclusive().max_connections(1).enforce_max_requests(false)
}

#[test]
fn tcp_01_drain_with_ready_busy_and_connecting_with_queue() {
    let mut w = tcp().max_connections(3).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.request(R3);
    w.expect([Queued(R3), Open(C2)]);

    w.complete(R1);
    w.expect([]);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    w.assert_state(C1, S::Draining);
    w.assert_state(C2, S::Connecting);
    w.complete(R2);
    w.expect([Close(C1)]);
    assert!(!w.is_idle());
    w.gone(C0);
    w.gone(C1);
    w.expect([]);
    assert!(!w.is_idle());
    w.connected(C2);
    w.expect([Bind(R3, C2)]);
    // Step 6 of the text is a rule of Envoy's TCP pool only; here c2 stays usable.
    w.complete(R3);
    w.settle();
    w.expect([]);
    w.assert_state(C2, S::Ready);
    w.finish();
}

#[test]
fn tcp_02_idle_timer_life_cycle() {
    let mut w = tcp().idle_timeout_ms(1_000).start();
    w.bound(R1, C0);
    w.at(5_000);
    w.expect([]);
    w.complete(R1);
    w.settle();
    w.expect([]);
    w.at(5_999);
    w.expect([]);
    w.at(6_000);
    w.expect([Close(C0)]);
    assert!(!w.is_idle());
    w.gone(C0);
    w.expect([Idle]);
    assert!(w.is_idle());
    assert_eq!(w.stats().cx_idle_timeout, 1);
    w.at(60_000);
    w.expect([]);
    assert_eq!(w.stats().cx_idle_timeout, 1);
    w.finish();
}

#[test]
fn tcp_04_local_close_of_an_idle_connection() {
    let mut w = tcp().idle_timeout_ms(1_000).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.settle();
    w.expect([]);
    w.closed(C0, Local);
    w.expect([Idle]);
    assert!(w.is_idle());
    w.at(60_000);
    w.expect([]);
    assert_eq!(w.stats().cx_idle_timeout, 0);
    assert_eq!(w.stats().cx_destroy_local, 1);
    w.finish();
}

#[test]
fn tcp_05_timing_samples() {
    let mut w = tcp().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_samples(1, 0);
    w.complete(R1);
    w.settle();
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_samples(1, 1);
    w.finish();
}

#[test]
fn tcp_08_pending_limit() {
    let mut w = tcp().max_pending(1).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([FailNow(R2, Overflow)]);
    assert_eq!(w.stats().rq_pending_overflow, 1);
    w.finish();
}

#[test]
fn tcp_10_connect_failed_locally() {
    let mut w = tcp().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.closed(C0, Local);
    w.expect([Fail(R1, LocalConnectionFailure), Idle]);
    assert_eq!(w.stats().cx_connect_fail, 1);
    assert_eq!(w.stats().rq_pending_failure_eject, 1);
    w.finish();
}

#[test]
fn tcp_11_connect_timeout_with_a_retry_from_the_callback() {
    let mut w = tcp().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(5_000);
    w.expect([Close(C0), Fail(R1, ConnectTimeout)]);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    assert_eq!(w.stats().cx_overflow, 1);
    assert_eq!(w.forced(), 1);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    w.at(10_000);
    w.expect([Close(C1), Fail(R2, ConnectTimeout)]);
    w.gone(C1);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_connect_fail, 2);
    assert_eq!(w.stats().cx_connect_timeout, 2);
    w.finish();
}

#[test]
fn tcp_11_twin_closed_before_the_retry() {
    let mut w = tcp().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(5_000);
    w.expect([Close(C0), Fail(R1, ConnectTimeout)]);
    w.gone(C0);
    w.expect([Idle]);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    assert_eq!(w.stats().cx_overflow, 0);
    w.at(10_000);
    w.expect([Close(C1), Fail(R2, ConnectTimeout)]);
    assert_eq!(w.stats().cx_connect_fail, 2);
    assert_eq!(w.stats().cx_connect_timeout, 2);
    w.finish();
}

#[test]
fn tcp_13_disconnect_while_one_request_is_bound_and_one_is_queued() {
    let mut w = tcp().start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.closed(C0, Local);
    w.expect([Open(C1)]);
    assert_eq!(w.forced(), 0, "c0's seat is free again");
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    assert_eq!(w.stats().rq_pending_failure_eject, 0);
    assert_eq!(w.stats().cx_destroy_local_with_active_rq, 1);
    w.finish();
}

#[test]
fn tcp_15_lifetime_limit_1() {
    let mut w = tcp().max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_max_requests, 1);
    assert_eq!(w.stats().cx_destroy_with_active_rq, 0);
    w.finish();
}

#[test]
fn tcp_16_two_connections_third_queued() {
    let mut w = tcp().max_connections(2).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.complete(R1);
    w.expect([]);
    w.settle();
    w.expect([Bind(R3, C0)]);
    w.complete(R3);
    w.complete(R2);
    w.settle();
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([]);
    w.closed(C1, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_total, 2);
    assert_eq!(w.stats().cx_destroy_remote, 2);
    w.finish();
}

#[test]
fn tcp_18_drain_and_delete_while_connecting() {
    let mut w = tcp().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.cancel(R1, CancelPolicy::Default);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn tcp_19_drain_and_delete_with_a_bound_connection_remote_close() {
    let mut w = tcp().start();
    w.bound(R1, C0);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    // The user gives the dead connection back from inside its callback: stale.
    let before = w.stats().ignored_facts;
    w.ended_raw(C0, pool_core::report::StreamEnd::LocalReset);
    w.expect([]);
    assert_eq!(w.stats().ignored_facts, before + 1);
    w.finish();
}

#[test]
fn tcp_21_predictive_preconnect() {
    let mut w = tcp().start();
    assert!(!w.preconnect(0));
    w.expect([]);
    assert!(w.preconnect(2_000));
    w.expect([Open(C0)]);
    w.finish();
}

#[test]
fn tcp_22_destroying_the_pool() {
    let mut w = tcp().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.abort();
    w.expect([Close(C0), Fail(R1, LocalConnectionFailure)]);
    w.finish();

    let mut w = tcp().start();
    w.bound(R1, C0);
    w.abort();
    w.expect([Close(C0)]);
    w.finish();

    let mut w = tcp().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.settle();
    w.expect([]);
    w.abort();
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn tcp_23_cancel_close_excess_before_connect_closes_it_at_once() {
    let mut w = tcp().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 1);
    w.finish();
}
