//! One case's surroundings: a server with a scripted service, and the check that nothing is left.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use super::super::PATIENCE;
use super::super::content::Content;
use super::super::turns::{either, yield_now};
use super::ServerHarness;
use super::visitor::{Visit, Visitor};
use super::watcher::Watcher;
use crate::runtime::{Accept, Runtime};
use crate::server::{BoxError, Builder, Incoming, ServerHandle, Snapshot};
use crate::time::Instant;

/// The streams of a harness.
pub(super) type Io<H> = <<H as ServerHarness>::Listener as Accept>::Io;
/// A request to a server under test.
pub(super) type Asked<H> = Request<Incoming<Io<H>>>;
/// What a scripted service gives.
pub(super) type Answer<H> = Result<Response<Reply<Io<H>>>, BoxError>;

type Answering<I> = Pin<Box<dyn Future<Output = Result<Response<Reply<I>>, BoxError>> + Send>>;

/// A listener that may be told to fail.
pub struct Entrance<L> {
    listener: L,
    failures: u64,
}

impl<L: Accept> Accept for Entrance<L> {
    type Io = L::Io;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(L::Io, SocketAddr)>> {
        if self.failures > 0 {
            self.failures -= 1;
            return Poll::Ready(Err(io::Error::other("no descriptors")));
        }
        self.listener.poll_accept(cx)
    }
}

/// A service whose answers a case decides.
pub struct Host<I>(Arc<dyn Fn(Request<Incoming<I>>) -> Answering<I> + Send + Sync>);

impl<I> Clone for Host<I> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I: 'static> Service<Request<Incoming<I>>> for Host<I> {
    type Response = Response<Reply<I>>;
    type Error = BoxError;
    type Future = Answering<I>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming<I>>) -> Answering<I> {
        (self.0)(request)
    }
}

/// The body of a scripted response.
pub enum Reply<I> {
    /// As a case wrote it.
    Content(Content),
    /// The request's, as it comes.
    Echo(Incoming<I>),
    /// As a case wrote it, and whoever wants to know what becomes of it.
    Guarded(Content, Watcher<I>),
}

impl<I> Body for Reply<I> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Content(content) | Self::Guarded(content, _) => {
                Pin::new(content).poll_frame(cx).map_err(BoxError::from)
            }
            Self::Echo(incoming) => Pin::new(incoming).poll_frame(cx).map_err(BoxError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Content(content) | Self::Guarded(content, _) => content.is_end_stream(),
            Self::Echo(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Content(content) | Self::Guarded(content, _) => content.size_hint(),
            Self::Echo(incoming) => incoming.size_hint(),
        }
    }
}

/// What a case works with.
pub(super) struct Site<H: ServerHarness> {
    pub(super) runtime: H::Runtime,
    pub(super) connector: H::Connector,
    pub(super) address: SocketAddr,
    pub(super) handle: ServerHandle<H::Runtime>,
}

type Build<R> = dyn FnOnce(Builder<R>) -> Builder<R>;

/// How a server is set up.
pub(super) struct Setup<H: ServerHarness> {
    build: Box<Build<H::Runtime>>,
    failures: u64,
}

impl<H: ServerHarness> Setup<H> {
    pub(super) fn defaults() -> Self {
        Self::with(|builder| builder)
    }

    pub(super) fn with(build: impl FnOnce(Builder<H::Runtime>) -> Builder<H::Runtime> + 'static) -> Self {
        Self { build: Box::new(build), failures: 0 }
    }

    /// The listener fails so often before it works.
    pub(super) fn with_failures(failures: u64) -> Self {
        Self { failures, ..Self::defaults() }
    }
}

/// Runs a case against a server; afterwards the server shuts down, and nothing may be left of it.
pub(super) fn serve<H, Fut>(
    setup: Setup<H>,
    host: impl Fn(Asked<H>) -> Fut + Send + Sync + 'static,
    case: impl AsyncFnOnce(&Site<H>),
) where
    H: ServerHarness,
    Fut: Future<Output = Answer<H>> + Send + 'static,
{
    H::run(|runtime, connector, listener, address| async move {
        let limit = runtime.clone();
        let host = Host(Arc::new(move |request| -> Answering<Io<H>> { Box::pin(host(request)) }));
        let builder = (setup.build)(Builder::new(runtime.clone()));
        let handle = builder.serve(Entrance { listener, failures: setup.failures }, host);
        let site = Site::<H> { runtime, connector, address, handle };
        let whole = async {
            case(&site).await;
            site.finish().await;
        };
        either(whole, async {
            limit.sleep(limit.now() + PATIENCE * 3).await;
            panic!("the case hangs");
        })
        .await;
    });
}

impl<H: ServerHarness> Site<H> {
    /// Runs a client in a thread, to its end.
    pub(super) async fn visit(&self, script: impl FnOnce(&mut Visitor) + Send + 'static) {
        self.begin_visit(script).done().await;
    }

    /// Starts a client in a thread.
    pub(super) fn begin_visit(&self, script: impl FnOnce(&mut Visitor) + Send + 'static) -> Visit {
        Visit::begin(self.address, script)
    }

    pub(super) fn now(&self) -> Instant {
        self.runtime.now()
    }

    /// Lets a timeout of the server pass, where the case is about what it does not do.
    pub(super) async fn pause(&self, duration: Duration) {
        self.runtime.sleep(self.now() + duration).await;
    }

    /// Lets the other tasks run until the counts look as they should.
    pub(super) async fn until(&self, seen: impl Fn(&Snapshot) -> bool) {
        while !seen(&self.handle.snapshot()) {
            yield_now().await;
        }
    }

    async fn finish(&self) {
        assert_eq!(self.handle.shutdown(PATIENCE).await, 0, "connections that had to be cut");
        assert_eq!(self.handle.snapshot().active, 0);
        let refused = TcpStream::connect(self.address).map(drop).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused), "the port is closed");
    }
}

/// A response with this content.
pub(super) fn reply<H: ServerHarness>(content: impl Into<Bytes>) -> Answer<H> {
    reply_with::<H>(StatusCode::OK, Content::full(content))
}

pub(super) fn reply_with<H: ServerHarness>(status: StatusCode, content: Content) -> Answer<H> {
    let mut response = Response::new(Reply::Content(content));
    *response.status_mut() = status;
    Ok(response)
}

/// Answers with the path.
pub(super) async fn tell_path<H: ServerHarness>(request: Asked<H>) -> Answer<H> {
    reply::<H>(request.uri().path().to_owned())
}

/// Reads all of a request's content.
pub(super) async fn read<I>(incoming: &mut Incoming<I>) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
    let mut all = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            all.extend_from_slice(&data);
        }
    }
    Ok(all)
}

/// Counts who is in it.
#[derive(Clone, Default)]
pub(super) struct Room(Arc<(AtomicU64, AtomicU64)>);

/// Somebody in a [`Room`].
pub(super) struct Inside(Room);

impl Room {
    pub(super) fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    pub(super) fn inside(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    /// The most that were inside at a time.
    pub(super) fn most(&self) -> u64 {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
