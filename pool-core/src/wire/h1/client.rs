//! The client role.

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::body::{Body, BodyStep};
use super::framing::Asked;
use super::rest::{Rest, Source};
use super::scan::Scan;
use super::sending::Sending;
use super::{
    BodyKind, BodyLength, EofAt, Error, Event, Exceeded, IdleClose, Input, Limits, Outbox, RequestHead,
    SendError, Violation, encode, head_parse,
};
use crate::report::StreamEnd;

/// ```text
///            send_request            final head          content read
///   +--> Idle ----------> Head ----------------> Body -----------------> End ---+
///   |     |              |    ^  interim          |   101, 2xx to CONNECT       |
///   |     |              +----+                   +--> Tunnel --> End --> Over  |
///   |     +-- FIN, 408 --> Over                                                 |
///   +---------------- Complete -------------------------------------------------+--> Over (else)
///                                  any error: Failed
/// ```
#[derive(Debug)]
enum Receive {
    /// No exchange. The scanner's place is a response's start.
    Idle,
    /// A head is expected or being read.
    Head { scan: Scan, informational: usize },
    /// Content that came with the head is told first.
    Body { content: Bytes, body: Body, last: Last },
    /// Another protocol, until the end of input.
    Tunnel { content: Bytes },
    /// No further exchange: everything that comes is discarded.
    Over,
    /// An error was told, and is told again.
    Failed(Error),
}

/// Whether the response's head lets another exchange follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// It does.
    No,
    /// The peer said that it closes.
    PeerCloses,
    /// The content ends with the connection.
    UntilEof,
}

/// One HTTP/1 connection to a server: one exchange at a time, many in sequence.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    receive: Receive,
    sending: Sending,
    asked: Asked,
    /// The request said `Connection: close`.
    closes: bool,
    /// A byte of the response has arrived.
    response_started: bool,
    rest: Rest,
}

