//! Group H2, second half: capacity as a signed sum, SETTINGS, preconnect.

use crate::harness::*;
use pool_core::report::ClosedBy::*;

fn h2() -> Setup {
    Setup::multiplexed()
}

/// With the estimate of 100 that holds before the first SETTINGS, and with the origin's limit
/// learned earlier (the group's own default of 2^29).
#[test]
fn h2_19_default_stream_capacity_and_triple() {
    let mut w = h2().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 100);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 99);
    w.complete(R1);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_triple(0, 0, 0);
    w.finish();

    let mut w = h2().max_concurrent_streams(536_870_912).initial_limits([536_870_912]).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 536_870_912);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 536_870_911);
    w.complete(R1);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_triple(0, 0, 0);
    w.finish();
}

#[test]
fn h2_35_settings_lower_and_raise_capacity() {
    let mut w = h2().max_concurrent_streams(100).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 100);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 99);
    assert_eq!(w.count_state(S::Ready), 1);
    w.capacity(C0, 1);
    w.expect([]);
    w.assert_triple(1, 0, 0);
    w.assert_state(C0, S::Busy);
    assert_eq!(w.count_state(S::Ready), 0);
    w.capacity(C0, 10);
    w.expect([]);
    w.assert_triple(1, 0, 9);
    w.assert_state(C0, S::Ready);
    w.capacity(C0, 150);
    w.expect([]);
    w.assert_triple(1, 0, 99);
    w.assert_state(C0, S::Ready);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_triple(0, 0, 0);
    w.finish();
}

#[test]
fn h2_36_settings_below_the_number_of_active_streams() {
    let mut w = h2().max_concurrent_streams(6).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 6);
    for (r, queued) in [(R2, 2), (R3, 3), (R4, 4), (R5, 5)] {
        w.request(r);
        w.expect([Queued(r)]);
        w.assert_triple(0, queued, 6);
    }
    w.connected(C0);
    w.expect([Bind(R1, C0), Bind(R2, C0), Bind(R3, C0), Bind(R4, C0), Bind(R5, C0)]);
    w.assert_triple(5, 0, 1);
    w.assert_state(C0, S::Ready);
    w.capacity(C0, 3);
    w.expect([]);
    w.assert_triple(5, 0, -2);
    w.assert_state(C0, S::Busy);
    w.complete(R1);
    w.assert_state(C0, S::Busy);
    w.complete(R2);
    w.complete(R3);
    w.assert_state(C0, S::Ready);
    w.assert_triple(2, 0, 1);
    w.capacity(C0, 1);
    w.assert_triple(2, 0, -1);
    w.assert_state(C0, S::Busy);
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_triple(0, 0, 0);
    w.finish();
}

#[test]
fn h2_38_preconnect_and_settings() {
    let mut w = h2().max_concurrent_streams(2).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 2);
    w.request(R2);
    w.expect([Queued(R2), Open(C1)]);
    w.assert_triple(0, 2, 4);
    w.connected(C0);
    w.expect([Bind(R1, C0), Bind(R2, C0)]);
    w.assert_triple(2, 0, 2);
    w.connected(C1);
    w.expect([]);
    w.assert_triple(2, 0, 2);
    w.capacity(C0, 1);
    w.expect([]);
    w.assert_unused(C0, -1);
    w.capacity(C1, 1);
    w.expect([]);
    w.assert_unused(C1, 1);
    w.assert_triple(2, 0, 0);
    w.finish();
}

#[test]
fn h2_39_goaway_removes_capacity_but_does_not_preconnect() {
    let mut w = h2().max_concurrent_streams(2).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 2);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 1);
    w.goaway(C0);
    w.expect([]);
    w.assert_triple(1, 0, 0);
    w.assert_state(C0, S::Draining);
    w.complete(R1);
    w.expect([Close(C0)]);
    w.finish();
}

