//! P1: forced connections, and who gets a seat that was freed.

use crate::harness::*;
use pool_core::report::ClosedBy::*;

#[test]
fn p1_one_forced_connection_at_a_time_draining_ones_included() {
    let mut w = Setup::exclusive().max_connections(1).max_requests_per_connection(1).start();
    w.hold(Connections, 1);
    w.bound(R1, C0);
    assert_eq!(w.forced(), 1);
    w.assert_state(C0, S::Draining);
    // c0 is forced and draining: no second forced one.
    w.request(R2);
    w.expect([Queued(R2)]);
    assert_eq!(w.forced(), 1);
    w.complete(R1);
    w.expect([Close(C0)]);
    assert_eq!(w.forced(), 1, "its socket is still there");
    w.gone(C0);
    w.expect([Open(C1)]);
    assert_eq!(w.forced(), 1);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.finish();
}

#[test]
fn p1_a_pool_with_a_usable_connection_forces_nothing() {
    for busy in [true, false] {
        let mut w = Setup::exclusive().max_connections(1).start();
        w.request(R1);
        w.expect([Queued(R1), Open(C0)]);
        if busy {
            w.connected(C0);
            w.expect([Bind(R1, C0)]);
        }
        w.request(R2);
        w.expect([Queued(R2)]);
        assert_eq!(w.forced(), 0);
        w.finish();
    }
}

#[test]
fn p1_a_freed_seat_goes_to_forced_connections_then_to_pools_in_arrival_order() {
    let mut w = Setup::exclusive().max_connections(2).start_pools(3);
    let c = Which(2);
    w.use_pool(A);
    w.bound(R1, C0);
    w.use_pool(B);
    w.bound(R2, C0);
    // A and then B want a second connection; C has none and forces one.
    w.use_pool(B);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.use_pool(A);
    w.request(R4);
    w.expect([Queued(R4)]);
    w.use_pool(c);
    w.request(R5);
    w.expect([Queued(R5), Open(C0)]);
    assert_eq!(w.forced(), 1);

    // First freed seat: the forced connection, although it came last.
    w.use_pool(A);
    w.closed(C0, Remote);
    w.use_pool(c);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    // A lost its only connection and has r4 queued: it may force one itself.
    w.use_pool(A);
    w.expect([Open(C1)]);
    assert_eq!(w.forced(), 1);

    // Next freed seat: A's forced connection. Then B, which has waited longest.
    w.use_pool(c);
    w.closed(C0, Remote);
    w.expect([Fail(R5, RemoteConnectionFailure), Idle]);
    w.use_pool(A);
    assert_eq!(w.forced(), 0);
    w.connected(C1);
    w.expect([Bind(R4, C1)]);
    w.complete(R4);
    w.settle();
    w.closed(C1, Remote);
    w.expect([Idle]);
    w.use_pool(B);
    w.expect([Open(C1)]);
    assert_eq!(w.forced(), 0);
    w.finish();
}

#[test]
fn p1_a_pool_that_no_longer_needs_its_seat_passes_it_on() {
    let mut w = Setup::exclusive().max_connections(1).start_two();
    w.hold(Connections, 1);
    w.use_pool(A);
    w.bound(R1, C0);
    w.use_pool(B);
    w.bound(R2, C0);
    w.request(R3);
    w.expect([Queued(R3)]);
    // A's forced connection goes; the seat that is freed next is for B's.
    w.use_pool(A);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.release(Connections);
    w.use_pool(B);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    // Nobody waits in A: a new seat is free for B's queue as soon as c0 goes.
    w.closed(C0, Remote);
    w.expect([Open(C1)]);
    assert_eq!(w.forced(), 0);
    w.finish();
}

#[test]
fn p1_a_waiter_in_one_pool_is_woken_by_a_seat_freed_in_another() {
    let mut w = Setup::exclusive().max_connections(2).start_two();
    w.use_pool(A);
    w.bound(R1, C0);
    w.use_pool(B);
    w.bound(R2, C0);
    w.request(R3);
    w.expect([Queued(R3)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.use_pool(A);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.use_pool(B);
    w.expect([Open(C1)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    w.finish();
}

#[test]
fn p1_a_cancelled_wait_does_not_hold_a_seat_back() {
    let mut w = Setup::exclusive().max_connections(2).start_pools(3);
    w.use_pool(A);
    w.bound(R1, C0);
    w.use_pool(B);
    w.bound(R2, C0);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.cancel(R3, CancelPolicy::Default);
    w.expect([]);
    w.use_pool(A);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.use_pool(B);
    w.expect([]);
    w.use_pool(Which(2));
    w.request(R4);
    w.expect([Queued(R4), Open(C0)]);
    assert_eq!(w.forced(), 0);
    w.finish();
}
