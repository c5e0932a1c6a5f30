//! A response that is read from its connection by whoever polls it.

use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};

use super::attempt::{Attempt, Read};
use super::error::{BodyError, Error};
use crate::error::Verdict;
use crate::runtime::{Connect, Runtime};
use crate::wire::h1::Event;

/// A frame of a response body, its end, or why it broke.
pub(crate) type Next = Option<Result<Frame<Bytes>, Error>>;

/// The rest of a response.
pub(crate) enum Inline<R: Runtime, C: Connect, B> {
    /// On its connection.
    Live(Attempt<R, C, B>),
    /// The exchange is over; what is left was read before.
    Read(Read),
}

impl<R, C, B> Inline<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    /// Whether nothing will come.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Read(Read { data, trailers }) => data.is_empty() && trailers.is_none(),
            Self::Live(_) => false,
        }
    }

    /// Sends what is left of the request, as far as body and socket go.
    pub(crate) fn drive_request(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        match self {
            Self::Live(attempt) => {
                attempt.drive_request(cx).map_err(|fault| Error::new(fault.kind, Verdict::Unknown))
            }
            Self::Read(_) => Ok(()),
        }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            match self {
                Self::Read(Read { data, trailers }) => {
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data.remove(0)))));
                    }
                    return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))));
                }
                Self::Live(attempt) => {
                    if let Some(read) = attempt.take_read() {
                        *self = Self::Read(read);
                        continue;
                    }
                    if let Some(data) = attempt.next_read() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    match attempt.poll_event(cx, None) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(Event::Data(data))) => {
                            // Its end may have come with it; then the connection is free now.
                            if let Some(read) = attempt.take_read() {
                                *self = Self::Read(read);
                            }
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        Poll::Ready(Ok(Event::Trailers(trailers))) => attempt.keep_trailers(trailers),
                        Poll::Ready(Ok(Event::End(end))) => {
                            attempt.finish(end);
                            *self = Self::Read(attempt.take_rest());
                        }
                        Poll::Ready(Ok(Event::Informational(_) | Event::Head(..) | Event::Idle(_))) => {}
                        Poll::Ready(Err(fault)) => {
                            *self = Self::Read(Read::default());
                            return Poll::Ready(Some(Err(Error::new(fault.kind, Verdict::Unknown))));
                        }
                    }
                }
            }
        }
    }
}
