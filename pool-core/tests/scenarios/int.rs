//! Group INT: the end-to-end scenarios that are pool behaviour only; "any protocol" is both
//! flavours here.

use crate::harness::*;
use pool_core::report::ClosedBy::*;

fn flavours() -> [Setup; 2] {
    [Setup::exclusive(), Setup::multiplexed()]
}

#[test]
fn int_01_idle_timeout_after_one_request() {
    for setup in flavours() {
        let mut w = setup.idle_timeout_ms(1_000).start();
        w.bound(R1, C0);
        w.at(300);
        w.complete(R1);
        w.settle();
        w.expect([]);
        assert_eq!(w.stats().cx_total, 1);
        w.at(1_299);
        w.expect([]);
        w.at(1_300);
        w.expect([Close(C0)]);
        assert_eq!(w.stats().cx_idle_timeout, 1);
        w.finish();
    }
}

#[test]
fn int_02_idle_timeout_after_two_requests() {
    for setup in flavours() {
        let mut w = setup.idle_timeout_ms(1_000).start();
        w.bound(R1, C0);
        w.complete(R1);
        w.settle();
        w.at(900);
        w.request(R2);
        w.expect([BindNow(R2, C0)]);
        // The timer does not run under a request, and starts afresh after it.
        w.at(2_500);
        w.expect([]);
        w.complete(R2);
        w.settle();
        w.at(3_499);
        w.expect([]);
        w.at(3_500);
        w.expect([Close(C0)]);
        w.gone(C0);
        w.expect([Idle]);
        w.at(10_000);
        w.expect([]);
        assert_eq!(w.stats().cx_idle_timeout, 1);
        assert_eq!(w.stats().cx_total, 1);
        assert_eq!(w.stats().cx_destroy, 1);
        w.finish();
    }
}

#[test]
fn int_04_max_connection_duration() {
    for setup in flavours() {
        let mut w = setup.max_connection_duration_ms(1_000).start();
        w.bound(R1, C0);
        w.complete(R1);
        w.settle();
        w.expect([]);
        assert_eq!(w.stats().cx_total, 1);
        w.at(999);
        w.expect([]);
        w.at(1_000);
        w.expect([Close(C0)]);
        assert_eq!(w.stats().cx_max_duration_reached, 1);
        w.finish();
    }
}

#[test]
fn int_05_peer_stream_limit_1() {
    let mut w = Setup::multiplexed().start();
    w.bound(R1, C0);
    w.capacity(C0, 1);
    w.expect([]);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.complete(R2);
    w.expect([]);
    assert_eq!(w.stats().cx_total, 2);
    w.finish();
}

/// As P1 reads it: the draining connection does not starve the queue.
#[test]
fn int_07_close_right_after_a_response_second_request_waiting() {
    let mut w = Setup::exclusive().max_connections(1).max_requests_per_connection(1).start();
    w.bound(R1, C0);
    w.assert_state(C0, S::Draining);
    assert_eq!(w.gauge(Requests), 1);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    assert_eq!(w.gauge(Pending), 1);
    assert_eq!(w.stats().cx_overflow, 1);
    assert_eq!(w.forced(), 1);
    assert_eq!(w.gauge(Connections), 1, "a forced connection has no seat");
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.complete(R1);
    w.expect([Close(C0)]);
    assert_eq!(w.forced(), 1, "the socket of c0 is still there");
    w.closed(C0, Remote);
    w.expect([]);
    assert_eq!(w.forced(), 0, "c1 takes the seat of c0");
    assert_eq!(w.gauge(Connections), 1);
    w.complete(R2);
    w.expect([Close(C1)]);
    w.gone(C1);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_total, 2);
    assert_eq!(w.stats().rq_total, 2);
    assert_eq!(w.stats().cx_overflow, 1);
    w.finish();
}

#[test]
fn int_07_twin_second_request_queued_before_the_first_is_bound() {
    let mut w = Setup::exclusive().max_connections(1).max_requests_per_connection(1).start();
    w.request(R1);
    w.request(R2);
    w.expect([Queued(R1), Open(C0), Queued(R2)]);
    assert_eq!(w.stats().cx_overflow, 1);
    w.connected(C0);
    w.expect([Bind(R1, C0), Open(C1)]);
    assert_eq!(w.forced(), 1);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.finish();
}

#[test]
fn int_07_twin_strict_limits_wait_for_the_socket_to_be_gone() {
    let mut w = Setup::exclusive().max_connections(1).max_requests_per_connection(1).strict_limits().start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    assert_eq!(w.stats().cx_overflow, 1);
    assert_eq!(w.gauge(Pending), 1);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.closed(C0, Remote);
    w.expect([Open(C1)]);
    assert_eq!(w.forced(), 0);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    assert_eq!(w.stats().cx_total, 2);
    assert_eq!(w.stats().cx_overflow, 1);
    w.finish();
}

#[test]
fn int_10_idle_timer_is_gone_after_close() {
    for setup in flavours() {
        let idle = setup.idle_timeout_ms(1_000);

        let mut w = idle.clone().start();
        w.bound(R1, C0);
        w.complete(R1);
        w.settle();
        w.closed(C0, Local);
        w.expect([Idle]);
        w.at(60_000);
        w.expect([]);
        assert_eq!(w.stats().cx_idle_timeout, 0);
        w.finish();

        for by in [Remote, Local] {
            let mut w = idle.clone().start();
            w.bound(R1, C0);
            w.closed(C0, by);
            w.expect([Idle]);
            w.at(60_000);
            w.expect([]);
            assert_eq!(w.stats().cx_idle_timeout, 0);
            assert_eq!(w.stats().cx_destroy_with_active_rq, 1);
            w.finish();
        }
    }
}
