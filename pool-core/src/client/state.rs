//! The tables behind the lock: which socket is whose, which call waits where, and the loop that turns
//! the pools' actions into moves between them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use smallvec::SmallVec;

use super::conn::Conn;
use super::leash::{Leash, Place, ReadyList};
use super::line::{Desks, Local};
use super::options::Options;
use super::origin::Origin;
use super::pools::Pools;
use super::stats::Meter;
use crate::error::PoolFailure;
use crate::id::{PoolId, Token, WaiterId};
use crate::limits::Wake;
use crate::pool::{Action, Answer, EarlyData, QueueReason, Request, State as ConnState};
use crate::runtime::{Connect, Target};
use crate::time::{Deadline, Instant};

/// Actions carried out in one hold of the lock.
const BATCH: usize = 64;

pub(crate) struct State<C: Connect> {
    pub(crate) set: Pools,
    /// The named clusters that this client was asked for.
    pub(crate) desks: Desks,
    pools: Vec<Option<PoolIo<C>>>,
    mailboxes: Vec<Mailbox<C::Io>>,
    free: Vec<u32>,
    /// What the keeper sleeps until.
    pub(crate) armed: Instant,
    pub(crate) life: Life,
    closers: Vec<Waker>,
}

/// Whether new requests are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    Closing,
}

/// The sockets of one pool.
pub(crate) struct PoolIo<C: Connect> {
    pub(crate) target: Arc<Target>,
    /// The host, where the pool is a named cluster's.
    pub(crate) host: Option<Arc<Local>>,
    /// Where its counters are published, where the pool is a named cluster's.
    meter: Option<Meter>,
    slots: Vec<Slot<C>>,
    pub(crate) last_error: Option<Arc<io::Error>>,
}

impl<C: Connect> PoolIo<C> {
    /// Where a connection that is opened now goes: the host may have another address than before.
    pub(crate) fn target_now(&mut self) -> Arc<Target> {
        if let Some(local) = &self.host {
            if self.target.address != local.host.address() {
                self.target = Arc::new(local.host.target());
            }
        }
        self.target.clone()
    }
}

/// Who has a connection.
pub(crate) enum Slot<C: Connect> {
    Empty,
    /// The keeper; `None` while it polls the attempt, or has not started it.
    Connecting(Arc<Leash>, Option<Pin<Box<C::Future>>>),
    /// The keeper. The leash stays in the slot while the connection comes and goes.
    Idle(Arc<Leash>, Box<Conn<C::Io>>),
    /// A caller; it can be reached by its leash.
    InUse(Arc<Leash>),
}

/// Where a queued call finds its outcome.
pub(crate) struct Mailbox<I> {
    generation: u32,
    content: Content<I>,
}

pub(crate) enum Content<I> {
    Free,
    Waiting(Option<Waker>),
    Bound(Box<Conn<I>>),
    Failed(PoolFailure, Option<Arc<io::Error>>),
}

/// A queued call's handle to its outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) pool: PoolId,
    pub(crate) waiter: WaiterId,
    pub(crate) token: Token,
    /// What it waits for.
    pub(crate) reason: QueueReason,
}

/// What became of a wish for a connection.
pub(crate) enum Outcome<I> {
    Bound(Box<Conn<I>>),
    Queued(Ticket),
    Failed(PoolFailure, Option<Arc<io::Error>>),
    /// The cluster has no host to choose.
    NoHost,
    /// `max_connection_pools` has no room.
    NoPool,
    Closed,
}

/// What a new pool is made from.
pub(crate) struct Seats<'a> {
    pub(crate) options: &'a Options,
    /// Set, and the keeper woken, when another worker freed a seat for one of our pools.
    pub(crate) freed: &'a Arc<AtomicBool>,
    pub(crate) ready: &'a Arc<ReadyList>,
}

impl Seats<'_> {
    /// What a ledger calls when another worker freed a seat for one of our pools.
    pub(crate) fn on_freed(&self) -> Wake {
        let (freed, ready) = (self.freed.clone(), self.ready.clone());
        Arc::new(move || {
            freed.store(true, Ordering::Release);
            ready.wake_keeper();
        })
    }
}

/// The set of pools, recorded if the options say so.
fn pools(options: &Options) -> Pools {
    #[cfg(feature = "trace")]
    return Pools::new(options.seed, options.recording.clone());
    #[cfg(not(feature = "trace"))]
    Pools::new(options.seed)
}

