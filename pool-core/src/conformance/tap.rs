//! A connector around the harness's own that counts, delays and refuses to finish.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use super::turns::Gate;
use crate::runtime::{Addresses, Connect, Io, Target};

/// Bytes moved at most by one call of a stream that was made [`Manner::Choppy`].
const CHOP: usize = 7;

/// How the streams of a [`Tap`] behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As the harness's own.
    Plain,
    /// Every other poll yields to the executor, and few bytes move at a time: an exchange passes
    /// through every wait that it can have.
    Choppy,
    /// Attempts wait for [`Counters::let_connect`].
    Gated,
    /// Attempts never complete.
    Hanging,
}

/// What went through all streams of one case.
#[derive(Default)]
pub(super) struct Counters {
    attempts: AtomicU64,
    open: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
    stalls: AtomicU64,
    gate: Gate,
}

impl Counters {
    /// Lets attempts of gated connectors go on.
    pub(super) fn let_connect(&self) {
        self.gate.open();
    }

    /// Connection attempts that were started.
    pub(super) fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::SeqCst)
    }

    /// Streams and attempts that exist.
    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::SeqCst)
    }

    /// Bytes that the client took from its sockets.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::SeqCst)
    }

    /// Bytes that the sockets took from the client.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    /// How often a socket took nothing because its peer does not read.
    pub(super) fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::SeqCst)
    }
}

/// The harness's connector with instruments. Clients of the suite are built over it.
#[derive(Clone)]
pub struct Tap<C> {
    connector: C,
    manner: Manner,
    counters: Arc<Counters>,
}

impl<C: Connect> Tap<C> {
    pub(super) fn new(connector: C, manner: Manner, counters: Arc<Counters>) -> Self {
        Self { connector, manner, counters }
    }
}

impl<C: Connect> Connect for Tap<C> {
    type Io = TapIo<C::Io>;
    type Future = TapConnect<C>;

    fn connect(&self, to: &Target) -> TapConnect<C> {
        self.counters.attempts.fetch_add(1, Ordering::SeqCst);
        let attempt = match self.manner {
            Manner::Plain | Manner::Choppy | Manner::Gated => Some(Box::pin(self.connector.connect(to))),
            Manner::Hanging => None,
        };
        TapConnect { attempt, manner: self.manner, turn: Turn::default(), open: Open::new(&self.counters) }
    }

    fn addresses(&self, of: &Self::Io) -> Addresses {
        self.connector.addresses(&of.io)
    }
}

/// A connection attempt of a [`Tap`].
pub struct TapConnect<C: Connect> {
    attempt: Option<Pin<Box<C::Future>>>,
    manner: Manner,
    turn: Turn,
    open: Open,
}

impl<C: Connect> Future for TapConnect<C> {
    type Output = io::Result<TapIo<C::Io>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(this.turn.poll(this.manner, cx));
        if this.manner == Manner::Gated {
            ready!(this.open.0.gate.poll(cx));
        }
        let Some(attempt) = &mut this.attempt else { return Poll::Pending };
        let io = ready!(attempt.as_mut().poll(cx))?;
        let open = Open::new(&this.open.0);
        Poll::Ready(Ok(TapIo {
            io,
            manner: this.manner,
            reading: Turn::default(),
            writing: Turn::default(),
            open,
        }))
    }
}

/// A byte stream of a [`Tap`].
pub struct TapIo<I> {
    io: I,
    manner: Manner,
    reading: Turn,
    writing: Turn,
    open: Open,
}

impl<I: Io> Io for TapIo<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.reading.poll(self.manner, cx));
        let most = if self.manner == Manner::Choppy { CHOP.min(into.len()) } else { into.len() };
        let n = ready!(self.io.poll_read(cx, &mut into[..most]))?;
        self.open.0.read.fetch_add(n as u64, Ordering::SeqCst);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.writing.poll(self.manner, cx));
        let result = match bufs.first().filter(|_| self.manner == Manner::Choppy) {
            Some(first) => {
                let few = IoSlice::new(&first[..CHOP.min(first.len())]);
                self.io.poll_write_vectored(cx, &[few])
            }
            None => self.io.poll_write_vectored(cx, bufs),
        };
        let counters = &self.open.0;
        match &result {
            Poll::Pending => counters.stalls.fetch_add(1, Ordering::SeqCst),
            Poll::Ready(Ok(n)) => counters.written.fetch_add(*n as u64, Ordering::SeqCst),
            Poll::Ready(Err(_)) => 0,
        };
        result
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(cx)
    }
}

/// Counts what holds it.
struct Open(Arc<Counters>);

impl Open {
    fn new(counters: &Arc<Counters>) -> Self {
        counters.open.fetch_add(1, Ordering::SeqCst);
        Self(counters.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether the next poll yields.
#[derive(Default)]
struct Turn(AtomicBool);

impl Turn {
    /// `Pending`, with the task woken, at every other poll of a choppy stream.
    fn poll(&self, manner: Manner, cx: &Context<'_>) -> Poll<()> {
        if manner == Manner::Choppy && !self.0.fetch_xor(true, Ordering::SeqCst) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}
