//! What there is to say about one request.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Version};

use super::ResponseFlags;

/// One request at its end, borrowed from whoever served it. `None` prints `-`.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When the request began: its first byte.
    pub start: SystemTime,
    /// When the rest happened.
    pub timings: Timings,
    /// What the client asked.
    pub request: Request<'a>,
    /// What the client got.
    pub response: Response<'a>,
    /// Who served it.
    pub upstream: Upstream<'a>,
    /// Who asked.
    pub downstream: Downstream<'a>,
    /// The name of the route.
    pub route_name: Option<&'a str>,
    /// The name of the virtual host.
    pub virtual_host_name: Option<&'a str>,
    /// The request's id (`x-request-id`), for `%STREAM_ID%`.
    pub stream_id: Option<&'a str>,
}

/// Points in time, from [`Record::start`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// The last byte of the request came in (Envoy: `DS_RX_END`).
    pub request_received: Option<Duration>,
    /// The upstream request was made and asked the pool for a connection (`US_CX_BEG`).
    pub pool_asked: Option<Duration>,
    /// The pool gave a connection (`US_CX_END`).
    pub pool_ready: Option<Duration>,
    /// The first byte of the request went upstream (`US_TX_BEG`).
    pub upstream_sending: Option<Duration>,
    /// The last byte of the request went upstream (`US_TX_END`).
    pub upstream_sent: Option<Duration>,
    /// The first byte of the response came from upstream (`US_RX_BEG`).
    pub upstream_receiving: Option<Duration>,
    /// The last byte of the response came from upstream (`US_RX_END`).
    pub upstream_received: Option<Duration>,
    /// The first byte of the response went to the client (`DS_TX_BEG`).
    pub response_sending: Option<Duration>,
    /// The last byte of the response went to the client (`DS_TX_END`).
    pub response_sent: Option<Duration>,
    /// It was over, whichever way: `%DURATION%`.
    pub total: Option<Duration>,
}

/// What the client asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `:method`.
    pub method: Option<&'a Method>,
    /// `:scheme`.
    pub scheme: Option<&'a str>,
    /// `:authority`: of the URI or the `Host` field.
    pub authority: Option<&'a str>,
    /// `:path`, with the query, as it went upstream; `x-envoy-original-path` is looked for in
    /// `headers`.
    pub path: Option<&'a str>,
    /// The version.
    pub protocol: Option<Version>,
    /// The header fields; no request was understood if there are none.
    pub headers: Option<&'a HeaderMap>,
    /// Bytes of the head.
    pub headers_bytes: u64,
    /// Bytes of content.
    pub body_bytes: u64,
    /// Bytes of the whole message on the wire.
    pub wire_bytes: u64,
}

/// What the client got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    /// The status; `None` if no response began, which prints 0.
    pub code: Option<u16>,
    /// Where the status is from: `via_upstream`, or why this proxy gave it.
    pub code_details: Option<&'a str>,
    /// What went wrong.
    pub flags: ResponseFlags,
    /// The header fields.
    pub headers: Option<&'a HeaderMap>,
    /// The trailer fields.
    pub trailers: Option<&'a HeaderMap>,
    /// Bytes of the head.
    pub headers_bytes: u64,
    /// Bytes of the trailers.
    pub trailers_bytes: u64,
    /// Bytes of content.
    pub body_bytes: u64,
    /// Bytes of the whole message on the wire.
    pub wire_bytes: u64,
}

/// Who served it: the last attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Upstream<'a> {
    /// The cluster, by its stat name.
    pub cluster: Option<&'a str>,
    /// The host that was chosen.
    pub host: Option<SocketAddr>,
    /// Its name.
    pub hostname: Option<&'a str>,
    /// The address that the connection really goes to.
    pub remote_address: Option<SocketAddr>,
    /// This side of the connection.
    pub local_address: Option<SocketAddr>,
    /// The connection.
    pub connection_id: Option<u64>,
    /// The request's name in a recording: its worker and its number there.
    pub request_id: Option<(u32, u64)>,
    /// Whether the connection had served another request before.
    pub connection_reused: Option<bool>,
    /// The version spoken.
    pub protocol: Option<Version>,
    /// Attempts; 0 if none was made.
    pub attempts: u32,
    /// Why the transport failed, if it did.
    pub transport_failure: Option<&'a str>,
    /// Bytes of the request's head.
    pub headers_bytes_sent: u64,
    /// Bytes of the response's head.
    pub headers_bytes_received: u64,
    /// Bytes of the whole request on the wire.
    pub wire_bytes_sent: u64,
    /// Bytes of the whole response on the wire.
    pub wire_bytes_received: u64,
}

/// Who asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Downstream<'a> {
    /// The client, as `X-Forwarded-For` or the like tells it, else the peer.
    pub remote_address: Option<SocketAddr>,
    /// The peer of the connection.
    pub direct_remote_address: Option<SocketAddr>,
    /// The address that it came to.
    pub local_address: Option<SocketAddr>,
    /// The connection.
    pub connection_id: Option<u64>,
    /// Why this proxy ended the connection, if it did.
    pub termination_details: Option<&'a str>,
}

impl Record<'_> {
    /// A record of nothing but its start.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self {
            start,
            timings: Timings::default(),
            request: Request::default(),
            response: Response::default(),
            upstream: Upstream::default(),
            downstream: Downstream::default(),
            route_name: None,
            virtual_host_name: None,
            stream_id: None,
        }
    }
}
