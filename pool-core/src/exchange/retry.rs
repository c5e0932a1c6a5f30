//! How often a request is sent again, and how long it waits before.

use core::time::Duration;

use crate::config::split_mix;

/// Bounds on repeating a request (`Copy`, small: it travels with every request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// How often a request goes back to the head of its pool's queue after a safe verdict. 2.
    pub max_replays: u8,
    /// How often it asks again after a failed connect. 2; Envoy: `num_retries` 1 when asked for.
    pub max_connect_retries: u8,
    /// First back-off interval. 25 ms (Envoy: `retry_back_off.base_interval`).
    pub base_interval: Duration,
    /// Longest back-off interval. 250 ms (Envoy: ten times the base).
    pub max_interval: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl RetryPolicy {
    /// What a client does unless it is told otherwise.
    pub const DEFAULT: Self = Self {
        max_replays: 2,
        max_connect_retries: 2,
        base_interval: Duration::from_millis(25),
        max_interval: Duration::from_millis(250),
    };

    /// Never sends anything twice.
    pub const NEVER: Self = Self {
        max_replays: 0,
        max_connect_retries: 0,
        base_interval: Duration::ZERO,
        max_interval: Duration::ZERO,
    };

    /// The wait before retry number `attempt` (1, 2, ...): uniform in
    /// `[0, min(base * 2^(attempt - 1), max))`, full jitter as in Envoy, drawn from `seed`.
    #[must_use]
    pub fn back_off(&self, attempt: u8, seed: u64) -> Duration {
        let doublings = u32::from(attempt.saturating_sub(1)).min(20);
        let ceiling = self.base_interval.saturating_mul(1 << doublings).min(self.max_interval);
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 {
            return Duration::ZERO;
        }
        let drawn = split_mix(seed ^ (u64::from(attempt) << 56));
        Duration::from_nanos(drawn % nanos)
    }
}
