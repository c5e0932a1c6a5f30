//! Group BASE with early data: a connection that may carry safe requests before its handshake ends.

use crate::harness::*;

#[test]
fn base_20_early_data_binds_only_streams_that_allow_it() {
    let mut w = Setup::streams(2).early_data().max_requests_per_connection(100).start();
    w.request_early(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.early_data_ready(C0);
    w.expect([Bind(R1, C0)]);
    w.assert_state(C0, S::EarlyData);
    w.assert_triple(1, 0, 1);
    assert_eq!(w.stats().rq_0rtt, 1);

    w.request(R2);
    w.expect([Queued(R2)]);
    w.assert_triple(1, 1, 1);

    w.connected(C0);
    w.expect([Bind(R2, C0)]);
    w.assert_triple(2, 0, 0);
    assert_eq!(w.stats().rq_0rtt, 1);
    w.finish();
}

/// Invariant 21 is meant among streams of equal eligibility.
#[test]
fn base_20_twin_a_safe_request_may_pass_an_unsafe_one_but_not_a_safe_one() {
    let mut w = Setup::streams(3).early_data().start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request_early(R2);
    w.expect([Queued(R2)]);
    w.request_early(R3);
    w.expect([Queued(R3)]);
    w.early_data_ready(C0);
    w.expect([Bind(R2, C0), Bind(R3, C0)]);
    w.assert_triple(2, 1, 1);
    // A safe request finds early-data capacity at once, although an unsafe one waits.
    w.request_early(R4);
    w.expect([BindNow(R4, C0), Open(C1)]);
    assert_eq!(w.stats().rq_0rtt, 3);
    w.connected(C0);
    w.expect([]);
    w.end(R2, pool_core::report::StreamEnd::Complete);
    w.expect([Bind(R1, C0)]);
    assert_eq!(w.stats().rq_0rtt, 3);
    w.finish();
}

#[test]
fn base_22_drain_with_early_data_streams() {
    let mut w = Setup::streams(2).early_data().max_requests_per_connection(100).ratio(2_100).start();
    w.request_early(R1);
    w.expect([Queued(R1), Open(C0), Open(C1)]);
    w.early_data_ready(C1);
    w.expect([Bind(R1, C1)]);
    w.assert_triple(1, 0, 3);

    w.drain(DrainMode::Existing);
    w.expect([Close(C0), Open(C2)]);
    w.assert_state(C1, S::Draining);
    w.assert_triple(1, 0, 2);

    w.early_data_ready(C2);
    w.expect([]);
    w.assert_triple(1, 0, 2);

    w.drain(DrainMode::AndDelete);
    w.expect([Close(C2)]);
    w.complete(R1);
    w.expect([Close(C1)]);
    assert_eq!(w.stats().cx_connect_fail, 0, "given up by the pool itself");
    w.finish();
}

#[test]
fn p1_early_data_that_takes_the_last_stream_opens_for_those_who_wait() {
    // As the keys arrive.
    let mut w = Setup::streams(3).early_data().max_requests_per_connection(2).max_connections(1).start();
    w.request(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.request_early(R2);
    w.request_early(R3);
    w.expect([Queued(R2), Queued(R3)]);
    w.early_data_ready(C0);
    w.expect([Bind(R2, C0), Bind(R3, C0), Open(C1)]);
    w.assert_state(C0, S::Draining);
    assert_eq!(w.forced(), 1);
    w.connected(C1);
    w.expect([Bind(R1, C1)]);
    w.finish();

    // As a stream ends.
    let mut w = Setup::streams(1).early_data().max_requests_per_connection(2).max_connections(1).start();
    w.request_early(R1);
    w.expect([Queued(R1), Open(C0)]);
    w.early_data_ready(C0);
    w.expect([Bind(R1, C0)]);
    w.request(R2);
    w.request_early(R3);
    w.expect([Queued(R2), Queued(R3)]);
    w.complete(R1);
    w.expect([Bind(R3, C0), Open(C1)]);
    w.assert_state(C0, S::Draining);
    w.finish();
}
