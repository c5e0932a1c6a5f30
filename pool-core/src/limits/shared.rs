//! The ledger that several workers share: exact, and close to free while its limits are far away.
//!
//! One book behind a lock is the truth. What every request takes and gives back is lent from it
//! to the workers' banks in batches (see `bank.rs`), so that far from the limit no two workers
//! touch the same cache line. What changes with connections, pools and retries is always done in
//! the book.
//!
//! Why it is exact:
//!
//! * *No overshoot.* The book counts a credit before it lends it, and a seat is either a credit or
//!   taken from the book under the lock. What is held never exceeds what the book counts.
//! * *No false refusal.* `Full` is only answered under the lock after every bank was closed and its
//!   credits were put back. From the closing on, a worker that gives a seat back comes to the lock,
//!   so at that moment no free seat is anywhere but in the book.
//! * *No lost wake-up.* A wait enters the book under the lock after every bank was closed, and banks
//!   stay closed while anybody waits. A seat is therefore given back either before the closing, and
//!   then the waiter finds it at once, or through the book, which sees the waiter.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError};

use smallvec::SmallVec;

use super::bank::{Bank, Word};
use super::book::{Book, Taken};
use super::sync::{Mutex, MutexGuard};
use super::waits::{Cell, Lane, WaitKey};
use super::{Claimant, Full, Gauge, Ledger, Limits, Need, Priority, Resource, Seat};
use crate::id::{HostId, PoolId};

/// Tells a worker that [`Ledger::poll_freed`] has something for it. Called on whichever thread freed
/// the seat, outside the ledger's lock; it should only wake or notify, and must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Circuit breakers of one cluster for several workers. Clones are the same ledger.
#[derive(Clone)]
pub struct Shared {
    central: Arc<Mutex<Central>>,
}

/// One worker's access to a [`Shared`] ledger. Pool ids are the worker's own. Dropping it returns
/// its bank and cancels its waits; seats that its pools still hold may be given back through any
/// other handle.
pub struct SharedHandle {
    bank: Arc<Bank>,
    worker: u32,
    /// Waits of this worker in the book, so that cancelling none costs nothing.
    waits: u32,
    central: Arc<Mutex<Central>>,
}

struct Worker {
    bank: Arc<Bank>,
    wake: Wake,
    freed: VecDeque<(PoolId, Resource)>,
}

struct Central {
    book: Book,
    workers: Vec<Option<Worker>>,
    /// Whether any bank's word may be open.
    opened: [bool; Word::COUNT],
}

impl Shared {
    /// An unused ledger.
    #[must_use]
    pub fn new(limits: impl Into<Limits>) -> Self {
        let book = Book::new(limits.into());
        let central = Central { book, workers: Vec::new(), opened: [false; Word::COUNT] };
        Self { central: Arc::new(Mutex::new(central)) }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *lock(&self.central).book.limits()
    }

    /// One limit and how far it is used, over all workers; exact at one moment. Made for statistics,
    /// not for each request: it calls in every worker's credits.
    #[must_use]
    pub fn snapshot(&self, priority: Priority, resource: Resource) -> Gauge {
        let mut central = lock(&self.central);
        if let Some(word) = Word::of(priority, resource) {
            central.collect(word);
        }
        central.book.gauge(Cell { priority, resource })
    }

    /// Connections to a host, of both priorities and all workers (Envoy: the host's `cx_active`).
    #[must_use]
    pub fn host_connections(&self, host: HostId) -> u64 {
        lock(&self.central).book.host_connections(host)
    }

    /// Handles that exist: an owner may forget a ledger that has none.
    #[must_use]
    pub fn workers(&self) -> usize {
        lock(&self.central).workers.iter().flatten().count()
    }

    /// Puts other limits in force (Envoy: runtime overrides `circuit_breakers.*`). Nobody loses a
    /// seat; with higher limits, waiting pools get what is free now and their workers are woken.
    pub fn set_limits(&self, limits: impl Into<Limits>) {
        let limits = limits.into();
        in_book(&self.central, None, |central| {
            for word in Word::all() {
                central.collect(word);
            }
            central.book.set_limits(limits);
        });
    }

