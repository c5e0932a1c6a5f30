//! Whether responses ask their clients to come back on another connection (Envoy: `DrainManager`).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::model::DrainType;

/// How connections are asked to close over the drain time (`--drain-strategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrainStrategy {
    /// More and more of them.
    #[default]
    Gradual,
    /// All of them at once.
    Immediate,
}

/// What all workers and the admin port share of a drain.
#[derive(Debug)]
pub(crate) struct Drain {
    strategy: DrainStrategy,
    /// `--drain-time-s`.
    time: Duration,
    /// `POST /healthcheck/fail`.
    fails: AtomicBool,
    began: OnceLock<Instant>,
}

impl Drain {
    pub(crate) fn new(strategy: DrainStrategy, time: Duration) -> Self {
        Self { strategy, time, fails: AtomicBool::new(false), began: OnceLock::new() }
    }

    /// Whether health checks are to fail.
    pub(crate) fn fails(&self) -> bool {
        self.fails.load(Ordering::Acquire)
    }

    /// Whether the listeners drain.
    pub(crate) fn is_on(&self) -> bool {
        self.began.get().is_some()
    }

    /// Whether the connection of a response is to close after it. Over the drain time ever more
    /// responses are told so, by the drawn number, so that clients do not all come back at once.
    #[inline]
    pub(crate) fn closes(&self, listener: DrainType, draw: impl FnOnce() -> u64) -> bool {
        if self.fails() && listener == DrainType::Default {
            return true;
        }
        self.began.get().is_some_and(|began| self.is_due(began.elapsed(), draw))
    }

    #[cold]
    fn is_due(&self, elapsed: Duration, draw: impl FnOnce() -> u64) -> bool {
        match self.strategy {
            DrainStrategy::Immediate => true,
            DrainStrategy::Gradual if elapsed >= self.time => true,
            // Not zero: some time is left.
            DrainStrategy::Gradual => elapsed.as_secs() > draw() % self.time.as_secs().max(1),
        }
    }

    pub(crate) fn set_fails(&self, fails: bool) {
        self.fails.store(fails, Ordering::Release);
    }

    /// The listeners drain from now on. Returns for how long, the first time.
    pub(crate) fn begin(&self) -> Option<Duration> {
        self.began.set(Instant::now()).ok().map(|()| self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_gradual_drain_asks_ever_more_and_an_immediate_one_all() {
        let gradual = Drain::new(DrainStrategy::Gradual, secs(10));
        let asked = |at| (0..10).filter(|drawn| gradual.is_due(at, || *drawn)).count();
        assert_eq!([0, 1, 5, 9, 10, 11].map(|at| asked(secs(at))), [0, 1, 5, 9, 10, 10]);
        let immediate = Drain::new(DrainStrategy::Immediate, secs(10));
        assert!(immediate.is_due(secs(0), || 9));
        assert!(Drain::new(DrainStrategy::Gradual, secs(0)).is_due(secs(0), || 9), "no time to take");
    }

    #[test]
    fn failed_health_checks_drain_what_is_not_modify_only() {
        let drain = Drain::new(DrainStrategy::Gradual, secs(600));
        let closes = || [DrainType::Default, DrainType::ModifyOnly].map(|of| drain.closes(of, || 0));
        assert_eq!(closes(), [false, false]);
        drain.set_fails(true);
        assert_eq!(closes(), [true, false]);
        drain.set_fails(false);
        assert_eq!(closes(), [false, false]);
        assert_eq!((drain.begin(), drain.begin()), (Some(secs(600)), None), "it begins once");
        assert!(drain.is_on());
    }
}
