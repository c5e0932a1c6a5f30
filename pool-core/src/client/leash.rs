//! How the pool reaches a connection wherever it is, and how a socket reaches the keeper.
//!
//! A connection in use belongs to its caller, who does the I/O inline; orders reach it through its
//! [`Leash`], read at each poll. A connection that is idle or connecting belongs to the keeper: its
//! leash is the waker that its socket is polled with, so an event puts its place on the
//! [`ReadyList`] in O(1), without a task per connection.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use crate::id::{ConnId, PoolId};

/// A connection's place in a client: its pool, and its slot there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) pool: PoolId,
    pub(crate) conn: ConnId,
}

/// What the pool wants of a connection that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Order {
    None = 0,
    Close = 1,
}

/// One per connection, for its whole life.
pub(crate) struct Leash {
    place: Place,
    order: AtomicU8,
    /// The caller's task while the connection is in use.
    user: Mutex<Option<Waker>>,
    /// Whether the place is on the ready list.
    listed: AtomicBool,
    ready: Arc<ReadyList>,
}

impl Leash {
    pub(crate) fn new(place: Place, ready: Arc<ReadyList>) -> Arc<Self> {
        Arc::new(Self {
            place,
            order: AtomicU8::new(Order::None as u8),
            user: Mutex::new(None),
            listed: AtomicBool::new(false),
            ready,
        })
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The user's side: whether the connection must be closed now.
    #[inline]
    pub(crate) fn is_ordered_to_close(&self) -> bool {
        self.order.load(Ordering::Acquire) == Order::Close as u8
    }

    /// The user's side: whom to wake when an order comes. Check for the order once more afterwards.
    #[inline]
    pub(crate) fn register(&self, waker: &Waker) {
        let mut user = lock(&self.user);
        match &*user {
            Some(known) if known.will_wake(waker) => {}
            Some(_) | None => *user = Some(waker.clone()),
        }
    }

    /// The user's side: it is done. A waker left here would keep a finished task in memory for as long
    /// as the connection is idle.
    #[inline]
    pub(crate) fn unregister(&self) {
        *lock(&self.user) = None;
    }

    /// The pool's side: orders a close. The returned waker is called after unlocking.
    pub(crate) fn order_close(&self) -> Option<Waker> {
        self.order.store(Order::Close as u8, Ordering::Release);
        lock(&self.user).take()
    }

    /// Whether the socket had an event that nobody has looked at yet.
    #[inline]
    pub(crate) fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }

    /// The keeper's side: takes the place off the ready list before its socket is polled, so that an
    /// event during the poll lists it again.
    pub(crate) fn unlist(&self) {
        self.listed.store(false, Ordering::Release);
    }
}

impl Wake for Leash {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            self.ready.push(Event::Socket(self.clone()));
        }
    }
}

/// What the keeper has to look at.
pub(crate) enum Event {
    /// The socket of an idle or connecting connection may have something to say.
    Socket(Arc<Leash>),
    /// A new connection attempt is to be started.
    Connect(Arc<Leash>),
    /// An adopted exchange may get on.
    Adopted(usize),
}

/// The keeper's mail: what happened to connections that it keeps.
#[derive(Default)]
pub(crate) struct ReadyList {
    events: Mutex<Vec<Event>>,
    keeper: Mutex<Option<Waker>>,
}

impl ReadyList {
    pub(crate) fn push(&self, event: Event) {
        lock(&self.events).push(event);
        self.wake_keeper();
    }

    /// Takes everything, leaving `into`'s spare capacity for the next round.
    pub(crate) fn take(&self, into: &mut Vec<Event>) {
        std::mem::swap(&mut *lock(&self.events), into);
    }

    /// Makes the keeper run; also for deadlines that moved forward.
    pub(crate) fn wake_keeper(&self) {
        let waker = lock(&self.keeper).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The keeper's side: whom to wake. Call before looking at the list.
    pub(crate) fn register_keeper(&self, waker: &Waker) {
        *lock(&self.keeper) = Some(waker.clone());
    }
}

/// Locks, also after another thread panicked: all data under these locks is consistent between
/// statements, and a client that died of someone else's panic helps nobody.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
