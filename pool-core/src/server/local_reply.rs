//! Responses that the server gives by itself.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};

use super::report::Reason;

/// A request that the server answers in the service's stead, and what is known of it.
/// See [`Builder::on_local_reply`](super::Builder::on_local_reply).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LocalReply<'a> {
    /// Why.
    pub reason: Reason,
    /// The address that it came from.
    pub peer: SocketAddr,
    /// The head, if it was read and was not given to the service.
    pub request: Option<&'a Request<()>>,
    /// Who knows of the request.
    pub known: Known,
}

/// How far a request has come that the server answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Known {
    /// Only here: if it is to be logged, it is now.
    Here,
    /// The service has it: [`Control::report`](super::Control::report) tells it the outcome.
    ToService,
}

/// The caller's part in it.
#[derive(Clone)]
pub(super) struct Hook(Arc<Change>);

type Change = dyn Fn(&LocalReply<'_>, &mut Response<Bytes>) + Send + Sync;

impl Hook {
    pub(super) fn new(hook: impl Fn(&LocalReply<'_>, &mut Response<Bytes>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// The response, as Envoy would give it, and then as the hook would have it.
#[cold]
pub(super) fn compose(status: StatusCode, reply: &LocalReply<'_>, hook: Option<&Hook>) -> Response<Bytes> {
    let text = reply.reason.text();
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    if !text.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    if let Some(Hook(hook)) = hook {
        hook(reply, &mut response);
    }
    response
}
