//! One connection: reads a request, asks the service, writes the response, and again.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::UPGRADE;
use http::{Method, Request, Version};

use super::closing::Closing;
use super::counters::count;
use super::house::{By, LAST_LOOK, Phase, Place};
use super::incoming::{Incoming, Left, Offer, PeerAddr};
use super::link::Link;
use super::options::{Http10, PeerIn};
use super::pace::Pace;
use super::report::{Outcome, Reason};
use super::service::HttpService;
use super::socket::{Fault, Socket};
use super::tally::Tally;
use super::timer::Timer;
use super::upgrade::Upgraded;
use crate::report::StreamEnd;
use crate::runtime::{Io, Runtime};
use crate::time::Instant;
use crate::wire::h1::{BodyKind, ServerEvent};

/// Turns of one poll at most, so that a client that never pauses does not keep its thread.
const TURNS: usize = 128;
/// Bytes of a long exchange that are counted before its end.
const UNCOUNTED: u64 = 256 * 1024;

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
    /// Its socket is to be closed, by whose doing.
    Close(By),
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
    pub(super) peer: SocketAddr,
    served: u64,
    pub(super) tally: Tally,
    pub(super) pace: Pace,
    pub(super) runtime: R,
    timer: Timer<R>,
    pub(super) accepted: Instant,
    /// When the last exchange ended, or the connection was accepted; `None` until somebody wants to
    /// know.
    pub(super) idle_since: Option<Instant>,
    /// When the first byte of an incomplete head had come.
    pub(super) head_since: Option<Instant>,
    /// Until when another request may come.
    pub(super) lives_until: Option<Instant>,
    /// Once the server drains: until when a request that is on its way is looked for.
    pub(super) last_look: Option<Instant>,
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
            tally: Tally::default(),
            pace: Pace::default(),
            timer: Timer::new(),
            accepted: now,
            idle_since: Some(now),
            head_since: None,
            lives_until: options.max_connection_duration.map(|limit| now + limit),
            last_look: None,
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
        if inner.socket.traffic.read + inner.socket.traffic.written >= UNCOUNTED {
            inner.count_traffic();
        }
        match over {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Over::Close(by)) => {
                inner.leave(by);
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
        if let Some(inner) = &mut self.0 {
            inner.leave(By::Us);
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
                Phase::Cut => return Poll::Ready(Over::Close(By::Us)),
            }
            match self.turn(cx) {
                Ok(Flow::Again) => continue,
                Ok(Flow::Wait) => {}
                Err(over) => return Poll::Ready(over),
            }
            let mut now = None;
            let deadline = self.deadline(&mut now);
            match self.timer.poll_until(cx, &self.runtime, deadline, now) {
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
                Poll::Pending => {
                    // Of a local reply the limits are the server's own.
                    if self.tally.is_open() {
                        let (_, limits) = self.link.look(cx.waker());
                        self.pace.apply(limits);
                    }
                    Ok(Flow::Wait)
                }
            },
            Stage::HandingOver => match self.flush(cx)? {
                Poll::Ready(()) => Err(Over::HandOver),
                Poll::Pending => Ok(Flow::Wait),
            },
            Stage::Closing(closing) => closing.turn(cx, &mut self.socket, &self.runtime),
        }
    }

    fn read_head(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        let mut event = None;
        match self.socket.poll_event(cx, &mut event) {
            Poll::Ready(Ok(())) => match event {
                Some(ServerEvent::Head(request, kind)) => self.begin(cx, request, kind),
                Some(ServerEvent::Closed) => Err(Over::Close(By::Client)),
                Some(
                    ServerEvent::Data(_)
                    | ServerEvent::Trailers(_)
                    | ServerEvent::RequestEnd
                    | ServerEvent::End(_),
                )
                | None => Ok(Flow::Again),
            },
            Poll::Ready(Err(Fault::Gone)) => Err(Over::Close(By::Client)),
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
                // The system may have bytes that nobody was told of yet.
                Phase::Draining => {
                    let runtime = &self.runtime;
                    self.last_look.get_or_insert_with(|| runtime.now() + LAST_LOOK);
                    Ok(Flow::Wait)
                }
                Phase::Cut => Err(Over::Close(By::Us)),
            },
        }
    }

    /// A request begins.
    fn begin(&mut self, cx: &mut Context<'_>, request: Request<()>, kind: BodyKind) -> Result<Flow, Over> {
        self.served += 1;
        let house = self.place.house();
        let options = &house.options;
        count(&house.counters.requests);
        self.pace.begin(options, self.head_since.take());
        self.tally.begin(self.socket.wire.head_bytes());
        if options.max_requests_per_connection.is_some_and(|limit| self.served >= limit) {
            count(&house.counters.max_requests);
            self.socket.wire.close_after();
        }
        let refuses = options.http10 == Http10::Refused && request.version() == Version::HTTP_10;
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
        if refuses {
            self.socket.wire.close_after();
            return self.stop(Reason::Http10, Some(&request));
        }
        let incoming = Incoming::new(self.link.clone(), self.served, self.peer, left, offer);
        let mut request = request.map(|()| incoming);
        if self.place.house().options.peer == PeerIn::BodyAndExtensions {
            request.extensions_mut().insert(PeerAddr(self.peer));
        }
        self.stage = Stage::Waiting;
        self.offer(cx, request)
    }

    /// Whether a response with this status makes the connection a tunnel.
    pub(super) fn switches(&self, status: http::StatusCode) -> bool {
        status == http::StatusCode::SWITCHING_PROTOCOLS
            || (self.method == Asked::Connect && status.is_success())
    }

    /// Writes what waits to be written.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Over> {
        let before = self.socket.traffic.written;
        let written = self.socket.poll_write(cx);
        if self.socket.traffic.written != before {
            self.pace.stir();
        }
        match written {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(error)) => {
                tracing::debug!(peer = %self.peer, %error, "write failed");
                Err(Over::Close(By::Client))
            }
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// The response is out: what becomes of the connection.
    fn end_exchange(&mut self) -> Result<Flow, Over> {
        self.idle_since = None;
        self.conclude(Outcome::Complete);
        self.body.set(None);
        // What came of the request and was not read is of no use any more.
        self.socket.next_exchange();
        let end = loop {
            let mut event = None;
            match (self.socket.next_told(&mut event), event) {
                (Ok(()), Some(ServerEvent::End(end))) => break end,
                (Ok(()), Some(ServerEvent::Closed) | None) | (Err(_), _) => {
                    break StreamEnd::RequestUnfinished;
                }
                (Ok(()), Some(_)) => {}
            }
        };
        self.content = Content::Read;
        match end {
            StreamEnd::Complete => {
                self.socket.next_exchange();
                self.stage = Stage::Head;
                Ok(Flow::Again)
            }
            // All of the request was read and no other follows: nothing can cross our FIN.
            StreamEnd::CloseNotified => Err(Over::Close(By::Us)),
            StreamEnd::Final
            | StreamEnd::RequestUnfinished
            | StreamEnd::LocalReset
            | StreamEnd::RemoteReset
            | StreamEnd::RemoteRefused => Ok(self.close()),
        }
    }

    fn hand_over(mut self) {
        self.settle(Outcome::Upgraded);
        self.count_traffic();
        let Self { socket, link, place, .. } = self;
        let (io, early) = socket.into_parts();
        // Nobody may have asked for it: then this closes it.
        drop(link.hand_over(Upgraded::new(io, early, place)));
    }
}
