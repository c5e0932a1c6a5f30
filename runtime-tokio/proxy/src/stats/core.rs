//! What pools count, under Envoy's names.

use pool_core::pool::{Histogram, Stats};

use super::distribution::Distribution;
use super::fields::ClusterValues;

impl ClusterValues {
    /// Adds the counters of pools. Connections of pools speak HTTP/1 here.
    pub fn add_pools(&mut self, pools: &Stats) {
        // Taken apart, so that no counter of a pool is forgotten.
        let Stats {
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
            // Multiplexed connections only.
            cx_suspect: _,
            rq_total,
            rq_pending_total,
            rq_pending_overflow,
            rq_active_overflow,
            rq_pending_failure_eject,
            rq_pending_timeout,
            rq_cancelled,
            // TLS 1.3 and QUIC only.
            rq_0rtt: _,
            rq_tx_reset,
            rq_rx_reset,
            // Of interest to who debugs a driver of pools.
            ignored_facts: _,
            cx_connect_ms,
            cx_length_ms,
        } = pools;
        self.upstream_cx_total.add(*cx_total);
        self.upstream_cx_http1_total.add(*cx_total);
        self.upstream_cx_connect_fail.add(*cx_connect_fail);
        self.upstream_cx_connect_timeout.add(*cx_connect_timeout);
        self.upstream_cx_idle_timeout.add(*cx_idle_timeout);
        self.upstream_cx_max_duration_reached.add(*cx_max_duration_reached);
        self.upstream_cx_max_requests.add(*cx_max_requests);
        self.upstream_cx_overflow.add(*cx_overflow);
        self.upstream_cx_destroy.add(*cx_destroy);
        self.upstream_cx_destroy_local.add(*cx_destroy_local);
        self.upstream_cx_destroy_remote.add(*cx_destroy_remote);
        self.upstream_cx_destroy_with_active_rq.add(*cx_destroy_with_active_rq);
        self.upstream_cx_destroy_local_with_active_rq.add(*cx_destroy_local_with_active_rq);
        self.upstream_cx_destroy_remote_with_active_rq.add(*cx_destroy_remote_with_active_rq);
        self.upstream_cx_close_notify.add(*cx_close_notify);
        self.upstream_cx_protocol_error.add(*cx_protocol_error);
        self.upstream_cx_drain_timeout.add(*cx_drain_timeout);
        self.upstream_rq_total.add(*rq_total);
        self.upstream_rq_pending_total.add(*rq_pending_total);
        self.upstream_rq_pending_overflow.add(*rq_pending_overflow);
        self.upstream_rq_active_overflow.add(*rq_active_overflow);
        self.upstream_rq_pending_failure_eject.add(*rq_pending_failure_eject);
        self.upstream_rq_pending_timeout.add(*rq_pending_timeout);
        self.upstream_rq_cancelled.add(*rq_cancelled);
        self.upstream_rq_tx_reset.add(*rq_tx_reset);
        self.upstream_rq_rx_reset.add(*rq_rx_reset);
        self.upstream_cx_connect_ms.add_coarse(cx_connect_ms);
        self.upstream_cx_length_ms.add_coarse(cx_length_ms);
        if *cx_total > 0 {
            self.upstream_cx_active.mark_used();
            self.upstream_rq_active.mark_used();
        }
    }
}

impl Distribution {
    /// Adds a histogram of pool-core, whose borders are powers of four of a millisecond.
    pub fn add_coarse(&mut self, histogram: &Histogram) {
        let mut low = 0;
        let mut high = 1000;
        for samples in histogram.buckets() {
            self.add(low, high, u64::from(*samples));
            low = high;
            high *= 4;
        }
        self.add_to_sum(histogram.sum_ms().saturating_mul(1000));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_pools_get_envoys_names() {
        let pools = Stats { cx_total: 3, cx_destroy_remote: 2, rq_total: 9, ..Stats::default() };
        let mut values = ClusterValues::default();
        values.add_pools(&pools);
        values.add_pools(&pools);
        let shown = [
            values.upstream_cx_total,
            values.upstream_cx_http1_total,
            values.upstream_cx_destroy_remote,
            values.upstream_rq_total,
            values.upstream_cx_destroy_local,
        ];
        assert_eq!(shown.map(|count| count.value()), [6, 6, 4, 18, 0]);
        assert!(values.upstream_cx_active.is_used());
    }
}
