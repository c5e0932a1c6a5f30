//! The caller's request body: read once, kept while it may have to be sent again.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use smallvec::SmallVec;

use super::error::BodyError;
use crate::exchange::BodyReplay;
use crate::wire::h1::BodyLength;

/// A request extension that makes the body again for a replay, so that bodies larger than the
/// replay buffer can be repeated: `request.extensions_mut().insert(RemakeBody::new(|| ...))`.
pub struct RemakeBody<B>(Arc<dyn Fn() -> B + Send + Sync>);

impl<B> RemakeBody<B> {
    /// `make` gives a body equal to the request's.
    pub fn new(make: impl Fn() -> B + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl<B> Clone for RemakeBody<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// One piece of a request body.
pub(crate) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

/// What was read so far, for a second sending.
enum Kept {
    Pieces {
        data: SmallVec<[Bytes; 1]>,
        bytes: usize,
        trailers: Option<HeaderMap>,
    },
    /// More than the limit, or nothing may be repeated any more.
    Gone,
}

/// Most requests have no body, and every request moves between owners: what a body needs is behind a
/// pointer, which is there only if there is one.
pub(crate) struct RequestBody<B>(Option<Box<Content<B>>>);

struct Content<B> {
    source: Option<B>,
    remake: Option<RemakeBody<B>>,
    length: BodyLength,
    kept: Kept,
    /// The next kept piece to send again.
    next: usize,
    read_any: bool,
    limit: usize,
}

impl<B> RequestBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BodyError>,
{
    pub(crate) fn new(source: B, remake: Option<RemakeBody<B>>, limit: usize) -> Self {
        let length = if source.is_end_stream() {
            BodyLength::None
        } else {
            source.size_hint().exact().map_or(BodyLength::Unknown, |exact| match exact {
                0 => BodyLength::None,
                exact => BodyLength::Known(exact),
            })
        };
        if length == BodyLength::None {
            return Self(None);
        }
        let kept = Content::<B>::nothing();
        let source = Some(source);
        Self(Some(Box::new(Content { source, remake, length, kept, next: 0, read_any: false, limit })))
    }

    /// Moves it to another owner.
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(crate) fn length(&self) -> BodyLength {
        self.0.as_ref().map_or(BodyLength::None, |content| content.length)
    }

    /// Whether it can be sent from its beginning once more.
    pub(crate) fn replay(&self) -> BodyReplay {
        self.0.as_ref().map_or(BodyReplay::Possible, |content| content.replay())
    }

    /// Begins again from the start; only after [`RequestBody::replay`] said that it is possible.
    pub(crate) fn rewind(&mut self) {
        if let Some(content) = &mut self.0 {
            content.rewind();
        }
    }

    /// Nothing will be sent again: lets go of what was kept, and keeps nothing more.
    pub(crate) fn settle(&mut self) {
        if let Some(content) = &mut self.0 {
            content.settle();
        }
    }

    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        match &mut self.0 {
            Some(content) => content.poll_piece(cx),
            None => Poll::Ready(Ok(Piece::End)),
        }
    }
}

impl<B> Content<B>
where
    B: Body + Unpin,
    B::Error: Into<BodyError>,
{
    fn replay(&self) -> BodyReplay {
        match self.kept {
            Kept::Pieces { .. } => BodyReplay::Possible,
            Kept::Gone if self.remake.is_some() => BodyReplay::Possible,
            Kept::Gone => BodyReplay::Spent,
        }
    }

    fn rewind(&mut self) {
        self.next = 0;
        if let (Kept::Gone, Some(remake)) = (&self.kept, &self.remake) {
            self.source = Some((remake.0)());
            self.kept = Self::nothing();
            self.read_any = false;
        }
    }

    fn settle(&mut self) {
        self.remake = None;
        if self.read_any && !self.is_behind() {
            self.kept = Kept::Gone;
        }
        self.limit = 0;
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        if let Kept::Pieces { data, trailers, .. } = &self.kept {
            if let Some(piece) = data.get(self.next) {
                self.next += 1;
                return Poll::Ready(Ok(Piece::Data(piece.clone())));
            }
            if let (None, Some(trailers)) = (&self.source, trailers) {
                if self.next == data.len() {
                    self.next += 1;
                    return Poll::Ready(Ok(Piece::Trailers(trailers.clone())));
                }
            }
        }
        loop {
            let Some(source) = &mut self.source else { return Poll::Ready(Ok(Piece::End)) };
            let frame = match Pin::new(source).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    self.source = None;
                    return Poll::Ready(Ok(Piece::End));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            self.read_any = true;
            match frame.into_data() {
                Ok(mut data) => {
                    let data = data.copy_to_bytes(data.remaining());
                    if data.is_empty() {
                        continue;
                    }
                    self.keep(&data);
                    return Poll::Ready(Ok(Piece::Data(data)));
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    self.source = None;
                    if let Kept::Pieces { data, trailers: kept, .. } = &mut self.kept {
                        *kept = Some(trailers.clone());
                        self.next = data.len() + 1;
                    }
                    return Poll::Ready(Ok(Piece::Trailers(trailers)));
                }
            }
        }
    }

    fn nothing() -> Kept {
        Kept::Pieces { data: SmallVec::new(), bytes: 0, trailers: None }
    }

    /// Whether pieces of an earlier attempt are still to be sent again.
    fn is_behind(&self) -> bool {
        match &self.kept {
            Kept::Pieces { data, trailers, .. } => self.next < data.len() + usize::from(trailers.is_some()),
            Kept::Gone => false,
        }
    }

    fn keep(&mut self, piece: &Bytes) {
        let Kept::Pieces { data, bytes, .. } = &mut self.kept else { return };
        if *bytes + piece.len() > self.limit {
            self.kept = Kept::Gone;
            return;
        }
        *bytes += piece.len();
        data.push(piece.clone());
        self.next = data.len();
    }
}
