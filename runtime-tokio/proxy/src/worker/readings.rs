//! The counters of servers and pools, under the names of the stats.

use std::sync::atomic::{AtomicU64, Ordering};

use pool_core::client::{ClusterStats, HostStats};
use pool_core::server::Snapshot;

use crate::admin::HostStatus;
use crate::stats::{ClusterValues, HostResults, HttpValues, ListenerValues};
use crate::upstream::Counts;

/// What a server counts of its connections and requests. Responses by class, and the times of requests,
/// are the forwarder's to count.
pub(super) fn http(from: &Snapshot, to: &mut HttpValues) {
    to.downstream_cx_total.add(from.accepted);
    to.downstream_cx_http1_total.add(from.accepted);
    to.downstream_cx_active.add(from.active);
    to.downstream_cx_http1_active.add(from.active);
    to.downstream_cx_upgrades_total.add(from.upgrades);
    to.downstream_cx_upgrades_active.add(from.upgrades_active);
    to.downstream_cx_destroy.add(from.destroyed);
    to.downstream_cx_destroy_local.add(from.destroyed_local);
    to.downstream_cx_destroy_remote.add(from.destroyed_remote);
    to.downstream_cx_destroy_active_rq.add(from.destroyed_busy);
    to.downstream_cx_destroy_local_active_rq.add(from.destroyed_local_busy);
    to.downstream_cx_destroy_remote_active_rq.add(from.destroyed_remote_busy);
    to.downstream_cx_protocol_error.add(from.refused);
    to.downstream_cx_length_ms.add_coarse(&from.length_ms);
    to.downstream_cx_rx_bytes_total.add(from.rx_bytes);
    to.downstream_cx_tx_bytes_total.add(from.tx_bytes);
    to.downstream_cx_drain_close.add(from.drain_closes);
    to.downstream_cx_idle_timeout.add(from.idle_timeouts);
    to.downstream_cx_max_duration_reached.add(from.max_connection_durations);
    to.downstream_cx_max_requests_reached.add(from.max_requests);
    to.downstream_cx_delayed_close_timeout.add(from.delayed_close_timeouts);
    to.downstream_rq_total.add(from.requests);
    to.downstream_rq_http1_total.add(from.requests);
    to.downstream_rq_active.add(from.requests_active);
    to.downstream_rq_response_before_rq_complete.add(from.response_before_complete);
    to.downstream_rq_rx_reset.add(from.rx_reset);
    to.downstream_rq_tx_reset.add(from.tx_reset);
    to.downstream_rq_idle_timeout.add(from.stream_idle_timeouts);
    to.downstream_rq_header_timeout.add(from.headers_timeouts);
    to.downstream_rq_timeout.add(from.request_timeouts);
    to.downstream_rq_max_duration_reached.add(from.max_stream_durations);
}

/// What a listener has of it.
pub(super) fn listener(from: &Snapshot, to: &mut ListenerValues) {
    to.downstream_cx_total.add(from.accepted);
    to.downstream_cx_active.add(from.active);
    to.downstream_cx_destroy.add(from.destroyed);
    to.downstream_cx_accept_error.add(from.accept_errors);
    to.downstream_cx_length_ms.add_coarse(&from.length_ms);
}

/// What the pools of a cluster count.
pub(super) fn cluster(from: &ClusterStats, to: &mut ClusterValues) {
    to.add_pools(&from.pools);
    to.upstream_cx_active.add(from.gauges.cx_active + from.gauges.cx_closing);
    to.upstream_rq_active.add(from.gauges.rq_active);
    to.upstream_rq_pending_active.add(from.gauges.rq_pending_active);
    to.upstream_cx_none_healthy.add(from.cx_none_healthy);
    to.upstream_cx_pool_overflow.add(from.cx_pool_overflow);
    to.upstream_rq_retry.add(from.rq_retry);
    to.upstream_rq_retry_backoff_exponential.add(from.rq_retry);
    to.upstream_rq_retry_success.add(from.rq_retry_success);
    to.upstream_rq_retry_overflow.add(from.rq_retry_overflow);
    to.upstream_rq_retry_limit_exceeded.add(from.rq_retry_limit_exceeded);
    to.membership_change.add(from.membership_change);
    to.membership_total.add(from.hosts.len() as u64);
    let usable = from.hosts.iter().filter(|host| host.host.address().is_some()).count();
    to.membership_healthy.add(usable as u64);
    let heaviest = from.hosts.iter().map(|host| u64::from(host.host.share())).max();
    to.max_host_weight.add(heaviest.unwrap_or(0));
}

/// What has come of the look-ups of a cluster's name.
pub(super) fn lookups(from: &Counts, to: &mut ClusterValues) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    to.update_attempt.add(read(&from.attempts));
    to.update_success.add(read(&from.successes));
    to.update_failure.add(read(&from.failures));
    to.update_empty.add(read(&from.empty));
    to.update_no_rebuild.add(read(&from.unchanged));
}

/// One host of a cluster.
pub(super) fn host(from: &HostStats, results: HostResults) -> HostStatus {
    let HostStats { host, pools, gauges, .. } = from;
    HostStatus {
        address: host.address(),
        hostname: host.name().map(|name| name.to_string()).unwrap_or_default(),
        weight: host.share(),
        priority: 0,
        cx_active: gauges.cx_active + gauges.cx_closing,
        cx_connect_fail: pools.cx_connect_fail,
        cx_total: pools.cx_total,
        rq_active: gauges.rq_active,
        rq_error: results.rq_error + pools.rq_pending_failure_eject,
        rq_success: results.rq_success,
        rq_timeout: results.rq_timeout,
        rq_total: pools.rq_total,
    }
}
