//! Group BASE: the core of the pool without a protocol; one stream per connection, a lifetime of
//! 100 streams, no settle pass.

use crate::harness::*;
use pool_core::report::ClosedBy::*;

/// The group's fixture.
fn base() -> Setup {
    Setup::streams(1).max_requests_per_connection(100)
}

#[test]
fn base_01_preconnect_1_5_cancel_closes_only_one() {
    let mut w = base().ratio(1_500).start();
    w.assert_triple(0, 0, 0);
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.assert_triple(0, 1, 2);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C1)]);
    w.assert_triple(0, 0, 1);
    w.finish();
}

#[test]
fn base_02_failure_of_one_of_two_attempts_retry_from_inside_the_callback() {
    let mut w = base().ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.assert_triple(0, 1, 2);
    w.closed(C0, Local);
    w.expect([Fail(R1, LocalConnectionFailure)]);
    w.request(R2);
    w.expect([Queued(R2), Open(C2)]);
    w.assert_triple(0, 1, 2);
    w.abort();
    w.expect_any_order([Close(C1), Close(C2), Fail(R2, LocalConnectionFailure)]);
    w.finish();
}

#[test]
fn base_04_no_preconnect_to_a_degraded_host() {
    let mut w = base().ratio(1_500).start();
    w.health(HostHealth::Degraded);
    w.expect([]);
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn base_05_predictive_preconnect_with_a_global_ratio() {
    let mut w = base().ratio(1_500).start();
    assert!(!w.preconnect(0));
    w.expect([]);
    w.assert_triple(0, 0, 0);
    assert!(w.preconnect(1_100));
    w.expect([Open(C0)]);
    assert!(w.preconnect(1_100));
    w.expect([Open(C1)]);
    assert!(!w.preconnect(1_100));
    w.expect([]);
    w.assert_triple(0, 0, 2);
    assert!(w.preconnect(3_000));
    w.expect([Open(C2)]);
    w.finish();
}

#[test]
fn base_07_no_max_connection_duration_no_timer() {
    let mut w = base().no_idle_timeout().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(4_000);
    w.expect([]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_state(C0, S::Busy);
    w.at(36_000_000);
    w.expect([]);
    w.complete(R1);
    w.expect([]);
    w.assert_state(C0, S::Ready);
    w.at(72_000_000);
    w.expect([]);
    w.drain(DrainMode::AndDelete);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    w.finish();
}

#[test]
fn base_08_duration_timer_starts_at_connect_not_at_open() {
    let mut w = base().max_connection_duration_ms(5_000).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_state(C0, S::Connecting);
    w.at(4_000);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_state(C0, S::Busy);
    // Five seconds after the open: nothing.
    w.at(5_001);
    w.expect([]);
    w.assert_state(C0, S::Busy);
    w.complete(R1);
    w.expect([]);
    w.assert_state(C0, S::Ready);
    w.at(8_999);
    w.expect([]);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    // Five seconds after the connect.
    w.at(9_000);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_max_duration_reached, 1);
    w.finish();
}

#[test]
fn base_10_duration_expires_while_idle_close() {
    let mut w = base().max_connection_duration_ms(5_000).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    w.assert_state(C0, S::Ready);
    w.at(4_999);
    w.expect([]);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    w.assert_state(C0, S::Ready);
    w.at(5_001);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_max_duration_reached, 1);
    w.finish();
}

#[test]
fn base_11_duration_expires_while_already_draining_nothing() {
    let mut w = base().max_requests_per_connection(1).max_connection_duration_ms(5_000).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Draining);
    w.at(5_001);
    w.expect([]);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    w.assert_state(C0, S::Draining);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn base_13_duration_expiry_in_closed_state() {
    let mut w = base().max_requests_per_connection(1).max_connection_duration_ms(5_000).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([Close(C0)]);
    // Once while the socket lingers, once when it is gone.
    w.at(5_001);
    w.expect([]);
    w.timeout_raw();
    w.expect([]);
    w.gone(C0);
    w.expect([Idle]);
    w.at(20_000);
    w.timeout_raw();
    w.expect([]);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    w.finish();
}

#[test]
fn base_14_duration_expiry_in_connecting_state() {
    let mut w = base().max_connection_duration_ms(1_000).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(2_000);
    w.timeout_raw();
    w.expect([]);
    assert_eq!(w.stats().cx_max_duration_reached, 0);
    w.assert_state(C0, S::Connecting);
    w.abort();
    w.expect([Close(C0), Fail(R1, LocalConnectionFailure)]);
    w.finish();
}

#[test]
fn base_15_connection_comes_up_with_zero_usable_streams() {
    let mut w = base().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.capacity(C0, 0);
    w.expect([]);
    w.connected(C0);
    w.expect([]);
    w.assert_state(C0, S::Busy);
    w.assert_triple(0, 1, 0);
    w.abort();
    w.expect_any_order([Close(C0), Fail(R1, LocalConnectionFailure)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_total, 1, "teardown opens nothing");
    w.finish();
}

#[test]
fn base_15_twin_the_limit_arrives_with_connected() {
    let mut w = base().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.connected_with(C0, 0);
    w.expect([]);
    w.assert_state(C0, S::Busy);
    w.assert_triple(0, 1, 0);
    w.capacity(C0, 1);
    w.expect([Bind(R1, C0)]);
    w.finish();
}

#[test]
fn base_16_fresh_pool_report() {
    let w = base().start();
    assert_eq!(w.count_state(S::Ready), 0);
    assert_eq!(w.count_state(S::Busy), 0);
    assert_eq!(w.count_state(S::Connecting), 0);
    assert_eq!(w.connecting_capacity(), 0);
    w.assert_triple(0, 0, 0);
    assert!(w.is_idle());
    w.finish();
}

#[test]
fn base_17_pool_idle_callback_on_remote_close_of_the_last_connection() {
    let mut w = base().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    assert!(!w.is_idle());
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert!(w.is_idle());
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.finish();
}

#[test]
fn base_19_early_data_event_on_a_pool_that_cannot_do_early_data() {
    let mut w = base().start();
    w.request_early(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 1);
    let before = w.stats().ignored_facts;
    w.early_data_ready(C0);
    w.expect([]);
    assert_eq!(w.stats().ignored_facts, before + 1);
    w.assert_state(C0, S::Connecting);
    w.assert_triple(0, 1, 1);
    w.finish();
}

#[test]
fn base_27_active_request_limit_hit_at_bind_time() {
    let mut w = Setup::streams(2).max_requests_per_connection(100).max_requests(1).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Ready);
    w.request(R2);
    w.expect([FailNow(R2, Overflow)]);
    assert_eq!(w.stats().rq_active_overflow, 1);
    assert_eq!(w.stats().rq_pending_overflow, 0);
    w.assert_state(C0, S::Ready);
    w.assert_triple(1, 0, 1);
    w.finish();
}
