//! Counts, for people and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::Counters;
use crate::pool::Histogram;

/// What a server has done and is doing. `active`, `requests_active` and `upgrades_active` are now, all
/// others since the server began. Fields that stand for a counter of Envoy's HTTP connection manager
/// name it, without the prefix `downstream_`. Bytes are counted when an exchange or a connection ends,
/// and of long ones now and then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections taken (`cx_total`, `cx_http1_total`).
    pub accepted: u64,
    /// Connections that are there, tunnels included (`cx_active`, `cx_http1_active`).
    pub active: u64,
    /// Connections that are gone (`cx_destroy`).
    pub destroyed: u64,
    /// Of these, closed by this side (`cx_destroy_local`).
    pub destroyed_local: u64,
    /// Of these, closed by the client (`cx_destroy_remote`).
    pub destroyed_remote: u64,
    /// Of these, during an exchange (`cx_destroy_active_rq`).
    pub destroyed_busy: u64,
    /// Closed by this side during an exchange (`cx_destroy_local_active_rq`).
    pub destroyed_local_busy: u64,
    /// Closed by the client during an exchange (`cx_destroy_remote_active_rq`).
    pub destroyed_remote_busy: u64,
    /// From accepted to gone; one sample per connection that became no tunnel (`cx_length_ms`).
    pub length_ms: Histogram,
    /// Bytes read from sockets, tunnels included (`cx_rx_bytes_total`).
    pub rx_bytes: u64,
    /// Bytes written to sockets, tunnels included (`cx_tx_bytes_total`).
    pub tx_bytes: u64,
    /// Connections closed by `idle_timeout` (`cx_idle_timeout`).
    pub idle_timeouts: u64,
    /// Connections that reached `max_connection_duration` (`cx_max_duration_reached`).
    pub max_connection_durations: u64,
    /// Requests that were the last of `max_requests_per_connection` (`cx_max_requests_reached`).
    pub max_requests: u64,
    /// Responses that announced the end of their connection because of a shutdown
    /// (`cx_drain_close`).
    pub drain_closes: u64,
    /// Closing connections that ran into `delayed_close_timeout` (`cx_delayed_close_timeout`).
    pub delayed_close_timeouts: u64,
    /// Connections handed over to another protocol (`cx_upgrades_total`).
    pub upgrades: u64,
    /// Of these, still there (`cx_upgrades_active`).
    pub upgrades_active: u64,
    /// Requests whose head was read (`rq_total`, `rq_http1_total`).
    pub requests: u64,
    /// Of these, in progress (`rq_active`).
    pub requests_active: u64,
    /// Of these, over, in whatever way (`rq_completed`).
    pub completed: u64,
    /// Responses that began before the request was complete (`rq_response_before_rq_complete`).
    pub response_before_complete: u64,
    /// Exchanges that ended because the client was gone (`rq_rx_reset`).
    pub rx_reset: u64,
    /// Exchanges that this side broke off in the middle of the response (`rq_tx_reset`).
    pub tx_reset: u64,
    /// `stream_idle_timeout` reached, in a head or an exchange (`rq_idle_timeout`).
    pub stream_idle_timeouts: u64,
    /// `request_headers_timeout` reached (`rq_header_timeout`).
    pub headers_timeouts: u64,
    /// `request_timeout` reached (`rq_timeout`).
    pub request_timeouts: u64,
    /// `max_stream_duration` reached (`rq_max_duration_reached`).
    pub max_stream_durations: u64,
    /// Requests refused because they broke the protocol or a limit (`cx_protocol_error`).
    pub refused: u64,
    /// Requests refused because of HTTP/1.0.
    pub http10_refused: u64,
    /// Requests that the service failed to answer: its error, a response that cannot be sent, a body
    /// that broke off.
    pub failures: u64,
    /// Errors of the listener.
    pub accept_errors: u64,
    /// Connections ended by a timeout while no exchange was in progress: `idle_timeouts` and
    /// `headers_timeouts`.
    pub timeouts: u64,
}

impl Snapshot {
    pub(super) fn of(counters: &Counters, active: usize, length_ms: Histogram) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // What can only end after it has begun is read first.
        let (completed, upgrades_ended) = (read(&counters.completed), read(&counters.upgrades_ended));
        let (requests, upgrades) = (read(&counters.requests), read(&counters.upgrades));
        let (local, remote) = (read(&counters.destroyed_local), read(&counters.destroyed_remote));
        let local_busy = read(&counters.destroyed_local_busy);
        let remote_busy = read(&counters.destroyed_remote_busy);
        let (idle_timeouts, headers_timeouts) =
            (read(&counters.idle_timeouts), read(&counters.headers_timeouts));
        Self {
            accepted: read(&counters.accepted),
            active: active as u64,
            destroyed: local + remote,
            destroyed_local: local,
            destroyed_remote: remote,
            destroyed_busy: local_busy + remote_busy,
            destroyed_local_busy: local_busy,
            destroyed_remote_busy: remote_busy,
            length_ms,
            rx_bytes: read(&counters.rx_bytes),
            tx_bytes: read(&counters.tx_bytes),
            idle_timeouts,
            max_connection_durations: read(&counters.max_connection_durations),
            max_requests: read(&counters.max_requests),
            drain_closes: read(&counters.drain_closes),
            delayed_close_timeouts: read(&counters.delayed_close_timeouts),
            upgrades,
            upgrades_active: upgrades.saturating_sub(upgrades_ended),
            requests,
            requests_active: requests.saturating_sub(completed),
            completed,
            response_before_complete: read(&counters.response_before_complete),
            rx_reset: read(&counters.rx_reset),
            tx_reset: read(&counters.tx_reset),
            stream_idle_timeouts: read(&counters.stream_idle_timeouts),
            headers_timeouts,
            request_timeouts: read(&counters.request_timeouts),
            max_stream_durations: read(&counters.max_stream_durations),
            refused: read(&counters.refused),
            http10_refused: read(&counters.http10_refused),
            failures: read(&counters.failures),
            accept_errors: read(&counters.accept_errors),
            timeouts: idle_timeouts + headers_timeouts,
        }
    }
}
