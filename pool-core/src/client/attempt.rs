//! One exchange on one bound connection: the bytes, driven inline by whoever polls.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as HttpBody;
use smallvec::SmallVec;

use super::conn::Conn;
use super::error::{BodyError, ErrorKind};
use super::held::{Held, Touched};
use super::request_body::{Piece, RequestBody};
use super::shared::Shared;
use crate::exchange::{Progress, Usage};
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::runtime::worker::{Filled, Scratch, keep_outbox, take_map, take_outbox};
use crate::runtime::{Connect, Io, Runtime};
use crate::time::Instant;
use crate::wire::h1::{Client as Wire, Error as WireError, Event, Input, Outbox, RequestHead};

/// A bound exchange.
pub(crate) struct Attempt<R: Runtime, C: Connect, B> {
    held: Held<R, C>,
    body: RequestBody<B>,
    /// What the socket did not take yet.
    unsent: Option<Box<Outbox>>,
    usage: Usage,
    serial: u64,
    sending: Sending,
    /// Events that came with the last one that was given out.
    ahead: Ahead,
}

/// Content that was read and not handed out yet.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) data: SmallVec<[Bytes; 1]>,
    pub(crate) trailers: Option<Box<HeaderMap>>,
}

/// What followed an event in the same read. Looking ahead lets a small response be complete, and its
/// connection be back in the pool, before its head is given to the caller.
#[derive(Default)]
struct Ahead {
    read: Read,
    end: Option<StreamEnd>,
    error: Option<WireError>,
    /// Whether the machine may have more to tell without further bytes.
    is_cut: bool,
}

/// Chunks taken ahead at most; what is beyond stays unparsed in the connection.
const AHEAD: usize = 4;

impl Ahead {
    /// [`Ahead::pull`] from what was just read, of which the connection keeps what is left.
    #[inline]
    fn pull_read(&mut self, wire: &mut Wire, input: &mut Input<'_>) -> Result<Option<Event>, WireError> {
        let event = self.pull(wire, input);
        wire.keep(input);
        event
    }

    /// The next event, and what follows it in the same input.
    fn pull(&mut self, wire: &mut Wire, input: &mut Input<'_>) -> Result<Option<Event>, WireError> {
        let mut event = None;
        wire.poll_event_into(input, &mut event)?;
        if matches!(event, Some(Event::Head(..) | Event::Data(_))) {
            while self.read.data.len() < AHEAD && self.end.is_none() && self.read.trailers.is_none() {
                let mut next = None;
                if let Err(error) = wire.poll_event_into(input, &mut next) {
                    self.error = Some(error);
                    break;
                }
                match next {
                    Some(Event::Data(data)) => self.read.data.push(data),
                    Some(Event::Trailers(trailers)) => {
                        self.read.trailers = Some(Box::new(trailers));
                        if let Ok(Some(Event::End(end))) = wire.poll_event(input) {
                            self.end = Some(end);
                        }
                    }
                    Some(Event::End(end)) => self.end = Some(end),
                    Some(Event::Informational(_) | Event::Head(..) | Event::Idle(_)) | None => break,
                }
            }
            self.is_cut = self.read.data.len() >= AHEAD && self.end.is_none();
        } else if matches!(event, Some(Event::Trailers(_))) {
            // The end takes no further bytes: nothing would ask for it.
            if let Ok(Some(Event::End(end))) = wire.poll_event(input) {
                self.end = Some(end);
            }
        }
        Ok(event)
    }
}

/// Pieces of a request body sent in one poll at most, so that an endless upload starves nobody.
const TURNS: usize = 32;

/// How far the request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sending {
    Head,
    Body,
    Done,
}

/// What broke an exchange; the connection has been dealt with.
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) progress: Progress,
}

