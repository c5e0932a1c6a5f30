//! The pools of one worker: found by full key, driven as one machine.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::key::{CanonicalKey, Key, Probe};
use crate::config::PoolConfig;
use crate::id::{ConnId, HostId, PoolId, WaiterId};
use crate::limits::{Claimant, Full, Ledger, Priority, Resource, Seat};
use crate::pool::{Action, Answer, CancelPolicy, DrainMode, Pool, Request};
use crate::report::{Report, StreamEnd};
use crate::time::{Deadline, Heap, Instant};

/// A cluster within one set: limits and configuration that its pools share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClusterId(u32);

impl ClusterId {
    /// Its place in the set; given to another cluster once this one is forgotten.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

struct Cluster<L> {
    config: Arc<PoolConfig>,
    ledger: L,
    pools: u32,
}

/// A pool with its key: one line with the key, and the pool's lines after it.
#[repr(C)]
struct Entry {
    key: CanonicalKey,
    cluster: u32,
    /// Whether it is in the set's list of pools with actions.
    dirty: bool,
    /// The earliest wake-up registered for it; [`Instant::NEVER`] for none.
    armed: Instant,
    pool: Pool,
}

/// Pools whose counters may have moved, each at most once: also one that was forgotten meanwhile, whose
/// place is then its successor's.
#[derive(Default)]
struct Touched {
    list: SmallVec<[u32; 8]>,
    is_listed: Vec<bool>,
}

impl Touched {
    #[inline]
    fn add(&mut self, index: u32) {
        if let Some(is_listed @ false) = self.is_listed.get_mut(index as usize) {
            *is_listed = true;
            self.list.push(index);
        }
    }

    #[inline]
    fn take(&mut self) -> Option<u32> {
        let index = self.list.pop()?;
        if let Some(is_listed) = self.is_listed.get_mut(index as usize) {
            *is_listed = false;
        }
        Some(index)
    }
}

/// What only the making and forgetting of a pool touch.
struct Filed {
    hash: u64,
    /// Its seat in `max_connection_pools`.
    seat: Seat,
}

const _: () = assert!(size_of::<Option<Entry>>() == 320, "five lines; think before it grows");

impl Entry {
    /// After a turn: what the pool now wants of the set.
    #[inline]
    fn follow(&mut self, index: u32, dirty: &mut SmallVec<[u32; 8]>, due: &mut Heap<()>) {
        match self.pool.deadline() {
            Deadline::Never => {}
            Deadline::Now(_) => {
                if !self.dirty {
                    self.dirty = true;
                    dirty.push(index);
                }
            }
            Deadline::At(at, _) => self.arm(at, index, due),
        }
    }

    /// Registers a wake-up, unless an earlier one is registered.
    #[inline]
    fn arm(&mut self, at: Instant, index: u32, due: &mut Heap<()>) {
        if at < self.armed {
            self.armed = at;
            due.set(index, at, ());
        }
    }
}

/// All pools of one worker.
///
/// Contract as everywhere: one fact or wish, then [`PoolSet::poll_action`] until `None`, then sleep
/// until [`PoolSet::deadline`].
///
/// A set that is dropped gives all its seats back, for the sake of others on the same ledgers.
pub struct PoolSet<L: Ledger> {
    index: HashTable<u32>,
    hasher: FixedState,
    entries: Vec<Option<Entry>>,
    /// By the same index.
    filed: Vec<Option<Filed>>,
    free: Vec<u32>,
    /// By index: where the names of the next pool there begin.
    generations: Vec<u32>,
    clusters: Vec<Option<Cluster<L>>>,
    free_clusters: Vec<u32>,
    /// When a pool wants to be called, at the latest; may be early.
    due: Heap<()>,
    /// Pools that may have actions to drain, each at most once.
    dirty: SmallVec<[u32; 8]>,
    /// Pools whose counters may have moved otherwise than by a request bound or ended directly.
    touched: Touched,
    /// Pools whose queue is served after the remaining input of their connection was fed.
    settling: SmallVec<[u32; 8]>,
    seed: u64,
}

impl<L: Ledger> core::fmt::Debug for PoolSet<L> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PoolSet").finish_non_exhaustive()
    }
}

