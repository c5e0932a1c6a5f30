//! An exchange between service and connection: the request's content in, the response out.

use std::task::{Context, Poll};

use bytes::Buf;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as HttpBody;

use super::connection::{Content, Flow, Inner, Over, Stage};
use super::counters::count;
use super::house::{By, Phase};
use super::incoming::Incoming;
use super::link::{Hundred, Wish};
use super::service::HttpService;
use super::socket::Fault;
use crate::runtime::worker::keep_map;
use crate::runtime::{Io, Runtime};
use crate::wire::h1::{BodyLength, Outbox, ResponseHead, SendError, ServerEvent};

/// Bytes of content that nobody reads, read and discarded at most for the connection's sake.
const UNREAD: usize = 64 * 1024;

/// What one look at the response's body gave.
enum Filled {
    /// There may be more at once.
    More,
    /// The body has nothing now, or enough is waiting to be written.
    Enough,
    /// The response is complete.
    Complete,
}

impl<R: Runtime, I: Io, S: HttpService<I>> Inner<R, I, S> {
    /// Gives the request to the service, or keeps it until that is ready. Nearly always it is: then the
    /// request is not put aside first.
    pub(super) fn offer(
        &mut self,
        cx: &mut Context<'_>,
        request: Request<Incoming<I>>,
    ) -> Result<Flow, Over> {
        match self.service.poll_ready(cx) {
            Poll::Ready(Ok(())) => {
                let call = self.service.call(request);
                self.call.set(Some(call));
                self.stage = Stage::Serving;
                Ok(Flow::Again)
            }
            Poll::Ready(Err(error)) => self.fail(&error.into()),
            Poll::Pending => {
                self.request = Some(request);
                self.watch_and_flush(cx)
            }
        }
    }

    /// Gives the request that was kept to the service once that is ready.
    pub(super) fn call_service(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        match self.request.take() {
            Some(request) => self.offer(cx, request),
            // Not reached: while it waits there is one.
            None => Err(Over::Close(By::Us)),
        }
    }

    /// Polls the service; meanwhile moves what it asks for.
    pub(super) fn await_response(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        self.link.will_look();
        let Some(call) = self.call.as_mut().as_pin_mut() else { return Err(Over::Close(By::Us)) };
        match call.poll(cx) {
            Poll::Ready(result) => {
                self.call.set(None);
                match result {
                    Ok(response) => self.respond(cx, response),
                    Err(error) => self.fail(&error.into()),
                }
            }
            Poll::Pending => self.watch_and_flush(cx),
        }
    }

    /// What the connection does while the service has nothing: it watches, and writes what the socket
    /// did not take before.
    fn watch_and_flush(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        let flow = self.watch(cx)?;
        // Whether it is all written is asked when the response is.
        let _ = self.flush(cx)?;
        Ok(flow)
    }

    /// Reads the content that is waited for, and notices that the client has gone.
    fn watch(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        let (wish, limits) = self.link.look(cx.waker());
        self.pace.apply(limits);
        self.send_interim();
        match (self.content, wish) {
            (Content::Open, Wish::Read) => self.read_content(cx),
            (Content::Open, Wish::Nothing | Wish::Discard) => Ok(Flow::Wait),
            (Content::Read, _) => match self.socket.poll_event(cx, &mut None) {
                Poll::Ready(Err(Fault::Gone)) => Err(Over::Close(By::Client)),
                Poll::Ready(Err(Fault::Protocol(error))) => self.refuse(error),
                Poll::Ready(Ok(())) => Ok(Flow::Again),
                Poll::Pending => Ok(Flow::Wait),
            },
        }
    }

