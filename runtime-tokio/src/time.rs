//! Clock, sleep and spawn.

use std::future::Future;
use std::time::Duration;

use pool_core::runtime::{Runtime, Spawn};
use pool_core::time::Instant;
use tokio::time::{Instant as TokioInstant, Sleep};

/// tokio's clock and task spawner. Copies share an epoch. The clock is tokio's own, so that
/// `tokio::time::pause` works in tests.
#[derive(Clone, Copy, Debug)]
pub struct Tokio {
    epoch: TokioInstant,
}

impl Tokio {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { epoch: TokioInstant::now() }
    }
}

impl Default for Tokio {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for Tokio {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    fn sleep(&self, at: Instant) -> Sleep {
        tokio::time::sleep_until(self.epoch + Duration::from_nanos(at.as_nanos()))
    }
}

impl<F> Spawn<F> for Tokio
where
    F: Future<Output = ()> + Send + 'static,
{
    fn spawn(&self, future: F) {
        drop(tokio::spawn(future));
    }
}
