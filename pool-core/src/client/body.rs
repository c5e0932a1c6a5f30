//! The body of a response, streamed from its connection as it is polled.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::adopted::{Adopted, Nursery};
use super::attempt::{Attempt, Read};
use super::error::{BodyError, Error};
use super::inline::Inline;
use super::upgrade::Upgraded;
use crate::runtime::{Connect, Runtime};
use crate::wire::h1::BodyKind;

/// A response body.
///
/// Polling it reads from the connection inline. If the request was not sent completely when the
/// response began, the client's background task drives the exchange from there on, so that neither
/// direction waits for the other to be polled. The connection goes back to its pool as soon as the last
/// byte was read from the socket, which for a small response is before its head is handed out. Dropping
/// it early closes the connection (HTTP/1 has no other way to stop a response).
pub struct Body<R: Runtime, C: Connect, B> {
    source: Source<R, C, B>,
    /// Bytes still to come, where the head said how many.
    left: Option<u64>,
}

enum Source<R: Runtime, C: Connect, B> {
    /// On its connection, or read from it before.
    Inline(Inline<R, C, B>),
    /// The keeper has the exchange, because the request was not sent yet when the response began.
    Adopted(Adopted<R, C, B>),
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
    /// The body of a response that was read to its end.
    #[inline]
    pub(crate) fn of_read(read: Read, kind: BodyKind) -> Self {
        Self { source: Source::Inline(Inline::Read(read)), left: length_of(kind) }
    }

    /// The body of a response whose end has not come.
    pub(crate) fn of_live(
        mut attempt: Attempt<R, C, B>,
        kind: BodyKind,
        nursery: &Arc<Nursery<R, C, B>>,
    ) -> Self {
        let left = length_of(kind);
        if kind == BodyKind::Tunnel {
            return Self { source: Source::Tunnel(attempt), left };
        }
        attempt.response_started();
        let source = if attempt.request_is_sent() {
            Source::Inline(Inline::Live(attempt))
        } else {
            Source::Adopted(nursery.adopt(Inline::Live(attempt)))
        };
        Self { source, left }
    }

    /// The connection of a 101 or a successful CONNECT, as a byte stream; `None` for any other
    /// response.
    pub fn into_upgraded(self) -> Option<Upgraded<R, C>> {
        match self.source {
            Source::Tunnel(attempt) => Some(Upgraded::new(attempt)),
            Source::Inline(_) | Source::Adopted(_) | Source::Done => None,
        }
    }
}

/// Content bytes to come, where the head says so.
fn length_of(kind: BodyKind) -> Option<u64> {
    match kind {
        BodyKind::Empty | BodyKind::Tunnel => Some(0),
        BodyKind::Length(length) => Some(length),
        BodyKind::Chunked | BodyKind::UntilEof => None,
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
        let frame = match &mut this.source {
            Source::Done | Source::Tunnel(_) => return Poll::Ready(None),
            Source::Inline(inline) => ready!(inline.poll_frame(cx)),
            Source::Adopted(adopted) => ready!(adopted.poll_frame(cx)),
        };
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(left), Some(data)) = (&mut this.left, frame.data_ref()) {
                    *left = left.saturating_sub(data.len() as u64);
                }
            }
            Some(Err(_)) | None => this.source = Source::Done,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Inline(inline) => inline.is_empty(),
            Source::Adopted(_) => false,
            Source::Tunnel(_) | Source::Done => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