/// What to do once the lock is released.
pub(crate) struct After<C: Connect> {
    pub(crate) wake: SmallVec<[Waker; 4]>,
    pub(crate) closed: SmallVec<[(Place, Trash<C>); 2]>,
    pub(crate) connect: SmallVec<[Arc<Leash>; 2]>,
    /// Bound to a caller that went away before the action was carried out.
    pub(crate) unclaimed: SmallVec<[Box<Conn<C::Io>>; 1]>,
    /// Actions to be told to a subscriber, which is somebody else's code.
    pub(crate) said: Vec<(PoolId, Action)>,
    pub(crate) more: bool,
}

/// Dropped outside the lock; the socket is gone afterwards.
pub(crate) enum Trash<C: Connect> {
    Attempt(#[expect(dead_code, reason = "held to be dropped")] Option<Pin<Box<C::Future>>>),
    Socket(#[expect(dead_code, reason = "held to be dropped")] Box<Conn<C::Io>>),
}

impl<C: Connect> After<C> {
    pub(crate) fn new() -> Self {
        Self {
            wake: SmallVec::new(),
            closed: SmallVec::new(),
            connect: SmallVec::new(),
            unclaimed: SmallVec::new(),
            said: Vec::new(),
            more: false,
        }
    }
}

impl<C: Connect> State<C> {
    pub(crate) fn new(options: &Options) -> Self {
        let seed = options.seed;
        Self {
            set: pools(options),
            desks: Desks::new(seed),
            pools: Vec::new(),
            mailboxes: Vec::new(),
            free: Vec::new(),
            armed: Instant::NEVER,
            life: Life::Open,
            closers: Vec::new(),
        }
    }

    /// The sockets of a pool.
    pub(crate) fn pool_io(&mut self, pool: PoolId) -> Option<&mut PoolIo<C>> {
        self.pools.get_mut(pool.0 as usize)?.as_mut()
    }

    /// Whether the pool has not given a connection up.
    #[cold]
    pub(crate) fn is_open(&self, place: Place) -> bool {
        let conn = self.set.pool(place.pool).and_then(|pool| pool.connection(place.conn));
        conn.is_some_and(|conn| !matches!(conn.state, ConnState::Closed(_)))
    }

    /// Everything known about the pools, for a snapshot.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (PoolId, &Arc<Target>)> {
        (0u32..).zip(&self.pools).filter_map(|(index, io)| Some((PoolId(index), &io.as_ref()?.target)))
    }

    /// The pool of an origin, made on demand; `None` if `max_connection_pools` has no room.
    #[inline]
    pub(crate) fn pool_of(&mut self, seats: &Seats<'_>, now: Instant, origin: &Origin<'_>) -> Option<PoolId> {
        match self.set.find(&origin.key()) {
            Some(pool) => Some(pool),
            None => self.add_pool(seats, now, origin),
        }
    }

    #[cold]
    fn add_pool(&mut self, seats: &Seats<'_>, now: Instant, origin: &Origin<'_>) -> Option<PoolId> {
        let key = origin.key();
        let options = seats.options;
        let ledger = options.breakers.worker(&key, seats.on_freed());
        let target = origin.target();
        let limits = options.breakers.limits();
        let cluster = self.set.add_cluster(now, &target.host, limits, options.pool.clone(), ledger);
        let pool = self.set.add_pool(now, || target.label(), &key, cluster, key.priority).ok()?;
        self.put_pool(pool, target, None);
        Some(pool)
    }

    /// Makes room for the sockets of a new pool.
    pub(crate) fn put_pool(&mut self, pool: PoolId, target: Target, host: Option<Arc<Local>>) {
        let index = pool.0 as usize;
        if self.pools.len() <= index {
            self.pools.resize_with(index + 1, || None);
        }
        let target = Arc::new(target);
        let meter = host.as_ref().map(|local| local.cluster.tallies.open(local.host.clone()));
        self.pools[index] = Some(PoolIo { target, host, meter, slots: Vec::new(), last_error: None });
    }

    /// Shows everybody what pools of named clusters have counted. Before actions are taken: they may be
    /// the last of a pool.
    #[inline]
    pub(crate) fn publish(&mut self) {
        while let Some(pool) = self.set.poll_touched() {
            let meter = self.pools.get(pool.0 as usize).and_then(|io| io.as_ref()?.meter.as_ref());
            if let (Some(meter), Some(pool)) = (meter, self.set.pool(pool)) {
                meter.publish(pool);
            }
        }
    }

    /// Shows everybody that a request was bound or has ended.
    #[inline]
    pub(crate) fn publish_requests(&self, pool: PoolId) {
        if let Some(Some(PoolIo { meter: Some(meter), .. })) = self.pools.get(pool.0 as usize) {
            if let Some(pool) = self.set.pool(pool) {
                meter.publish_requests(pool);
            }
        }
    }

    /// Asks a pool on behalf of request `number`; `again` puts it at the head of the queue, with the
    /// deadline it had.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        pool: PoolId,
        again: Option<Option<Instant>>,
        number: u64,
    ) -> Outcome<C::Io> {
        let token = self.reserve_mailbox();
        let request = Request { token, early_data: EarlyData::Unsafe };
        let answer = match again {
            None => self.set.request(now, pool, request, number),
            Some(deadline) => self.set.requeue(now, pool, request, deadline, number),
        };
        match answer {
            Some(Answer::Queued(queued)) => {
                return Outcome::Queued(Ticket { pool, waiter: queued.waiter, token, reason: queued.reason });
            }
            Some(Answer::Bound(bound)) => {
                drop(self.empty_mailbox(token));
                self.publish_requests(pool);
                if let Some(conn) = self.lend(Place { pool, conn: bound.conn }) {
                    return Outcome::Bound(conn);
                }
            }
            Some(Answer::Failed(failed)) => {
                drop(self.empty_mailbox(token));
                return Outcome::Failed(failed.failure, self.last_error(pool));
            }
            None => drop(self.empty_mailbox(token)),
        }
        // Not reached while tables and machines agree: the pool is known and its connections are here.
        Outcome::Failed(PoolFailure::LocalConnectionFailure, None)
    }

