//! The server role.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{BodyLength, Error, Input, Limits, Outbox, ResponseHead, SendError, ServerEvent};

/// One HTTP/1 connection from a client: one exchange at a time, many in sequence.
#[derive(Debug)]
pub struct Server {
    limits: Limits,
}

impl Server {
    /// A connection that has just been accepted.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Whether no exchange is in progress and nothing of a next request has arrived.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        unimplemented!()
    }

    /// Whether the connection may serve another request after the current one.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        unimplemented!()
    }

    /// Whether reading makes sense now: false while a complete request is being answered and the
    /// client has already sent more.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        unimplemented!()
    }

    /// Whether the client waits for 100 before it sends the content (RFC 9110 10.1.1): it said so,
    /// and neither an answer went out nor did content arrive.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        unimplemented!()
    }

    /// Whether the response being sent still takes content.
    #[must_use]
    pub fn wants_data(&self) -> bool {
        unimplemented!()
    }

    /// Whether the connection carries another protocol now (101, success of CONNECT).
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        unimplemented!()
    }

    /// Bytes kept of what was read and could not be used yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        unimplemented!()
    }

    /// Bytes of memory held for input; 0 while idle.
    #[must_use]
    pub fn buffer_capacity(&self) -> usize {
        unimplemented!()
    }

    /// No further request after the current one: its response will say `Connection: close`.
    pub fn close_after(&mut self) {
        unimplemented!()
    }

    /// Writes an interim response (1xx, not 101). Left out, without error, towards an HTTP/1.0 client.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_informational(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        let _ = (status, headers, out);
        unimplemented!()
    }

    /// Writes the head of the final response, or 101.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_response(
        &mut self,
        head: ResponseHead<'_>,
        body: BodyLength,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        let _ = (head, body, out);
        unimplemented!()
    }

    /// Writes content of the response; in a tunnel, raw bytes.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_data(&mut self, data: Bytes, out: &mut Outbox) -> Result<(), SendError> {
        let _ = (data, out);
        unimplemented!()
    }

    /// Ends the response.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn end_response(&mut self, trailers: Option<&HeaderMap>, out: &mut Outbox) -> Result<(), SendError> {
        let _ = (trailers, out);
        unimplemented!()
    }

    /// Keeps what is left of `input`, for a driver that stops polling before `None` because nobody
    /// reads the body. The next [`poll_event`](Self::poll_event) goes on from there.
    pub fn keep(&mut self, input: &mut Input<'_>) {
        let _ = input;
        unimplemented!()
    }

    /// Hands over the bytes that were read beyond the head that made this a tunnel.
    pub fn take_rest(&mut self, input: &mut Input<'_>) -> Bytes {
        let _ = input;
        unimplemented!()
    }

    /// The next event of `input`. `None` when all of it has been taken, or when the connection waits
    /// for the response to be sent.
    ///
    /// # Errors
    /// [`Error`], the same one from now on.
    pub fn poll_event(&mut self, input: &mut Input<'_>) -> Result<Option<ServerEvent>, Error> {
        let _ = (input, &self.limits);
        unimplemented!()
    }
}