    /// Reads the next piece of the request's content for whoever waits for it.
    fn read_content(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        if self.socket.wire.expects_continue() && self.link.hundred() == Hundred::Connection {
            let none = HeaderMap::new();
            // Not refused: the response has not begun, or nothing would be expected any more.
            let _ = self.socket.wire.send_informational(StatusCode::CONTINUE, &none, &mut self.socket.outbox);
        }
        let mut event = None;
        match self.socket.poll_event(cx, &mut event) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(Fault::Gone)) => return Err(Over::Close(By::Client)),
            Poll::Ready(Err(Fault::Protocol(error))) => return self.refuse(error),
            Poll::Pending => return Ok(Flow::Wait),
        }
        self.pace.stir();
        match event {
            Some(ServerEvent::Data(data)) => {
                self.tally.received.content += data.len() as u64;
                self.link.put(data);
                self.look_for_the_end();
            }
            Some(ServerEvent::Trailers(trailers)) => {
                self.link.put_trailers(trailers);
                self.look_for_the_end();
            }
            Some(ServerEvent::RequestEnd) => {
                self.content = Content::Read;
                self.link.end();
            }
            Some(ServerEvent::Head(..) | ServerEvent::End(_) | ServerEvent::Closed) | None => {}
        }
        Ok(Flow::Again)
    }

    /// The end of the request may have come with its last bytes: then the response need not ask for
    /// it. An error behind them is told by the next look.
    fn look_for_the_end(&mut self) {
        if let Ok(Some(())) = self.socket.look_ahead() {
            self.content = Content::Read;
            self.link.end();
        }
    }

    #[inline]
    fn send_interim(&mut self) {
        if self.link.has_interim() {
            self.send_all_interim();
        }
    }

    #[cold]
    fn send_all_interim(&mut self) {
        for response in self.link.take_interim() {
            let before = self.socket.outbox.len();
            let sent = self.socket.wire.send_informational(
                response.status(),
                response.headers(),
                &mut self.socket.outbox,
            );
            if let Err(error) = sent {
                tracing::debug!(%error, status = %response.status(), "interim response left out");
            }
            self.pace.stir();
            self.tally.head_sent(self.socket.outbox.len() - before, None);
        }
    }

    /// Writes the head of the response.
    fn respond(&mut self, cx: &mut Context<'_>, response: Response<S::Body>) -> Result<Flow, Over> {
        self.send_interim();
        let (head, body) = response.into_parts();
        // It stays until the exchange is over, also where nothing of it is wanted.
        self.body.set(Some(body));
        if self.content == Content::Open && self.link.wish() == Wish::Discard {
            if let Some(refused) = self.discard_unread(cx)? {
                return Ok(refused);
            }
        }
        let length = match &*self.body {
            Some(body) if !self.switches(head.status) => length_of(body),
            Some(_) | None => BodyLength::None,
        };
        let said = ResponseHead { status: head.status, headers: &head.headers };
        let before = self.socket.outbox.len();
        if let Err(error) = self.socket.wire.send_response(said, length, &mut self.socket.outbox) {
            return self.fail(&error.into());
        }
        self.note_head(before, head.status);
        keep_map(head.headers);
        self.stage = if self.socket.wire.is_tunnel() {
            Stage::HandingOver
        } else if self.socket.wire.wants_data() {
            Stage::Sending
        } else {
            Stage::Flushing
        };
        Ok(Flow::Again)
    }

    /// The head of the response was written behind so many bytes.
    fn note_head(&mut self, before: usize, status: StatusCode) {
        self.pace.stir();
        self.tally.head_sent(self.socket.outbox.len() - before, Some(status));
        let house = self.place.house();
        if self.content == Content::Open {
            count(&house.counters.response_before_complete);
        }
        if house.phase() != Phase::Open {
            count(&house.counters.drain_closes);
        }
    }

    /// Reads what is at hand of content that nobody wants. If that is not all of it, the response
    /// will say that the connection ends.
    fn discard_unread(&mut self, cx: &mut Context<'_>) -> Result<Option<Flow>, Over> {
        let mut read = 0;
        // A client that waits for 100 has not sent anything, and the response closes anyway.
        while read < UNREAD && !self.socket.wire.expects_continue() {
            let mut event = None;
            match self.socket.poll_event(cx, &mut event) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Fault::Protocol(error))) => return self.refuse(error).map(Some),
                Poll::Ready(Err(Fault::Gone)) => return Err(Over::Close(By::Client)),
                Poll::Pending => break,
            }
            match event {
                Some(ServerEvent::Data(data)) => {
                    read += data.len();
                    self.tally.received.content += data.len() as u64;
                }
                Some(ServerEvent::RequestEnd) => {
                    self.content = Content::Read;
                    return Ok(None);
                }
                Some(_) | None => {}
            }
        }
        self.socket.wire.close_after();
        Ok(None)
    }

    /// Moves content of the response to the socket.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> Result<Flow, Over> {
        self.link.will_look();
        // Asked again only when half of what was too much has gone.
        let mut may_fill = self.socket.outbox.len() < Outbox::LOW_WATERMARK;
        loop {
            let filled = if may_fill { self.fill(cx)? } else { Filled::Enough };
            match filled {
                Filled::More if self.socket.outbox.len() < Outbox::HIGH_WATERMARK => continue,
                Filled::More | Filled::Enough => {}
                Filled::Complete => {
                    self.stage = Stage::Flushing;
                    return Ok(Flow::Again);
                }
            }
            let flushed = self.flush(cx)?;
            match (filled, flushed) {
                (Filled::More, Poll::Ready(())) => return Ok(Flow::Again),
                (Filled::Enough, Poll::Ready(())) if !may_fill => may_fill = true,
                (Filled::More | Filled::Enough | Filled::Complete, _) => return self.watch(cx),
            }
        }
    }

    /// One frame of the response's body.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<Filled, Over> {
        let Some(body) = self.body.as_mut().as_pin_mut() else { return Ok(Filled::Complete) };
        let frame = match body.poll_frame(cx) {
            Poll::Pending => return Ok(Filled::Enough),
            Poll::Ready(frame) => frame,
        };
        let socket = &mut self.socket;
        let mut length = 0;
        let sent = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    let data = data.copy_to_bytes(data.remaining());
                    length = data.len() as u64;
                    socket.wire.send_data(data, &mut socket.outbox)
                }
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => self.end_response(Some(&trailers)),
                    Err(_) => Ok(()),
                },
            },
            None => self.end_response(None),
            Some(Err(error)) => return Err(self.break_off(&error.into())),
        };
        if sent.is_ok() {
            self.pace.stir();
            self.tally.sent.content += length;
        }
        match sent {
            Ok(()) if self.socket.wire.wants_data() => Ok(Filled::More),
            Ok(()) => Ok(Filled::Complete),
            Err(error) => Err(self.break_off(&error.into())),
        }
    }

    /// Ends the response; trailers are left out where there is no place for them (RFC 9110 6.5.1).
    fn end_response(&mut self, trailers: Option<&HeaderMap>) -> Result<(), SendError> {
        let socket = &mut self.socket;
        match socket.wire.end_response(trailers, &mut socket.outbox) {
            Err(SendError::TrailersNeedChunked) => socket.wire.end_response(None, &mut socket.outbox),
            other => other,
        }
    }
}

/// How much content the head is to announce.
fn length_of(body: &impl HttpBody) -> BodyLength {
    if body.is_end_stream() {
        return BodyLength::None;
    }
    match body.size_hint().exact() {
        Some(0) => BodyLength::None,
        Some(exact) => BodyLength::Known(exact),
        None => BodyLength::Unknown,
    }
}
