//! The server role.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::body::{Body, BodyStep};
use super::framing::Version;
use super::respond::{self, After, Answer, Context, Continue};
use super::rest::{Rest, Source};
use super::scan::Scan;
use super::sending::Sending;
use super::{
    BodyLength, EofAt, Error, Input, Limits, Outbox, ResponseHead, SendError, ServerEvent, Violation, encode,
    head_parse,
};
use crate::report::StreamEnd;

/// ```text
///   +--> Head ---- request head ----> Body ---- all of it ----> Ended ---- response sent --+
///   |     |                            |                          |                        |
///   |     +-- FIN: Closed --> Over     +-- response sent first    +-- 101, 2xx to CONNECT  |
///   |                                  |   (Unfinished) --> Over  |                        |
///   |                                                             +--> Tunnel --> Over     |
///   +------------------- Complete ---------------------------------------------------------+--> Over (else)
///                                  any error: Failed
/// ```
#[derive(Debug)]
enum Receive {
    /// A head is expected or being read; an empty line in front of it may have been skipped.
    Head { scan: Scan, skipped: Skipped },
    /// Content that came with the head is told first.
    Body { content: Bytes, body: Body },
    /// The request is complete and being answered.
    Ended,
    /// Another protocol, until the end of input.
    Tunnel,
    /// No further exchange: everything that comes is discarded.
    Over,
    /// An error was told, and is told again.
    Failed(Error),
}

/// Empty lines in front of a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    /// None yet.
    No,
    /// One; the next is an error.
    One,
}

/// One HTTP/1 connection from a client: one exchange at a time, many in sequence.
#[derive(Debug)]
pub struct Server {
    limits: Limits,
    receive: Receive,
    sending: Sending,
    context: Context,
    rest: Rest,
}

