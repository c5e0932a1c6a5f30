//! Counters and histograms of one pool, under Envoy's names without `upstream_`.

use core::time::Duration;

/// Envoy's cluster counters as far as a pool moves them, and a few of our own.
///
/// Gauges are questions of the pool. `cx_destroy*` move when the socket is gone, the others when the
/// thing is known, so that `cx_total = active + closing + cx_destroy` at any moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections ordered.
    pub cx_total: u64,
    /// Attempts that failed: closed or timed out before the handshake was complete. Attempts that
    /// the pool gave up by itself (drain, cancel) are not among them.
    pub cx_connect_fail: u64,
    /// Attempts that ran into `connect_timeout`; each is in `cx_connect_fail` too.
    pub cx_connect_timeout: u64,
    /// Connections closed by `idle_timeout`.
    pub cx_idle_timeout: u64,
    /// Connections that reached `max_connection_duration`.
    pub cx_max_duration_reached: u64,
    /// Connections that got their last stream (Envoy: `upstream_cx_max_requests`).
    pub cx_max_requests: u64,
    /// Attempts at a connection that a limit refused, forced ones included.
    pub cx_overflow: u64,
    /// Connections whose socket is gone.
    pub cx_destroy: u64,
    /// Of these, closed by this side.
    pub cx_destroy_local: u64,
    /// Of these, closed by the peer.
    pub cx_destroy_remote: u64,
    /// Of `cx_destroy`, with a stream in progress.
    pub cx_destroy_with_active_rq: u64,
    /// Of `cx_destroy_local`, with a stream in progress.
    pub cx_destroy_local_with_active_rq: u64,
    /// Of `cx_destroy_remote`, with a stream in progress.
    pub cx_destroy_remote_with_active_rq: u64,
    /// Times a peer asked for a connection to end: `Connection: close`, GOAWAY.
    pub cx_close_notify: u64,
    /// Connections closed for bytes that nobody asked for.
    pub cx_protocol_error: u64,
    /// Connections closed by `drain_timeout`; ours.
    pub cx_drain_timeout: u64,
    /// Connections that stopped answering; ours.
    pub cx_suspect: u64,
    /// Requests bound to a connection.
    pub rq_total: u64,
    /// Requests that had to queue.
    pub rq_pending_total: u64,
    /// Requests refused by `max_pending_requests`.
    pub rq_pending_overflow: u64,
    /// Requests refused by `max_requests` (#44164).
    pub rq_active_overflow: u64,
    /// Queued requests that failed with a connection attempt, and streams of multiplexed
    /// connections that died with their connection.
    pub rq_pending_failure_eject: u64,
    /// Queued requests that ran into their deadline; ours.
    pub rq_pending_timeout: u64,
    /// Requests cancelled while queued.
    pub rq_cancelled: u64,
    /// Requests sent as early data.
    pub rq_0rtt: u64,
    /// Streams reset by this side (multiplexed connections).
    pub rq_tx_reset: u64,
    /// Streams reset by the peer (multiplexed connections).
    pub rq_rx_reset: u64,
    /// Facts and wishes about names that are dead, or that make no sense in the present state; ours.
    pub ignored_facts: u64,
    /// From the `Connect` order to the completed handshake; one sample per connected connection.
    pub cx_connect_ms: Histogram,
    /// From the `Connect` order until the socket was gone; one sample per connection.
    pub cx_length_ms: Histogram,
}

