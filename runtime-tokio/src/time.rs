//! Clock, sleep and spawn.

use std::future::Future;
use std::time::Duration;

use pool_core::runtime::{Runtime, Spawn};
use pool_core::time::Instant;
use tokio::runtime::Handle;
use tokio::time::{Instant as TokioInstant, Sleep};

/// tokio's clock and task spawner. Clones share an epoch. The clock is tokio's own, so that
/// `tokio::time::pause` works in tests.
///
/// Made within a tokio runtime it remembers it: a client may then be built and called from any thread.
#[derive(Clone, Debug)]
pub struct Tokio {
    epoch: TokioInstant,
    handle: Option<Handle>,
}

impl Tokio {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { epoch: TokioInstant::now(), handle: Handle::try_current().ok() }
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
        // A timer belongs to a runtime; the calling thread need not be one of its own.
        let _within = self.handle.as_ref().map(Handle::enter);
        tokio::time::sleep_until(self.epoch + Duration::from_nanos(at.as_nanos()))
    }
}

impl<F> Spawn<F> for Tokio
where
    F: Future<Output = ()> + Send + 'static,
{
    fn spawn(&self, future: F) {
        match &self.handle {
            Some(handle) => drop(handle.spawn(future)),
            None => drop(tokio::spawn(future)),
        }
    }
}
