//! The reference traces T1 to T7.

use crate::harness::*;

#[test]
fn t1_cold_http_1_request() {
    let mut w = Setup::exclusive().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    assert_eq!(w.stats().rq_pending_total, 1);
    assert_eq!(w.gauge(Pending), 1);
    assert_eq!(w.stats().cx_total, 1);
    assert_eq!(w.live_connections(), 1);
    assert_eq!(w.gauge(Connections), 1);
    w.assert_state(C0, S::Connecting);
    assert_eq!(w.connecting_capacity(), 1);

    w.at(7);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_samples(1, 0);
    w.assert_state(C0, S::Busy);
    assert_eq!(w.stats().rq_total, 1);
    assert_eq!(w.gauge(Requests), 1);
    assert_eq!(w.gauge(Pending), 0);

    w.complete(R1);
    assert_eq!(w.gauge(Requests), 0);
    w.settle();
    w.expect([]);
    w.assert_state(C0, S::Ready);

    w.at(100);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    assert_eq!(w.stats().rq_pending_total, 1);
    w.complete(R2);
    w.settle();
    w.expect([]);

    // One hour of idleness, counted from the end of the last stream.
    w.at(100 + 3_600_000 - 1);
    w.expect([]);
    w.at(100 + 3_600_000);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_idle_timeout, 1);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.live_connections(), 0);
    assert_eq!(w.gauge(Connections), 0);
    w.assert_samples(1, 1);
    assert!(w.is_idle());
    w.finish();
}

#[test]
fn t2_connect_timeout_with_two_queued_streams() {
    let mut w = Setup::multiplexed().start();
    w.request(R1);
    w.request(R2);
    w.expect([Queued(R1), Open(C0), Queued(R2)]);
    w.at(5_000);
    w.expect([Close(C0), Fail(R2, ConnectTimeout), Fail(R1, ConnectTimeout)]);
    // A retry queued from a callback gets its connection in the same turn if admission allows.
    w.request(R3);
    w.expect([Queued(R3), Open(C1)]);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.stats().cx_connect_timeout, 1);
    assert_eq!(w.stats().cx_destroy, 1);
    assert_eq!(w.stats().cx_destroy_local, 1);
    assert_eq!(w.stats().cx_connect_fail, 1);
    assert_eq!(w.stats().rq_pending_failure_eject, 2);
    assert_eq!(w.gauge(Connections), 1, "only the retry's connection is left");
    w.finish();
}

#[test]
fn t3_max_connections_1_two_hosts() {
    let mut w = Setup::exclusive().max_connections(1).start_two();
    w.use_pool(A);
    w.bound(R1, C0);
    assert_eq!(w.total_connections(), 1);
    w.request(R2);
    w.expect([Queued(R2)]);
    assert_eq!(w.stats().cx_overflow, 1);

    w.use_pool(B);
    w.request(R3);
    w.expect([Queued(R3), Open(C0)]);
    assert_eq!(w.stats().cx_overflow, 1, "refused, and forced because this pool is empty");
    assert_eq!(w.total_connections(), 2);
    w.request(R4);
    w.expect([Queued(R4)]);
    assert_eq!(w.stats().cx_overflow, 1, "a pool that waits does not ask again");
    w.connected(C0);
    w.expect([Bind(R3, C0)]);

    w.use_pool(A);
    w.complete(R1);
    w.expect([]);
    w.settle();
    w.expect([Bind(R2, C0)]);
    assert_eq!(w.total_connections(), 2);

    // c0 of A ends: the freed seat goes to B's forced connection, not to a new one.
    w.complete(R2);
    w.settle();
    w.expect([]);
    w.drain(DrainMode::Existing);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Idle]);
    w.use_pool(B);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    assert_eq!(w.gauge(Connections), 1);
    w.finish();
}

#[test]
fn t4_max_requests_per_connection_2_http_2() {
    let mut w = Setup::multiplexed().max_requests_per_connection(2).start();
    w.bound(R1, C0);
    w.assert_unused(C0, 1);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    assert_eq!(w.stats().cx_max_requests, 1);
    w.assert_state(C0, S::Draining);
    w.request(R3);
    w.expect([Queued(R3), Open(C1)]);
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    w.complete(R1);
    w.expect([]);
    w.complete(R2);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.stats().cx_destroy_local, 1);
    w.finish();
}

