//! Counts, for people and metrics.

/// What a server has done and is doing. `active` is now, all others since the server began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections taken (Envoy: `downstream_cx_total`).
    pub accepted: u64,
    /// Connections that are there, tunnels included (Envoy: `downstream_cx_active`).
    pub active: u64,
    /// Requests whose head was read (Envoy: `downstream_rq_total`).
    pub requests: u64,
    /// Errors of the listener.
    pub accept_errors: u64,
    /// Requests refused because they broke the protocol or a limit (Envoy:
    /// `downstream_cx_protocol_error`).
    pub refused: u64,
    /// Connections ended by a timeout while no exchange was in progress (Envoy:
    /// `downstream_cx_idle_timeout`, and `request_headers_timeout`).
    pub timeouts: u64,
    /// Requests that the service failed to answer: its error, a response that cannot be sent, a body
    /// that broke off.
    pub failures: u64,
}
