//! Looks at the circuit breakers while an act runs.

use std::time::Duration;

use pool_core::client::Cluster;
use pool_core::limits::{Priority, Resource};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// How often.
pub(super) const GLANCE: Duration = Duration::from_millis(2);

/// The breakers that are watched, in this order.
pub(super) const BREAKERS: [Resource; 4] =
    [Resource::Connections, Resource::Pending, Resource::Requests, Resource::Retries];

/// What was seen of the breakers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watched {
    /// By [`BREAKERS`].
    pub(super) breakers: [Breaker; BREAKERS.len()],
    /// How long they were watched.
    pub(super) time: Duration,
}

/// What was seen of one breaker.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    pub(super) limit: u32,
    /// Most seats that were taken.
    pub(super) most: u64,
    /// How long it was open.
    pub(super) open: Duration,
}

impl Watched {
    pub(super) fn add(&mut self, other: &Self) {
        self.time += other.time;
        for (mine, other) in self.breakers.iter_mut().zip(&other.breakers) {
            mine.limit = other.limit;
            mine.most = mine.most.max(other.most);
            mine.open += other.open;
        }
    }

    fn look(&mut self, cluster: &Cluster, since: Duration) {
        self.time += since;
        for (breaker, resource) in self.breakers.iter_mut().zip(BREAKERS) {
            let gauge = cluster.breaker(Priority::Default, resource);
            breaker.limit = gauge.max;
            breaker.most = breaker.most.max(gauge.current);
            if gauge.open {
                breaker.open += since;
            }
        }
    }
}

/// Watches until told to stop.
pub(super) async fn watch(cluster: Cluster, mut stop: oneshot::Receiver<()>) -> Watched {
    let mut watched = Watched::default();
    let mut last = Instant::now();
    loop {
        let is_last = tokio::select! {
            () = sleep(GLANCE) => false,
            // An error is the sender being dropped, which says the same.
            _ = &mut stop => true,
        };
        let now = Instant::now();
        watched.look(&cluster, now - last);
        last = now;
        if is_last {
            return watched;
        }
    }
}
