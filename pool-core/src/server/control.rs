//! A request's exchange, beside its body.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};

use super::link::Link;

/// Steers the exchange of one request while its body is elsewhere: interim responses, and whether
/// the client is asked for content. Made by [`Incoming::control`](super::Incoming::control); clones
/// are cheap, and any of them may be used from any task. Once the response is complete, or the
/// connection gone, nothing that it is asked for happens.
pub struct Control<I> {
    link: Arc<Link<I>>,
    serial: u64,
}

impl<I> Clone for Control<I> {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), serial: self.serial }
    }
}

impl<I> fmt::Debug for Control<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl<I> Control<I> {
    pub(super) fn new(link: Arc<Link<I>>, serial: u64) -> Self {
        Self { link, serial }
    }

    /// Sends an interim response (1xx) before the final one, if that has not begun. 100 is sent by
    /// itself when the body is polled, unless it was [withheld](Self::withhold_continue); 101 is a
    /// final response here. Interim responses with another status, or with content, are left out,
    /// and so are all towards HTTP/1.0 clients (RFC 9110 15.2).
    pub fn send_interim(&self, status: StatusCode, headers: HeaderMap) {
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        self.link.send_interim(self.serial, response);
    }

    /// Leaves `100 Continue` to the service: polling the body does not send it any more (Envoy:
    /// `proxy_100_continue`). The service relays one with [`send_interim`](Self::send_interim), or
    /// answers finally, which ends the connection unless the client has sent its content unasked.
    /// Call it before the body is polled for the first time.
    pub fn withhold_continue(&self) {
        self.link.withhold_continue(self.serial);
    }
}
