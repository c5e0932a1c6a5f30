//! The body of a response, streamed from its connection as it is polled.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use smallvec::SmallVec;

use super::attempt::{Ahead, Attempt, Fault};
use super::error::{BodyError, Error};
use super::upgrade::Upgraded;
use crate::error::Verdict;
use crate::report::StreamEnd;
use crate::runtime::{Connect, Runtime};
use crate::wire::h1::{BodyKind, Event};

/// A response body.
///
/// Polling it reads from the connection inline and drives what is left of the request body. The
/// connection goes back to its pool as soon as the last byte was read from the socket, which for a
/// small response is before its head is handed out. Dropping it early closes the connection
/// (HTTP/1 has no other way to stop a response).
pub struct Body<R: Runtime, C: Connect, B> {
    source: Source<R, C, B>,
    /// Bytes still to come, where the head said how many.
    left: Option<u64>,
}

enum Source<R: Runtime, C: Connect, B> {
    /// The exchange is over; what is left was read before.
    Read {
        data: SmallVec<[Bytes; 2]>,
        trailers: Option<Box<HeaderMap>>,
    },
    /// On its connection.
    Live(Attempt<R, C, B>),
    /// The connection speaks another protocol now.
    Tunnel(Attempt<R, C, B>),
    Done,
}

impl<R, C, B> Body<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    pub(crate) fn new(mut attempt: Attempt<R, C, B>, kind: BodyKind) -> Self {
        let left = match kind {
            BodyKind::Empty => Some(0),
            BodyKind::Length(length) => Some(length),
            BodyKind::Chunked | BodyKind::UntilEof => None,
            BodyKind::Tunnel => return Self { source: Source::Tunnel(attempt), left: Some(0) },
        };
        attempt.response_started();
        match attempt.ahead.end {
            Some(end) => {
                attempt.finish(end);
                let Ahead { data, trailers, .. } = std::mem::take(&mut attempt.ahead);
                Self { source: Source::Read { data, trailers }, left }
            }
            None => Self { source: Source::Live(attempt), left },
        }
    }

    /// The connection of a 101 or a successful CONNECT, as a byte stream; `None` for any other
    /// response.
    pub fn into_upgraded(self) -> Option<Upgraded<R, C>> {
        match self.source {
            Source::Tunnel(attempt) => Some(Upgraded::new(attempt)),
            Source::Read { .. } | Source::Live(_) | Source::Done => None,
        }
    }

    fn count(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(data.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    /// The exchange ended: gives its connection back and keeps what was read ahead.
    fn end(&mut self, end: StreamEnd) {
        if let Source::Live(mut attempt) = std::mem::replace(&mut self.source, Source::Done) {
            attempt.finish(end);
            let Ahead { data, trailers, .. } = std::mem::take(&mut attempt.ahead);
            self.source = Source::Read { data, trailers };
        }
    }

    fn fail(&mut self, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.source = Source::Done;
        Poll::Ready(Some(Err(Error::new(fault.kind, Verdict::Unknown))))
    }
}

impl<R, C, B> HttpBody for Body<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        loop {
            match &mut this.source {
                Source::Done | Source::Tunnel(_) => return Poll::Ready(None),
                Source::Read { data, trailers } => {
                    if !data.is_empty() {
                        let data = data.remove(0);
                        return this.count(data);
                    }
                    let trailers = trailers.take();
                    this.source = Source::Done;
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(*trailers))));
                }
                Source::Live(attempt) => {
                    if let Some(end) = attempt.ahead.end {
                        this.end(end);
                        continue;
                    }
                    if !attempt.ahead.data.is_empty() {
                        let data = attempt.ahead.data.remove(0);
                        return this.count(data);
                    }
                    match attempt.poll_event(cx, None) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(Event::Data(data))) => {
                            if let Some(end) = attempt.ahead.end {
                                this.end(end);
                            }
                            return this.count(data);
                        }
                        Poll::Ready(Ok(Event::Trailers(trailers))) => {
                            attempt.ahead.trailers = Some(Box::new(trailers));
                        }
                        Poll::Ready(Ok(Event::End(end))) => this.end(end),
                        Poll::Ready(Ok(Event::Informational(_) | Event::Head(..) | Event::Idle(_))) => {}
                        Poll::Ready(Err(fault)) => return this.fail(fault),
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Read { data, trailers } => data.is_empty() && trailers.is_none(),
            Source::Live(_) => false,
            Source::Tunnel(_) | Source::Done => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(left) = self.left {
            return SizeHint::with_exact(left);
        }
        match &self.source {
            Source::Read { data, .. } => {
                SizeHint::with_exact(data.iter().map(|data| data.len() as u64).sum())
            }
            Source::Live(_) | Source::Tunnel(_) | Source::Done => SizeHint::default(),
        }
    }
}
