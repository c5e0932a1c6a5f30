//! A seat of the `max_retries` breaker: retries are limited because they come when hosts are in trouble.

use std::sync::Arc;

use super::cluster::Inner;
use crate::limits::{Priority, Seat};

/// Held from the decision to retry until the retry's outcome is known; dropping it gives it back.
pub(crate) struct RetrySeat {
    cluster: Arc<Inner>,
    seat: Option<Seat>,
}

impl RetrySeat {
    /// Takes one; `None` if there is no room.
    pub(crate) fn take(cluster: &Arc<Inner>, priority: Priority) -> Option<Self> {
        let seat = cluster.begin_retry(priority)?;
        Some(Self { cluster: cluster.clone(), seat: Some(seat) })
    }
}

impl Drop for RetrySeat {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.cluster.end_retry(seat);
        }
    }
}
