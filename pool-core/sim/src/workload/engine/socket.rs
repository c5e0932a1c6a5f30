//! What is known of a connection besides what its pool knows.

use pool_core::time::Instant;

use super::{Dial, NEVER};
use crate::workload::books::Cause;

/// Where a connection stands, as a driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// The slot is free.
    None,
    /// It was ordered.
    Opening { since: Instant, dial: Dial },
    /// It is up.
    Up { idle_since: Instant },
    /// It was ordered to close.
    Closing(Cause),
}

/// A connection, in the slot that its name says.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    pub(crate) generation: u32,
    pub(crate) stand: Stand,
    /// Whether it ever was up: the nature hears of its end then.
    pub(crate) served: u32,
    /// Requests on it.
    pub(crate) active: Vec<u32>,
    /// When the peer closes it if it stays idle.
    pub(crate) peer_closes: Instant,
    /// When an event about that is due.
    pub(crate) alarm: Instant,
}

impl Default for Socket {
    fn default() -> Self {
        Self {
            generation: 0,
            stand: Stand::None,
            served: 0,
            active: Vec::new(),
            peer_closes: NEVER,
            alarm: NEVER,
        }
    }
}
