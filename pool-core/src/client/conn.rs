//! A connection: its socket, its protocol machine, its leash. One box that moves between owners.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::leash::{Leash, Place};
use crate::exchange::Usage;
use crate::report::{ClosedBy, Report};
use crate::runtime::worker::Scratch;
use crate::runtime::{Addresses, Io};
use crate::wire::h1::{Client as Wire, Error as WireError, Event, IdleClose, Input, Limits, Outbox};

/// How many slices are offered to one vectored write.
const SLICES: usize = 16;

pub(crate) struct Conn<I> {
    pub(crate) io: I,
    pub(crate) wire: Wire,
    pub(crate) leash: Arc<Leash>,
    /// The leash as its socket knows it while the connection is idle.
    waker: Waker,
    /// Unique within the client, for people and logs.
    pub(crate) serial: u64,
    pub(crate) usage: Usage,
    /// Where somebody may want to know them.
    pub(crate) addresses: Option<Arc<Addresses>>,
    /// What a recording is to note when it is given back.
    #[cfg(feature = "trace")]
    pub(crate) answered: super::notes::Answered,
}

/// What an idle connection's socket had to say.
pub(crate) enum Idle {
    /// Nothing; its leash is woken when it has.
    Quiet,
    /// It is over, and this is what to report before `Closed`.
    Over(Option<Report>, ClosedBy),
}

impl<I: Io> Conn<I> {
    pub(crate) fn new(io: I, limits: Limits, leash: Arc<Leash>, serial: u64) -> Self {
        let waker = Waker::from(leash.clone());
        Self {
            io,
            wire: Wire::new(limits),
            leash,
            waker,
            serial,
            usage: Usage::Fresh,
            addresses: None,
            #[cfg(feature = "trace")]
            answered: Default::default(),
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.leash.place()
    }

    /// Looks at the socket of an idle connection and leaves its leash as the waker. Costs no system
    /// call on runtimes that remember readiness.
    pub(crate) fn watch(&mut self) -> Idle {
        self.leash.unlist();
        let Self { io, wire, waker, .. } = self;
        look_at(io, wire, &mut Context::from_waker(waker))
    }

    /// Looks at the socket of an idle connection.
    pub(crate) fn probe(&mut self, cx: &mut Context<'_>) -> Idle {
        look_at(&mut self.io, &mut self.wire, cx)
    }

    /// Writes as much of `outbox` as the socket takes.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox) -> Poll<io::Result<()>> {
        while !outbox.is_empty() {
            // Nearly always it is one slice; the room for many is not made for it.
            let written = match outbox.only_slice() {
                Some(slice) => self.io.poll_write_vectored(cx, &[IoSlice::new(slice)]),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = outbox.slices(&mut slices);
                    self.io.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
                }
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => outbox.advance(n),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// What a socket that nobody uses has to say.
fn look_at<I: Io>(io: &mut I, wire: &mut Wire, cx: &mut Context<'_>) -> Idle {
    // Bytes beyond the end of a response, read together with it, or half of a 408.
    if wire.buffered() > 0 {
        if let Some(over) = ending(wire.poll_event(&mut Input::nothing())) {
            return over;
        }
    }
    let mut scratch = Scratch::take();
    loop {
        let n = match io.poll_read(cx, &mut scratch) {
            Poll::Pending => return Idle::Quiet,
            Poll::Ready(Err(_)) => return Idle::Over(None, ClosedBy::Remote),
            Poll::Ready(Ok(n)) => n,
        };
        let bytes = scratch.get(..n).unwrap_or_default();
        let mut input = if n == 0 { Input::eof() } else { Input::new(bytes) };
        if let Some(over) = ending(wire.poll_event(&mut input)) {
            return over;
        }
    }
}

/// Whether what came on an idle connection ends it.
fn ending(event: Result<Option<Event>, WireError>) -> Option<Idle> {
    match event {
        Ok(Some(Event::Idle(IdleClose::Eof))) => Some(Idle::Over(None, ClosedBy::Remote)),
        Ok(Some(Event::Idle(IdleClose::RequestTimeout))) => Some(Idle::Over(None, ClosedBy::Local)),
        // Half of a 408 may be all that came; the rest decides. Nobody is given the connection meanwhile.
        Ok(None) => None,
        Ok(Some(_)) | Err(_) => Some(Idle::Over(Some(Report::ProtocolError), ClosedBy::Local)),
    }
}
