//! A running server, from outside.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::house::{House, Phase};
use super::snapshot::Snapshot;
use crate::runtime::Runtime;

/// Looks at a server and ends it. Clones are cheap; dropping all of them leaves the server running.
pub struct ServerHandle<R> {
    runtime: R,
    house: Arc<House>,
}

impl<R> std::fmt::Debug for ServerHandle<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}

impl<R: Clone> Clone for ServerHandle<R> {
    fn clone(&self) -> Self {
        Self { runtime: self.runtime.clone(), house: self.house.clone() }
    }
}

impl<R: Runtime> ServerHandle<R> {
    pub(super) fn new(runtime: R, house: Arc<House>) -> Self {
        Self { runtime, house }
    }

    /// Counts, now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.house.snapshot()
    }

    /// Ends the server: it takes the connections that the system has let in and no more, idle ones are
    /// closed if no request comes within 10 ms, busy ones finish their exchange, whose response says
    /// `Connection: close`. After `grace` what is left is cut.
    ///
    /// Completes when the listener and all connections are closed, and says how many had to be cut.
    /// Giving it up leaves the server draining, without a deadline; asking again sets a new one.
    pub async fn shutdown(&self, grace: Duration) -> u64 {
        self.house.advance_to(Phase::Draining);
        let mut sleep = pin!(self.runtime.sleep(self.runtime.now() + grace));
        let mut cut = None;
        poll_fn(|cx| {
            if self.house.poll_gone(cx.waker()).is_ready() {
                return Poll::Ready(());
            }
            if cut.is_none() && sleep.as_mut().poll(cx).is_ready() {
                cut = Some(self.house.snapshot().active);
                self.house.advance_to(Phase::Cut);
                return self.house.poll_gone(cx.waker());
            }
            Poll::Pending
        })
        .await;
        cut.unwrap_or(0)
    }
}
