//! One connection: reads a request, asks the service, writes the response, and again.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::UPGRADE;
use http::{Method, Request};

use super::closing::Closing;
use super::house::{Phase, Place, count};
use super::incoming::{Incoming, IncomingError, Left, Offer, PeerAddr};
use super::link::Link;
use super::options::PeerIn;
use super::service::HttpService;
use super::socket::{Fault, Socket};
use super::timer::Timer;
use super::upgrade::Upgraded;
use crate::report::StreamEnd;
use crate::runtime::{Io, Runtime};
use crate::time::Instant;
use crate::wire::h1::{BodyKind, Error as WireError, ServerEvent};

/// Turns of one poll at most, so that a client that never pauses does not keep its thread.
const TURNS: usize = 128;
/// Written to a client whose request did not become complete in time. Not by the protocol machine:
/// for it there is no request yet.
const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// ```text
///   +--> Head -----> Waiting -----> Serving -----> Sending -----> Flushing --+
///   |     |   head     |    ready      |  response    |   complete    |      |
///   |     |            |               +--------------|---------------+      +--> gone
///   |     |            |               |              |    101, CONNECT      |
///   |     +------------+---------------+--> Closing   |   +--> HandingOver --+--> Upgraded
///   |       refused, timed out, failed                |                      |
///   +---------------------- next request -------------+----------------------+--> Closing
/// ```
///
/// The future of the response and its body are not in here but beside it: they are pinned, in boxes
/// that serve all exchanges of the connection.
#[derive(Debug)]
pub(super) enum Stage {
    /// No request, or a part of a head.
    Head,
    /// The service is not ready for the request yet.
    Waiting,
    /// The service works on its response.
    Serving,
    /// The head of the response was written; its content follows.
    Sending,
    /// The response is complete and goes out.
    Flushing,
    /// The head of a switching response goes out.
    HandingOver,
    /// The last exchange is over.
    Closing(Closing),
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Another turn.
    Again,
    /// Something outside has to happen first.
    Wait,
}

/// The connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Its socket is to be closed.
    Close,
    /// Its socket goes to the service.
    HandOver,
}

/// The future that serves one connection.
pub(crate) struct Connection<R: Runtime, I, S: HttpService<I>>(Option<Inner<R, I, S>>);

pub(super) struct Inner<R: Runtime, I, S: HttpService<I>> {
    // First, so that the socket is closed before the place is free.
    pub(super) socket: Socket<I>,
    pub(super) stage: Stage,
    pub(super) request: Option<Request<Incoming<I>>>,
    pub(super) call: Pin<Box<Option<S::Future>>>,
    pub(super) body: Pin<Box<Option<S::Body>>>,
    pub(super) service: S,
    pub(super) link: Arc<Link<I>>,
    pub(super) content: Content,
    method: Asked,
    peer: SocketAddr,
    served: u64,
    pub(super) runtime: R,
    timer: Timer<R>,
    /// When the last exchange ended, or the connection was accepted.
    idle_since: Instant,
    /// When the first byte of an incomplete head had come.
    head_since: Option<Instant>,
    /// Until when another request may come.
    lives_until: Option<Instant>,
    pub(super) place: Place,
}

/// How far the content of the request was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// There may be more.
    Open,
    /// All of it was, or there was none.
    Read,
}

/// What of the request decides about a switch of protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Connect,
    Other,
}

impl<R: Runtime, I: Io, S: HttpService<I>> Connection<R, I, S> {
    pub(crate) fn new(runtime: R, io: I, peer: SocketAddr, service: S, place: Place) -> Self {
        let now = runtime.now();
        let options = &place.house().options;
        Self(Some(Inner {
            socket: Socket::new(io, options.h1.clone()),
            stage: Stage::Head,
            request: None,
            call: Box::pin(None),
            body: Box::pin(None),
            service,
            link: Arc::new(Link::new()),
            content: Content::Read,
            method: Asked::Other,
            peer,
            served: 0,
            timer: Timer::new(),
            idle_since: now,
            head_since: None,
            lives_until: options.max_connection_duration.map(|limit| now + limit),
            runtime,
            place,
        }))
    }
}

// Nothing is pinned in place: what needs it is in a box.
impl<R: Runtime, I, S: HttpService<I>> Unpin for Connection<R, I, S> {}

impl<R: Runtime, I: Io, S: HttpService<I>> Future for Connection<R, I, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(inner) = &mut self.0 else { return Poll::Ready(()) };
        inner.socket.borrow_buffers();
        let over = inner.run(cx);
        inner.socket.return_buffers();
        match over {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Over::Close) => {
                inner.link.close(inner.served);
                self.0 = None;
            }
            Poll::Ready(Over::HandOver) => {
                if let Some(inner) = self.0.take() {
                    inner.hand_over();
                }
            }
        }
        Poll::Ready(())
    }
}

