//! How an exchange ended, for whoever writes an access log.

use http::StatusCode;

use crate::time::Instant;
use crate::wire::h1;

/// What became of one exchange. See [`Control::report`](super::Control::report).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The status of the final response whose head was written, by whomever; `None` if there was none
    /// (an access log of Envoy says 0).
    pub status: Option<StatusCode>,
    /// What came of the request.
    pub received: Volume,
    /// What was written of the response, interim responses included. Unless the outcome is
    /// [`Outcome::Complete`], some of it may not have reached the socket.
    pub sent: Volume,
    /// When it ended, by the clock of the runtime: for a complete one, when the last byte of the
    /// response had been handed to the socket.
    pub ended: Instant,
}

/// Bytes of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Volume {
    /// Start line and fields, as on the wire.
    pub head: u64,
    /// Content, without its framing (Envoy: `%BYTES_RECEIVED%`, `%BYTES_SENT%`).
    pub content: u64,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// All of the response was handed to the socket.
    Complete,
    /// The connection was handed over to another protocol.
    Upgraded,
    /// The client closed, or the transport failed (Envoy: `DC`, `downstream_remote_disconnect`).
    ClientGone,
    /// The server ended it: with a response of its own if none had begun, else in the middle of the
    /// response.
    Stopped(Reason),
    /// A shutdown ran into its deadline, or the runtime ended.
    Cut,
}

/// Why the server answers in the service's stead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The request broke the protocol or a limit: [`h1::Error::status`] (Envoy: `DPE`).
    Protocol(h1::Error),
    /// The head took longer than `request_headers_timeout`: 408 (Envoy: `request_header_timeout`).
    HeadersTimeout,
    /// Nothing happened for `stream_idle_timeout`: 408 while the request is incomplete, then 504
    /// (Envoy: `SI`, `stream_idle_timeout`).
    StreamIdleTimeout,
    /// The request took longer than `request_timeout`: 408 (Envoy: `request_overall_timeout`).
    RequestTimeout,
    /// The exchange took longer than `max_stream_duration`: 408 while the request is incomplete, then
    /// 504 (Envoy: `max_duration_timeout`).
    MaxStreamDuration,
    /// HTTP/1.0, which is not served: 426 (Envoy: `low_version`).
    Http10,
    /// The service failed: its error, a response that cannot be sent (500), a body that broke off.
    Service,
}

impl Reason {
    /// What the client is told in words: Envoy's.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Protocol(error) => error.status().and_then(|s| s.canonical_reason()).unwrap_or_default(),
            Self::HeadersTimeout => "request header timeout",
            Self::StreamIdleTimeout => "stream timeout",
            Self::RequestTimeout => "request timeout",
            Self::MaxStreamDuration => "downstream duration timeout",
            Self::Http10 | Self::Service => "",
        }
    }
}