    /// A new worker's handle. `wake` is called when a seat was reserved for one of its pools by
    /// anybody but this handle; what its own calls reserve shows in its own `poll_freed`.
    #[must_use]
    pub fn worker(&self, wake: Wake) -> SharedHandle {
        let bank = Arc::new(Bank::new());
        let new = Worker { bank: Arc::clone(&bank), wake, freed: VecDeque::new() };
        let mut central = lock(&self.central);
        let vacant = central.workers.iter().position(Option::is_none);
        let slot = vacant.unwrap_or(central.workers.len());
        if slot == central.workers.len() {
            central.workers.push(None);
        }
        central.workers[slot] = Some(new);
        drop(central);
        let worker = u32::try_from(slot).unwrap_or(u32::MAX);
        SharedHandle { bank, worker, waits: 0, central: Arc::clone(&self.central) }
    }
}

impl SharedHandle {
    /// The ledger behind this handle.
    #[must_use]
    pub fn shared(&self) -> Shared {
        Shared { central: Arc::clone(&self.central) }
    }

    fn key(&self, resource: Resource, who: Claimant) -> WaitKey {
        WaitKey { worker: self.worker, pool: who.pool, resource }
    }

    #[cold]
    #[inline(never)]
    fn try_take_in_book(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        let taken = self.take_in_book(resource, who, Book::take)?;
        Ok(self.seat(taken, resource, who))
    }

    /// Serves the caller from the book, with every credit in it if it is short of seats.
    fn take_in_book<T>(
        &self,
        resource: Resource,
        who: Claimant,
        take: impl FnOnce(&mut Book, &WaitKey, Lane) -> T,
    ) -> T {
        let (key, lane) = (self.key(resource, who), Lane::of(resource, who));
        let word = Word::of(who.priority, resource);
        in_book(&self.central, Some(self.worker), |central| {
            if let (Some(word), Err(_)) = (word, central.book.admits(&key, lane)) {
                central.collect(word);
            }
            central.forget(&key);
            let taken = take(&mut central.book, &key, lane);
            central.refill(&self.bank, word);
            taken
        })
    }

    fn seat(&mut self, taken: Taken, resource: Resource, who: Claimant) -> Seat {
        match taken {
            Taken::Free => {}
            Taken::Reservation => self.waits = self.waits.saturating_sub(1),
        }
        Seat::new(resource, who)
    }

    #[cold]
    #[inline(never)]
    fn give_to_book(&self, seat: &Seat) {
        in_book(&self.central, Some(self.worker), |central| {
            central.book.give_back(seat);
            central.refill(&self.bank, Word::of(seat.priority, seat.resource));
        });
    }

    #[cold]
    #[inline(never)]
    fn take_freed(&self) -> Option<(PoolId, Resource)> {
        let mut central = lock(&self.central);
        let worker = central.worker(self.worker)?;
        let freed = worker.freed.pop_front();
        worker.bank.tell(!worker.freed.is_empty());
        freed
    }
}

impl Ledger for SharedHandle {
    #[inline]
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        match Word::of(who.priority, resource) {
            Some(word) if self.bank.take(word) => Ok(Seat::new(resource, who)),
            Some(_) | None => self.try_take_in_book(resource, who),
        }
    }

    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        match Word::of(who.priority, resource) {
            Some(word) if self.bank.take(word) => Seat::new(resource, who),
            Some(_) | None => {
                let taken = self.take_in_book(resource, who, Book::take_over_limit);
                self.seat(taken, resource, who)
            }
        }
    }

    #[inline]
    fn give_back(&mut self, seat: Seat) {
        match Word::of(seat.priority, seat.resource) {
            Some(word) if self.bank.give(word) => {}
            Some(_) | None => self.give_to_book(&seat),
        }
    }

    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need) {
        let (key, lane) = (self.key(resource, who), Lane::of(resource, who));
        let new = in_book(&self.central, Some(self.worker), |central| {
            if let Some(word) = Word::of(who.priority, resource) {
                central.collect(word);
            }
            central.book.await_free(key, lane, need)
        });
        self.waits += u32::from(new);
    }

    fn cancel_wait(&mut self, resource: Resource, who: Claimant) {
        if self.waits == 0 {
            return;
        }
        let key = self.key(resource, who);
        let ended = in_book(&self.central, Some(self.worker), |central| {
            central.forget(&key);
            central.book.cancel_wait(&key)
        });
        self.waits -= u32::from(ended);
    }

    #[inline]
    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        if self.bank.is_told() { self.take_freed() } else { None }
    }
}

