//! Group H1: one exchange at a time on a connection, and the settle pass between two of them.

use crate::harness::*;
use pool_core::report::{ClosedBy::*, StreamEnd};

/// The group's fixture: one connection allowed.
fn h1() -> Setup {
    Setup::exclusive().max_connections(1)
}

#[test]
fn h1_01_drain_closes_ready_now_and_busy_at_the_end_of_its_response() {
    let mut w = h1().max_connections(2).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    assert_eq!(w.stats().rq_total, 1);
    assert_eq!(w.gauge(Requests), 1);

    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    assert_eq!(w.stats().rq_total, 2);

    // Both connect timers were cancelled by `Connected`.
    w.at(10_000);
    w.expect([]);

    w.complete(R1);
    w.expect([]);
    w.assert_settling(C0);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    w.assert_state(C1, S::Draining);
    w.assert_settle_due(false);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.stats().cx_destroy, 1);

    w.settle();
    w.expect([]);

    w.complete(R2);
    w.expect([Close(C1)]);
    w.gone(C1);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 2);
    assert_eq!(w.stats().cx_destroy_local, 2);
    w.finish();
}

#[test]
fn h1_02_connect_and_lifetime_histograms() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_samples(0, 0);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_samples(1, 0);
    w.complete(R1);
    w.settle();
    w.expect([]);
    w.assert_samples(1, 0);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_samples(1, 1);
    w.finish();
}

#[test]
fn h1_04_keep_alive_reuse() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.settle();
    w.expect([]);

    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.assert_triple(1, 0, 0);
    assert_eq!(w.stats().rq_total, 2);
    assert_eq!(w.stats().cx_total, 1);
    assert_eq!(w.stats().rq_pending_total, 1, "r2 never queued");

    w.complete(R2);
    w.expect([]);
    w.settle();
    w.expect([]);
    w.assert_state(C0, S::Ready);

    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().rq_pending_failure_eject, 0);
    w.finish();
}

#[test]
fn h1_04_twin_a_request_between_completion_and_settle_is_queued_and_opens_nothing() {
    let mut w = h1().max_connections(2).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    w.assert_settling(C0);

    w.request(R2);
    w.expect([Queued(R2)]);
    w.settle();
    w.expect([Bind(R2, C0)]);
    assert_eq!(w.stats().cx_total, 1);
    w.finish();
}

#[test]
fn h1_04_twin_a_fin_before_settle_gives_the_request_a_new_connection() {
    let mut w = h1().max_connections(2).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    w.request(R2);
    w.expect([Queued(R2)]);

    w.closed(C0, Remote);
    w.expect([Open(C1)]);
    w.assert_settle_due(false);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.finish();
}

#[test]
fn h1_05_pending_overflow() {
    let mut w = h1().max_pending(1).start();
    assert!(!w.open_gauge(Pending));
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([FailNow(R2, Overflow)]);
    assert!(w.open_gauge(Pending));

    w.cancel(R1, CancelPolicy::Default);
    w.expect([]);
    w.assert_state(C0, S::Connecting);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().rq_pending_failure_eject, 0, "nobody was left to fail");
    assert_eq!(w.stats().rq_pending_overflow, 1);
    assert_eq!(w.stats().rq_cancelled, 1);
    w.finish();
}

#[test]
fn h1_07_connect_time_is_measured_per_connection() {
    let mut w = h1().max_connections(2).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(20);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.at(30);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    assert_eq!(w.connect_time_total_ms(), 30);
    w.at(35);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    assert_eq!(w.connect_time_total_ms(), 30 + 15);
    w.assert_samples(2, 0);
    w.closed(C0, Remote);
    w.expect([]);
    w.closed(C1, Remote);
    w.expect([Idle]);
    w.assert_samples(2, 2);
    w.finish();
}

#[test]
fn h1_08_connect_timeout_with_new_request_in_failure_callback() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(4_999);
    w.expect([]);
    w.at(5_000);
    w.expect([Close(C0), Fail(R1, ConnectTimeout)]);

    // Inside the failure callback: c0 still holds the only seat, so c1 is forced (P1).
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    assert_eq!(w.stats().cx_overflow, 1);
    assert_eq!(w.forced(), 1);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.forced(), 0, "c1 took the seat that c0 left");
    assert_eq!(w.gauge(Connections), 1);

    w.at(10_000);
    w.expect([Close(C1), Fail(R2, ConnectTimeout)]);
    w.gone(C1);
    w.expect([Idle]);
    assert_eq!(w.stats().rq_total, 0);
    assert_eq!(w.stats().cx_connect_fail, 2);
    assert_eq!(w.stats().cx_connect_timeout, 2);
    assert_eq!(w.stats().cx_destroy, 2);
    w.finish();
}

