//! Laws of the specification and of our decisions that no scenario tells: P3, P7, P10, stream
//! ends, requeue, deadlines, stale names.

use crate::harness::*;
use pool_core::pool::DrainCause;
use pool_core::report::{ClosedBy::*, StreamEnd};

// ---- P3: what serves the queue, and what a dying connection does not do ----

#[test]
fn p3_raised_settings_serve_the_queue_at_once() {
    let mut w = Setup::multiplexed().max_connections(1).start();
    w.bound(R1, C0);
    w.capacity(C0, 1);
    w.request(R2);
    w.request(R3);
    w.request(R4);
    w.expect([Queued(R2), Queued(R3), Queued(R4)]);
    w.capacity(C0, 3);
    w.expect([Bind(R2, C0), Bind(R3, C0)]);
    w.assert_triple(3, 1, 0);
    w.finish();
}

#[test]
fn p3_a_dying_connection_is_dead_before_its_streams_end() {
    let mut w = Setup::streams(2).max_connections(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.closed(C0, Remote);
    // Not a bind to c0, whose streams have just ended.
    w.expect([Open(C1)]);
    assert_eq!(w.stats().rq_pending_failure_eject, 2, "streams that died with their connection");
    w.connected(C1);
    w.expect([Bind(R3, C1)]);
    w.finish();
}

#[test]
fn p3_a_new_request_never_jumps_the_queue() {
    let mut w = Setup::exclusive().max_connections(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.complete(R1);
    w.request(R3);
    w.expect([Queued(R3)]);
    w.settle();
    w.expect([Bind(R2, C0)]);
    w.complete(R2);
    w.settle();
    w.expect([Bind(R3, C0)]);
    w.finish();
}

#[test]
fn p3_settle_serves_several_connections_in_queue_order() {
    let mut w = Setup::exclusive().max_connections(2).start();
    w.bound(R1, C0);
    w.bound(R2, C1);
    w.request(R3);
    w.request(R4);
    w.expect([Queued(R3), Queued(R4)]);
    w.complete(R1);
    w.complete(R2);
    w.expect([]);
    w.timeout_raw();
    w.expect([Bind(R3, C1), Bind(R4, C0)]);
    w.finish();
}

// ---- stream ends ----

#[test]
fn an_exclusive_connection_is_never_reused_after_an_incomplete_exchange() {
    for (end, with_active) in [
        (StreamEnd::LocalReset, 1),
        (StreamEnd::RemoteReset, 1),
        (StreamEnd::RemoteRefused, 1),
        (StreamEnd::RequestUnfinished, 1),
        (StreamEnd::Final, 0),
        (StreamEnd::CloseNotified, 0),
    ] {
        let mut w = Setup::exclusive().start();
        w.bound(R1, C0);
        w.end(R1, end);
        w.expect([Close(C0)]);
        w.gone(C0);
        w.expect([Idle]);
        assert_eq!(w.stats().cx_destroy_with_active_rq, with_active, "{end:?}");
        w.finish();
    }
}

#[test]
fn a_reset_stream_frees_its_slot_on_a_multiplexed_connection() {
    for (end, tx, rx) in [
        (StreamEnd::Complete, 0, 0),
        (StreamEnd::LocalReset, 1, 0),
        (StreamEnd::RemoteReset, 0, 1),
        (StreamEnd::RemoteRefused, 0, 0),
    ] {
        let mut w = Setup::streams(1).max_connections(1).start();
        w.bound(R1, C0);
        w.request(R2);
        w.expect([Queued(R2)]);
        w.end(R1, end);
        w.expect([Bind(R2, C0)]);
        assert_eq!((w.stats().rq_tx_reset, w.stats().rq_rx_reset), (tx, rx), "{end:?}");
        w.finish();
    }
}

#[test]
fn unsolicited_bytes_are_a_protocol_error_and_close() {
    let mut w = Setup::exclusive().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.settle();
    w.expect([]);
    w.protocol_error(C0);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_protocol_error, 1);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_local, 1);
    w.finish();
}

#[test]
fn unsolicited_bytes_before_settle_send_the_queue_elsewhere() {
    let mut w = Setup::exclusive().max_connections(2).start();
    w.bound(R1, C0);
    w.complete(R1);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.protocol_error(C0);
    w.expect([Close(C0), Open(C1)]);
    w.assert_settle_due(false);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.finish();
}

