//! What all handles, calls and bodies of one client share: the machines behind one lock, the tables
//! that the machines' ids index, and the loop that carries out their actions.
//!
//! Under the lock only ids, counters and pointers move. Sockets are closed, futures dropped and tasks
//! woken after the unlock; a connection's seat goes back when its socket is really gone.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use smallvec::SmallVec;

use super::cluster::Inner;
use super::conn::{Conn, Idle};
use super::leash::{Event, Leash, Place, ReadyList, lock};
use super::line::{Line, Path};
use super::options::Options;
use super::origin::Origin;
use super::state::{After, Content, Life, Outcome, Seats, Slot, State, Ticket};
use crate::cluster::Key;
use crate::id::PoolId;
use crate::pool::{Action, CancelPolicy, ConnView};
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::runtime::{Connect, Runtime};
use crate::time::Instant;

pub(crate) struct Shared<R: Runtime, C: Connect> {
    pub(crate) runtime: R,
    pub(crate) connector: C,
    pub(crate) options: Options,
    pub(crate) ready: Arc<ReadyList>,
    /// Set by other workers that freed a seat for one of our pools.
    pub(crate) seats_freed: Arc<AtomicBool>,
    /// Set by whoever changed the hosts of a cluster that this client was asked for.
    pub(crate) hosts_changed: Arc<AtomicBool>,
    pub(crate) serial: AtomicU64,
    state: Mutex<State<C>>,
}

/// How a request enters the queue.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// At its end.
    New,
    /// At its head, after a safe failure.
    Again { deadline: Option<Instant> },
}

impl Entry {
    /// The deadline of a request that goes back to the head of the queue.
    fn again(self) -> Option<Option<Instant>> {
        match self {
            Self::New => None,
            Self::Again { deadline } => Some(deadline),
        }
    }
}

/// What is left to do for a connection that was given back, once the lock is released.
enum Returned<I> {
    Quiet,
    /// Its socket had an event meanwhile: the keeper looks once more.
    Listed(Arc<Leash>),
    Ordered(Box<Conn<I>>),
}

