//! Request bodies that tests control: what they say about their length, when they have data, and how
//! much of them was taken.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::turns::Gate;

/// What a body does next.
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Gives the task up once, so that the body is not read in one go.
    Yield,
    /// Nothing until the gate opens.
    Wait(Gate),
    /// Never has anything again.
    Stuck,
    Fail,
}

/// A scripted request body.
#[derive(Default)]
pub struct Content {
    steps: VecDeque<Step>,
    length: Option<u64>,
    taken: Arc<AtomicU64>,
}

impl Content {
    /// No content.
    pub(super) fn empty() -> Self {
        Self { length: Some(0), ..Self::default() }
    }

    /// All there, of known length.
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { length: Some(bytes.len() as u64), ..Self::default() }.then(bytes)
    }

    /// Of unknown length, to be continued with the methods below.
    pub(super) fn stream() -> Self {
        Self::default()
    }

    /// Of a known length, whatever the steps that follow give.
    pub(super) fn of_length(length: u64) -> Self {
        Self { length: Some(length), ..Self::default() }
    }

    pub(super) fn then(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps.push_back(Step::Data(bytes.into()));
        self
    }

    pub(super) fn then_yield(mut self) -> Self {
        self.steps.push_back(Step::Yield);
        self
    }

    pub(super) fn then_trailer(mut self, name: &'static str, value: &'static str) -> Self {
        let mut trailers = HeaderMap::new();
        trailers.insert(name, http::HeaderValue::from_static(value));
        self.steps.push_back(Step::Trailers(trailers));
        self
    }

    pub(super) fn then_wait(mut self, gate: &Gate) -> Self {
        self.steps.push_back(Step::Wait(gate.clone()));
        self
    }

    pub(super) fn then_stuck(mut self) -> Self {
        self.steps.push_back(Step::Stuck);
        self
    }

    pub(super) fn then_fail(mut self) -> Self {
        self.steps.push_back(Step::Fail);
        self
    }

    /// Bytes taken from it, readable after it was given away.
    pub(super) fn taken(&self) -> Arc<AtomicU64> {
        self.taken.clone()
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.steps.pop_front() {
            None => Poll::Ready(None),
            Some(Step::Data(data)) => {
                self.taken.fetch_add(data.len() as u64, Ordering::SeqCst);
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Step::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Step::Yield) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Wait(gate)) => match gate.poll(cx) {
                Poll::Ready(()) => self.poll_frame(cx),
                Poll::Pending => {
                    self.steps.push_front(Step::Wait(gate));
                    Poll::Pending
                }
            },
            Some(Step::Stuck) => {
                self.steps.push_front(Step::Stuck);
                Poll::Pending
            }
            Some(Step::Fail) => Poll::Ready(Some(Err(io::Error::other("the caller's body failed")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
