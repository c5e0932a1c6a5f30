//! Responses that the proxy gives itself.
//!
//! Status, content, response code details and flag are Envoy's, so that dashboards and clients that know
//! one know the other.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::names;
use super::request::Refusal;
use crate::access_log::ResponseFlags;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content: Cow<'static, str>,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub(crate) details: Cow<'static, str>,
    pub(crate) flags: ResponseFlags,
    /// What becomes of the client's connection.
    pub(crate) after: After,
    /// A circuit breaker refused: `x-envoy-overloaded`.
    pub(crate) load: Load,
}

/// What becomes of the connection that a local reply goes out on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It serves the next request.
    Next,
    /// It ends.
    Close,
}

/// Whether the upstream had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// As far as is known.
    Normal,
    /// It did not.
    Overloaded,
}

impl Reply {
    pub(crate) const fn new(status: StatusCode, content: &'static str, details: &'static str) -> Self {
        Self {
            status,
            content: Cow::Borrowed(content),
            details: Cow::Borrowed(details),
            flags: ResponseFlags::NONE,
            after: After::Next,
            load: Load::Normal,
        }
    }

    pub(crate) const fn flagged(mut self, flags: ResponseFlags) -> Self {
        self.flags = flags;
        self
    }

    const fn closing(mut self) -> Self {
        self.after = After::Close;
        self
    }

    /// No route.
    pub(crate) const fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "", "route_not_found").flagged(ResponseFlags::NR)
    }

    /// The route's time is over.
    pub(crate) const fn timed_out(details: &'static str) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "upstream request timeout", details).flagged(ResponseFlags::UT)
    }

    /// A request that is not forwarded.
    pub(crate) const fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ConnectionField => {
                Self::new(StatusCode::BAD_REQUEST, "Bad Request", "http1.connection_header_rejected")
                    .flagged(ResponseFlags::DPE)
                    .closing()
            }
            // What follows a refused upgrade may be meant for the other protocol.
            Refusal::Upgrade => Self::new(StatusCode::FORBIDDEN, "", "upgrade_failed").closing(),
            Refusal::NoHost => Self::new(StatusCode::BAD_REQUEST, "", "missing_host_header").closing(),
        }
    }

    /// The response, without `Date` and `Server`.
    pub(crate) fn into_response<B>(self, body: impl FnOnce(Bytes) -> B) -> Response<B> {
        let content = match self.content {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        };
        let has_content = !content.is_empty();
        let mut response = Response::new(body(content));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if has_content {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        if self.load == Load::Overloaded {
            headers.insert(names::OVERLOADED, HeaderValue::from_static("true"));
        }
        if self.after == After::Close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
