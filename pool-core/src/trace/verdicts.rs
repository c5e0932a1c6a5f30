//! What ledgers say in the course of one step: an input of the pools like any other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::codec::{Bytes, Malformed, put};
use crate::id::PoolId;
use crate::limits::{Claimant, Full, Ledger, Need, Resource, Seat};

/// One thing that a ledger said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// [`Ledger::try_take`] gave a seat.
    Granted,
    /// [`Ledger::try_take`] gave none.
    Refused(Full),
    /// [`Ledger::poll_freed`] of one of them named a pool.
    Freed {
        /// Which ledger: that of the n-th cluster ever added to the set, from zero.
        ledger: u32,
        /// The pool.
        pool: PoolId,
        /// What was freed.
        resource: Resource,
    },
}

impl Said {
    pub(super) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Granted => out.push(0),
            Self::Refused(Full::Cluster) => out.push(1),
            Self::Refused(Full::Host) => out.push(2),
            Self::Freed { ledger, pool, resource } => {
                out.push(3);
                put(out, u64::from(ledger));
                put(out, u64::from(pool.0));
                out.push(resource as u8);
            }
        }
    }

    pub(super) fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(match bytes.byte("verdict")? {
            0 => Self::Granted,
            1 => Self::Refused(Full::Cluster),
            2 => Self::Refused(Full::Host),
            3 => Self::Freed {
                ledger: bytes.small("ledger")?,
                pool: PoolId(bytes.small("pool")?),
                resource: bytes.pick(&Resource::ALL, "resource")?,
            },
            _ => return Err(bytes.malformed("verdict")),
        })
    }
}

/// Added to the number of seats given while `others` is not empty.
const OTHERS: u32 = 1 << 31;

/// What the ledgers of one set said since it was last asked. One thread at a time uses it: whoever
/// has the set.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Seats given after the last of `others`, nearly always all there is; [`OTHERS`] more if there
    /// are others.
    granted: AtomicU32,
    others: Mutex<Vec<Said>>,
}

impl Heard {
    #[inline]
    fn grant(&self) {
        // No other thread writes meanwhile, so a plain load and store do.
        self.granted.store(self.granted.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    #[cold]
    fn add(&self, said: Said) {
        let granted = self.granted.swap(OTHERS, Ordering::Relaxed) % OTHERS;
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.extend((0..granted).map(|_| Said::Granted));
        others.push(said);
    }

    /// The number of seats given, if there is nothing else.
    #[inline]
    pub(super) fn plain(&self) -> Option<u32> {
        let granted = self.granted.load(Ordering::Relaxed);
        (granted < OTHERS).then_some(granted)
    }

    /// Forgets what [`Heard::plain`] told.
    #[inline]
    pub(super) fn forget(&self) {
        self.granted.store(0, Ordering::Relaxed);
    }

    /// Whether there is nothing but a number of seats given; takes it.
    #[inline]
    pub(super) fn take_plain(&self) -> Option<u32> {
        let granted = self.granted.load(Ordering::Relaxed);
        if granted >= OTHERS {
            return None;
        }
        if granted > 0 {
            self.granted.store(0, Ordering::Relaxed);
        }
        Some(granted)
    }

    /// Takes everything, in order.
    #[cold]
    pub(super) fn take(&self) -> Vec<Said> {
        let granted = self.granted.swap(0, Ordering::Relaxed) % OTHERS;
        let mut said = std::mem::take(&mut *self.others.lock().unwrap_or_else(PoisonError::into_inner));
        said.extend((0..granted).map(|_| Said::Granted));
        said
    }
}

/// A ledger that is listened to.
#[derive(Debug)]
pub struct Witnessed<L> {
    ledger: L,
    number: u32,
    /// `None` while nothing is recorded.
    heard: Option<Arc<Heard>>,
}

impl<L> Witnessed<L> {
    pub(super) const fn new(ledger: L, number: u32, heard: Option<Arc<Heard>>) -> Self {
        Self { ledger, number, heard }
    }
}

impl<L> core::ops::Deref for Witnessed<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.ledger
    }
}

impl<L: Ledger> Ledger for Witnessed<L> {
    #[inline]
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        let verdict = self.ledger.try_take(resource, who);
        if let Some(heard) = &self.heard {
            match &verdict {
                Ok(_) => heard.grant(),
                Err(full) => heard.add(Said::Refused(*full)),
            }
        }
        verdict
    }

    #[inline]
    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        self.ledger.take_over_limit(resource, who)
    }

    #[inline]
    fn give_back(&mut self, seat: Seat) {
        self.ledger.give_back(seat);
    }

    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need) {
        self.ledger.await_free(resource, who, need);
    }

    fn cancel_wait(&mut self, resource: Resource, who: Claimant) {
        self.ledger.cancel_wait(resource, who);
    }

    #[inline]
    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        let freed = self.ledger.poll_freed();
        if let (Some((pool, resource)), Some(heard)) = (freed, &self.heard) {
            heard.add(Said::Freed { ledger: self.number, pool, resource });
        }
        freed
    }
}