impl<R: Runtime, C: Connect> Shared<R, C> {
    pub(crate) fn new(runtime: R, connector: C, options: Options) -> Self {
        let state = State::new(&options);
        Self {
            runtime,
            connector,
            options,
            ready: Arc::new(ReadyList::default()),
            seats_freed: Arc::new(AtomicBool::new(false)),
            hosts_changed: Arc::new(AtomicBool::new(false)),
            serial: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    fn seats(&self) -> Seats<'_> {
        Seats { options: &self.options, freed: &self.seats_freed, ready: &self.ready }
    }

    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks, without changing anything that would need actions to be carried out.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut State<C>) -> T) -> T {
        look(&mut lock(&self.state))
    }

    /// One fact or wish, and everything that follows from it.
    #[inline]
    pub(crate) fn turn<T>(&self, now: Instant, step: impl FnOnce(&mut State<C>) -> T) -> T {
        let mut state = lock(&self.state);
        let result = step(&mut state);
        state.publish();
        // On the way that is taken most the pool binds or settles at once and asks for nothing.
        match state.set.poll_action() {
            Some(action) => self.carry_out(now, state, action),
            None => {
                let armed_earlier = state.rearm(now);
                drop(state);
                if armed_earlier {
                    self.ready.wake_keeper();
                }
            }
        }
        result
    }

    /// What the pools asked for.
    #[cold]
    fn carry_out(&self, now: Instant, mut state: MutexGuard<'_, State<C>>, action: (PoolId, Action)) {
        let after = state.act(&self.ready, action);
        let armed_earlier = state.rearm(now);
        drop(state);
        if armed_earlier {
            self.ready.wake_keeper();
        }
        self.follow_up(now, after);
    }

    /// Wakes, drops and reports what a hold of the lock left behind, until nothing is left.
    #[cold]
    fn follow_up(&self, now: Instant, mut after: After<C>) {
        loop {
            for (pool, action) in after.said.drain(..) {
                tell(pool, action);
            }
            for leash in after.connect.drain(..) {
                self.ready.push(Event::Connect(leash));
            }
            for waker in after.wake.drain(..) {
                waker.wake();
            }
            for conn in after.unclaimed.drain(..) {
                // Nothing was written on it: it is as good as before.
                self.release(now, conn, StreamEnd::Complete);
            }
            let gone: SmallVec<[Place; 2]> = after.closed.iter().map(|(place, _)| *place).collect();
            after.closed.clear();
            if gone.is_empty() && !after.more {
                return;
            }
            after.more = false;
            let armed_earlier = {
                let mut state = lock(&self.state);
                for place in gone {
                    state.set.handle_report(now, place.pool, place.conn, Report::Closed(ClosedBy::Local));
                }
                state.publish();
                state.act_all(&self.ready, &mut after);
                state.rearm(now)
            };
            if armed_earlier {
                self.ready.wake_keeper();
            }
        }
    }

    /// Asks the origin's pool for a connection.
    #[inline]
    pub(crate) fn acquire(
        &self,
        now: Instant,
        origin: &Origin<'_>,
        entry: Entry,
        number: u64,
    ) -> Outcome<C::Io> {
        self.turn(now, |state| {
            if state.life == Life::Closing {
                return Outcome::Closed;
            }
            // By key, also for a second time: the pool may have become idle meanwhile, and its id
            // another origin's.
            let Some(pool) = state.pool_of(&self.seats(), now, origin) else { return Outcome::NoPool };
            state.ask(now, pool, entry.again(), number)
        })
    }

    /// Asks the pool of the host whose turn it is.
    #[inline]
    pub(crate) fn acquire_in(
        &self,
        now: Instant,
        path: &mut Path,
        entry: Entry,
        number: u64,
    ) -> Outcome<C::Io> {
        self.turn(now, |state| {
            if state.life == Life::Closing {
                return Outcome::Closed;
            }
            state.ask_cluster(&self.seats(), now, path, entry.again(), number)
        })
    }

    /// This client's side of a cluster.
    #[inline]
    pub(crate) fn line(&self, cluster: &Arc<Inner>) -> Arc<Line> {
        self.look(|state| match state.desks.line(cluster) {
            Some(line) => line,
            None => state.desks.open(cluster, &self.hosts_changed, &self.ready),
        })
    }

    /// Takes the idle connections of an origin out of service.
    #[cold]
    pub(crate) fn retire_idle(&self, now: Instant, key: &Key<'_>) {
        self.turn(now, |state| {
            let Some(id) = state.set.find(key) else { return };
            let Some(pool) = state.set.pool(id) else { return };
            let is_idle = |conn: &ConnView| conn.active == 0 && conn.connected_at.is_some();
            let idle: SmallVec<[_; 16]> = pool.connections().filter(is_idle).map(|conn| conn.id).collect();
            for conn in idle {
                state.set.retire(now, id, conn);
            }
        });
    }

    /// Whether a request would be refused.
    #[cold]
    pub(crate) fn is_closing(&self) -> bool {
        self.look(|state| state.life == Life::Closing)
    }

    /// Takes nothing any more, and closes everything.
    #[cold]
    pub(crate) fn abort(&self) {
        let now = self.runtime.now();
        self.turn(now, |state| {
            state.life = Life::Closing;
            let pools: Vec<_> = state.set.pools().map(|(id, _)| id).collect();
            for pool in pools {
                state.set.abort(now, pool);
            }
        });
    }

    /// The outcome of a queued request, if there is one yet; otherwise `waker` is woken by it.
    pub(crate) fn poll_ticket(&self, ticket: Ticket, waker: &Waker) -> Option<Outcome<C::Io>> {
        let mut replaced = None;
        let outcome = self.look(|state| state.poll_mailbox(ticket.token, waker, &mut replaced));
        // Dropped outside the lock: it may be the last waker of a task.
        drop(replaced);
        outcome
    }

    /// The caller of a queued request went away.
    pub(crate) fn cancel(&self, now: Instant, ticket: Ticket) {
        let content = self.turn(now, |state| {
            let content = state.empty_mailbox(ticket.token);
            if matches!(content, Content::Waiting(_)) {
                state.set.cancel(now, ticket.pool, ticket.waiter, CancelPolicy::Default);
            }
            content
        });
        // A waker in it is dropped outside the lock as well: it may be the last of a task.
        if let Content::Bound(conn) = content {
            // Nothing was written on it: it is as good as before.
            self.release(now, conn, StreamEnd::Complete);
        }
    }

    /// An exchange ended and its connection comes back.
    pub(crate) fn release(&self, now: Instant, mut conn: Box<Conn<C::Io>>, end: StreamEnd) {
        let place = conn.place();
        conn.leash.unregister();
        // What came with the response is seen before the queue is served (P3): a FIN in particular.
        let idle = if end == StreamEnd::Complete { conn.watch() } else { Idle::Quiet };
        match idle {
            Idle::Quiet => {
                let returned = self.turn(now, |state| {
                    // Given under this lock, while the connection was on its way: whoever has it
                    // carries the order out, and the pool waits for its end.
                    if conn.leash.is_ordered_to_close() {
                        return Returned::Ordered(conn);
                    }
                    // The keeper may have met the event that `watch` just asked for, and found the
                    // connection in use.
                    let listed = conn.leash.is_listed().then(|| conn.leash.clone());
                    let answered = conn.take_answered();
                    state.give_back(place, conn);
                    state.finish(now, place, end, answered);
                    state.publish_requests(place.pool);
                    listed.map_or(Returned::Quiet, Returned::Listed)
                });
                match returned {
                    Returned::Quiet => {}
                    Returned::Listed(leash) => self.ready.push(Event::Socket(leash)),
                    Returned::Ordered(conn) => self.bury(now, conn, None, None, ClosedBy::Local),
                }
            }
            Idle::Over(report, by) => self.bury(now, conn, Some(end), report, by),
        }
    }

    /// A connection is over; `end` is how the exchange on it ended, if one was.
    pub(crate) fn bury(
        &self,
        now: Instant,
        mut conn: Box<Conn<C::Io>>,
        end: Option<StreamEnd>,
        report: Option<Report>,
        by: ClosedBy,
    ) {
        self.note_buried(now, &mut conn);
        let (place, leash) = (conn.place(), conn.leash.clone());
        drop(conn);
        self.turn(now, |state| {
            state.put(place, Slot::Empty);
            // A connection that the pool ordered to close has no streams any more: all that it waits for
            // is the end of the socket. The order is given under this lock.
            if !leash.is_ordered_to_close() {
                // A stream that the peer broke dies with its connection: the pool drops it at `Closed`.
                if let Some(end) = end.filter(|end| *end != StreamEnd::RemoteReset) {
                    state.set.handle_report(now, place.pool, place.conn, Report::StreamEnded(end));
                }
                // The end of its last stream may have closed it.
                if let Some(report) = report.filter(|_| state.is_open(place)) {
                    state.set.handle_report(now, place.pool, place.conn, report);
                }
            }
            state.set.handle_report(now, place.pool, place.conn, Report::Closed(by));
        });
    }

    /// An attempt succeeded or failed.
    pub(crate) fn connected(&self, now: Instant, leash: &Arc<Leash>, result: io::Result<C::Io>) {
        let place = leash.place();
        match result {
            Ok(io) => {
                let host = self.look(|state| state.pool_io(place.pool)?.host.clone());
                let h1 = host.as_ref().map_or(&self.options.h1, |local| &local.cluster.h1).clone();
                let mut conn = Conn::new(io, h1, leash.clone(), self.next_serial());
                if host.is_some() {
                    conn.addresses = Some(Arc::new(self.connector.addresses(&conn.io)));
                }
                let conn = Box::new(conn);
                let given_up = self.turn(now, |state| {
                    if !state.is_connecting(leash) {
                        // The pool gave it up while it was being polled.
                        return Some(conn);
                    }
                    if let Some(io) = state.pool_io(place.pool) {
                        io.last_error = None;
                    }
                    state.put(place, Slot::Idle(leash.clone(), conn));
                    let connected = Report::Connected { limit: None };
                    state.set.handle_report(now, place.pool, place.conn, connected);
                    None
                });
                // Whoever has it now looks at its socket first: the caller that it was bound to, or the
                // keeper. A connection that the peer has closed meanwhile costs one caller one attempt;
                // reported as a failed attempt it would fail the whole queue.
                if given_up.is_none() {
                    self.ready.push(Event::Socket(leash.clone()));
                }
            }
            Err(error) => {
                let by = origin_of(&error);
                self.turn(now, |state| {
                    if !state.is_connecting(leash) {
                        return;
                    }
                    state.note_connect_failed(now, place, &error);
                    if let Some(io) = state.pool_io(place.pool) {
                        io.last_error = Some(Arc::new(error));
                    }
                    state.put(place, Slot::Empty);
                    state.set.handle_report(now, place.pool, place.conn, Report::Closed(by));
                });
            }
        }
    }
}