/// At the limit the third request no longer waits for the draining connection (P1).
#[test]
fn t4_twin_at_the_connection_limit_the_replacement_is_forced() {
    let mut w = Setup::multiplexed().max_connections(1).max_requests_per_connection(2).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.request(R3);
    w.expect([Queued(R3), Open(C1)]);
    assert_eq!(w.stats().cx_overflow, 1);
    assert_eq!(w.forced(), 1);
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    w.complete(R1);
    w.complete(R2);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    w.finish();
}

#[test]
fn t5_http_2_settings_shrink() {
    let mut w = Setup::multiplexed().max_concurrent_streams(100).start();
    w.bound(R1, C0);
    for r in 2..=10 {
        w.request(Token(r));
        w.expect([BindNow(Token(r), C0)]);
    }
    w.assert_triple(10, 0, 90);
    w.capacity(C0, 5);
    w.expect([]);
    w.assert_triple(10, 0, -5);
    w.assert_unused(C0, -5);
    w.assert_state(C0, S::Busy);
    // A queue for the trace; planned on a second connection, which is slow.
    w.request(Token(11));
    w.expect([Queued(Token(11)), Open(C1)]);
    for r in 1..=5 {
        w.complete(Token(r));
    }
    w.expect([]);
    w.assert_unused(C0, 0);
    w.assert_state(C0, S::Busy);
    w.complete(Token(6));
    w.expect([Bind(Token(11), C0)]);
    w.finish();
}

#[test]
fn t6_goaway_on_a_busy_connection_with_two_queued() {
    let mut w = Setup::multiplexed().max_concurrent_streams(3).start();
    w.bound(R1, C0);
    w.request(R2);
    w.request(R3);
    w.expect([BindNow(R2, C0), BindNow(R3, C0)]);
    w.assert_state(C0, S::Busy);
    w.request(R4);
    w.request(R5);
    w.expect([Queued(R4), Open(C1), Queued(R5)]);
    w.goaway(C0);
    // The connecting capacity covers the queue.
    w.expect([]);
    assert_eq!(w.stats().cx_close_notify, 1);
    w.assert_state(C0, S::Draining);
    w.assert_triple(3, 2, 3);
    w.connected(C1);
    w.expect([Bind(R4, C1), Bind(R5, C1)]);
    w.finish();
}

/// The admission was refused earlier: the connection that turns Draining makes room for a forced
/// one in the same turn, whatever its streams do (P1).
#[test]
fn t6_twin_goaway_at_the_connection_limit_opens_for_the_queue() {
    let mut w = Setup::multiplexed().max_connections(1).max_concurrent_streams(3).start();
    w.bound(R1, C0);
    w.request(R2);
    w.request(R3);
    w.expect([BindNow(R2, C0), BindNow(R3, C0)]);
    w.request(R4);
    w.request(R5);
    w.expect([Queued(R4), Queued(R5)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.goaway(C0);
    w.expect([Open(C1)]);
    assert_eq!(w.forced(), 1);
    w.connected(C1);
    w.expect([Bind(R4, C1), Bind(R5, C1)]);
    w.complete(R1);
    w.complete(R2);
    w.complete(R3);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([]);
    assert_eq!(w.forced(), 0);
    assert_eq!(w.stats().cx_overflow, 1);
    w.finish();
}

#[test]
fn t7_drain_existing_with_one_of_each() {
    let mut w = Setup::multiplexed().max_concurrent_streams(1).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.request(R3);
    w.expect([Queued(R3), Open(C2)]);
    w.cancel(R3, CancelPolicy::Default);
    w.expect([]);
    w.complete(R1);
    w.expect([]);
    w.assert_state(C0, S::Ready);
    w.assert_state(C1, S::Busy);
    w.assert_state(C2, S::Connecting);

    w.drain(DrainMode::Existing);
    w.expect_any_order([Close(C0), Close(C2)]);
    w.assert_state(C1, S::Draining);
    assert_eq!(w.stats().cx_connect_fail, 0, "given up by the pool itself");
    w.request(R4);
    w.expect([Queued(R4), Open(C3)]);
    w.complete(R2);
    w.expect([Close(C1)]);
    w.finish();
}

/// The connection with a stream is Ready, as in the trace, not Busy.
#[test]
fn t7_twin_the_connection_with_a_stream_has_room() {
    let mut w = Setup::multiplexed().max_concurrent_streams(2).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Ready);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.assert_state(C0, S::Draining);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.finish();
}
