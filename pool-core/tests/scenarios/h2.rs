//! Group H2, first half: many streams on one connection; queue, drain, limits, GOAWAY.

use crate::harness::*;
use pool_core::report::{ClosedBy::*, StreamEnd};

/// The group's fixture.
fn h2() -> Setup {
    Setup::multiplexed()
}

#[test]
fn h2_01_drain_closes_an_idle_connection() {
    let mut w = h2().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn h2_02_drain_with_a_request_in_progress_on_a_ready_connection() {
    let mut w = h2().start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Ready);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.assert_state(C0, S::Draining);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn h2_04_drain_of_a_connecting_connection_depends_on_the_queue() {
    let mut w = h2().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.cancel(R1, CancelPolicy::Default);
    w.expect([]);
    w.assert_state(C0, S::Connecting);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_connect_fail, 0, "given up by the pool itself");
    w.finish();
}

#[test]
fn h2_05_close_excess_after_an_ineffective_drain() {
    let mut w = h2().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn h2_07_close_excess_only_genuinely_unneeded_connections_go() {
    let mut w = h2().max_concurrent_streams(3).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R2), Queued(R3)]);
    w.request(R4);
    w.expect([Queued(R4), Open(C1)]);
    w.request(R5);
    w.expect([Queued(R5)]);
    w.cancel(R5, CancelPolicy::CloseExcess);
    w.expect([]);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C1)]);
    w.cancel(R2, CancelPolicy::CloseExcess);
    w.cancel(R4, CancelPolicy::CloseExcess);
    w.expect([]);
    w.cancel(R3, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn h2_08_close_excess_with_mixed_capacities_newest_attempt_first() {
    let mut w = h2().initial_limits([3, 2, 6]).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 3);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R2), Queued(R3)]);
    w.request(R4);
    w.expect([Queued(R4), Open(C1)]);
    w.request(R5);
    w.expect([Queued(R5)]);
    w.assert_triple(0, 5, 5);
    w.request(R6);
    w.expect([Queued(R6), Open(C2)]);
    w.assert_triple(0, 6, 11);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C2)]);
    w.cancel(R2, CancelPolicy::CloseExcess);
    w.expect([]);
    w.cancel(R3, CancelPolicy::CloseExcess);
    w.expect([Close(C1)]);
    w.cancel(R4, CancelPolicy::CloseExcess);
    w.cancel(R5, CancelPolicy::CloseExcess);
    w.expect([]);
    w.cancel(R6, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn h2_10_mcs_1_reuse_growth_and_lifo_choice_of_ready_connections() {
    let mut w = h2().max_connections(2).max_concurrent_streams(1).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    w.assert_settle_due(false);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.complete(R2);
    w.expect([]);
    w.request(R3);
    w.expect([BindNow(R3, C0)]);
    w.bound(R4, C1);
    w.complete(R4);
    w.expect([]);
    w.request(R5);
    w.expect([BindNow(R5, C1)]);
    w.complete(R3);
    w.expect([]);
    w.complete(R5);
    w.expect([]);
    w.request(R6);
    w.expect([BindNow(R6, C1)]);
    w.request(R7);
    w.expect([BindNow(R7, C0)]);
    w.complete(R6);
    w.complete(R7);
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
fn h2_11_three_queued_streams_bind_in_arrival_order_on_connect() {
    let mut w = h2().start();
    w.request(R1);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R1), Open(C0), Queued(R2), Queued(R3)]);
    w.connected(C0);
    w.expect([Bind(R1, C0), Bind(R2, C0), Bind(R3, C0)]);
    w.request(R4);
    w.expect([BindNow(R4, C0)]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_remote, 1);
    w.finish();
}

#[test]
fn h2_13_connecting_capacity_counted_with_mcs() {
    let mut w = h2().max_concurrent_streams(2).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.request(R3);
    w.expect([Queued(R3), Open(C1)]);
    w.connected(C0);
    w.expect([Bind(R1, C0), Bind(R2, C0)]);
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    w.finish();
}

#[test]
fn h2_14_connect_failure_purges_the_whole_queue_newest_first() {
    let mut w = h2().max_requests_per_connection(10).start();
    w.request(R1);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R1), Open(C0), Queued(R2), Queued(R3)]);
    w.closed(C0, Remote);
    w.expect([
        Fail(R3, RemoteConnectionFailure),
        Fail(R2, RemoteConnectionFailure),
        Fail(R1, RemoteConnectionFailure),
        Idle,
    ]);
    w.bound(R4, C1);
    w.complete(R4);
    w.closed(C1, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 2);
    assert_eq!(w.stats().cx_destroy_remote, 2);
    assert_eq!(w.stats().rq_pending_failure_eject, 3);
    w.finish();
}