#[test]
fn a_refused_bind_does_not_count_and_lowers_the_limit() {
    let mut w = Setup::streams(4).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.bind_refused(R2, 1);
    w.expect([]);
    w.assert_triple(1, 0, 0);
    w.assert_state(C0, S::Busy);
    w.requeue(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.capacity(C0, 2);
    w.expect([Bind(R2, C0)]);
    w.finish();
}

#[test]
fn a_refused_bind_on_a_draining_connection_ends_its_stream() {
    let mut w = Setup::streams(4).max_requests_per_connection(2).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.assert_state(C0, S::Draining);
    w.bind_refused(R2, 1);
    w.expect([]);
    w.assert_triple(1, 0, 0);
    w.requeue(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

// ---- requeue, deadlines ----

#[test]
fn a_requeued_request_goes_to_the_head_and_keeps_its_deadline() {
    let mut w = Setup::exclusive().max_connections(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.requeue_until(R3, Some(700));
    w.expect([Queued(R3)]);
    w.at(699);
    w.expect([]);
    w.at(700);
    w.expect([Fail(R3, PendingTimeout)]);
    assert_eq!(w.stats().rq_pending_timeout, 1);
    w.requeue(R4);
    w.expect([Queued(R4)]);
    w.complete(R1);
    w.settle();
    w.expect([Bind(R4, C0)]);
    w.finish();
}

#[test]
fn a_requeue_with_capacity_at_hand_is_bound_at_once() {
    let mut w = Setup::multiplexed().start();
    w.bound(R1, C0);
    w.requeue(R2);
    w.expect([BindNow(R2, C0)]);
    w.finish();
}

#[test]
fn p5_a_request_does_not_wait_longer_than_the_pending_timeout() {
    let mut w = Setup::exclusive().max_connections(1).pending_timeout_ms(1_000).start();
    w.bound(R1, C0);
    w.request(R2);
    w.at(400);
    w.request(R3);
    w.expect([Queued(R2), Queued(R3)]);
    w.at(1_000);
    w.expect([Fail(R2, PendingTimeout)]);
    w.at(1_100);
    w.complete(R1);
    w.settle();
    w.expect([Bind(R3, C0)]);
    w.at(5_000);
    w.expect([]);
    assert_eq!(w.stats().rq_pending_timeout, 1);
    w.finish();
}

#[test]
fn a_pending_limit_of_zero_refuses_the_first_request_of_a_cold_pool() {
    let mut w = Setup::exclusive().max_pending(0).start();
    w.request(R1);
    w.expect([FailNow(R1, Overflow)]);
    assert_eq!(w.stats().cx_total, 0);
    assert_eq!(w.stats().rq_pending_overflow, 1);
    assert!(w.is_idle());
    w.finish();
}

#[test]
fn the_pending_limit_is_not_asked_when_a_connection_is_ready() {
    let mut w = Setup::multiplexed().max_pending(1).start();
    w.bound(R1, C0);
    w.hold(Pending, 1);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.finish();
}

// ---- P7: lifetimes ----

#[test]
fn p7_the_idle_timeout_does_not_run_during_the_handshake() {
    let mut w = Setup::exclusive().idle_timeout_ms(1_000).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.cancel(R1, CancelPolicy::Default);
    w.at(4_000);
    w.expect([]);
    w.connected(C0);
    w.expect([]);
    w.at(4_999);
    w.expect([]);
    w.at(5_000);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_idle_timeout, 1);
    assert_eq!(w.stats().cx_connect_fail, 0);
    w.finish();
}

#[test]
fn p7_age_drains_a_busy_connection_without_touching_its_streams() {
    let mut w = Setup::multiplexed().max_connection_duration_ms(1_000).start();
    w.bound(R1, C0);
    w.at(1_000);
    w.expect([]);
    w.assert_draining_because(C0, DrainCause::MaxAge);
    assert_eq!(w.stats().cx_max_duration_reached, 1);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn p7_a_drain_timeout_closes_what_does_not_end() {
    let mut w = Setup::multiplexed().drain_timeout_ms(2_000).start();
    w.bound(R1, C0);
    w.at(500);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.at(2_499);
    w.expect([]);
    w.at(2_500);
    w.expect([Close(C0)]);
    assert_eq!(w.stats().cx_drain_timeout, 1);
    assert_eq!(w.gauge(Requests), 0);
    w.gone(C0);
    w.expect([Idle]);
    assert_eq!(w.stats().cx_destroy_local_with_active_rq, 1);
    w.finish();
}

#[test]
fn p7_the_drain_timeout_ends_starvation_under_strict_limits() {
    let mut w = Setup::multiplexed().max_connections(1).strict_limits().drain_timeout_ms(2_000).start();
    w.bound(R1, C0);
    w.goaway(C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.at(2_000);
    w.expect([Close(C0)]);
    w.gone(C0);
    w.expect([Open(C1)]);
    w.finish();
}

// ---- drain modes, health, retire, suspect ----

#[test]
fn notify_peer_sends_goaway_on_multiplexed_connections_only() {
    let mut w = Setup::multiplexed().start();
    w.bound(R1, C0);
    w.drain(DrainMode::NotifyPeerAndExisting);
    w.expect([GoAway(C0)]);
    w.assert_state(C0, S::Draining);
    w.finish();

    let mut w = Setup::exclusive().start();
    w.bound(R1, C0);
    w.drain(DrainMode::NotifyPeerAndExisting);
    w.expect([]);
    w.assert_state(C0, S::Draining);
    w.finish();
}

#[test]
fn an_unhealthy_host_drains_its_pool_on_the_transition_only() {
    let mut w = Setup::multiplexed().start();
    w.bound(R1, C0);
    w.health(HostHealth::Degraded);
    w.expect([]);
    w.assert_state(C0, S::Ready);
    w.health(HostHealth::Unhealthy);
    w.expect([]);
    w.assert_draining_because(C0, DrainCause::HostUnhealthy);
    // The pool stays usable, and the report of an unchanged state changes nothing.
    w.bound(R2, C1);
    w.health(HostHealth::Unhealthy);
    w.expect([]);
    w.assert_state(C1, S::Ready);
    w.finish();
}

#[test]
fn retire_closes_an_idle_connection_and_drains_a_busy_one() {
    let mut w = Setup::multiplexed().start();
    w.bound(R1, C0);
    w.retire(C0);
    w.expect([]);
    w.assert_draining_because(C0, DrainCause::Retired);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.bound(R2, C1);
    w.complete(R2);
    w.retire(C1);
    w.expect([Close(C1)]);
    w.finish();
}

#[test]
fn p10_a_connection_that_stops_answering_is_replaced_and_its_streams_may_finish() {
    let mut w = Setup::streams(1).max_connections(1).start();
    w.bound(R1, C0);
    w.request(R2);
    w.expect([Queued(R2)]);
    w.suspect(C0);
    w.expect([Open(C1)]);
    w.assert_draining_because(C0, DrainCause::Suspect);
    assert_eq!(w.stats().cx_suspect, 1);
    w.connected(C1);
    w.expect([Bind(R2, C1)]);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

// ---- stale names ----

#[test]
fn reports_about_dead_names_change_nothing_but_a_counter() {
    let mut w = Setup::multiplexed().start();
    w.bound(R1, C0);
    w.complete(R1);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.bound(R2, C1);
    let before = w.stats();
    w.closed_raw(C0, Remote);
    w.ended_raw(C0, StreamEnd::Complete);
    w.goaway(C0);
    w.expect([]);
    let mut after = w.stats();
    assert_eq!(after.ignored_facts, before.ignored_facts + 3);
    after.ignored_facts = before.ignored_facts;
    assert_eq!(after, before);
    w.assert_triple(1, 0, 99);
    w.finish();
}

#[test]
fn a_request_that_was_bound_is_not_cancelled() {
    let mut w = Setup::multiplexed().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    let waiter = w.waiter(R1);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    assert!(!w.cancel_raw(waiter, CancelPolicy::CloseExcess));
    w.expect([]);
    assert_eq!(w.stats().rq_cancelled, 0);
    w.assert_triple(1, 0, 99);
    w.finish();
}