#[test]
fn h2_41_preconnect_with_many_concurrent_streams() {
    let mut w = h2().max_concurrent_streams(2).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 1);
    w.request(R2);
    w.expect([BindNow(R2, C0), Open(C1)]);
    w.connected(C1);
    w.expect([]);
    w.assert_triple(2, 0, 2);
    w.request(R3);
    w.expect([BindNow(R3, C1), Open(C2)]);
    w.connected(C2);
    w.expect([]);
    w.assert_triple(3, 0, 3);
    w.request(R4);
    w.expect([BindNow(R4, C2)]);
    w.assert_triple(4, 0, 2);
    w.request(R5);
    w.expect([BindNow(R5, C2), Open(C3)]);
    w.connected(C3);
    w.expect([]);
    w.assert_triple(5, 0, 3);
    w.finish();
}

#[test]
fn h2_42_a_failed_preconnect_attempt_is_replaced() {
    let mut w = h2().max_concurrent_streams(1).ratio(1_500).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.at(5_000);
    w.expect([Close(C1), Open(C2)]);
    assert_eq!(w.stats().cx_connect_timeout, 1);
    assert_eq!(w.stats().cx_connect_fail, 1);
    w.finish();
}

#[test]
fn h2_44_predictive_preconnect_entry_point() {
    let mut w = h2().ratio(1_500).start();
    assert!(!w.preconnect(0));
    w.expect([]);
    assert!(w.preconnect(2_000));
    w.expect([Open(C0)]);
    w.finish();
}

#[test]
fn h2_45_unused_capacity_with_both_limits() {
    let mut w = h2().max_concurrent_streams(8).max_requests_per_connection(6).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 6);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 5);
    w.request(R2);
    w.request(R3);
    w.expect([BindNow(R2, C0), BindNow(R3, C0)]);
    w.assert_triple(3, 0, 3);
    w.capacity(C0, 4);
    w.assert_triple(3, 0, 1);
    w.complete(R1);
    w.assert_triple(2, 0, 2);
    w.complete(R2);
    w.assert_triple(1, 0, 3);
    w.complete(R3);
    w.assert_triple(0, 0, 3);
    w.expect([]);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_triple(0, 0, 0);
    w.finish();
}

#[test]
fn h2_47_negative_capacity_on_a_draining_connection() {
    let mut w = h2().max_concurrent_streams(4).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 4);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 3);
    w.request(R2);
    w.request(R3);
    w.expect([BindNow(R2, C0), BindNow(R3, C0)]);
    w.assert_triple(3, 0, 1);
    w.capacity(C0, 2);
    w.assert_triple(3, 0, -1);
    w.drain(DrainMode::Existing);
    w.expect([]);
    w.assert_state(C0, S::Draining);
    // A draining connection contributes nothing, not even what it lacks (P12).
    w.assert_triple(3, 0, 0);
    w.complete(R1);
    w.assert_triple(2, 0, 0);
    w.request(R4);
    w.expect([Queued(R4), Open(C1)]);
    w.assert_triple(2, 1, 4);
    w.connected(C1);
    w.expect([Bind(R4, C1)]);
    w.assert_triple(3, 0, 3);
    w.complete(R2);
    w.assert_triple(2, 0, 3);
    w.expect([]);
    w.complete(R3);
    w.expect([Close(C0)]);
    w.assert_triple(1, 0, 3);
    w.complete(R4);
    w.expect([]);
    w.assert_triple(0, 0, 4);
    w.finish();
}

#[test]
fn h2_48_both_limits_stepping_down_to_one_lifetime_stream() {
    let mut w = h2().max_concurrent_streams(2).max_requests_per_connection(4).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.assert_triple(0, 1, 2);
    w.connected(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_triple(1, 0, 1);
    w.request(R2);
    w.expect([BindNow(R2, C0)]);
    w.assert_triple(2, 0, 0);
    w.complete(R1);
    w.assert_triple(1, 0, 1);
    w.request(R3);
    w.expect([BindNow(R3, C0)]);
    w.assert_triple(2, 0, 0);
    w.complete(R2);
    w.assert_triple(1, 0, 1);
    w.complete(R3);
    w.expect([]);
    w.assert_triple(0, 0, 1);
    w.closed(C0, Remote);
    w.expect([Idle]);
    w.assert_triple(0, 0, 0);
    w.finish();
}