#[test]
fn h2_16_request_limit_applied_when_the_queue_is_bound() {
    let mut w = h2().start();
    w.hold(Requests, 1_023);
    w.request(R1);
    w.request(R2);
    w.request(R3);
    w.expect([Queued(R1), Open(C0), Queued(R2), Queued(R3)]);
    w.connected(C0);
    w.expect([Bind(R1, C0), Fail(R2, Overflow), Fail(R3, Overflow)]);
    w.assert_triple(1, 0, 99);
    assert_eq!(w.stats().rq_active_overflow, 2);
    assert_eq!(w.stats().rq_pending_overflow, 0);
    w.finish();
}

#[test]
fn h2_17_pending_limit() {
    let mut w = h2().start();
    w.hold(Pending, 1_023);
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([FailNow(R2, Overflow)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    assert_eq!(w.stats().rq_pending_overflow, 1);
    w.finish();
}

#[test]
fn h2_20_second_request_on_the_live_connection() {
    let mut w = h2().start();
    w.bound(R1, C0);
    assert_eq!(w.live_connections(), 1);
    w.complete(R1);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.complete(R2);
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.live_connections(), 0);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_remote, 1);
    w.finish();
}

#[test]
fn h2_22_remote_reset_of_a_bound_stream_keeps_the_connection() {
    let mut w = h2().start();
    w.bound(R1, C0);
    w.end(R1, StreamEnd::RemoteReset);
    w.expect([]);
    assert_eq!(w.stats().rq_rx_reset, 1);
    assert_eq!(w.gauge(Requests), 0);
    w.assert_state(C0, S::Ready);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_remote, 1);
    assert_eq!(w.live_connections(), 0);
    w.finish();
}

#[test]
fn h2_23_drain_and_delete_then_disconnect_with_an_active_request() {
    let mut w = h2().max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_remote, 1);
    w.finish();
}

#[test]
fn h2_25_drain_and_delete_both_end_normally() {
    let mut w = h2().max_connections(2).max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.complete(R2);
    w.expect([Close(C1)]);
    w.gone(C1);
    w.expect([]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn h2_26_mrpc_1_connection_closes_itself_at_end_of_stream() {
    let mut w = h2().max_connections(2).max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.bound(R2, C1);
    w.complete(R2);
    w.expect([Close(C1)]);
    w.gone(C0);
    w.expect([]);
    w.gone(C1);
    w.expect([Idle]);
    // Idle was reported already; the drain has nothing to add.
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    assert!(w.is_idle());
    assert_eq!(w.stats().cx_max_requests, 2);
    w.finish();
}

#[test]
fn h2_28_request_limit_on_an_established_connection() {
    let mut w = h2().max_requests(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([FailNow(R2, Overflow)]);
    assert_eq!(w.stats().rq_active_overflow, 1);
    assert_eq!(w.stats().rq_pending_overflow, 0);
    w.assert_triple(1, 0, 99);
    w.finish();
}

#[test]
fn h2_29_goaway_on_an_idle_connection() {
    let mut w = h2().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    w.goaway(C0);
    w.expect([Close(C0)]);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.complete(R2);
    w.closed(C0, Remote);
    w.closed(C1, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_close_notify, 1);
    assert_eq!(w.stats().cx_destroy, 2);
    w.finish();
}

#[test]
fn h2_31_a_bound_stream_counts_as_active() {
    let mut w = h2().start();
    w.bound(R1, C0);
    assert!(w.has_active_connections());
    w.finish();
}

#[test]
fn h2_55_a_queued_stream_counts_as_active() {
    let mut w = h2().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_state(C0, S::Connecting);
    assert!(w.has_active_connections());
    w.finish();
}

#[test]
fn h2_33_a_draining_connection_with_a_stream_is_active() {
    let mut w = h2().max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.drain(DrainMode::Existing);
    w.expect([]);
    assert!(w.has_active_connections());
    w.finish();
}

#[test]
fn h2_56_a_draining_connection_whose_stream_ended_is_not_active() {
    let mut w = h2().max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.complete(R1);
    w.expect([Close(C0)]);
    assert!(!w.has_active_connections());
    w.finish();
}
