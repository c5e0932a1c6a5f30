//! Group H1, second half: drain, idleness, activity, teardown.

use crate::harness::*;
use pool_core::report::ClosedBy::*;

fn h1() -> Setup {
    Setup::exclusive().max_connections(1)
}

#[test]
fn h1_19_drain_and_delete_with_a_bound_and_a_queued_request() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    assert!(!w.is_idle());
    w.cancel(R2, CancelPolicy::Default);
    w.expect([]);
    assert_eq!(w.stats().rq_total, 1);
    w.complete(R1);
    w.expect([Close(C0)]);
    assert!(!w.is_idle(), "the socket is still there");
    w.gone(C0);
    w.expect([Idle]);
    assert!(w.is_idle());
    w.finish();
}

#[test]
fn h1_20_drain_while_connecting() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.drain(DrainMode::AndDelete);
    w.expect([]);
    w.assert_state(C0, S::Connecting);
    w.cancel(R1, CancelPolicy::Default);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn h1_22_no_active_connections_on_a_fresh_pool() {
    let w = h1().start();
    assert!(!w.has_active_connections());
    w.finish();
}

#[test]
fn h1_23_a_bound_request_counts_as_active() {
    let mut w = h1().start();
    w.bound(R1, C0);
    assert!(w.has_active_connections());
    w.complete(R1);
    w.expect([]);
    assert!(!w.has_active_connections());
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    w.settle();
    w.expect([]);
    w.gone(C0);
    w.expect([Idle]);
    w.finish();
}

#[test]
fn h1_25_a_queued_request_counts_as_active() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    assert!(w.has_active_connections());
    w.cancel(R1, CancelPolicy::Default);
    w.expect([]);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().rq_total, 0);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.stats().cx_connect_fail, 0, "given up by the pool itself");

    w.closed_raw(C0, Remote);
    w.expect([]);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.stats().cx_destroy_remote, 0);
    w.finish();
}

#[test]
fn h1_25_twin_a_close_that_the_pool_ordered_is_local_whatever_the_socket_says() {
    let mut w = h1().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.cancel(R1, CancelPolicy::Default);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.stats().cx_destroy_remote, 0);
    w.finish();
}

#[test]
fn h1_26_destroying_the_pool_with_a_settle_pass_pending() {
    let mut w = h1().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.expect([]);
    w.assert_settle_due(true);
    w.abort();
    w.expect([Close(C0)]);
    w.assert_settle_due(false);
    w.settle();
    w.expect([]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy, 1);
    w.finish();
}
