//! How often a request is sent again, and how long it waits before.

use core::time::Duration;

use crate::config::split_mix;

/// After which failures a host is chosen again: a set of Envoy's `retry_on` conditions, as far as they
/// are known before a response has begun. What a response asks for (`5xx` and the like) is for who sees
/// the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct RetryOn(u8);

impl RetryOn {
    /// After nothing.
    pub const NOTHING: Self = Self(0);
    /// `connect-failure`: no connection could be had, or not in time.
    pub const CONNECT_FAILURE: Self = Self(1);
    /// `reset-before-request`: the connection failed before a byte of the request was sent.
    pub const RESET_BEFORE_REQUEST: Self = Self(1 << 1);
    /// `refused-stream`: the peer says that it has not processed the request.
    pub const REFUSED_STREAM: Self = Self(1 << 2);
    /// `reset`: the connection failed before a response came, whatever the peer may have done with the
    /// request. As in Envoy the method is not asked for: who chooses this answers for it.
    pub const RESET: Self = Self(1 << 3);

    /// Those that may concern a request that had a connection: its body may have been read by then.
    pub(super) const OF_BOUND: Self =
        Self::RESET_BEFORE_REQUEST.union(Self::REFUSED_STREAM).union(Self::RESET);

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any condition of the other set is in this one.
    #[must_use]
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Bounds on repeating a request (`Copy`, small: it travels with every request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// How often a request goes back to the head of its pool's queue after a safe verdict. 2.
    pub max_replays: u8,
    /// How often a host is chosen again, after failures that [`RetryPolicy::retry_on`] names. 2; Envoy:
    /// `num_retries` 1 when asked for.
    pub max_retries: u8,
    /// After which failures. [`RetryOn::CONNECT_FAILURE`].
    pub retry_on: RetryOn,
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
        max_retries: 2,
        retry_on: RetryOn::CONNECT_FAILURE,
        base_interval: Duration::from_millis(25),
        max_interval: Duration::from_millis(250),
    };

    /// Never sends anything twice.
    pub const NEVER: Self = Self {
        max_replays: 0,
        max_retries: 0,
        retry_on: RetryOn::NOTHING,
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
