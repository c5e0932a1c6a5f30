//! A response that is read from its connection by whoever polls it.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use smallvec::SmallVec;

use super::attempt::{Ahead, Attempt};
use super::error::{BodyError, Error};
use crate::error::Verdict;
use crate::report::StreamEnd;
use crate::runtime::{Connect, Runtime};
use crate::wire::h1::Event;

/// A frame of a response body, its end, or why it broke.
pub(crate) type Next = Option<Result<Frame<Bytes>, Error>>;

/// The rest of a response.
#[expect(
    clippy::large_enum_variant,
    reason = "one per response, moved once; a box would be an allocation per response"
)]
pub(crate) enum Inline<R: Runtime, C: Connect, B> {
    /// On its connection.
    Live(Attempt<R, C, B>),
    /// The exchange is over; what is left was read before.
    Read { data: SmallVec<[Bytes; 2]>, trailers: Option<Box<HeaderMap>> },
}

impl<R, C, B> Inline<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    /// The response whose head was just received; gives the connection back if all of it has been.
    pub(crate) fn new(attempt: Attempt<R, C, B>) -> Self {
        let end = attempt.ahead.end;
        let mut inline = Self::Live(attempt);
        if let Some(end) = end {
            inline.end(end);
        }
        inline
    }

    /// Whether the exchange is over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Read { .. })
    }

    /// Whether nothing will come.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Read { data, trailers } => data.is_empty() && trailers.is_none(),
            Self::Live(_) => false,
        }
    }

    /// Sends what is left of the request, as far as body and socket go.
    pub(crate) fn drive_request(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        match self {
            Self::Live(attempt) => {
                attempt.drive_request(cx).map_err(|fault| Error::new(fault.kind, Verdict::Unknown))
            }
            Self::Read { .. } => Ok(()),
        }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            match self {
                Self::Read { data, trailers } => {
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data.remove(0)))));
                    }
                    return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))));
                }
                Self::Live(attempt) => {
                    if let Some(end) = attempt.ahead.end {
                        self.end(end);
                        continue;
                    }
                    if !attempt.ahead.data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(attempt.ahead.data.remove(0)))));
                    }
                    match attempt.poll_event(cx, None) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(Event::Data(data))) => {
                            if let Some(end) = attempt.ahead.end {
                                self.end(end);
                            }
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        Poll::Ready(Ok(Event::Trailers(trailers))) => {
                            attempt.ahead.trailers = Some(Box::new(trailers));
                        }
                        Poll::Ready(Ok(Event::End(end))) => self.end(end),
                        Poll::Ready(Ok(Event::Informational(_) | Event::Head(..) | Event::Idle(_))) => {}
                        Poll::Ready(Err(fault)) => {
                            *self = Self::Read { data: SmallVec::new(), trailers: None };
                            return Poll::Ready(Some(Err(Error::new(fault.kind, Verdict::Unknown))));
                        }
                    }
                }
            }
        }
    }

    /// The exchange ended: gives its connection back and keeps what was read ahead.
    fn end(&mut self, end: StreamEnd) {
        let read = Self::Read { data: SmallVec::new(), trailers: None };
        if let Self::Live(mut attempt) = std::mem::replace(self, read) {
            attempt.finish(end);
            let Ahead { data, trailers, .. } = std::mem::take(&mut attempt.ahead);
            *self = Self::Read { data, trailers };
        }
    }
}
