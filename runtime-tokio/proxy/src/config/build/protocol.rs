//! Protocol options, which listeners and clusters share.

use std::time::Duration;

use http::HeaderValue;

use crate::config::schema;
use crate::config::walk::{Cursor, Fields};

/// `HttpProtocolOptions` of the core API.
pub(super) struct Common {
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_connection_duration: Option<Duration>,
    pub(super) max_requests_per_connection: Option<u32>,
    pub(super) max_stream_duration: Option<Duration>,
    pub(super) max_headers_count: u32,
    pub(super) max_response_headers_kb: u32,
}

/// Whose options they are: some are for one side only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Downstream,
    Upstream,
}

impl Common {
    pub(super) fn read(fields: &Fields<'_>, side: Side) -> Self {
        let common = Self {
            idle_timeout: fields.timeout("idle_timeout", Some(Duration::from_secs(3600))),
            max_connection_duration: fields.timeout("max_connection_duration", None),
            max_requests_per_connection: fields
                .number("max_requests_per_connection", 0, u32::MAX)
                .filter(|max| *max > 0),
            max_stream_duration: fields.timeout("max_stream_duration", None),
            max_headers_count: fields.number("max_headers_count", 1, u32::MAX).unwrap_or(100),
            max_response_headers_kb: fields.number("max_response_headers_kb", 1, 8192).unwrap_or(60),
        };
        match side {
            Side::Downstream => warn_of(fields, ("max_response_headers_kb", "of clusters only, ignored")),
            Side::Upstream => {
                if let Some(member) = fields.get("max_stream_duration") {
                    member.limited("not supported for clusters, ignored; use the route's timeout");
                }
            }
        }
        common
    }
}

/// `Http1ProtocolOptions`.
pub(super) struct Http1 {
    pub(super) accept_http_10: bool,
    pub(super) default_host_for_http_10: Option<HeaderValue>,
    pub(super) enable_trailers: bool,
}

impl Http1 {
    pub(super) fn read(fields: &Fields<'_>, side: Side) -> Self {
        let host = fields.get("default_host_for_http_10");
        let options = Self {
            accept_http_10: fields.bool("accept_http_10").unwrap_or(false),
            default_host_for_http_10: host.as_ref().and_then(header_value),
            enable_trailers: fields.bool("enable_trailers").unwrap_or(false),
        };
        if side == Side::Upstream {
            warn_of(fields, ("accept_http_10", "of connection managers only, ignored"));
            warn_of(fields, ("default_host_for_http_10", "of connection managers only, ignored"));
        }
        options
    }
}

fn warn_of(fields: &Fields<'_>, (name, message): (&'static str, &str)) {
    if let Some(member) = fields.get(name) {
        member.warn(message);
    }
}

/// A text that can stand in a header field; empty is as good as absent.
pub(super) fn header_value(cursor: &Cursor<'_>) -> Option<HeaderValue> {
    let text = cursor.string().filter(|text| !text.is_empty())?;
    match HeaderValue::from_str(&text) {
        Ok(value) => Some(value),
        Err(_) => {
            cursor.problem("not a valid header field value");
            None
        }
    }
}

/// The messages of `explicit_http_config`: only HTTP/1.1 can be chosen.
pub(super) fn explicit(cursor: Option<Cursor<'_>>) -> Http1 {
    let fields = match &cursor {
        Some(cursor) => cursor.message(&schema::EXPLICIT_CONFIG),
        None => Fields::absent(&schema::EXPLICIT_CONFIG),
    };
    let options =
        fields.one_of(&["http_protocol_options"], &["http2_protocol_options", "http3_protocol_options"]);
    let options = match &options {
        Some((_, options)) => options.message(&schema::HTTP1_PROTOCOL_OPTIONS),
        None => Fields::absent(&schema::HTTP1_PROTOCOL_OPTIONS),
    };
    Http1::read(&options, Side::Upstream)
}
