//! Names for things: small `Copy` newtypes, generational where a name can go stale.
//!
//! A stale [`ConnId`] or [`WaiterId`] is recognised by its generation and ignored with a counter;
//! it never reaches the thing that now lives in the same slot.

use core::fmt;

/// A pool within one set of pools (one worker).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolId(pub u32);

/// An upstream host (endpoint) of a cluster, the same for all workers of one cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub u32);

/// A connection within its pool: a slot and how often the slot has been used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// The slot. Dense: drivers may keep their own state in a table indexed by it.
    pub index: u32,
    /// Distinguishes successive connections in one slot.
    pub generation: u32,
}

/// A queued request within its pool; dead once the request was bound, failed or cancelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId {
    /// The slot.
    pub index: u32,
    /// Distinguishes successive requests in one slot.
    pub generation: u32,
}

/// The caller's own name for a request; the pool only hands it back with the outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.index, self.generation)
    }
}

impl fmt::Debug for WaiterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}.{}", self.index, self.generation)
    }
}
