//! A connection's bytes: its socket, its protocol machine and what is on the way between them.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::runtime::Io;
use crate::runtime::worker::{Filled, Scratch, keep_outbox, take_map, take_outbox};
use crate::wire::h1::{Error as WireError, Input, Limits, Outbox, Server as Wire, ServerEvent};

/// How many slices are offered to one vectored write.
const SLICES: usize = 16;

pub(crate) struct Socket<I> {
    pub(crate) io: I,
    pub(crate) wire: Wire,
    /// What is to be written. While there is nothing, it belongs to the thread.
    pub(crate) outbox: Outbox,
    /// What was read together with an event.
    ahead: Option<ServerEvent>,
    told: Told,
    flush: Flush,
    /// Bytes read and written that were not counted yet.
    pub(crate) traffic: Traffic,
}

/// Bytes of both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// Whether the protocol machine may have more to tell without further bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Everything,
    Perhaps,
}

/// Whether the stream was asked to push what it buffers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    Done,
    Due,
}

/// Why nothing more can be read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The client broke the protocol, or closed in the middle.
    Protocol(WireError),
    /// The client closed while it was being answered, or the transport failed.
    Gone,
}

impl<I: Io> Socket<I> {
    pub(crate) fn new(io: I, limits: Limits) -> Self {
        Self {
            io,
            wire: Wire::new(limits),
            outbox: Outbox::new(),
            ahead: None,
            told: Told::Everything,
            flush: Flush::Done,
            traffic: Traffic::default(),
        }
    }

    /// Takes the thread's buffer, for the length of one poll.
    #[inline]
    pub(crate) fn borrow_buffers(&mut self) {
        if self.outbox.is_empty() {
            self.outbox = take_outbox();
        }
    }

    /// Gives the thread's buffer back; one with unsent bytes stays with the connection.
    #[inline]
    pub(crate) fn return_buffers(&mut self) {
        if self.outbox.is_empty() {
            keep_outbox(std::mem::take(&mut self.outbox));
        }
    }

    /// The next event of what has been read, into a place that holds `None`: events are large.
    #[inline]
    pub(crate) fn next_told(&mut self, event: &mut Option<ServerEvent>) -> Result<(), WireError> {
        if self.ahead.is_some() {
            *event = self.ahead.take();
            return Ok(());
        }
        if self.told == Told::Perhaps {
            self.wire.poll_event_into(&mut Input::nothing(), event)?;
            if event.is_none() {
                self.told = Told::Everything;
            }
        }
        Ok(())
    }

    /// The next event, read from the stream if need be, into a place that holds `None`.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        event: &mut Option<ServerEvent>,
    ) -> Poll<Result<(), Fault>> {
        match self.next_told(event) {
            Ok(()) if event.is_some() => return Poll::Ready(Ok(())),
            Ok(()) => {}
            Err(error) => return Poll::Ready(Err(Fault::Protocol(error))),
        }
        while self.wire.wants_input() {
            let Self { io, wire, traffic, .. } = self;
            let mut scratch = Scratch::take();
            let Ok(n) = ready!(io.poll_read(cx, &mut scratch)) else {
                return Poll::Ready(Err(Fault::Gone));
            };
            traffic.read += n as u64;
            let fed = if n == 0 {
                feed(wire, &mut Input::eof(), event)
            } else {
                match scratch.filled(n) {
                    Filled::Kept(scratch, n) => {
                        let bytes = scratch.get(..n).unwrap_or_default();
                        feed(wire, &mut Input::new(bytes).maps_from(take_map), event)
                    }
                    Filled::Lent(bytes) => feed(wire, &mut Input::lent(&bytes).maps_from(take_map), event),
                }
            };
            match fed {
                Ok(()) if event.is_some() => {
                    self.told = Told::Perhaps;
                    return Poll::Ready(Ok(()));
                }
                // Half-closed while a request is being answered: for HTTP that is a client that has
                // gone (as in Envoy).
                Ok(()) if n == 0 => return Poll::Ready(Err(Fault::Gone)),
                Ok(()) => {}
                Err(error) => return Poll::Ready(Err(Fault::Protocol(error))),
            }
        }
        Poll::Pending
    }

    /// Looks whether the request ends with what has been read, so that its end is known as early as
    /// its last byte.
    pub(crate) fn look_ahead(&mut self) -> Result<Option<()>, WireError> {
        if self.ahead.is_none() && self.told == Told::Perhaps {
            self.wire.poll_event_into(&mut Input::nothing(), &mut self.ahead)?;
            if self.ahead.is_none() {
                self.told = Told::Everything;
            }
        }
        let ends = matches!(self.ahead, Some(ServerEvent::RequestEnd));
        if ends {
            self.ahead = None;
        }
        Ok(ends.then_some(()))
    }

    /// After an exchange: the next request may have been read with the last one.
    pub(crate) fn next_exchange(&mut self) {
        self.told = Told::Perhaps;
    }

    /// Writes as much as the stream takes; `Ready` once nothing is left.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            // Nearly always it is one slice; the room for many is not made for it.
            let written = match self.outbox.only_slice() {
                Some(slice) => self.io.poll_write_vectored(cx, &[IoSlice::new(slice)]),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = self.outbox.slices(&mut slices);
                    self.io.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
                }
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => {
                    self.traffic.written += n as u64;
                    self.outbox.advance(n);
                }
            }
            self.flush = Flush::Due;
        }
        if self.flush == Flush::Due {
            ready!(self.io.poll_flush(cx))?;
            self.flush = Flush::Done;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and forgets; how many bytes, 0 at the end.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let n = ready!(self.io.poll_read(cx, &mut Scratch::take()))?;
        self.traffic.read += n as u64;
        Poll::Ready(Ok(n))
    }

    /// The stream, and what was read beyond the request that made it a tunnel.
    pub(crate) fn into_parts(mut self) -> (I, Bytes) {
        let early = self.wire.take_rest(&mut Input::nothing());
        (self.io, early)
    }
}

/// The first event of what was read; the machine keeps the rest.
fn feed(wire: &mut Wire, input: &mut Input<'_>, event: &mut Option<ServerEvent>) -> Result<(), WireError> {
    let fed = wire.poll_event_into(input, event);
    wire.keep(input);
    fed
}