impl Stats {
    /// Adds another pool's. Destructured in full, so that a new counter is not forgotten.
    pub fn add(&mut self, other: &Self) {
        let Self {
            cx_total,
            cx_connect_fail,
            cx_connect_timeout,
            cx_idle_timeout,
            cx_max_duration_reached,
            cx_max_requests,
            cx_overflow,
            cx_destroy,
            cx_destroy_local,
            cx_destroy_remote,
            cx_destroy_with_active_rq,
            cx_destroy_local_with_active_rq,
            cx_destroy_remote_with_active_rq,
            cx_close_notify,
            cx_protocol_error,
            cx_drain_timeout,
            cx_suspect,
            rq_total,
            rq_pending_total,
            rq_pending_overflow,
            rq_active_overflow,
            rq_pending_failure_eject,
            rq_pending_timeout,
            rq_cancelled,
            rq_0rtt,
            rq_tx_reset,
            rq_rx_reset,
            ignored_facts,
            cx_connect_ms,
            cx_length_ms,
        } = other;
        self.cx_total += cx_total;
        self.cx_connect_fail += cx_connect_fail;
        self.cx_connect_timeout += cx_connect_timeout;
        self.cx_idle_timeout += cx_idle_timeout;
        self.cx_max_duration_reached += cx_max_duration_reached;
        self.cx_max_requests += cx_max_requests;
        self.cx_overflow += cx_overflow;
        self.cx_destroy += cx_destroy;
        self.cx_destroy_local += cx_destroy_local;
        self.cx_destroy_remote += cx_destroy_remote;
        self.cx_destroy_with_active_rq += cx_destroy_with_active_rq;
        self.cx_destroy_local_with_active_rq += cx_destroy_local_with_active_rq;
        self.cx_destroy_remote_with_active_rq += cx_destroy_remote_with_active_rq;
        self.cx_close_notify += cx_close_notify;
        self.cx_protocol_error += cx_protocol_error;
        self.cx_drain_timeout += cx_drain_timeout;
        self.cx_suspect += cx_suspect;
        self.rq_total += rq_total;
        self.rq_pending_total += rq_pending_total;
        self.rq_pending_overflow += rq_pending_overflow;
        self.rq_active_overflow += rq_active_overflow;
        self.rq_pending_failure_eject += rq_pending_failure_eject;
        self.rq_pending_timeout += rq_pending_timeout;
        self.rq_cancelled += rq_cancelled;
        self.rq_0rtt += rq_0rtt;
        self.rq_tx_reset += rq_tx_reset;
        self.rq_rx_reset += rq_rx_reset;
        self.ignored_facts += ignored_facts;
        self.cx_connect_ms.add(cx_connect_ms);
        self.cx_length_ms.add(cx_length_ms);
    }
}

/// How many buckets a [`Histogram`] has.
pub const HISTOGRAM_BUCKETS: usize = 12;

/// A histogram of milliseconds with bucket borders at powers of four.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    sum_ms: u64,
    buckets: [u32; HISTOGRAM_BUCKETS],
}

impl Histogram {
    /// How many samples there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| u64::from(*bucket)).sum()
    }

    /// The sum of all samples in whole milliseconds.
    #[must_use]
    pub const fn sum_ms(&self) -> u64 {
        self.sum_ms
    }

    /// Samples per bucket. Bucket 0 is less than 1 ms, bucket `i` is `4^(i-1)` up to less than
    /// `4^i` ms, the last one has no upper border.
    #[must_use]
    pub const fn buckets(&self) -> &[u32; HISTOGRAM_BUCKETS] {
        &self.buckets
    }

    /// Adds the samples of another one.
    pub fn add(&mut self, other: &Self) {
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket = bucket.saturating_add(*more);
        }
    }

    pub(crate) fn record(&mut self, length: Duration) {
        let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let bucket = if ms == 0 { 0 } else { 1 + (ms.ilog2() / 2) as usize };
        self.sum_ms = self.sum_ms.saturating_add(ms);
        let bucket = &mut self.buckets[bucket.min(HISTOGRAM_BUCKETS - 1)];
        *bucket = bucket.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_borders_are_powers_of_four() {
        let mut histogram = Histogram::default();
        for (ms, bucket) in [(0, 0), (1, 1), (3, 1), (4, 2), (15, 2), (16, 3), (u64::MAX, 11)] {
            let before = histogram.buckets()[bucket];
            histogram.record(Duration::from_millis(ms));
            assert_eq!(histogram.buckets()[bucket], before + 1, "{ms} ms");
        }
        assert_eq!(histogram.count(), 7);
        assert_eq!(histogram.sum_ms(), u64::MAX);
    }

    #[test]
    fn sums_have_everything_of_both() {
        let mut one = Stats { cx_total: 1, rq_total: 2, rq_rx_reset: 3, ..Stats::default() };
        one.cx_connect_ms.record(Duration::from_millis(5));
        let mut sum = Stats { cx_total: 10, ignored_facts: 4, ..Stats::default() };
        sum.cx_connect_ms.record(Duration::from_millis(5));
        sum.cx_length_ms.record(Duration::from_millis(70));
        sum.add(&one);
        let expected = Stats { cx_total: 11, rq_total: 2, rq_rx_reset: 3, ignored_facts: 4, ..sum.clone() };
        assert_eq!(sum, expected);
        assert_eq!((sum.cx_connect_ms.count(), sum.cx_connect_ms.sum_ms()), (2, 10));
        assert_eq!((sum.cx_length_ms.count(), sum.cx_length_ms.sum_ms()), (1, 70));
    }
}
