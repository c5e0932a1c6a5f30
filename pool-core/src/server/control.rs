//! A request's exchange, beside its body.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};

use super::link::Link;
use super::report::Report;

/// Steers the exchange of one request while its body is elsewhere: interim responses, whether the
/// client is asked for content, how long it may take; and tells how it ended. Made by [`Incoming::control`](super::Incoming::control); clones
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

    /// Another [`stream_idle_timeout`](super::Builder::stream_idle_timeout) for this exchange (Envoy: a
    /// route's `idle_timeout`); `None` or zero is none.
    pub fn set_idle_timeout(&self, timeout: impl Into<Option<Duration>>) {
        let timeout = timeout.into().filter(|timeout| !timeout.is_zero());
        self.link.limit(self.serial, |limits| limits.idle = Some(timeout));
    }

    /// Another [`max_stream_duration`](super::Builder::max_stream_duration) for this exchange, from the
    /// first byte of its request; `None` or zero is none.
    pub fn set_max_duration(&self, duration: impl Into<Option<Duration>>) {
        let duration = duration.into().filter(|duration| !duration.is_zero());
        self.link.limit(self.serial, |limits| limits.whole = Some(duration));
    }

    /// How the exchange ended; `None` while it is in progress, and once the connection serves another.
    ///
    /// It is there when the server drops what it has of the service: the body of the response, which
    /// it keeps until the exchange is over, or the future of the response, if none was given. So a
    /// guard in both of them reads it in its `Drop`:
    ///
    /// ```text
    ///   future of the response { guard } ---- Ok(response) ----> body { guard } ---- last byte sent ---+
    ///        |                                                     |                                   |
    ///        +---- time-out, client gone, shutdown ----------------+-----------------> Drop: report() <+
    /// ```
    ///
    /// A guard in a future that ends with an error finds nothing: that is the service's own to tell.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        self.link.report(self.serial)
    }
}
