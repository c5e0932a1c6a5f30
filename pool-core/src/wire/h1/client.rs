//! The client role.

use bytes::Bytes;
use http::HeaderMap;

use super::{BodyLength, Error, Event, Input, Limits, Outbox, RequestHead, SendError};

/// One HTTP/1 connection to a server: one exchange at a time, many in sequence.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
}

impl Client {
    /// A connection that has just been established.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Whether no exchange is in progress (the connection may be closing all the same).
    #[must_use]
    pub fn is_idle(&self) -> bool {
        unimplemented!()
    }

    /// Whether another request may be sent now.
    #[must_use]
    pub fn can_reuse(&self) -> bool {
        unimplemented!()
    }

    /// Whether the request of the current exchange has been handed over completely.
    #[must_use]
    pub fn request_ended(&self) -> bool {
        unimplemented!()
    }

    /// Whether any byte of a response of the current exchange has arrived, interim ones included.
    #[must_use]
    pub fn response_started(&self) -> bool {
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

    /// Starts an exchange: writes the head of a request. With [`BodyLength::None`] (or a length of
    /// 0) the request is complete.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_request(
        &mut self,
        head: RequestHead<'_>,
        body: BodyLength,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        let _ = (head, body, out);
        unimplemented!()
    }

    /// Writes content of the request; in a tunnel, raw bytes.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn send_data(&mut self, data: Bytes, out: &mut Outbox) -> Result<(), SendError> {
        let _ = (data, out);
        unimplemented!()
    }

    /// Ends the request. Ending one that ended by itself (no content) is allowed once more without
    /// trailers.
    ///
    /// # Errors
    /// [`SendError`]; nothing was written.
    pub fn end_request(&mut self, trailers: Option<&HeaderMap>, out: &mut Outbox) -> Result<(), SendError> {
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

    /// The next event of `input`; `None` when all of it has been taken.
    ///
    /// # Errors
    /// [`Error`], the same one from now on.
    pub fn poll_event(&mut self, input: &mut Input<'_>) -> Result<Option<Event>, Error> {
        let _ = (input, &self.limits);
        unimplemented!()
    }
}