impl Server {
    /// A connection that has just been accepted.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            receive: Receive::Head { scan: Scan::default(), skipped: Skipped::No },
            sending: Sending::Nothing,
            context: Context::default(),
            rest: Rest::default(),
        }
    }

    /// Whether no exchange is in progress and nothing of a next request has arrived.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match self.receive {
            Receive::Head { .. } => self.rest.is_empty(),
            Receive::Over | Receive::Failed(_) => true,
            Receive::Body { .. } | Receive::Ended | Receive::Tunnel => false,
        }
    }

    /// Whether the connection may serve another request after the current one.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        match self.receive {
            Receive::Head { .. } | Receive::Body { .. } | Receive::Ended => self.context.after == After::Next,
            Receive::Tunnel | Receive::Over | Receive::Failed(_) => false,
        }
    }

    /// Whether reading makes sense now: false while a complete request is being answered and the
    /// client has already sent more, and after the last exchange.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match self.receive {
            Receive::Head { .. } | Receive::Body { .. } | Receive::Tunnel => !self.rest.ends(),
            Receive::Ended => self.rest.is_empty() && !self.rest.ends(),
            Receive::Over | Receive::Failed(_) => false,
        }
    }

    /// Whether the client waits for 100 before it sends the content (RFC 9110 10.1.1): it said so,
    /// and neither an answer went out nor did content arrive.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.context.expect == Continue::Expected
    }

    /// Whether the response being sent still takes content.
    #[must_use]
    pub fn wants_data(&self) -> bool {
        self.sending.wants_data()
    }

    /// Whether the connection carries another protocol now (101, success of CONNECT).
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        matches!(self.receive, Receive::Tunnel)
    }

    /// Bytes of the head of the current request, its end included.
    #[must_use]
    pub fn head_bytes(&self) -> usize {
        self.context.head_bytes
    }

    /// Bytes kept of what was read and could not be used yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.rest.len()
    }

    /// Bytes of memory held for input; 0 while idle.
    #[must_use]
    pub fn buffer_capacity(&self) -> usize {
        self.rest.capacity()
    }

    /// No further request after the current one: its response, if its head has not been sent, will
    /// say `Connection: close`.
    pub fn close_after(&mut self) {
        if self.context.after == After::Next {
            self.context.after = After::WeClose;
        }
    }

    /// Writes an interim response (1xx, not 101). Left out, without error, towards an HTTP/1.0 client
    /// (RFC 9110 15.2).
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_informational(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        self.check_unanswered()?;
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(SendError::Status);
        }
        if self.context.version == Version::Http10 {
            return Ok(());
        }
        out.write_with(|into| {
            encode::status_line(into, status);
            let said = encode::fields(into, headers)?;
            if said.resolve(BodyLength::None)? != BodyLength::None || said.chunked {
                return Err(SendError::BodyNotAllowed);
            }
            into.extend_from_slice(b"\r\n");
            Ok(())
        })?;
        if status == StatusCode::CONTINUE {
            self.context.expect = Continue::NotExpected;
        }
        Ok(())
    }

    /// Writes the head of the final response, or 101.
    ///
    /// Framing is written here: a `Content-Length` of the caller must agree with `body`, and gives
    /// the length if that is [`BodyLength::Unknown`]. A response without content by its nature (HEAD,
    /// 204, 304) is complete with its head; for HEAD and 304 the length says what GET would give.
    /// `Connection` gets `close` where the connection will not live on, and `keep-alive` towards an
    /// HTTP/1.0 client where it will. `Date` is for the caller to set.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_response(
        &mut self,
        head: ResponseHead<'_>,
        body: BodyLength,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        self.check_unanswered()?;
        let complete = matches!(self.receive, Receive::Ended);
        let mut answer = None;
        out.write_with(|into| {
            answer = Some(self.context.write_response(into, head, body, complete)?);
            Ok(())
        })?;
        let Some(Answer { sending, after }) = answer else { return Ok(()) };
        self.sending = sending;
        self.context.after = after;
        self.context.expect = Continue::NotExpected;
        if sending == Sending::Raw {
            self.receive = Receive::Tunnel;
        }
        Ok(())
    }

    /// After an error of [`poll_event`](Self::poll_event): writes [`Error::status`] as a response without
    /// content that says `Connection: close`. Nothing if the error has no status or a response to the
    /// bad request has begun. The driver closes when that is written.
    pub fn send_refusal(&mut self, out: &mut Outbox) {
        let Receive::Failed(error) = self.receive else { return };
        if let (Some(status), Sending::Nothing) = (error.status(), self.sending) {
            out.push_slice(b"HTTP/1.1 ");
            out.push_slice(status.as_str().as_bytes());
            out.push_slice(b" ");
            out.push_slice(status.canonical_reason().unwrap_or_default().as_bytes());
            out.push_slice(b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            self.sending = Sending::Ended;
        }
    }

    /// As [`send_refusal`](Self::send_refusal), with fields and content of the caller's choice. Also
    /// while a head is awaited, by a driver that waits no longer: then no request is read any more.
    /// `Content-Length` and `Connection: close` are written here.
    ///
    /// # Errors
    /// [`SendError::Busy`] if a response to the request has begun, [`SendError::NotReusable`] behind the
    /// last exchange or an end of input, [`SendError::NoMessage`] if a request is in progress: it is
    /// answered with [`send_response`](Self::send_response). Otherwise what is wrong with `head`.
    /// Nothing was written.
    pub fn send_refusal_with(
        &mut self,
        head: ResponseHead<'_>,
        content: &[u8],
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        match (&self.receive, self.sending) {
            (Receive::Head { .. }, _)
            | (Receive::Failed(Error::Peer(_) | Error::Limit(_)), Sending::Nothing) => {}
            (Receive::Failed(Error::Peer(_) | Error::Limit(_)), _) => return Err(SendError::Busy),
            (Receive::Failed(Error::Eof(_)) | Receive::Over, _) => return Err(SendError::NotReusable),
            (Receive::Body { .. } | Receive::Ended | Receive::Tunnel, _) => return Err(SendError::NoMessage),
        }
        respond::write_refusal(head, content, out)?;
        self.sending = Sending::Ended;
        if let Receive::Head { .. } = self.receive {
            self.receive = Receive::Over;
            self.rest = Rest::default();
        }
        Ok(())
    }

    /// Writes content of the response; in a tunnel, raw bytes.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_data(&mut self, data: Bytes, out: &mut Outbox) -> Result<(), SendError> {
        self.sending.data(data, out)
    }

    /// Ends the response. One that is complete (no content, or all of its declared length sent) may
    /// be ended again. In a tunnel: no more bytes will be sent.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn end_response(&mut self, trailers: Option<&HeaderMap>, out: &mut Outbox) -> Result<(), SendError> {
        self.sending.end(trailers, out)
    }

    /// Keeps what is left of `input`, for a driver that stops polling before `None` because nobody
    /// reads the body. The next [`poll_event`](Self::poll_event) goes on from there.
    pub fn keep(&mut self, input: &mut Input<'_>) {
        self.rest.keep(input, usize::MAX);
    }

    /// Hands over the bytes that were read beyond the head that made this a tunnel, for a driver that
    /// goes on without this connection.
    pub fn take_rest(&mut self, input: &mut Input<'_>) -> Bytes {
        self.rest.take_all(input)
    }

    /// The next event of `input`. `None` when all of it has been taken, or when the connection waits
    /// for the response to be sent: then up to `max_pipelined_bytes` of a next request are kept, and
    /// what exceeds them stays in `input`.
    ///
    /// # Errors
    /// [`Error`], the same one from now on.
    pub fn poll_event(&mut self, input: &mut Input<'_>) -> Result<Option<ServerEvent>, Error> {
        let mut event = None;
        self.poll_event_into(input, &mut event)?;
        Ok(event)
    }

    /// [`poll_event`](Self::poll_event) into a place that holds `None`: an event is large, there are
    /// three per exchange, and most of them are looked at and dropped.
    pub(crate) fn poll_event_into(
        &mut self,
        input: &mut Input<'_>,
        event: &mut Option<ServerEvent>,
    ) -> Result<(), Error> {
        self.next_event(input, event).map_err(|error| self.break_down(error))
    }

    #[cold]
    fn break_down(&mut self, error: Error) -> Error {
        self.receive = Receive::Failed(error);
        self.rest = Rest::default();
        error
    }

    fn next_event(&mut self, input: &mut Input<'_>, event: &mut Option<ServerEvent>) -> Result<(), Error> {
        match &mut self.receive {
            Receive::Failed(error) => return Err(*error),
            Receive::Over => {
                input.take(usize::MAX);
                self.rest = Rest::default();
            }
            Receive::Head { .. } => return self.head_event(input, event),
            Receive::Body { content, body } => {
                if !content.is_empty() {
                    self.context.expect = Continue::NotExpected;
                    *event = Some(ServerEvent::Data(core::mem::take(content)));
                    return Ok(());
                }
                let mut source = Source::new(&mut self.rest, input);
                *event = match body.step(&mut source, &self.limits)? {
                    BodyStep::Data(data) => {
                        self.context.expect = Continue::NotExpected;
                        Some(ServerEvent::Data(data))
                    }
                    BodyStep::Trailers(trailers) => Some(ServerEvent::Trailers(trailers)),
                    BodyStep::End => {
                        self.receive = Receive::Ended;
                        Some(ServerEvent::RequestEnd)
                    }
                    BodyStep::Starved if self.sending.is_complete() => {
                        self.receive = Receive::Over;
                        Some(ServerEvent::End(StreamEnd::RequestUnfinished))
                    }
                    BodyStep::Starved => None,
                };
            }
            Receive::Ended => {
                if self.sending.is_complete() {
                    *event = Some(ServerEvent::End(self.end_exchange()));
                } else {
                    let room = self.limits.max_pipelined_bytes.saturating_sub(self.rest.len());
                    self.rest.keep(input, room);
                }
            }
            Receive::Tunnel => {
                let data = self.rest.take_all(input);
                if !data.is_empty() {
                    *event = Some(ServerEvent::Data(data));
                } else if self.rest.ends() {
                    self.receive = Receive::Over;
                    *event = Some(ServerEvent::End(StreamEnd::Final));
                }
            }
        }
        Ok(())
    }

    fn head_event(&mut self, input: &mut Input<'_>, event: &mut Option<ServerEvent>) -> Result<(), Error> {
        let Receive::Head { scan, skipped } = &mut self.receive else { return Ok(()) };
        let maps = input.maps();
        let mut source = Source::new(&mut self.rest, input);
        // RFC 9112 2.2: one empty line in front of a request line is ignored, as old clients send it
        // behind a body.
        if *skipped == Skipped::No && scan.is_fresh() && source.bytes().starts_with(b"\r\n") {
            source.consume(2);
            *skipped = Skipped::One;
        }
        if source.bytes().is_empty() {
            if source.ends() {
                self.receive = Receive::Over;
                *event = Some(ServerEvent::Closed);
            }
            return Ok(());
        }
        let limits = &self.limits;
        let head = head_parse::read(&mut source, scan, limits, Violation::RequestLine, |bytes, lender| {
            head_parse::request(bytes, lender, limits, maps)
        })?;
        let Some(head) = head else {
            return if source.ends() { Err(Error::Eof(EofAt::Head)) } else { Ok(()) };
        };
        self.context.read_request(&head);
        self.sending = Sending::Nothing;
        let body = Body::new(head.kind, head.content.len());
        self.receive = Receive::Body { content: head.content, body };
        *event = Some(ServerEvent::Head(head.message, head.kind));
        Ok(())
    }

    /// A response may begin only where a request has, and once.
    fn check_unanswered(&self) -> Result<(), SendError> {
        match self.receive {
            Receive::Body { .. } | Receive::Ended => {}
            Receive::Head { .. } | Receive::Tunnel => return Err(SendError::NoMessage),
            Receive::Over | Receive::Failed(_) => return Err(SendError::NotReusable),
        }
        if self.sending == Sending::Nothing { Ok(()) } else { Err(SendError::Busy) }
    }

    fn end_exchange(&mut self) -> StreamEnd {
        let end = match self.context.after {
            After::Next => StreamEnd::Complete,
            After::ClientCloses => StreamEnd::CloseNotified,
            After::WeClose => StreamEnd::Final,
        };
        self.sending = Sending::Nothing;
        self.receive = if end == StreamEnd::Complete {
            Receive::Head { scan: Scan::default(), skipped: Skipped::No }
        } else {
            Receive::Over
        };
        end
    }
}
