//! What all connections of a server share: settings, counters, and who is there.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::options::Options;
use super::snapshot::Snapshot;

/// ```text
///   Open ---- shutdown ----> Draining ---- its deadline ----> Cut
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Serving.
    Open,
    /// No new connections; each one ends with its current exchange.
    Draining,
    /// Everything ends now.
    Cut,
}

impl Phase {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Open,
            1 => Self::Draining,
            _ => Self::Cut,
        }
    }
}

/// Shared by the acceptor, the connections and the handles.
pub(crate) struct House {
    pub(crate) options: Options,
    pub(crate) counters: Counters,
    phase: AtomicU8,
    book: Mutex<Book>,
}

/// Things that happened, since the server began.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Who is there, and who waits for what.
struct Book {
    /// Wakers of connections, by their place.
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
    active: usize,
    acceptor: Acceptor,
    /// Shutdowns that wait for everybody to be gone.
    leaving: Vec<Waker>,
}

/// The task that accepts connections.
enum Acceptor {
    /// It is there, and is woken by this when the phase changes or a connection ends.
    There(Option<Waker>),
    /// It has ended, and its socket is closed.
    Gone,
}

impl House {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            counters: Counters::default(),
            phase: AtomicU8::new(Phase::Open as u8),
            book: Mutex::new(Book {
                places: Vec::new(),
                free: Vec::new(),
                active: 0,
                acceptor: Acceptor::There(None),
                leaving: Vec::new(),
            }),
        }
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::SeqCst))
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            accepted: read(&self.counters.accepted),
            active: self.book().active as u64,
            requests: read(&self.counters.requests),
            accept_errors: read(&self.counters.accept_errors),
            refused: read(&self.counters.refused),
            timeouts: read(&self.counters.timeouts),
            failures: read(&self.counters.failures),
        }
    }

    /// Gives a new connection its place.
    pub(crate) fn enter(self: &Arc<Self>) -> Place {
        let mut book = self.book();
        book.active += 1;
        let index = book.free.pop().unwrap_or_else(|| {
            book.places.push(None);
            book.places.len() - 1
        });
        Place { house: self.clone(), index, known: None }
    }

    /// Whether another connection may be taken. The acceptor is woken when that may have changed, and
    /// when the phase changes.
    pub(crate) fn has_room(&self, acceptor: &Waker) -> bool {
        let mut book = self.book();
        if let Acceptor::There(place) = &mut book.acceptor {
            if !place.as_ref().is_some_and(|known| known.will_wake(acceptor)) {
                *place = Some(acceptor.clone());
            }
        }
        book.active < self.options.max_connections
    }

    /// The acceptor has ended and closed its socket.
    pub(crate) fn acceptor_is_gone(&self) {
        let mut book = self.book();
        book.acceptor = Acceptor::Gone;
        let leaving = book.leaving_if_gone();
        drop(book);
        leaving.into_iter().for_each(Waker::wake);
    }

    /// Enters a later phase and wakes everybody to see it. Phases never go back.
    pub(crate) fn advance_to(&self, phase: Phase) {
        let wakers: Vec<Waker> = {
            let mut book = self.book();
            if self.phase.fetch_max(phase as u8, Ordering::SeqCst) >= phase as u8 {
                return;
            }
            let acceptor = match &mut book.acceptor {
                Acceptor::There(waker) => waker.take(),
                Acceptor::Gone => None,
            };
            book.places.iter().flatten().cloned().chain(acceptor).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Completes when acceptor and connections are gone.
    pub(crate) fn poll_gone(&self, waker: &Waker) -> Poll<()> {
        let mut book = self.book();
        if book.is_gone() {
            return Poll::Ready(());
        }
        if !book.leaving.iter().any(|known| known.will_wake(waker)) {
            book.leaving.push(waker.clone());
        }
        Poll::Pending
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing in here runs foreign code that could leave the book half written.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn is_gone(&self) -> bool {
        self.active == 0 && matches!(self.acceptor, Acceptor::Gone)
    }

    fn leaving_if_gone(&mut self) -> Vec<Waker> {
        if self.is_gone() { std::mem::take(&mut self.leaving) } else { Vec::new() }
    }
}

/// A connection's place in the book, given up when dropped. Drop the socket first: who waits for
/// the place to be free expects it to be closed.
pub(crate) struct Place {
    house: Arc<House>,
    index: usize,
    /// The waker that the book has, so that an unchanged one costs no lock.
    known: Option<Waker>,
}

impl Place {
    #[inline]
    pub(crate) fn house(&self) -> &House {
        &self.house
    }

    /// Whom to wake when the phase changes. Look at the phase after this.
    #[inline]
    pub(crate) fn register(&mut self, waker: &Waker) {
        if self.known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return;
        }
        self.known = Some(waker.clone());
        if let Some(place) = self.house.book().places.get_mut(self.index) {
            *place = Some(waker.clone());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.house.book();
        let old = book.places.get_mut(self.index).and_then(Option::take);
        book.free.push(self.index);
        book.active -= 1;
        let mut wakers = book.leaving_if_gone();
        if book.active + 1 == self.house.options.max_connections {
            if let Acceptor::There(waker) = &mut book.acceptor {
                wakers.extend(waker.take());
            }
        }
        drop(book);
        drop(old);
        wakers.into_iter().for_each(Waker::wake);
    }
}