impl<L: Ledger> PoolSet<L> {
    /// An empty set. `seed` feeds jitter and the hash of the key table.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            index: HashTable::new(),
            hasher: FixedState::with_seed(seed),
            entries: Vec::new(),
            filed: Vec::new(),
            free: Vec::new(),
            generations: Vec::new(),
            clusters: Vec::new(),
            free_clusters: Vec::new(),
            due: Heap::new(),
            dirty: SmallVec::new(),
            touched: Touched::default(),
            settling: SmallVec::new(),
            seed,
        }
    }

    /// The pool of a key, if there is one.
    #[inline]
    #[must_use]
    pub fn find(&self, key: &Key<'_>) -> Option<PoolId> {
        let probe = Probe::new(key, &self.hasher);
        let is_it = |&index: &u32| self.entry(index).is_some_and(|entry| probe.matches(&entry.key));
        self.index.find(probe.hash, is_it).map(|&index| PoolId(index))
    }

    /// A pool by id.
    #[must_use]
    pub fn pool(&self, id: PoolId) -> Option<&Pool> {
        self.entries.get(id.0 as usize)?.as_ref().map(|entry| &entry.pool)
    }

    /// Every pool, in the order of ids.
    pub fn pools(&self) -> impl Iterator<Item = (PoolId, &Pool)> {
        (0u32..).zip(&self.entries).filter_map(|(index, entry)| Some((PoolId(index), &entry.as_ref()?.pool)))
    }

    /// The ledger of the pool's cluster.
    #[must_use]
    pub fn ledger(&self, id: PoolId) -> Option<&L> {
        let entry = self.entries.get(id.0 as usize)?.as_ref()?;
        self.clusters.get(entry.cluster as usize)?.as_ref().map(|cluster| &cluster.ledger)
    }

    /// Whether no pool exists: every connection is gone and nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// When to call [`PoolSet::handle_timeout`].
    #[must_use]
    pub fn deadline(&self) -> Deadline<()> {
        if !self.dirty.is_empty() || !self.settling.is_empty() {
            return Deadline::Now(());
        }
        self.due.first().map_or(Deadline::Never, |(at, ())| Deadline::At(at, ()))
    }

    /// What a connection reported.
    #[inline]
    pub fn handle_report(&mut self, now: Instant, pool: PoolId, conn: ConnId, report: Report) {
        self.turn(now, pool, |pool, ledger| match report {
            Report::Connected { limit } => pool.handle_connected(now, ledger, conn, limit),
            Report::StreamEnded(end) => pool.handle_stream_ended(now, ledger, conn, end),
            Report::CapacityChanged { limit } => pool.handle_capacity_changed(now, ledger, conn, limit),
            Report::GoAwayReceived => pool.handle_go_away(now, ledger, conn),
            Report::ProtocolError => pool.handle_protocol_error(now, ledger, conn),
            Report::Closed(by) => pool.handle_closed(now, ledger, conn, by),
        });
    }

    /// All input that had arrived with the end of a stream was fed: the pool's queue may be served.
    #[inline]
    pub fn handle_settled(&mut self, now: Instant, pool: PoolId) {
        // Once for each time that its actions were taken meanwhile.
        self.settling.retain(|index| *index != pool.0);
        self.turn(now, pool, |pool, ledger| pool.handle_settled(now, ledger));
    }

    /// The deadline was reached: settles what is due and runs every timer up to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(index) = self.settling.pop() {
            self.turn(now, PoolId(index), |pool, ledger| pool.handle_settled(now, ledger));
        }
        while let Some(index) = self.due.pop_due(now) {
            if let Some(Some(entry)) = self.entries.get_mut(index as usize) {
                entry.armed = Instant::NEVER;
            }
            self.turn(now, PoolId(index), |pool, ledger| pool.handle_timeout(now, ledger));
        }
    }

    /// Another worker freed a seat that is now reserved for a pool of this set.
    pub fn handle_seats_freed(&mut self, now: Instant) {
        for cluster in 0..self.clusters.len() {
            self.pass_on_freed(now, cluster, None);
        }
    }

    /// Adds a cluster. It is forgotten with its last pool, or when its first one is refused; the id
    /// is dead then, and may be given to another cluster.
    pub fn add_cluster(&mut self, config: Arc<PoolConfig>, ledger: L) -> ClusterId {
        let cluster = Some(Cluster { config, ledger, pools: 0 });
        let index = if let Some(index) = self.free_clusters.pop() {
            self.clusters[index as usize] = cluster;
            index
        } else {
            self.clusters.push(cluster);
            u32::try_from(self.clusters.len() - 1).unwrap_or(u32::MAX)
        };
        ClusterId(index)
    }

    /// Makes a pool for a key that has none.
    ///
    /// # Errors
    /// [`Full`] if `max_connection_pools` has no room (`upstream_cx_pool_overflow`), or if the
    /// cluster is gone.
    pub fn add_pool(
        &mut self,
        key: &Key<'_>,
        cluster: ClusterId,
        priority: Priority,
    ) -> Result<PoolId, Full> {
        let hash = Probe::new(key, &self.hasher).hash;
        let Some(Some(owner)) = self.clusters.get_mut(cluster.0 as usize) else { return Err(Full::Cluster) };
        let index =
            self.free.last().copied().unwrap_or(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        // Each origin of a URL is a cluster with one host.
        let host = key.endpoint.map_or(HostId(0), |endpoint| endpoint.host);
        let who = Claimant { pool: PoolId(index), host, priority };
        let seat = match owner.ledger.try_take(Resource::Pools, who) {
            Ok(seat) => seat,
            Err(full) => {
                self.forget_unused(cluster.0);
                return Err(full);
            }
        };
        owner.pools += 1;
        let seed = self.seed.wrapping_add(u64::from(index));
        let mut pool = Pool::new(owner.config.clone(), who, seed);
        pool.begin_names_at(self.generations.get(index as usize).copied().unwrap_or(0));
        let entry = Entry {
            key: CanonicalKey::of(key),
            cluster: cluster.0,
            armed: Instant::NEVER,
            pool,
            dirty: false,
        };
        let filed = Some(Filed { hash, seat });
        if self.free.pop().is_some() {
            self.entries[index as usize] = Some(entry);
            self.filed[index as usize] = filed;
        } else {
            self.entries.push(Some(entry));
            self.generations.push(0);
            self.touched.is_listed.push(false);
            self.filed.push(filed);
        }
        let filed = &self.filed;
        self.index.insert_unique(hash, index, |&index| {
            filed[index as usize].as_ref().map_or(0, |filed| filed.hash)
        });
        Ok(PoolId(index))
    }

    /// Asks a pool for a connection. A pool whose first request is refused is forgotten.
    #[inline]
    pub fn request(&mut self, now: Instant, pool: PoolId, request: Request) -> Option<Answer> {
        let (entry, ledger) = self.entry_and_ledger(pool)?;
        // After the direct way there is no new deadline to look at and no action to take.
        let Some(answer) = entry.pool.bind_directly(ledger) else {
            return self.turn(now, pool, |pool, ledger| {
                let answer = pool.request(now, ledger, request);
                if let Answer::Failed(_) = answer {
                    pool.report_unused();
                }
                answer
            });
        };
        if let Some(freed) = ledger.poll_freed() {
            let cluster = entry.cluster as usize;
            self.pass_on_freed(now, cluster, Some(freed));
        }
        Some(answer)
    }

    /// Puts a request back at the head of the queue after a safe failure.
    pub fn requeue(
        &mut self,
        now: Instant,
        pool: PoolId,
        request: Request,
        deadline: Option<Instant>,
    ) -> Option<Answer> {
        self.turn(now, pool, |pool, ledger| pool.requeue(now, ledger, request, deadline))
    }

    /// A stream ended and all input that came with it was fed: [`PoolSet::handle_report`] and
    /// [`PoolSet::handle_settled`] in one step, for drivers that read before they report.
    #[inline]
    pub fn finish(&mut self, now: Instant, pool: PoolId, conn: ConnId, end: StreamEnd) {
        let Some((entry, ledger)) = self.entry_and_ledger(pool) else { return };
        if entry.pool.settle_directly(now, ledger, conn, end) {
            if let Some(freed) = ledger.poll_freed() {
                let cluster = entry.cluster as usize;
                self.pass_on_freed(now, cluster, Some(freed));
            }
            return;
        }
        self.turn(now, pool, |pool, ledger| {
            pool.handle_stream_ended_and_settled(now, ledger, conn, end);
        });
    }

    /// Gives up a queued request.
    pub fn cancel(&mut self, now: Instant, pool: PoolId, waiter: WaiterId, policy: CancelPolicy) {
        self.turn(now, pool, |pool, ledger| pool.cancel(now, ledger, waiter, policy));
    }

    /// Drains one pool.
    pub fn drain(&mut self, now: Instant, pool: PoolId, mode: DrainMode) {
        self.turn(now, pool, |pool, ledger| pool.drain(now, ledger, mode));
    }

    /// Takes one connection out of service: closed now if idle, after its last stream otherwise.
    pub fn retire(&mut self, now: Instant, pool: PoolId, conn: ConnId) {
        self.turn(now, pool, |pool, ledger| pool.retire(now, ledger, conn));
    }

    /// Closes everything at once and fails what waits.
    pub fn abort(&mut self, now: Instant, pool: PoolId) {
        self.turn(now, pool, |pool, ledger| pool.abort(now, ledger));
    }

    /// The next pool whose counters may have moved otherwise than by requests that were bound or ended
    /// directly ([`PoolSet::request`], [`PoolSet::finish`]), for drivers that publish them. Call it
    /// before [`PoolSet::poll_action`], which forgets pools; who has no use for it need not.
    #[inline]
    pub fn poll_touched(&mut self) -> Option<PoolId> {
        loop {
            let index = self.touched.take()?;
            if self.entry(index).is_some() {
                return Some(PoolId(index));
            }
        }
    }

    /// Whether no pool can have an action.
    #[cfg(feature = "trace")]
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.dirty.is_empty()
    }

    /// The next action of any pool. [`Action::Idle`] says that the pool was forgotten: its id is dead
    /// and may be given to a pool of another key. Names of its connections and requests stay dead.
    #[inline]
    pub fn poll_action(&mut self) -> Option<(PoolId, Action)> {
        // As after nearly every request and end of a stream.
        if self.dirty.is_empty() { None } else { self.take_action() }
    }

    fn take_action(&mut self) -> Option<(PoolId, Action)> {
        while let Some(&index) = self.dirty.last() {
            let Some(Some(entry)) = self.entries.get_mut(index as usize) else {
                self.dirty.pop();
                continue;
            };
            if let Some(action) = entry.pool.poll_action() {
                if action == Action::Idle && entry.pool.is_idle() {
                    self.dirty.pop();
                    self.forget(index);
                }
                return Some((PoolId(index), action));
            }
            self.dirty.pop();
            entry.dirty = false;
            // While actions were queued the deadline was `Now`; the timer behind it shows only here.
            match entry.pool.deadline() {
                Deadline::Never => {}
                Deadline::Now(_) => self.settling.push(index),
                Deadline::At(at, _) => entry.arm(at, index, &mut self.due),
            }
        }
        None
    }

    /// One fact or wish to one pool, and what follows for the set.
    #[inline]
    fn turn<T>(&mut self, now: Instant, id: PoolId, step: impl FnOnce(&mut Pool, &mut L) -> T) -> Option<T> {
        let entry = self.entries.get_mut(id.0 as usize)?.as_mut()?;
        let cluster = self.clusters.get_mut(entry.cluster as usize)?.as_mut()?;
        let result = step(&mut entry.pool, &mut cluster.ledger);
        entry.follow(id.0, &mut self.dirty, &mut self.due);
        self.touched.add(id.0);
        if let Some(freed) = cluster.ledger.poll_freed() {
            let cluster = entry.cluster as usize;
            self.pass_on_freed(now, cluster, Some(freed));
        }
        Some(result)
    }

    /// Tells pools of this set about seats that are reserved for them.
    #[cold]
    fn pass_on_freed(&mut self, now: Instant, cluster: usize, first: Option<(PoolId, Resource)>) {
        let Some(Some(Cluster { ledger, .. })) = self.clusters.get_mut(cluster) else { return };
        let mut freed = first.or_else(|| ledger.poll_freed());
        while let Some((pool, resource)) = freed {
            // In a loop, not as a turn that passes on what the turn frees: there may be many.
            if let Some(Some(entry)) = self.entries.get_mut(pool.0 as usize) {
                entry.pool.handle_slot_freed(now, ledger, resource);
                entry.follow(pool.0, &mut self.dirty, &mut self.due);
                self.touched.add(pool.0);
            }
            freed = ledger.poll_freed();
        }
    }

    /// Removes an idle pool, and its cluster with the last one.
    fn forget(&mut self, index: u32) {
        let Some(entry) = self.entries.get_mut(index as usize).and_then(Option::take) else { return };
        let Some(filed) = self.filed.get_mut(index as usize).and_then(Option::take) else { return };
        if let Ok(found) = self.index.find_entry(filed.hash, |&other| other == index) {
            found.remove();
        }
        self.free.push(index);
        self.generations[index as usize] = entry.pool.next_generation();
        self.due.remove(index);
        if let Some(Some(cluster)) = self.clusters.get_mut(entry.cluster as usize) {
            cluster.ledger.give_back(filed.seat);
            cluster.pools -= 1;
        }
        self.forget_unused(entry.cluster);
    }

    /// Removes a cluster without pools.
    fn forget_unused(&mut self, cluster: u32) {
        let Some(slot) = self.clusters.get_mut(cluster as usize) else { return };
        if slot.as_ref().is_some_and(|cluster| cluster.pools == 0) {
            *slot = None;
            self.free_clusters.push(cluster);
        }
    }

    #[inline]
    fn entry_and_ledger(&mut self, id: PoolId) -> Option<(&mut Entry, &mut L)> {
        let entry = self.entries.get_mut(id.0 as usize)?.as_mut()?;
        let cluster = self.clusters.get_mut(entry.cluster as usize)?.as_mut()?;
        Some((entry, &mut cluster.ledger))
    }

    #[inline]
    fn entry(&self, index: u32) -> Option<&Entry> {
        self.entries.get(index as usize)?.as_ref()
    }
}

impl<L: Ledger> Drop for PoolSet<L> {
    fn drop(&mut self) {
        for (entry, filed) in self.entries.drain(..).zip(self.filed.drain(..)) {
            let (Some(mut entry), Some(filed)) = (entry, filed) else { continue };
            let Some(Some(Cluster { ledger, .. })) = self.clusters.get_mut(entry.cluster as usize) else {
                continue;
            };
            entry.pool.give_up_seats(ledger);
            ledger.give_back(filed.seat);
        }
    }
}
