//! Further scenarios of HTTP/2; see `further`.

use crate::harness::*;
use pool_core::pool::DrainCause;
use pool_core::report::{ClosedBy::*, StreamEnd};

/// Many streams per connection, as many as the configuration says from the first moment on.
fn h2() -> Setup {
    Setup::streams(100)
}

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
