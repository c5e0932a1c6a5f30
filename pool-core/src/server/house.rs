//! What all connections of a server share: settings, counters, and who is there.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::counters::{Counters, count};
use super::options::Options;
use super::snapshot::Snapshot;
use crate::pool::Histogram;

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

/// How long a server that drains still looks for what the system has and it was not told of: connections
/// in the accept queue, requests in sockets. Long enough for one turn of an event loop.
pub(crate) const LAST_LOOK: Duration = Duration::from_millis(10);

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

/// Who is there, and who waits for what.
struct Book {
    /// Wakers of connections, by their place.
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
    active: usize,
    /// How long connections that are gone had been there.
    length_ms: Histogram,
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
                length_ms: Histogram::default(),
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
        let book = self.book();
        let (active, length_ms) = (book.active, book.length_ms.clone());
        drop(book);
        Snapshot::of(&self.counters, active, length_ms)
    }

    /// Gives a new connection its place.
    pub(crate) fn enter(self: &Arc<Self>) -> Place {
        let mut book = self.book();
        book.active += 1;
        let index = book.free.pop().unwrap_or_else(|| {
            book.places.push(None);
            book.places.len() - 1
        });
        Place {
            house: self.clone(),
            index,
            known: None,
            leaves: Leaves { by: By::Us, during: During::Rest, after: None },
        }
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
    /// How the connection ends, as far as is known.
    pub(crate) leaves: Leaves,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaves {
    pub(crate) by: By,
    pub(crate) during: During,
    /// How long it had been there, if that is to be counted.
    pub(crate) after: Option<Duration>,
}

/// Who closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// This side.
    Us,
    /// The client, or the transport.
    Client,
}

/// Whether an exchange was in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum During {
    /// None was, or it had become a tunnel.
    Rest,
    /// One was.
    Exchange,
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
        let Leaves { by, during, after } = self.leaves;
        let counters = &self.house.counters;
        let (all, busy) = match by {
            By::Us => (&counters.destroyed_local, &counters.destroyed_local_busy),
            By::Client => (&counters.destroyed_remote, &counters.destroyed_remote_busy),
        };
        count(all);
        if during == During::Exchange {
            count(busy);
        }
        let mut book = self.house.book();
        let old = book.places.get_mut(self.index).and_then(Option::take);
        book.free.push(self.index);
        book.active -= 1;
        if let Some(after) = after {
            book.length_ms.record(after);
        }
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