impl<R, C, B> Attempt<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    pub(crate) fn new(shared: Arc<Shared<R, C>>, conn: Box<Conn<C::Io>>, body: RequestBody<B>) -> Self {
        let (usage, serial) = (conn.usage, conn.serial);
        Self {
            held: Held::new(shared, conn),
            body,
            unsent: None,
            usage,
            serial,
            sending: Sending::Head,
            ahead: Ahead::default(),
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// When it ended, if it did regularly.
    pub(crate) fn ended(&self) -> Option<Instant> {
        self.held.ended
    }

    /// Whether the response can no longer end before the request.
    pub(crate) fn request_is_sent(&self) -> bool {
        self.sending == Sending::Done && self.unsent.is_none()
    }

    /// Moves the exchange to another owner; what is left here holds nothing.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            held: self.held.take(),
            body: self.body.take(),
            unsent: self.unsent.take(),
            usage: self.usage,
            serial: self.serial,
            sending: self.sending,
            ahead: std::mem::take(&mut self.ahead),
        }
    }

    /// The request body of a broken exchange.
    pub(crate) fn take_body(&mut self) -> RequestBody<B> {
        self.body.take()
    }

    /// The connection, if the end of the response was read and it was not given back yet.
    #[inline]
    pub(crate) fn conn_at_end(&mut self) -> Option<&mut Conn<C::Io>> {
        self.ahead.end.and_then(|_| self.held.conn())
    }

    /// All that is left of a response whose end was read, once its connection has been given back;
    /// `None` if the exchange goes on.
    #[inline]
    pub(crate) fn take_read(&mut self) -> Option<Read> {
        let end = self.ahead.end?;
        self.finish(end);
        Some(self.take_rest())
    }

    /// What was read ahead of an exchange that is over.
    pub(crate) fn take_rest(&mut self) -> Read {
        std::mem::take(&mut self.ahead.read)
    }

    /// The next chunk that was read ahead.
    pub(crate) fn next_read(&mut self) -> Option<Bytes> {
        let data = &mut self.ahead.read.data;
        if data.is_empty() { None } else { Some(data.remove(0)) }
    }

    /// Keeps trailers until the end of the exchange is told.
    pub(crate) fn keep_trailers(&mut self, trailers: HeaderMap) {
        self.ahead.read.trailers = Some(Box::new(trailers));
    }

    /// The connection of an exchange that became a tunnel, with the first bytes that came on it.
    pub(crate) fn into_tunnel(self) -> (Held<R, C>, Bytes) {
        (self.held, self.ahead.read.data.concat().into())
    }

    /// The response has begun: the request will not be sent again.
    pub(crate) fn response_started(&mut self) {
        self.body.settle();
    }

    /// Sends what can be sent and gives the next event of the response. `head` is needed until the
    /// request's head was sent.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        head: Option<RequestHead<'_>>,
    ) -> Poll<Result<Event, Fault>> {
        let Some(conn) = self.held.conn() else { return Poll::Pending };
        if conn.leash.is_ordered_to_close() {
            return Poll::Ready(Err(self.closed_by_pool()));
        }
        let event = self.poll_exchange(cx, head);
        if event.is_pending() && self.is_ordered_to_close(cx) {
            return Poll::Ready(Err(self.closed_by_pool()));
        }
        event
    }

    /// Whether the pool wants the connection closed; if not, `cx` is woken when it does.
    #[inline]
    fn is_ordered_to_close(&mut self, cx: &Context<'_>) -> bool {
        let Some(conn) = self.held.conn() else { return false };
        conn.leash.register(cx.waker());
        conn.leash.is_ordered_to_close()
    }

    #[cold]
    fn closed_by_pool(&mut self) -> Fault {
        self.broke(ErrorKind::ClosedByPool, Broken::Local)
    }

    #[inline]
    fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        head: Option<RequestHead<'_>>,
    ) -> Poll<Result<Event, Fault>> {
        if !self.request_is_sent() {
            match self.poll_send(cx, head) {
                // The peer may have answered and closed without reading all of the request
                // (RFC 9112 9.5): what it answered is worth more than that the write failed.
                Err(SendFault::Socket(error)) => return self.poll_last_words(cx, error),
                Err(SendFault::Request(fault)) => return Poll::Ready(Err(fault)),
                Ok(()) => {}
            }
        }
        self.poll_receive(cx)
    }

    /// Sends what can be sent of the request, without reading.
    pub(crate) fn drive_request(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if self.is_ordered_to_close(cx) {
            return Err(self.closed_by_pool());
        }
        if self.request_is_sent() {
            return Ok(());
        }
        match self.poll_send(cx, None) {
            // What the peer said before it stopped reading is found by the next read.
            Ok(()) | Err(SendFault::Socket(_)) => Ok(()),
            Err(SendFault::Request(fault)) => Err(fault),
        }
    }

    /// What the connection has kept and what the socket has, until an event comes of it.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Fault>> {
        if let Some(error) = self.ahead.error.take() {
            return Poll::Ready(Err(self.misread(error)));
        }
        let Some(conn) = self.held.conn() else { return Poll::Pending };
        if conn.wire.buffered() > 0 || std::mem::take(&mut self.ahead.is_cut) {
            match self.ahead.pull(&mut conn.wire, &mut Input::nothing()) {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(self.misread(error))),
            }
        }
        loop {
            let Self { held, ahead, .. } = self;
            let Some(Conn { io, wire, .. }) = held.conn() else { return Poll::Pending };
            let mut scratch = Scratch::take();
            let event = match ready!(io.poll_read(cx, &mut scratch)) {
                Ok(0) => ahead.pull_read(wire, &mut Input::eof()),
                Ok(n) => match scratch.filled(n) {
                    Filled::Kept(scratch, n) => {
                        let bytes = scratch.get(..n).unwrap_or_default();
                        ahead.pull_read(wire, &mut Input::new(bytes).maps_from(take_map))
                    }
                    Filled::Lent(bytes) => {
                        ahead.pull_read(wire, &mut Input::lent(&bytes).maps_from(take_map))
                    }
                },
                Err(error) => {
                    return Poll::Ready(Err(self.broke(ErrorKind::Connection(error), Broken::Remote)));
                }
            };
            match event {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(self.misread(error))),
            }
        }
    }

    /// The exchange is over; the connection goes back to its pool, and what was read ahead stays.
    #[inline]
    pub(crate) fn finish(&mut self, end: StreamEnd) {
        if self.unsent.is_some() && end == StreamEnd::Complete {
            // The response came before the last bytes of the request were written.
            self.held.finish(StreamEnd::RequestUnfinished);
        } else {
            self.held.finish(end);
        }
    }

    /// Writes the request as far as socket and body go.
    fn poll_send(&mut self, cx: &mut Context<'_>, head: Option<RequestHead<'_>>) -> Result<(), SendFault> {
        let mut outbox = match self.unsent.take() {
            Some(unsent) => *unsent,
            None => take_outbox(),
        };
        let result = self.fill_and_write(cx, head, &mut outbox);
        if outbox.is_empty() {
            keep_outbox(outbox);
        } else if result.is_ok() {
            self.unsent = Some(Box::new(outbox.take_unsent()));
            keep_outbox(outbox);
        } else {
            outbox.clear();
            keep_outbox(outbox);
        }
        result
    }

    fn fill_and_write(
        &mut self,
        cx: &mut Context<'_>,
        head: Option<RequestHead<'_>>,
        outbox: &mut Outbox,
    ) -> Result<(), SendFault> {
        if let (Sending::Head, Some(head)) = (self.sending, head) {
            let length = self.body.length();
            let Some(conn) = self.held.conn() else { return Ok(()) };
            if let Err(error) = conn.wire.send_request(head, length, outbox) {
                return Err(SendFault::Request(self.broke(ErrorKind::Request(error), Broken::Nothing)));
            }
            self.sending = if conn.wire.request_ended() { Sending::Done } else { Sending::Body };
        }
        let mut turns = 0;
        loop {
            turns += 1;
            if turns > TURNS {
                // A body that is always ready and a socket that takes everything: others run first.
                cx.waker().wake_by_ref();
                return Ok(());
            }
            let has_room = outbox.len() < Outbox::HIGH_WATERMARK;
            let more = if self.sending == Sending::Body && has_room {
                self.fill(cx, outbox)?
            } else {
                Poll::Pending
            };
            if !outbox.is_empty() {
                self.held.touched = Touched::Yes;
                let Some(conn) = self.held.conn() else { return Ok(()) };
                match conn.poll_write(cx, outbox) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Err(SendFault::Socket(error)),
                    Poll::Pending => return Ok(()),
                }
            }
            // All is written. A body that was not asked for lack of room is asked now: nothing else
            // would wake this task.
            if more.is_pending() && (has_room || self.sending != Sending::Body) {
                return Ok(());
            }
        }
    }

    /// Moves one piece of the body; `Pending` if there is none now, or no more at all.
    fn fill(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> Result<Poll<()>, SendFault> {
        let piece = match self.body.poll_piece(cx) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(piece)) => piece,
            Poll::Ready(Err(error)) => {
                return Err(SendFault::Request(self.broke(ErrorKind::RequestBody(error), Broken::Local)));
            }
        };
        let Some(conn) = self.held.conn() else { return Ok(Poll::Pending) };
        let (sent, over) = match piece {
            Piece::Data(data) => (conn.wire.send_data(data, outbox), false),
            Piece::Trailers(trailers) => (conn.wire.end_request(Some(&trailers), outbox), true),
            Piece::End => (conn.wire.end_request(None, outbox), true),
        };
        if let Err(error) = sent {
            return Err(SendFault::Request(self.broke(ErrorKind::Request(error), Broken::Local)));
        }
        if over || conn.wire.request_ended() {
            self.sending = Sending::Done;
            return Ok(Poll::Pending);
        }
        Ok(Poll::Ready(()))
    }

    /// The socket took no more: reads what the peer had said before.
    fn poll_last_words(&mut self, cx: &mut Context<'_>, error: io::Error) -> Poll<Result<Event, Fault>> {
        match self.poll_receive(cx) {
            Poll::Ready(Ok(event)) => Poll::Ready(Ok(event)),
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => Poll::Ready(Err(self.broke(ErrorKind::Connection(error), Broken::Remote))),
        }
    }

    /// The protocol machine refused what came.
    fn misread(&mut self, error: WireError) -> Fault {
        let broken = match error {
            WireError::Eof(_) => Broken::Remote,
            WireError::Peer(_) | WireError::Limit(_) => Broken::Protocol,
        };
        self.broke(ErrorKind::Protocol(error), broken)
    }

    /// Deals with the connection of a broken exchange and says how far the exchange had come.
    fn broke(&mut self, kind: ErrorKind, broken: Broken) -> Fault {
        let progress = match self.held.conn() {
            Some(conn) if conn.wire.response_started() => Progress::ResponseStarted,
            Some(_) | None => match self.held.touched {
                Touched::Yes => Progress::RequestSent,
                Touched::No => Progress::NothingSent,
            },
        };
        match broken {
            Broken::Nothing => self.held.finish(StreamEnd::Complete),
            Broken::Local => self.held.fail(Some(StreamEnd::LocalReset), None, ClosedBy::Local),
            // The streams of a connection that broke the protocol end with it.
            Broken::Protocol => self.held.fail(None, Some(Report::ProtocolError), ClosedBy::Local),
            Broken::Remote => self.held.fail(Some(StreamEnd::RemoteReset), None, ClosedBy::Remote),
        }
        Fault { kind, progress }
    }
}

/// Who is to blame, and with that what is reported.
#[derive(Clone, Copy)]
enum Broken {
    /// Nothing is broken: the request was refused before a byte was written.
    Nothing,
    Local,
    Remote,
    Protocol,
}

enum SendFault {
    Socket(io::Error),
    Request(Fault),
}