impl<R: Runtime, C: Connect> Drop for Shared<R, C> {
    fn drop(&mut self) {
        // The keeper holds this weakly: it runs once more, and ends.
        self.ready.wake_keeper();
    }
}

/// Tells a subscriber what a pool decided, and why.
fn tell(pool: PoolId, action: Action) {
    match action {
        Action::Connect { conn, reason } => tracing::debug!(?pool, ?conn, ?reason, "connect"),
        Action::Close { conn, reason } => tracing::debug!(?pool, ?conn, ?reason, "close"),
        Action::Bind { conn, reason, .. } => tracing::trace!(?pool, ?conn, ?reason, "bind"),
        Action::Fail { failure, reason, .. } => tracing::debug!(?pool, ?failure, ?reason, "fail"),
        Action::NotifyGoAway { conn } => tracing::debug!(?pool, ?conn, "notify go away"),
        Action::Idle => tracing::debug!(?pool, "idle"),
    }
}

/// Whose fault a failed attempt was.
fn origin_of(error: &io::Error) -> ClosedBy {
    match error.kind() {
        io::ErrorKind::InvalidInput
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::AddrInUse
        | io::ErrorKind::NotFound
        | io::ErrorKind::Unsupported
        | io::ErrorKind::OutOfMemory => ClosedBy::Local,
        _ => ClosedBy::Remote,
    }
}
