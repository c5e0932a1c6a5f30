//! Bodies on their way through.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pool_core::runtime::Runtime as _;
use pool_core::server::{BoxError, IncomingError};
use pool_core::time::Instant;
use runtime_tokio::{Incoming, Tcp, Tokio};

use super::failure::{self, Reset};
use super::watch::Watch;

/// The client of a worker.
pub(crate) type Client = pool_core::client::Client<Tokio, Tcp, RequestBody>;
/// A request of ours.
pub(crate) type Call = pool_core::client::Call<Tokio, Tcp, RequestBody>;
/// A response of an upstream.
pub(crate) type UpstreamBody = pool_core::client::Body<Tokio, Tcp, RequestBody>;

/// Whether trailers pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trailers {
    Pass,
    Drop,
}

/// The content of a request, from the client to an upstream.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// There is none.
    Empty,
    /// Read from the client as the upstream takes it.
    Streamed { incoming: Incoming, upload: Arc<Upload>, trailers: Trailers },
}

/// How far a request's content has come; shared by who reads it and who waits for the response.
#[derive(Debug)]
pub(crate) struct Upload {
    clock: Tokio,
    /// When the last of it was read, in nanoseconds, plus one.
    ended: AtomicU64,
    waiting: Mutex<Option<Waker>>,
}

impl Upload {
    pub(crate) fn new(clock: Tokio) -> Self {
        Self { clock, ended: AtomicU64::new(0), waiting: Mutex::new(None) }
    }

    /// When the request was received completely; if it was not, `waker` is woken when it is.
    pub(crate) fn ended(&self, waker: &Waker) -> Option<Instant> {
        if let Some(at) = self.ended_at() {
            return Some(at);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(waiting) => waiting.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        drop(waiting);
        self.ended_at()
    }

    /// When the request was received completely.
    pub(crate) fn ended_at(&self) -> Option<Instant> {
        let nanos = self.ended.load(Ordering::Acquire).checked_sub(1)?;
        Some(Instant::ZERO + std::time::Duration::from_nanos(nanos))
    }

    fn end(&self) {
        if self.ended_at().is_some() {
            return;
        }
        self.ended.store(self.clock.now().as_nanos() + 1, Ordering::Release);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = IncomingError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingError>>> {
        let Self::Streamed { incoming, upload, trailers } = self.get_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        let frame = match frame {
            Some(Ok(frame)) if frame.is_trailers() && *trailers == Trailers::Drop => None,
            other => other,
        };
        match &frame {
            Some(Ok(frame)) => {
                if incoming.is_end_stream() || frame.is_trailers() {
                    upload.end();
                }
            }
            None => upload.end(),
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// The content of a response, from an upstream or the proxy to the client.
pub struct ResponseBody {
    source: Source,
    watch: Option<Watch>,
}

enum Source {
    Ready(Bytes),
    Upstream { body: UpstreamBody, trailers: Trailers },
    Over,
}

impl ResponseBody {
    /// Content that is there.
    pub(crate) fn ready(content: Bytes) -> Self {
        let source = if content.is_empty() { Source::Over } else { Source::Ready(content) };
        Self { source, watch: None }
    }

    /// Content that an upstream sends; `watch` is told what becomes of it.
    pub(crate) fn upstream(body: UpstreamBody, trailers: Trailers, mut watch: Watch) -> Self {
        if body.is_end_stream() {
            watch.complete();
        }
        Self { source: Source::Upstream { body, trailers }, watch: Some(watch) }
    }

    /// `watch` is told what becomes of it.
    pub(crate) fn watched(mut self, mut watch: Watch) -> Self {
        if self.is_end_stream() {
            watch.complete();
        }
        self.watch = Some(watch);
        self
    }
}

impl ResponseBody {
    /// Tells the watch what goes to the client.
    fn account(&mut self, frame: Option<&Result<Frame<Bytes>, BoxError>>) {
        let is_over = match frame {
            Some(Ok(_)) => self.is_end_stream(),
            Some(Err(_)) => {
                self.source = Source::Over;
                return;
            }
            None => {
                self.source = Source::Over;
                true
            }
        };
        if let (true, Some(watch)) = (is_over, &mut self.watch) {
            watch.complete();
        }
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = match &mut this.source {
            Source::Over => None,
            Source::Ready(content) => {
                let content = std::mem::take(content);
                this.source = Source::Over;
                Some(Ok(Frame::data(content)))
            }
            Source::Upstream { body, trailers } => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() && *trailers == Trailers::Drop => None,
                Poll::Ready(Some(Ok(frame))) => Some(Ok(frame)),
                Poll::Ready(Some(Err(error))) => {
                    if let Some(watch) = &mut this.watch {
                        let reset = Reset::of(error.kind());
                        watch.broke(failure::snake(reset.reason), reset.flag);
                    }
                    Some(Err(BoxError::from(error)))
                }
                Poll::Ready(None) => None,
                Poll::Pending => {
                    if let Some(watch) = &mut this.watch {
                        ready!(watch.poll_over(cx));
                        this.source = Source::Over;
                        return Poll::Ready(Some(Err("the route's time is over".into())));
                    }
                    return Poll::Pending;
                }
            },
        };
        this.account(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Over => true,
            Source::Ready(content) => content.is_empty(),
            Source::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Over => SizeHint::with_exact(0),
            Source::Ready(content) => SizeHint::with_exact(content.len() as u64),
            Source::Upstream { body, .. } => body.size_hint(),
        }
    }
}