#[test]
fn h1_08_twin_closed_reported_before_the_new_request() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.at(5_000);
    w.expect([Close(C0), Fail(R1, ConnectTimeout)]);
    w.gone(C0);
    w.expect([Idle]);

    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    assert_eq!(w.stats().cx_overflow, 0);
    assert_eq!(w.forced(), 0);
    w.at(10_000);
    w.expect([Close(C1), Fail(R2, ConnectTimeout)]);
    w.gone(C1);
    w.expect([Idle]);
    assert_eq!(w.stats().rq_total, 0);
    assert_eq!(w.stats().cx_connect_fail, 2);
    assert_eq!(w.stats().cx_connect_timeout, 2);
    w.finish();
}

#[test]
fn h1_10_cancel_before_bound_close_excess_closes_the_attempt() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.cancel(R1, CancelPolicy::CloseExcess);
    w.expect([Close(C0)]);
    w.assert_triple(0, 0, 0);
    w.gone(C0);
    w.expect([Idle]);

    // A second report for a connection that is gone is stale and counts nothing twice.
    let before = w.stats().ignored_facts;
    w.closed_raw(C0, Local);
    w.expect([]);
    assert_eq!(w.stats().ignored_facts, before + 1);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.stats().cx_connect_fail, 0, "given up by the pool itself");
    assert_eq!(w.stats().rq_cancelled, 1);
    w.finish();
}

#[test]
fn h1_11_disconnect_while_a_request_is_bound() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.closed(C0, Remote);
    // No failure: the stream was already handed out; its reset is the exchange's.
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_remote_with_active_rq, 1);
    assert_eq!(w.gauge(Requests), 0);

    let before = w.stats().ignored_facts;
    w.ended_raw(C0, StreamEnd::RemoteReset);
    w.expect([]);
    assert_eq!(w.stats().ignored_facts, before + 1);
    w.finish();
}

#[test]
fn h1_11_twin_a_get_on_a_reused_connection_goes_back_to_the_head_of_the_queue() {
    let mut w = h1().max_pending(1).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.settle();
    w.expect([]);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.request(R3);
    w.expect([Queued(R3)]);

    w.closed(C0, Remote);
    w.expect([Open(C1)]);
    // The exchange found the verdict safe. The queue is full already; a requeue may pass it.
    w.requeue(R2);
    w.expect([Queued(R2)]);
    assert_eq!(w.gauge(Pending), 2);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.complete(R2);
    w.expect([]);
    w.settle();
    w.expect([Bind(R3, C1)]);
    w.finish();
}

#[test]
fn h1_13_connection_dies_between_completion_and_rebind() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request(R2);
    w.expect([Queued(R2)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.complete(R1);
    w.expect([]);
    w.assert_settling(C0);
    w.assert_triple(0, 1, 1);

    w.closed(C0, Remote);
    w.expect([Open(C1)]);
    assert_eq!(w.stats().cx_destroy, 1);
    w.settle();
    w.expect([]);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.complete(R2);
    w.settle();
    w.expect([]);
    w.closed(C1, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_overflow, 1, "a pool that waits on the ledger does not ask again");
    assert_eq!(w.stats().rq_pending_failure_eject, 0);
    w.finish();
}

#[test]
fn h1_14_connection_close_in_the_response() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.end(R1, StreamEnd::CloseNotified);
    w.expect([Close(C0)]);
    w.assert_settle_due(false);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_close_notify, 1);
    assert_eq!(w.stats().cx_destroy_with_active_rq, 0);
    assert_eq!(w.stats().cx_destroy_local, 1);
    w.finish();
}

/// The wire reports an HTTP/1.0 response without keep-alive with the same stream end.
#[test]
fn h1_16_http_1_0_response_without_keep_alive() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.end(R1, StreamEnd::CloseNotified);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_with_active_rq, 0);
    w.finish();
}

#[test]
fn h1_17_max_requests_per_connection_1() {
    let mut w = h1().max_requests_per_connection(1).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 1);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 0);
    w.assert_state(C0, S::Draining);
    assert_eq!(w.stats().cx_max_requests, 1);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.assert_triple(0, 0, 0);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_max_requests, 1);
    assert_eq!(w.stats().cx_destroy_with_active_rq, 0);
    w.finish();
}
