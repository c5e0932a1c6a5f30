//! A connector that counts what a program holds: attempts and open connections, per origin.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use pool_core::runtime::{Connect, Io, Target};

use super::world::World;

/// How many connections there are to each origin, and how many there may be.
#[derive(Clone)]
pub struct Counter(Rc<State>);

struct State {
    world: World,
    most: u64,
    held: RefCell<BTreeMap<(String, u16), Held>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    now: u64,
    peak: u64,
}

impl Counter {
    /// At no instant may an origin have more than `most`.
    #[must_use]
    pub fn new(world: World, most: u64) -> Self {
        Self(Rc::new(State { world, most, held: RefCell::default() }))
    }

    /// The most there ever were to one origin.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.0.held.borrow().values().map(|held| held.peak).max().unwrap_or(0)
    }

    /// All there are.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.held.borrow().values().map(|held| held.now).sum()
    }

    fn enter(&self, target: &Target) -> Place {
        let origin = (target.host.to_string(), target.port);
        let now = {
            let mut held = self.0.held.borrow_mut();
            let held = held.entry(origin.clone()).or_default();
            held.now += 1;
            held.peak = held.peak.max(held.now);
            held.now
        };
        if now > self.0.most {
            let most = self.0.most;
            self.0.world.object(|| format!("{now} connections to {origin:?} at a time, of {most} allowed"));
        }
        Place { counter: self.clone(), origin }
    }
}

struct Place {
    counter: Counter,
    origin: (String, u16),
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(held) = self.counter.0.held.borrow_mut().get_mut(&self.origin) {
            held.now -= 1;
        }
    }
}

/// See [`Counter`].
#[derive(Clone)]
pub struct Counted<C> {
    counter: Counter,
    inner: C,
}

impl<C> Counted<C> {
    /// Counts what `inner` opens.
    pub fn new(counter: Counter, inner: C) -> Self {
        Self { counter, inner }
    }
}

impl<C: Connect> Connect for Counted<C> {
    type Io = CountedIo<C::Io>;
    type Future = CountedAttempt<C>;

    fn connect(&self, to: &Target) -> Self::Future {
        // Counted before it is begun: the limit holds for attempts too.
        let place = Some(self.counter.enter(to));
        CountedAttempt { attempt: Box::pin(self.inner.connect(to)), place }
    }
}

/// An attempt that is counted.
pub struct CountedAttempt<C: Connect> {
    // Dropped in this order: a socket that is counted out is closed.
    attempt: Pin<Box<C::Future>>,
    place: Option<Place>,
}

impl<C: Connect> Future for CountedAttempt<C> {
    type Output = io::Result<CountedIo<C::Io>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let io = ready!(self.attempt.as_mut().poll(cx))?;
        Poll::Ready(match self.place.take() {
            Some(place) => Ok(CountedIo { io, _place: place }),
            None => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

/// A connection that is counted.
pub struct CountedIo<I> {
    io: I,
    _place: Place,
}

impl<I: Io> Io for CountedIo<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read(cx, into)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.io.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(cx)
    }
}
