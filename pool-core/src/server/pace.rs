//! How long an exchange may take.

use std::time::Duration;

use super::options::Options;
use super::report::Reason;
use crate::time::Instant;

/// The limits of the exchange in progress, and how long it has been. The clock is read only when the
/// connection goes to wait: an exchange that is answered in the poll that read it costs no look.
#[derive(Debug, Default)]
pub(super) struct Pace {
    idle: Option<Duration>,
    whole: Option<Duration>,
    request: Option<Duration>,
    /// When the first byte of the request had come, or the connection first waited after it.
    began: Option<Instant>,
    /// When something happened last; `None` if it has since the clock was read.
    stirred: Option<Instant>,
}

/// What a service asked for instead of the server's limits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) idle: Option<Option<Duration>>,
    pub(crate) whole: Option<Option<Duration>>,
}

/// Whether `request_timeout` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The request is incomplete, and no response has begun.
    Awaited,
    /// It was read, or is being answered.
    Settled,
}

impl Pace {
    /// An exchange begins; `since` if the time of its first byte is known.
    #[inline]
    pub(super) fn begin(&mut self, options: &Options, since: Option<Instant>) {
        *self = Self {
            idle: options.stream_idle_timeout,
            whole: options.max_stream_duration,
            request: options.request_timeout,
            began: since,
            stirred: None,
        };
    }

    /// Something of the exchange went one way or the other.
    #[inline]
    pub(super) fn stir(&mut self) {
        self.stirred = None;
    }

    /// The exchange was answered for having taken too long: what is left of it is to be sent.
    pub(super) fn spare(&mut self, options: &Options) {
        *self = Self { idle: options.stream_idle_timeout, ..Self::default() };
    }

    /// Takes in what the service asked for.
    #[inline]
    pub(super) fn apply(&mut self, overrides: Overrides) {
        if let Some(idle) = overrides.idle {
            self.idle = idle;
        }
        if let Some(whole) = overrides.whole {
            self.whole = whole;
        }
    }

    /// When the exchange will have taken too long.
    #[inline]
    pub(super) fn deadline(&mut self, request: Request, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if (self.idle, self.whole, self.request) == (None, None, None) {
            return None;
        }
        let stirred = *self.stirred.get_or_insert_with(now);
        self.began.get_or_insert(stirred);
        self.limits(request).into_iter().filter_map(|(at, _)| at).min()
    }

    /// Which limit was reached first, if one was.
    pub(super) fn overdue(&self, request: Request, now: Instant) -> Option<Reason> {
        let reached = self.limits(request).into_iter().filter_map(|(at, reason)| Some((at?, reason)));
        let (at, reason) = reached.min_by_key(|(at, _)| *at)?;
        (now >= at).then_some(reason)
    }

    #[inline]
    fn limits(&self, request: Request) -> [(Option<Instant>, Reason); 3] {
        let end = |since: Option<Instant>, limit: Option<Duration>| Some(since? + limit?);
        let awaited = match request {
            Request::Awaited => self.request,
            Request::Settled => None,
        };
        [
            (end(self.stirred, self.idle), Reason::StreamIdleTimeout),
            (end(self.began, awaited), Reason::RequestTimeout),
            (end(self.began, self.whole), Reason::MaxStreamDuration),
        ]
    }
}

/// When a head of which the first byte came at `since` will have taken too long, and why.
pub(super) fn head_limit(options: &Options, since: Instant) -> Option<(Instant, Reason)> {
    [
        (options.request_headers_timeout, Reason::HeadersTimeout),
        (options.stream_idle_timeout, Reason::StreamIdleTimeout),
        (options.request_timeout, Reason::RequestTimeout),
        (options.max_stream_duration, Reason::MaxStreamDuration),
    ]
    .into_iter()
    .filter_map(|(limit, reason)| Some((since + limit?, reason)))
    .min_by_key(|(at, _)| *at)
}