impl<R: Runtime, I, S: HttpService<I>> Drop for Connection<R, I, S> {
    fn drop(&mut self) {
        if let Some(inner) = &self.0 {
            inner.link.close(inner.served);
        }
    }
}

impl<R: Runtime, I: Io, S: HttpService<I>> Inner<R, I, S> {
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        self.place.register(cx.waker());
        for _ in 0..TURNS {
            match self.place.house().phase() {
                Phase::Open => {}
                // A response whose head was not written yet will say so (RFC 9112 9.6).
                Phase::Draining => self.socket.wire.close_after(),
                Phase::Cut => return Poll::Ready(Over::Close),
            }
            match self.turn(cx) {
                Ok(Flow::Again) => continue,
                Ok(Flow::Wait) => {}
                Err(over) => return Poll::Ready(over),
            }
            let deadline = self.deadline();
            match self.timer.poll_until(cx, &self.runtime, deadline) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => {
                    if let Err(over) = self.handle_timeout() {
                        return Poll::Ready(over);
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        match &mut self.stage {
            Stage::Head => self.read_head(cx),
            Stage::Waiting => self.call_service(cx),
            Stage::Serving => self.await_response(cx),
            Stage::Sending => self.send(cx),
            Stage::Flushing => match self.flush(cx)? {
                Poll::Ready(()) => self.end_exchange(),
                Poll::Pending => Ok(Flow::Wait),
            },
            Stage::HandingOver => match self.flush(cx)? {
                Poll::Ready(()) => Err(Over::HandOver),
                Poll::Pending => Ok(Flow::Wait),
            },
            Stage::Closing(closing) => closing.turn(cx, &mut self.socket, &self.runtime),
        }
    }

    fn read_head(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        match self.socket.poll_event(cx) {
            Poll::Ready(Ok(ServerEvent::Head(request, kind))) => self.begin(request, kind),
            Poll::Ready(Ok(ServerEvent::Closed) | Err(Fault::Gone)) => Err(Over::Close),
            Poll::Ready(Ok(_)) => Ok(Flow::Again),
            Poll::Ready(Err(Fault::Protocol(error))) => self.refuse(error),
            Poll::Pending if !self.socket.wire.is_idle() => {
                // The clock is read only while a head comes in pieces.
                if self.head_since.is_none() {
                    self.head_since = Some(self.runtime.now());
                }
                Ok(Flow::Wait)
            }
            Poll::Pending => match self.place.house().phase() {
                Phase::Open => Ok(Flow::Wait),
                Phase::Draining | Phase::Cut => Err(Over::Close),
            },
        }
    }

    /// A request begins.
    fn begin(&mut self, request: Request<()>, kind: BodyKind) -> Result<Flow, Over> {
        self.head_since = None;
        self.served += 1;
        let house = self.place.house();
        count(&house.counters.requests);
        if house.options.max_requests_per_connection.is_some_and(|limit| self.served >= limit) {
            self.socket.wire.close_after();
        }
        let left = match kind {
            BodyKind::Empty => Left::Nothing,
            BodyKind::Length(length) => Left::Bytes(length),
            BodyKind::Chunked | BodyKind::UntilEof | BodyKind::Tunnel => Left::Unknown,
        };
        self.content = if left == Left::Nothing { Content::Read } else { Content::Open };
        if left == Left::Nothing {
            // Also what lets a switching response be sent.
            if let Err(error) = self.socket.look_ahead() {
                return self.refuse(error);
            }
        }
        self.method = if *request.method() == Method::CONNECT { Asked::Connect } else { Asked::Other };
        let offers = self.method == Asked::Connect || request.headers().contains_key(UPGRADE);
        let offer = if offers { Offer::Tunnel } else { Offer::None };
        self.link.begin(self.served, left != Left::Nothing);
        let incoming = Incoming::new(self.link.clone(), self.served, self.peer, left, offer);
        let mut request = request.map(|()| incoming);
        if self.place.house().options.peer == PeerIn::BodyAndExtensions {
            request.extensions_mut().insert(PeerAddr(self.peer));
        }
        self.request = Some(request);
        self.stage = Stage::Waiting;
        Ok(Flow::Again)
    }

    /// Whether a response with this status makes the connection a tunnel.
    pub(super) fn switches(&self, status: http::StatusCode) -> bool {
        status == http::StatusCode::SWITCHING_PROTOCOLS
            || (self.method == Asked::Connect && status.is_success())
    }

    /// Writes what waits to be written.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Over> {
        match self.socket.poll_write(cx) {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(error)) => {
                tracing::debug!(peer = %self.peer, %error, "write failed");
                Err(Over::Close)
            }
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// The response is out: what becomes of the connection.
    fn end_exchange(&mut self) -> Result<Flow, Over> {
        self.link.close(self.served);
        // What came of the request and was not read is of no use any more.
        self.socket.next_exchange();
        let end = loop {
            match self.socket.next_told() {
                Ok(Some(ServerEvent::End(end))) => break end,
                Ok(Some(ServerEvent::Closed) | None) | Err(_) => break StreamEnd::RequestUnfinished,
                Ok(Some(_)) => {}
            }
        };
        self.content = Content::Read;
        match end {
            StreamEnd::Complete => {
                self.socket.next_exchange();
                self.idle_since = self.runtime.now();
                self.stage = Stage::Head;
                Ok(Flow::Again)
            }
            // All of the request was read and no other follows: nothing can cross our FIN.
            StreamEnd::CloseNotified => Err(Over::Close),
            StreamEnd::Final
            | StreamEnd::RequestUnfinished
            | StreamEnd::LocalReset
            | StreamEnd::RemoteReset
            | StreamEnd::RemoteRefused => Ok(self.close()),
        }
    }

    /// Answers a request that broke the protocol, as far as that can be, and closes.
    pub(super) fn refuse(&mut self, error: WireError) -> Result<Flow, Over> {
        tracing::debug!(peer = %self.peer, %error, "request refused");
        self.link.fail(IncomingError::Protocol(error));
        self.abandon();
        if matches!(error, WireError::Eof(_)) {
            return Err(Over::Close);
        }
        count(&self.place.house().counters.refused);
        self.socket.wire.send_refusal(&mut self.socket.outbox);
        Ok(self.close())
    }

    /// Drops what the service was doing.
    pub(super) fn abandon(&mut self) {
        self.request = None;
        self.call.set(None);
        self.body.set(None);
        self.content = Content::Read;
        self.link.close(self.served);
    }

    /// Closes in the way of RFC 9112 9.6, so that what was written can be read.
    pub(super) fn close(&mut self) -> Flow {
        let closing = Closing::new(self.place.house().options.delayed_close_timeout, self.runtime.now());
        self.stage = Stage::Closing(closing);
        Flow::Again
    }

    fn deadline(&self) -> Option<Instant> {
        let options = &self.place.house().options;
        match &self.stage {
            Stage::Head => {
                let idle = options.idle_timeout.map(|limit| self.idle_since + limit);
                let head = self.head_since.zip(options.request_headers_timeout);
                let head = head.map(|(since, limit)| since + limit);
                [idle, head, self.lives_until].into_iter().flatten().min()
            }
            Stage::Waiting | Stage::Serving | Stage::Sending | Stage::Flushing => self.lives_until,
            Stage::HandingOver => None,
            Stage::Closing(closing) => closing.deadline(),
        }
    }

    fn handle_timeout(&mut self) -> Result<(), Over> {
        let now = self.runtime.now();
        match &self.stage {
            Stage::Head if self.socket.wire.is_idle() => {
                count(&self.place.house().counters.timeouts);
                Err(Over::Close)
            }
            // Only its age: the request that is coming in is the last one.
            Stage::Head if !self.is_late(now) => {
                self.outlive();
                Ok(())
            }
            Stage::Head => {
                count(&self.place.house().counters.timeouts);
                self.socket.outbox.push_slice(TIMED_OUT);
                self.close();
                Ok(())
            }
            Stage::Waiting | Stage::Serving | Stage::Sending | Stage::Flushing | Stage::HandingOver => {
                self.outlive();
                Ok(())
            }
            Stage::Closing(_) => Err(Over::Close),
        }
    }

    /// Whether a head takes too long to come.
    fn is_late(&self, now: Instant) -> bool {
        let options = &self.place.house().options;
        let idle = options.idle_timeout.is_some_and(|limit| now >= self.idle_since + limit);
        let head = self.head_since.zip(options.request_headers_timeout);
        idle || head.is_some_and(|(since, limit)| now >= since + limit)
    }

    /// The connection has reached its age: its current exchange is the last.
    fn outlive(&mut self) {
        self.lives_until = None;
        self.socket.wire.close_after();
    }

    fn hand_over(self) {
        let Self { socket, link, place, .. } = self;
        let (io, early) = socket.into_parts();
        // Nobody may have asked for it: then this closes it.
        drop(link.hand_over(Upgraded::new(io, early, place)));
    }
}