impl Client {
    /// A connection that has just been established.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            receive: Receive::Idle,
            sending: Sending::Nothing,
            asked: Asked::Plain,
            closes: false,
            response_started: false,
            rest: Rest::default(),
        }
    }

    /// Whether no exchange is in progress (the connection may be closing all the same).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match self.receive {
            Receive::Idle | Receive::Over | Receive::Failed(_) => true,
            Receive::Head { .. } | Receive::Body { .. } | Receive::Tunnel { .. } => false,
        }
    }

    /// Whether another request may be sent now.
    #[must_use]
    pub fn can_reuse(&self) -> bool {
        matches!(self.receive, Receive::Idle) && self.rest.is_empty() && !self.rest.ends()
    }

    /// Whether the request of the current exchange has been handed over completely.
    #[must_use]
    pub fn request_ended(&self) -> bool {
        self.sending.is_complete()
    }

    /// Whether any byte of a response of the current exchange has arrived, interim ones included.
    #[must_use]
    pub fn response_started(&self) -> bool {
        self.response_started
    }

    /// Whether the connection carries another protocol now (101, success of CONNECT).
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        matches!(self.receive, Receive::Tunnel { .. })
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

    /// Starts an exchange: writes the head of a request. With [`BodyLength::None`] (or a length of
    /// 0) the request is complete, otherwise content follows by [`send_data`](Self::send_data).
    ///
    /// `Host` comes from the fields or else from the URI. Framing is written here: a
    /// `Content-Length` of the caller must agree with `body`, and gives the length if that is
    /// [`BodyLength::Unknown`]. Of `Connection`, `close` and options that name other fields are kept;
    /// `Upgrade` and `TE: trailers` get the option they need; `Keep-Alive`, `Proxy-Connection` and
    /// the rest of `TE` are left out.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_request(
        &mut self,
        head: RequestHead<'_>,
        body: BodyLength,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        match self.receive {
            Receive::Idle if self.can_reuse() => {}
            Receive::Idle | Receive::Over | Receive::Failed(_) => return Err(SendError::NotReusable),
            Receive::Head { .. } | Receive::Body { .. } | Receive::Tunnel { .. } => {
                return Err(SendError::Busy);
            }
        }
        let mut sending = Sending::Ended;
        let mut said = encode::Said::default();
        out.write_with(|into| {
            encode::request_line(into, &head)?;
            said = encode::fields(into, head.headers)?;
            let body = said.resolve(body)?;
            if *head.method == Method::CONNECT && body != BodyLength::None {
                return Err(SendError::BodyNotAllowed);
            }
            for (option, wanted) in
                [(&b"close"[..], said.close), (b"upgrade", said.upgrade), (b"te", said.te_trailers)]
            {
                if wanted {
                    encode::field(into, b"connection", option);
                }
            }
            if said.te_trailers {
                encode::field(into, b"te", b"trailers");
            }
            match body {
                // A length of 0 where the method leads one to expect content (RFC 9110 8.6).
                BodyLength::None => {
                    if said.length.is_some() || expects_content(head.method) {
                        encode::length(into, 0);
                    }
                }
                BodyLength::Known(length) => {
                    encode::length(into, length);
                    sending = Sending::Length(length);
                }
                BodyLength::Unknown => {
                    encode::field(into, b"transfer-encoding", b"chunked");
                    sending = Sending::Chunked;
                }
            }
            into.extend_from_slice(b"\r\n");
            Ok(())
        })?;
        self.asked = match *head.method {
            Method::HEAD => Asked::Head,
            Method::CONNECT => Asked::Connect,
            _ if said.upgrade => Asked::Upgrade,
            _ => Asked::Plain,
        };
        self.sending = sending;
        self.closes = said.close;
        self.response_started = false;
        self.receive = Receive::Head { scan: Scan::default(), informational: 0 };
        Ok(())
    }

    /// Writes content of the request; in a tunnel, raw bytes.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_data(&mut self, data: Bytes, out: &mut Outbox) -> Result<(), SendError> {
        let before = self.sending;
        self.sending.data(data, out)?;
        if self.sending != before {
            self.switch_sending();
        }
        Ok(())
    }

    /// Ends the request. One that is complete (no content, or all of its declared length sent) may
    /// be ended again. In a tunnel: no more bytes will be sent.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn end_request(&mut self, trailers: Option<&HeaderMap>, out: &mut Outbox) -> Result<(), SendError> {
        let before = self.sending;
        self.sending.end(trailers, out)?;
        if before != Sending::Raw && self.sending != before {
            self.switch_sending();
        }
        Ok(())
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

    /// The next event of `input`; `None` when all of it has been taken.
    ///
    /// # Errors
    /// [`Error`], the same one from now on.
    pub fn poll_event(&mut self, input: &mut Input<'_>) -> Result<Option<Event>, Error> {
        let mut event = None;
        self.poll_event_into(input, &mut event)?;
        Ok(event)
    }

    /// [`poll_event`](Self::poll_event) into a place that holds `None`: an event is large, there are
    /// three per exchange, and most of them are looked at and dropped.
    pub(crate) fn poll_event_into(
        &mut self,
        input: &mut Input<'_>,
        event: &mut Option<Event>,
    ) -> Result<(), Error> {
        self.next_event(input, event).map_err(|error| self.fail(error))
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.receive = Receive::Failed(error);
        self.sending = Sending::Nothing;
        self.rest = Rest::default();
        error
    }

    #[inline]
    fn next_event(&mut self, input: &mut Input<'_>, event: &mut Option<Event>) -> Result<(), Error> {
        match &mut self.receive {
            Receive::Failed(error) => return Err(*error),
            Receive::Over => {
                input.take(usize::MAX);
                self.rest = Rest::default();
            }
            Receive::Idle => *event = self.idle_event(input)?,
            Receive::Head { .. } => self.head_event(input, event)?,
            Receive::Body { content, body, .. } => {
                if !content.is_empty() {
                    *event = Some(Event::Data(core::mem::take(content)));
                    return Ok(());
                }
                let mut source = Source::new(&mut self.rest, input);
                *event = match body.step(&mut source, &self.limits)? {
                    BodyStep::Data(data) => Some(Event::Data(data)),
                    BodyStep::Trailers(trailers) => Some(Event::Trailers(trailers)),
                    BodyStep::End => Some(Event::End(self.end_exchange())),
                    BodyStep::Starved => None,
                };
            }
            Receive::Tunnel { content } => {
                if !content.is_empty() {
                    *event = Some(Event::Data(core::mem::take(content)));
                    return Ok(());
                }
                let data = self.rest.take_all(input);
                if !data.is_empty() {
                    *event = Some(Event::Data(data));
                } else if self.rest.ends() {
                    self.receive = Receive::Over;
                    *event = Some(Event::End(StreamEnd::Final));
                }
            }
        }
        Ok(())
    }

    /// Nobody asked for anything: a FIN and a 408 are the peer's right, all else is an error.
    fn idle_event(&mut self, input: &mut Input<'_>) -> Result<Option<Event>, Error> {
        let mut source = Source::new(&mut self.rest, input);
        if source.is_eof() {
            self.receive = Receive::Over;
            return Ok(Some(Event::Idle(IdleClose::Eof)));
        }
        let bytes = source.bytes();
        if bytes.is_empty() {
            return Ok(None);
        }
        if !may_be_timeout(bytes) {
            return Err(Violation::Unsolicited.into());
        }
        if bytes.len() >= TIMEOUT_STATUS.len() {
            self.rest = Rest::default();
            input.take(usize::MAX);
            self.receive = Receive::Over;
            return Ok(Some(Event::Idle(IdleClose::RequestTimeout)));
        }
        if source.ends() {
            return Err(Violation::Unsolicited.into());
        }
        source.keep();
        Ok(None)
    }

    fn head_event(&mut self, input: &mut Input<'_>, event: &mut Option<Event>) -> Result<(), Error> {
        let Receive::Head { scan, informational } = &mut self.receive else { return Ok(()) };
        let maps = input.maps();
        let mut source = Source::new(&mut self.rest, input);
        if source.bytes().is_empty() {
            return match source.ends() {
                false => Ok(()),
                true if self.response_started => Err(Error::Eof(EofAt::Head)),
                true => Err(Error::Eof(EofAt::BeforeResponse)),
            };
        }
        self.response_started = true;
        // A peer that speaks another protocol may wait for us after less than what ends a head.
        let bytes = source.bytes();
        let is_line_end = matches!(bytes, [b'\r' | b'\n', ..]);
        if !is_line_end && bytes.iter().zip(b"HTTP/").any(|(is, should)| is != should) {
            return Err(Violation::Version.into());
        }
        let asked = self.asked;
        let limits = &self.limits;
        let head = head_parse::read(&mut source, scan, limits, Violation::StatusLine, |bytes, lender| {
            head_parse::response(bytes, lender, limits, asked, maps)
        })?;
        let Some(head) = head else {
            return if source.ends() { Err(Error::Eof(EofAt::Head)) } else { Ok(()) };
        };
        let status = head.message.status();
        if status.is_informational() && head.kind != BodyKind::Tunnel {
            *informational += 1;
            if *informational > limits.max_informational {
                return Err(Exceeded::Informational.into());
            }
            *event = Some(Event::Informational(head.message));
            return Ok(());
        }
        if head.kind == BodyKind::Tunnel {
            self.receive = Receive::Tunnel { content: head.content };
            self.switch_sending();
        } else {
            let last = match head.kind {
                _ if !head.keeps_alive => Last::PeerCloses,
                BodyKind::UntilEof => Last::UntilEof,
                BodyKind::Empty | BodyKind::Length(_) | BodyKind::Chunked | BodyKind::Tunnel => Last::No,
            };
            let body = Body::new(head.kind, head.content.len());
            self.receive = Receive::Body { content: head.content, body, last };
        }
        *event = Some(Event::Head(head.message, head.kind));
        Ok(())
    }

    /// The response is complete: what becomes of the connection (Envoy: `ActiveClient::onResponseComplete`).
    fn end_exchange(&mut self) -> StreamEnd {
        let last = match &self.receive {
            Receive::Body { last, .. } => *last,
            Receive::Idle
            | Receive::Head { .. }
            | Receive::Tunnel { .. }
            | Receive::Over
            | Receive::Failed(_) => Last::No,
        };
        let end = match last {
            _ if !self.sending.is_complete() => StreamEnd::RequestUnfinished,
            Last::PeerCloses => StreamEnd::CloseNotified,
            Last::UntilEof => StreamEnd::Final,
            Last::No if self.closes => StreamEnd::Final,
            Last::No => StreamEnd::Complete,
        };
        self.sending = Sending::Nothing;
        self.receive = if end == StreamEnd::Complete { Receive::Idle } else { Receive::Over };
        end
    }

    /// In a tunnel raw bytes follow the request, once that is complete (RFC 9110 7.8).
    fn switch_sending(&mut self) {
        if self.is_tunnel() && self.sending.is_complete() {
            self.sending = Sending::Raw;
        }
    }
}

/// What a 408 begins with; the minor version, at [`MINOR_AT`], is 0 or 1.
const TIMEOUT_STATUS: &[u8] = b"HTTP/1.1 408";
const MINOR_AT: usize = 7;

/// Whether `bytes` begin as a 408 would, as far as they go.
fn may_be_timeout(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .zip(TIMEOUT_STATUS)
        .enumerate()
        .all(|(at, (byte, expected))| byte == expected || (at == MINOR_AT && *byte == b'0'))
}

/// Methods whose requests usually have content.
fn expects_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
