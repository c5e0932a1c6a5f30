//! One worker's credits for what every request costs, on cache lines of its own.
//!
//! A credit is a seat that the book already counts, lent to one worker: taking it and giving it back
//! is one atomic operation on memory that no other worker touches. Each word is either *open* (it
//! holds a number of credits) or *closed* (no credits; go to the book). Two parties write a word:
//! its worker, and whoever holds the ledger's lock. Closing is one `swap`, so it takes exactly the
//! credits that were there, and every later operation of the worker sees that the word is closed.
//! Because the worker reads the word by the operation that changes it, no other ordering is needed
//! for the counts; acquire and release are for what the users of a seat did before they gave it back.

use super::sync::{AtomicBool, AtomicU32, Ordering};
use super::waits::Cell;
use super::{Priority, Resource};

/// The word of a bank that serves a cell: those resources that every request takes and gives back.
/// The others change with connections, pools and retries, and always go to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(usize);

impl Word {
    pub(super) const COUNT: usize = 4;

    #[inline]
    pub(super) const fn of(priority: Priority, resource: Resource) -> Option<Self> {
        match resource {
            Resource::Requests => Some(Self(priority as usize)),
            Resource::Pending => Some(Self(2 + priority as usize)),
            Resource::Connections | Resource::Retries | Resource::Pools => None,
        }
    }

    #[inline]
    pub(super) const fn index(self) -> usize {
        self.0
    }

    pub(super) const fn cell(self) -> Cell {
        let priority = if self.0 % 2 == 0 { Priority::Default } else { Priority::High };
        let resource = if self.0 < 2 { Resource::Requests } else { Resource::Pending };
        Cell { priority, resource }
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }
}

/// Not a number of credits: the book decides.
const CLOSED: u32 = u32::MAX;
/// The most credits a word holds; more go back to the book.
const MOST: u32 = u32::MAX - 1;

/// One worker's words. 128 bytes: adjacent lines are fetched in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Bank {
    words: [AtomicU32; Word::COUNT],
    /// Seats were reserved for pools of this worker. Written under the ledger's lock.
    told: AtomicBool,
}

impl Bank {
    pub(super) fn new() -> Self {
        Self { words: [(); Word::COUNT].map(|()| AtomicU32::new(CLOSED)), told: AtomicBool::new(false) }
    }

    #[inline]
    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    pub(super) fn tell(&self, told: bool) {
        self.told.store(told, Ordering::Release);
    }

    /// Takes a credit. False: there is none, or the word is closed.
    #[inline]
    pub(super) fn take(&self, word: Word) -> bool {
        let word = &self.words[word.index()];
        let mut credits = word.load(Ordering::Relaxed);
        while credits != 0 && credits != CLOSED {
            match word.compare_exchange_weak(credits, credits - 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => credits = now,
            }
        }
        false
    }

    /// Adds a credit. False: the word is closed or brimful.
    #[inline]
    pub(super) fn give(&self, word: Word) -> bool {
        let word = &self.words[word.index()];
        let mut credits = word.load(Ordering::Relaxed);
        while credits < MOST {
            match word.compare_exchange_weak(credits, credits + 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => credits = now,
            }
        }
        false
    }

    /// Whether [`Bank::fill`] is due. Under the lock, by the bank's own worker, so the answer stands.
    pub(super) fn is_dry(&self, word: Word) -> bool {
        matches!(self.words[word.index()].load(Ordering::Relaxed), 0 | CLOSED)
    }

    /// Opens a dry word. Under the lock, by the bank's own worker: nobody else writes it meanwhile.
    pub(super) fn fill(&self, word: Word, credits: u32) {
        self.words[word.index()].store(credits, Ordering::Release);
    }

    /// Closes a word and takes what it held. Under the lock, by anybody.
    pub(super) fn close(&self, word: Word) -> u32 {
        match self.words[word.index()].swap(CLOSED, Ordering::AcqRel) {
            CLOSED => 0,
            credits => credits,
        }
    }
}