    fn last_error(&mut self, pool: PoolId) -> Option<Arc<io::Error>> {
        self.pool_io(pool)?.last_error.clone()
    }

    /// Takes an idle connection for a caller.
    #[inline]
    fn lend(&mut self, place: Place) -> Option<Box<Conn<C::Io>>> {
        let slot = self.slot(place)?;
        match std::mem::replace(slot, Slot::Empty) {
            Slot::Idle(leash, conn) if leash.place() == place => {
                *slot = Slot::InUse(leash);
                Some(conn)
            }
            other => {
                *slot = other;
                None
            }
        }
    }

    /// A caller is done with its connection.
    #[inline]
    pub(crate) fn give_back(&mut self, place: Place, conn: Box<Conn<C::Io>>) {
        let Some(slot) = self.slot(place) else { return };
        let leash = match std::mem::replace(slot, Slot::Empty) {
            Slot::InUse(leash) if leash.place() == place => leash,
            // Not reached while tables and machines agree.
            Slot::Empty | Slot::Connecting(..) | Slot::Idle(..) | Slot::InUse(_) => conn.leash.clone(),
        };
        *slot = Slot::Idle(leash, conn);
    }

    pub(crate) fn slot(&mut self, place: Place) -> Option<&mut Slot<C>> {
        self.pools.get_mut(place.pool.0 as usize)?.as_mut()?.slots.get_mut(place.conn.index as usize)
    }

    #[inline]
    pub(crate) fn put(&mut self, place: Place, content: Slot<C>) {
        let Some(Some(io)) = self.pools.get_mut(place.pool.0 as usize) else { return };
        let index = place.conn.index as usize;
        if io.slots.len() <= index {
            io.slots.resize_with(index + 1, || Slot::Empty);
        }
        io.slots[index] = content;
    }

    /// Whether the place is still an attempt that the pool waits for.
    ///
    /// By identity, not by place: a pool that is gone may have given its id to another origin's.
    pub(crate) fn is_connecting(&mut self, leash: &Arc<Leash>) -> bool {
        matches!(self.slot(leash.place()), Some(Slot::Connecting(holder, _)) if Arc::ptr_eq(holder, leash))
    }

