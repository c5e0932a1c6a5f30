//! Limits for unit tests.

use crate::id::{HostId, PoolId};
use crate::limits::{Claimant, Local, Priority, Resource, Thresholds};

pub(super) const ME: Claimant = Claimant { pool: PoolId(0), host: HostId(0), priority: Priority::Default };
pub(super) const OTHER: Claimant = Claimant { pool: PoolId(1), host: HostId(1), priority: Priority::Default };

pub(super) fn limits(connections: u32, pending: u32, requests: u32) -> Local {
    let thresholds = Thresholds::default();
    Local::new(thresholds.max_connections(connections).max_pending_requests(pending).max_requests(requests))
}

/// Seats that are taken, in the order of [`Resource::ALL`].
pub(super) fn used(book: &Local) -> [u64; 5] {
    Resource::ALL.map(|resource| book.snapshot(Priority::Default, resource).current)
}

/// Whether a pool waits for a connection seat or has one kept for it.
pub(super) fn is_in_line(book: &Local, who: Claimant) -> bool {
    book.is_waiting(Resource::Connections, who.pool) || book.is_reserved(Resource::Connections, who.pool)
}
