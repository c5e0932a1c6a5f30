//! What a client is told when its upstream failed.

use std::borrow::Cow;
use std::io;

use http::StatusCode;
use pool_core::client::{Error, ErrorKind};
use pool_core::error::PoolFailure;
use pool_core::exchange::RetryDenied;
use pool_core::wire::h1;

use super::reply::{Load, Reply};
use crate::access_log::ResponseFlags;

/// How a stream to an upstream ended before its response began (Envoy: `StreamResetReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    /// In Envoy's words.
    pub(crate) reason: &'static str,
    pub(crate) flag: ResponseFlags,
    status: StatusCode,
}

impl Reset {
    const fn unavailable(reason: &'static str, flag: ResponseFlags) -> Self {
        Self { reason, flag, status: StatusCode::SERVICE_UNAVAILABLE }
    }

    /// Why a call failed.
    pub(crate) fn of(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::Pool(PoolFailure::Overflow) => Self::unavailable("overflow", ResponseFlags::UO),
            ErrorKind::Pool(PoolFailure::PendingTimeout) => {
                Self::unavailable("pending request timeout", ResponseFlags::UO)
            }
            ErrorKind::Pool(PoolFailure::ConnectTimeout) => {
                Self::unavailable("connection timeout", ResponseFlags::UF)
            }
            ErrorKind::Pool(PoolFailure::LocalConnectionFailure) => {
                Self::unavailable("local connection failure", ResponseFlags::UF)
            }
            ErrorKind::Pool(PoolFailure::RemoteConnectionFailure) => {
                Self::unavailable("remote connection failure", ResponseFlags::UF)
            }
            ErrorKind::Protocol(h1::Error::Eof(_)) | ErrorKind::Connection(_) => {
                Self::unavailable("connection termination", ResponseFlags::UC)
            }
            ErrorKind::Protocol(_) => {
                Self { reason: "protocol error", flag: ResponseFlags::UPE, status: StatusCode::BAD_GATEWAY }
            }
            // The pools are going away, or the request cannot be sent as it is.
            _ => Self::unavailable("local reset", ResponseFlags::LR),
        }
    }
}

/// The reply to a request whose call failed.
pub(crate) fn reply(error: &Error) -> Reply {
    if let ErrorKind::NoHost | ErrorKind::NoPool = error.kind() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let reply = Reply::new(status, "no healthy upstream", "no_healthy_upstream");
        return reply.flagged(ResponseFlags::UH);
    }
    if let ErrorKind::RequestBody(_) = error.kind() {
        let reply = Reply::new(StatusCode::BAD_REQUEST, "Bad Request", "http1.codec_error");
        return reply.flagged(ResponseFlags::DPE);
    }
    let reset = Reset::of(error.kind());
    let transport = error.transport().map(|cause| format!("delayed connect error: {}", words(cause)));
    let mut content = String::from("upstream connect error or disconnect/reset before headers. ");
    if error.retries() > 0 {
        content.push_str("retried and the latest ");
    }
    content.push_str("reset reason: ");
    content.push_str(reset.reason);
    let mut details = format!("upstream_reset_before_response_started{{{}", snake(reset.reason));
    if let Some(transport) = &transport {
        content.push_str(", transport failure reason: ");
        content.push_str(transport);
        details.push('|');
        // One word: a log line is split at blanks.
        details.push_str(&transport.replace(' ', "_"));
    }
    details.push('}');
    let load = if reset.flag == ResponseFlags::UO { Load::Overloaded } else { Load::Normal };
    Reply {
        content: Cow::Owned(content),
        details: Cow::Owned(details),
        load,
        ..Reply::new(reset.status, "", "").flagged(reset.flag | retry_flags(error))
    }
}

/// Why the failure was not retried, where the route asked for that.
fn retry_flags(error: &Error) -> ResponseFlags {
    match error.retry_denied() {
        None => ResponseFlags::NONE,
        Some(RetryDenied::Exhausted) => ResponseFlags::URX,
        Some(RetryDenied::Overflow) => ResponseFlags::UO,
    }
}

/// A reason as it stands in details.
pub(crate) fn snake(reason: &'static str) -> Cow<'static, str> {
    if reason.contains(' ') { Cow::Owned(reason.replace(' ', "_")) } else { Cow::Borrowed(reason) }
}

/// What the operating system said, without its number.
fn words(error: &io::Error) -> String {
    let mut words = error.to_string();
    if let Some(at) = words.find(" (os error") {
        words.truncate(at);
    }
    words
}