impl Drop for SharedHandle {
    fn drop(&mut self) {
        // The wake callback is the user's, so it is dropped after the unlock.
        let _gone = in_book(&self.central, None, |central| {
            for word in Word::all() {
                let credits = self.bank.close(word);
                central.book.collect(word.cell(), u64::from(credits));
            }
            central.book.cancel_worker(self.worker);
            central.workers.get_mut(self.worker as usize).and_then(Option::take)
        });
    }
}

impl Central {
    fn worker(&mut self, worker: u32) -> Option<&mut Worker> {
        self.workers.get_mut(worker as usize)?.as_mut()
    }

    /// Takes back the news of a reservation that is about to be used, to lapse or to be passed on.
    fn forget(&mut self, key: &WaitKey) {
        let Some(worker) = self.worker(key.worker) else { return };
        if !worker.freed.is_empty() {
            worker.freed.retain(|&freed| freed != (key.pool, key.resource));
            worker.bank.tell(!worker.freed.is_empty());
        }
    }

    /// Closes a word in every bank and puts the credits back into the book.
    fn collect(&mut self, word: Word) {
        if !self.opened[word.index()] {
            return;
        }
        self.opened[word.index()] = false;
        let banks = self.workers.iter().flatten().map(|worker| &worker.bank);
        let credits = banks.map(|bank| u64::from(bank.close(word))).sum();
        self.book.collect(word.cell(), credits);
    }

    /// Lends the calling worker its part of what is spare, half of an even share, so that the other
    /// workers find some too. Near the limit there is no part to lend and the book serves directly.
    fn refill(&mut self, bank: &Bank, word: Option<Word>) {
        let Some(word) = word else { return };
        if self.book.is_awaited(word.cell()) || !bank.is_dry(word) {
            return;
        }
        let workers = u32::try_from(self.workers.iter().flatten().count()).unwrap_or(u32::MAX);
        let part = self.book.spare(word.cell()) / workers.saturating_mul(2).max(1);
        if part > 0 {
            self.book.lend(word.cell(), part);
            bank.fill(word, part);
            self.opened[word.index()] = true;
        }
    }

    /// Passes new reservations to their workers. Whom to wake, once each: all but the caller.
    fn announce(&mut self, caller: Option<u32>) -> SmallVec<[Wake; 1]> {
        let mut told: SmallVec<[u32; 4]> = SmallVec::new();
        let mut wakes = SmallVec::new();
        while let Some(WaitKey { worker: index, pool, resource }) = self.book.granted.pop_front() {
            let Some(worker) = self.worker(index) else { continue };
            worker.freed.push_back((pool, resource));
            worker.bank.tell(true);
            if caller != Some(index) && !told.contains(&index) {
                told.push(index);
                wakes.push(Arc::clone(&worker.wake));
            }
        }
        wakes
    }
}

/// Does something under the lock, and wakes whom it concerns after the unlock.
fn in_book<T>(central: &Mutex<Central>, caller: Option<u32>, act: impl FnOnce(&mut Central) -> T) -> T {
    let mut locked = lock(central);
    let done = act(&mut locked);
    let wakes = locked.announce(caller);
    drop(locked);
    for wake in wakes {
        wake();
    }
    done
}

/// Nothing that runs under the lock can panic halfway through a change, so poison is no news.
fn lock(central: &Mutex<Central>) -> MutexGuard<'_, Central> {
    central.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let central = lock(&self.central);
        let workers = central.workers.iter().flatten().count();
        f.debug_struct("Shared").field("workers", &workers).field("book", &central.book).finish()
    }
}

impl fmt::Debug for SharedHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHandle").field("worker", &self.worker).finish_non_exhaustive()
    }
}

#[cfg(all(loom, test))]
mod loom;
