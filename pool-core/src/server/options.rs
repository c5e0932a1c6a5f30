//! What a server is set to.

use std::time::Duration;

use super::local_reply::Hook;
use crate::wire::h1::Limits as H1Limits;

/// Settings of all connections of a server; names and defaults are Envoy's where it has them.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) request_headers_timeout: Option<Duration>,
    pub(crate) max_requests_per_connection: Option<u64>,
    pub(crate) max_connection_duration: Option<Duration>,
    pub(crate) max_connections: usize,
    pub(crate) delayed_close_timeout: Option<Duration>,
    pub(crate) stream_idle_timeout: Option<Duration>,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) max_stream_duration: Option<Duration>,
    pub(crate) http10: Http10,
    pub(super) hook: Option<Hook>,
    pub(crate) h1: H1Limits,
    pub(crate) peer: PeerIn,
}

/// Where a service finds the address of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerIn {
    /// In the body, and as an extension, for middleware.
    BodyAndExtensions,
    /// In the body only.
    Body,
}

/// What becomes of HTTP/1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http10 {
    /// It is served.
    Served,
    /// 426.
    Refused,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(3600)),
            request_headers_timeout: None,
            max_requests_per_connection: None,
            max_connection_duration: None,
            max_connections: usize::MAX,
            delayed_close_timeout: Some(Duration::from_secs(1)),
            stream_idle_timeout: Some(Duration::from_secs(300)),
            request_timeout: None,
            max_stream_duration: None,
            http10: Http10::Served,
            hook: None,
            h1: H1Limits::default(),
            peer: PeerIn::BodyAndExtensions,
        }
    }
}
