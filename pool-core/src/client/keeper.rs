//! The background task of a client: it owns connections that nobody uses, and time.
//!
//! One task per client, whatever the number of connections: it starts attempts, polls those whose
//! sockets have something to say, and runs the pools' deadlines. It holds the client weakly and ends
//! with it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use http_body::Body as HttpBody;

use super::adopted::Nursery;
use super::conn::Idle;
use super::error::BodyError;
use super::leash::{Event, Leash, ReadyList};
use super::shared::Shared;
use super::state::{PoolIo, Slot};
use crate::runtime::{Connect, Runtime};
use crate::time::{Deadline, Instant};

/// The future that [`Spawn`](crate::runtime::Spawn) gets when a client is built. Nobody else makes
/// or polls one.
pub struct Keeper<R: Runtime, C: Connect, B> {
    shared: Weak<Shared<R, C>>,
    nursery: Arc<Nursery<R, C, B>>,
    ready: Arc<ReadyList>,
    sleep: Option<(Instant, Pin<Box<R::Sleep>>)>,
    events: Vec<Event>,
}

impl<R: Runtime, C: Connect, B> Keeper<R, C, B> {
    pub(crate) fn new(shared: &Arc<Shared<R, C>>, nursery: Arc<Nursery<R, C, B>>) -> Self {
        Self {
            nursery,
            shared: Arc::downgrade(shared),
            ready: shared.ready.clone(),
            sleep: None,
            events: Vec::new(),
        }
    }

    /// Sleeps until the pools' deadline; `true` if it has come.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, shared: &Shared<R, C>) -> bool {
        let now = shared.runtime.now();
        let due = shared.look(|state| match state.set.deadline() {
            Deadline::Never => {
                state.armed = Instant::NEVER;
                None
            }
            Deadline::Now(()) => Some(now),
            Deadline::At(at, ()) => {
                state.armed = at;
                Some(at)
            }
        });
        let Some(at) = due else {
            self.sleep = None;
            return false;
        };
        if at <= now {
            shared.turn(now, |state| {
                state.armed = Instant::NEVER;
                state.set.handle_timeout(now);
            });
            return true;
        }
        match &mut self.sleep {
            Some((armed, _)) if *armed == at => {}
            Some(_) | None => self.sleep = Some((at, Box::pin(shared.runtime.sleep(at)))),
        }
        let Some((_, sleep)) = &mut self.sleep else { return false };
        if sleep.as_mut().poll(cx).is_ready() {
            self.sleep = None;
            return true;
        }
        false
    }
}

impl<R, C, B> Future for Keeper<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            // Registered first: what happens from here on wakes this task again.
            this.ready.register_keeper(cx.waker());
            let Some(shared) = this.shared.upgrade() else { return Poll::Ready(()) };
            let mut events = std::mem::take(&mut this.events);
            this.ready.take(&mut events);
            for event in events.drain(..) {
                match event {
                    Event::Connect(leash) => start(&shared, &leash),
                    Event::Socket(leash) => look_at(&shared, &leash),
                    Event::Adopted(index) => this.nursery.poll(index),
                }
            }
            this.events = events;
            if shared.seats_freed.swap(false, Ordering::AcqRel) {
                let now = shared.runtime.now();
                shared.turn(now, |state| state.set.handle_seats_freed(now));
            }
            if shared.hosts_changed.swap(false, Ordering::AcqRel) {
                let now = shared.runtime.now();
                shared.turn(now, |state| state.hosts_changed(now));
            }
            // What came in meanwhile has woken this task: others get their turn first.
            if !this.poll_deadline(cx, &shared) {
                return Poll::Pending;
            }
        }
    }
}

impl<R: Runtime, C: Connect, B> Drop for Keeper<R, C, B> {
    /// The runtime ended, or a connector panicked, and the client is still there: nobody opens a
    /// connection or watches a deadline any more, so nobody may wait for one.
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.abort();
            self.nursery.close();
        }
    }
}

/// Starts an attempt that the pool asked for.
fn start<R: Runtime, C: Connect>(shared: &Shared<R, C>, leash: &Arc<Leash>) {
    let place = leash.place();
    let target = shared.look(|state| {
        if state.is_connecting(leash) { state.pool_io(place.pool).map(PoolIo::target_now) } else { None }
    });
    if let Some(target) = target {
        poll_attempt(shared, leash, Box::pin(shared.connector.connect(&target)));
    }
}

/// Polls one attempt, outside the lock: a connector may do anything.
fn poll_attempt<R: Runtime, C: Connect>(
    shared: &Shared<R, C>,
    leash: &Arc<Leash>,
    mut attempt: Pin<Box<C::Future>>,
) {
    leash.unlist();
    let waker = Waker::from(leash.clone());
    match attempt.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(result) => {
            drop(attempt);
            shared.connected(shared.runtime.now(), leash, result);
        }
        Poll::Pending => {
            let given_up = shared.look(|state| match state.slot(leash.place()) {
                Some(Slot::Connecting(holder, place @ None)) if Arc::ptr_eq(holder, leash) => {
                    *place = Some(attempt);
                    None
                }
                Some(_) | None => Some(attempt),
            });
            drop(given_up);
        }
    }
}

/// A socket that the keeper watches woke its leash.
fn look_at<R: Runtime, C: Connect>(shared: &Shared<R, C>, leash: &Arc<Leash>) {
    enum Found<C: Connect> {
        Nothing,
        Attempt(Pin<Box<C::Future>>),
        Dead(Box<super::conn::Conn<C::Io>>, Option<crate::report::Report>, crate::report::ClosedBy),
    }
    let found: Found<C> = shared.look(|state| {
        let Some(slot) = state.slot(leash.place()) else { return Found::Nothing };
        match slot {
            Slot::Connecting(holder, attempt) if Arc::ptr_eq(holder, leash) => {
                attempt.take().map_or(Found::Nothing, Found::Attempt)
            }
            Slot::Idle(holder, conn) if Arc::ptr_eq(holder, leash) => match conn.watch() {
                Idle::Quiet => Found::Nothing,
                Idle::Over(report, by) => match std::mem::replace(slot, Slot::Empty) {
                    Slot::Idle(_, conn) => Found::Dead(conn, report, by),
                    other => {
                        *slot = other;
                        Found::Nothing
                    }
                },
            },
            // In use: its caller does the reading. The flag stays up, so that whoever puts the
            // connection back knows that an event came while it was on its way.
            Slot::Empty | Slot::Connecting(..) | Slot::Idle(..) | Slot::InUse(_) => Found::Nothing,
        }
    });
    match found {
        Found::Nothing => {}
        Found::Attempt(attempt) => poll_attempt(shared, leash, attempt),
        Found::Dead(conn, report, by) => shared.bury(shared.runtime.now(), conn, None, report, by),
    }
}
