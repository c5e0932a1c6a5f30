//! What happened, since the server began.

use std::sync::atomic::{AtomicU64, Ordering};

use super::report::Reason;

/// Things that happened. What every request moves is written once per exchange.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) rx_bytes: AtomicU64,
    pub(crate) tx_bytes: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) response_before_complete: AtomicU64,
    pub(crate) rx_reset: AtomicU64,
    pub(crate) tx_reset: AtomicU64,
    pub(crate) http10_refused: AtomicU64,
    pub(crate) headers_timeouts: AtomicU64,
    pub(crate) stream_idle_timeouts: AtomicU64,
    pub(crate) request_timeouts: AtomicU64,
    pub(crate) max_stream_durations: AtomicU64,
    pub(crate) idle_timeouts: AtomicU64,
    pub(crate) max_connection_durations: AtomicU64,
    pub(crate) max_requests: AtomicU64,
    pub(crate) drain_closes: AtomicU64,
    pub(crate) delayed_close_timeouts: AtomicU64,
    pub(crate) destroyed_local: AtomicU64,
    pub(crate) destroyed_remote: AtomicU64,
    pub(crate) destroyed_local_busy: AtomicU64,
    pub(crate) destroyed_remote_busy: AtomicU64,
    pub(crate) upgrades: AtomicU64,
    pub(crate) upgrades_ended: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Adds some.
#[inline]
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Counters {
    /// The server ends an exchange, or answers a head by itself.
    pub(crate) fn stopped(&self, reason: Reason) {
        count(match reason {
            Reason::Protocol(_) => &self.refused,
            Reason::HeadersTimeout => &self.headers_timeouts,
            Reason::StreamIdleTimeout => &self.stream_idle_timeouts,
            Reason::RequestTimeout => &self.request_timeouts,
            Reason::MaxStreamDuration => &self.max_stream_durations,
            Reason::Http10 => &self.http10_refused,
            Reason::Service => &self.failures,
        });
    }
}