    fn reserve_mailbox(&mut self) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.mailboxes.push(Mailbox { generation: 0, content: Content::Free });
            u32::try_from(self.mailboxes.len() - 1).unwrap_or(u32::MAX)
        });
        let mailbox = &mut self.mailboxes[index as usize];
        mailbox.content = Content::Waiting(None);
        Token(u64::from(mailbox.generation) << 32 | u64::from(index))
    }

    /// Takes what is in a mailbox and frees it.
    pub(crate) fn empty_mailbox(&mut self, token: Token) -> Content<C::Io> {
        let (index, generation) = split(token);
        let Some(mailbox) = self.mailboxes.get_mut(index as usize) else { return Content::Free };
        if mailbox.generation != generation {
            return Content::Free;
        }
        mailbox.generation = mailbox.generation.wrapping_add(1);
        self.free.push(index);
        std::mem::replace(&mut mailbox.content, Content::Free)
    }

    /// The outcome in a mailbox, if there is one yet; otherwise `waker` is woken by it, and not the one
    /// that it has `replaced`.
    pub(crate) fn poll_mailbox(
        &mut self,
        token: Token,
        waker: &Waker,
        replaced: &mut Option<Waker>,
    ) -> Option<Outcome<C::Io>> {
        let (index, generation) = split(token);
        let mailbox = self.mailboxes.get_mut(index as usize)?;
        if mailbox.generation != generation {
            return None;
        }
        if let Content::Waiting(known) = &mut mailbox.content {
            match known {
                Some(known) if known.will_wake(waker) => {}
                Some(_) | None => *replaced = known.replace(waker.clone()),
            }
            return None;
        }
        match self.empty_mailbox(token) {
            Content::Bound(conn) => Some(Outcome::Bound(conn)),
            Content::Failed(failure, cause) => Some(Outcome::Failed(failure, cause)),
            Content::Free | Content::Waiting(_) => None,
        }
    }

    fn deliver(&mut self, token: Token, outcome: Content<C::Io>, after: &mut After<C>) {
        let (index, generation) = split(token);
        match self.mailboxes.get_mut(index as usize) {
            Some(mailbox) if mailbox.generation == generation => {
                if let Content::Waiting(Some(waker)) = std::mem::replace(&mut mailbox.content, outcome) {
                    after.wake.push(waker);
                }
            }
            // Cancelled between the decision and this batch of actions.
            Some(_) | None => {
                if let Content::Bound(conn) = outcome {
                    after.unclaimed.push(conn);
                }
            }
        }
    }

    /// Carries out one action and those behind it.
    #[cold]
    pub(crate) fn act(&mut self, ready: &Arc<ReadyList>, first: (PoolId, Action)) -> After<C> {
        let mut after = After::new();
        self.act_on(ready, &mut after, first.0, first.1);
        self.act_all(ready, &mut after);
        after
    }

    /// Carries out the pools' actions, a batch at most.
    pub(crate) fn act_all(&mut self, ready: &Arc<ReadyList>, after: &mut After<C>) {
        for _ in 0..BATCH {
            let Some((pool, action)) = self.set.poll_action() else { return };
            self.act_on(ready, after, pool, action);
        }
        after.more = true;
    }

    fn act_on(&mut self, ready: &Arc<ReadyList>, after: &mut After<C>, pool: PoolId, action: Action) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            after.said.push((pool, action));
        }
        match action {
            Action::Connect { conn, .. } => {
                let place = Place { pool, conn };
                let leash = Leash::new(place, ready.clone());
                self.put(place, Slot::Connecting(leash.clone(), None));
                after.connect.push(leash);
            }
            Action::Close { conn, .. } => self.close(Place { pool, conn }, after),
            Action::Bind { token, conn, .. } => {
                let content = match self.lend(Place { pool, conn }) {
                    Some(conn) => Content::Bound(conn),
                    // Not reached while tables and machines agree.
                    None => Content::Failed(PoolFailure::LocalConnectionFailure, None),
                };
                self.deliver(token, content, after);
            }
            Action::Fail { token, failure, .. } => {
                let cause = self.last_error(pool);
                self.deliver(token, Content::Failed(failure, cause), after);
            }
            // HTTP/1 has no such frame.
            Action::NotifyGoAway { .. } => {}
            Action::Idle => {
                let gone = self.pools.get_mut(pool.0 as usize).and_then(Option::take);
                if let Some(local) = gone.and_then(|io| io.host) {
                    self.desks.pool_gone(&local);
                }
                if self.set.is_empty() {
                    after.wake.extend(self.closers.drain(..));
                }
            }
        }
    }

    fn close(&mut self, place: Place, after: &mut After<C>) {
        let Some(slot) = self.slot(place) else { return };
        match std::mem::replace(slot, Slot::Empty) {
            Slot::Connecting(leash, attempt) if leash.place() == place => {
                after.closed.push((place, Trash::Attempt(attempt)));
            }
            Slot::Idle(leash, conn) if leash.place() == place => {
                after.closed.push((place, Trash::Socket(conn)));
            }
            Slot::InUse(leash) if leash.place() == place => {
                after.wake.extend(leash.order_close());
                *slot = Slot::InUse(leash);
            }
            other => *slot = other,
        }
    }

    /// Whether the keeper has to wake earlier than it thinks.
    #[inline]
    pub(crate) fn rearm(&mut self, now: Instant) -> bool {
        let at = match self.set.deadline() {
            Deadline::Never => return false,
            Deadline::At(at, ()) => at,
            Deadline::Now(()) => now,
        };
        if at >= self.armed {
            return false;
        }
        self.armed = at;
        true
    }

    /// Wakes `waker` once the last pool is idle; `true` if that is so already.
    pub(crate) fn poll_empty(&mut self, waker: &Waker) -> bool {
        if self.set.is_empty() {
            return true;
        }
        if !self.closers.iter().any(|known| known.will_wake(waker)) {
            self.closers.push(waker.clone());
        }
        false
    }
}

fn split(token: Token) -> (u32, u32) {
    (token.0 as u32, (token.0 >> 32) as u32)
}
