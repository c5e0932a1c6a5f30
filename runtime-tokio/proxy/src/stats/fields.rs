//! Every stat of the proxy, by scope. This is the list; `docs/stats.md` shows it.

use super::block::{Described, block, values};
use super::cell::{Counter, Gauge};
use super::codes::Codes;
use super::histogram::Histogram;

block! {
    /// `http.<stat_prefix>.`: one HTTP connection manager, one worker.
    HttpStats;
    /// `http.<stat_prefix>.`, read.
    HttpValues;
    /// Connections taken.
    downstream_cx_total: Counter,
    /// Of these, connections that spoke HTTP/1.
    downstream_cx_http1_total: Counter,
    /// Connections turned into tunnels by an upgrade.
    downstream_cx_upgrades_total: Counter,
    /// Connections that are there.
    downstream_cx_active: Gauge,
    /// Of these, connections that speak HTTP/1.
    downstream_cx_http1_active: Gauge,
    /// Of these, tunnels.
    downstream_cx_upgrades_active: Gauge,
    /// Connections that ended.
    downstream_cx_destroy: Counter,
    /// Of these, closed by this side.
    downstream_cx_destroy_local: Counter,
    /// Of these, closed by the client.
    downstream_cx_destroy_remote: Counter,
    /// Connections that ended with a request in progress.
    downstream_cx_destroy_active_rq: Counter,
    /// Of these, closed by this side.
    downstream_cx_destroy_local_active_rq: Counter,
    /// Of these, closed by the client.
    downstream_cx_destroy_remote_active_rq: Counter,
    /// Connections that broke the protocol.
    downstream_cx_protocol_error: Counter,
    /// How long connections lived, in milliseconds.
    downstream_cx_length_ms: Histogram,
    /// Bytes received.
    downstream_cx_rx_bytes_total: Counter,
    /// Bytes sent.
    downstream_cx_tx_bytes_total: Counter,
    /// Connections closed because the proxy drains.
    downstream_cx_drain_close: Counter,
    /// Connections closed by `idle_timeout`.
    downstream_cx_idle_timeout: Counter,
    /// Connections that reached `max_connection_duration`.
    downstream_cx_max_duration_reached: Counter,
    /// Connections that reached `max_requests_per_connection`.
    downstream_cx_max_requests_reached: Counter,
    /// Closing connections given up by `delayed_close_timeout`.
    downstream_cx_delayed_close_timeout: Counter,
    /// Requests.
    downstream_rq_total: Counter,
    /// Of these, by HTTP/1.
    downstream_rq_http1_total: Counter,
    /// Requests in progress.
    downstream_rq_active: Gauge,
    /// Requests that were given a response.
    downstream_rq_completed: Counter,
    /// Interim responses (1xx).
    downstream_rq_1xx: Counter,
    /// Responses with success.
    downstream_rq_2xx: Counter,
    /// Responses that redirect.
    downstream_rq_3xx: Counter,
    /// Responses that blame the client.
    downstream_rq_4xx: Counter,
    /// Responses that blame the server.
    downstream_rq_5xx: Counter,
    /// From the first byte of a request to the last one of its response, in milliseconds.
    downstream_rq_time: Histogram,
    /// Responses that began before the request was complete.
    downstream_rq_response_before_rq_complete: Counter,
    /// Requests that the client broke off.
    downstream_rq_rx_reset: Counter,
    /// Requests that this side broke off.
    downstream_rq_tx_reset: Counter,
    /// Upgrade requests refused because the route does not allow them.
    downstream_rq_ws_on_non_ws_route: Counter,
    /// Requests ended by `stream_idle_timeout`.
    downstream_rq_idle_timeout: Counter,
    /// Requests ended by `request_headers_timeout`.
    downstream_rq_header_timeout: Counter,
    /// Requests ended by `request_timeout`.
    downstream_rq_timeout: Counter,
    /// Requests ended by `max_stream_duration`.
    downstream_rq_max_duration_reached: Counter,
    /// Requests that no route matched.
    no_route: Counter,
    /// Requests answered by a `direct_response`.
    rq_direct_response: Counter,
    /// Requests that the router took.
    rq_total: Counter,
    /// Responses sent although the upstream had reset the request.
    rq_reset_after_downstream_response_started: Counter,
}

block! {
    /// `listener.<address>.`: one listener, one worker.
    ListenerStats;
    /// `listener.<address>.`, read.
    ListenerValues;
    /// Connections taken.
    downstream_cx_total: Counter,
    /// Connections that are there.
    downstream_cx_active: Gauge,
    /// Connections that ended.
    downstream_cx_destroy: Counter,
    /// How long connections lived, in milliseconds.
    downstream_cx_length_ms: Histogram,
    /// Errors of `accept`; ours.
    downstream_cx_accept_error: Counter,
}

block! {
    /// `cluster.<name>.`: one cluster, one worker.
    ///
    /// What the pools know themselves is read from them: `upstream_cx_*` and most of
    /// `upstream_rq_*`. A worker counts here what only the proxy sees.
    ClusterStats;
    /// `cluster.<name>.`, read.
    ClusterValues;
    /// Connections made, failed ones included.
    upstream_cx_total: Counter,
    /// Connections that are there, or being made.
    upstream_cx_active: Gauge,
    /// Connections of HTTP/1.
    upstream_cx_http1_total: Counter,
    /// Connections that could not be made.
    upstream_cx_connect_fail: Counter,
    /// Of these, those that ran into `connect_timeout`.
    upstream_cx_connect_timeout: Counter,
    /// Connections closed by `idle_timeout`.
    upstream_cx_idle_timeout: Counter,
    /// Connections that reached `max_connection_duration`.
    upstream_cx_max_duration_reached: Counter,
    /// Connections that reached `max_requests_per_connection`.
    upstream_cx_max_requests: Counter,
    /// Attempts at a connection that `max_connections` refused.
    upstream_cx_overflow: Counter,
    /// Attempts at a pool that `max_connection_pools` refused.
    upstream_cx_pool_overflow: Counter,
    /// How long it took to connect, in milliseconds.
    upstream_cx_connect_ms: Histogram,
    /// How long connections lived, in milliseconds.
    upstream_cx_length_ms: Histogram,
    /// Connections that ended.
    upstream_cx_destroy: Counter,
    /// Of these, closed by this side.
    upstream_cx_destroy_local: Counter,
    /// Of these, closed by the upstream.
    upstream_cx_destroy_remote: Counter,
    /// Connections that ended with a request in progress.
    upstream_cx_destroy_with_active_rq: Counter,
    /// Of these, closed by this side.
    upstream_cx_destroy_local_with_active_rq: Counter,
    /// Of these, closed by the upstream.
    upstream_cx_destroy_remote_with_active_rq: Counter,
    /// Times that the upstream asked for a connection to end.
    upstream_cx_close_notify: Counter,
    /// Connections that broke the protocol.
    upstream_cx_protocol_error: Counter,
    /// Connections that ended by the pool's `drain_timeout`; ours.
    upstream_cx_drain_timeout: Counter,
    /// Times that no host could be connected to.
    upstream_cx_none_healthy: Counter,
    /// Requests put on a connection, each attempt.
    upstream_rq_total: Counter,
    /// Requests in progress on a connection.
    upstream_rq_active: Gauge,
    /// Requests that had to wait for a connection.
    upstream_rq_pending_total: Counter,
    /// Requests that wait for a connection.
    upstream_rq_pending_active: Gauge,
    /// Requests refused by `max_pending_requests`.
    upstream_rq_pending_overflow: Counter,
    /// Requests refused by `max_requests`.
    upstream_rq_active_overflow: Counter,
    /// Waiting requests that failed with a connection.
    upstream_rq_pending_failure_eject: Counter,
    /// Waiting requests that ran into their deadline; ours.
    upstream_rq_pending_timeout: Counter,
    /// Requests given up while they waited for a connection.
    upstream_rq_cancelled: Counter,
    /// Requests that ran into the route's timeout.
    upstream_rq_timeout: Counter,
    /// Attempts that ran into `per_try_timeout`.
    upstream_rq_per_try_timeout: Counter,
    /// Requests that the upstream reset.
    upstream_rq_rx_reset: Counter,
    /// Requests that this side reset.
    upstream_rq_tx_reset: Counter,
    /// Retries.
    upstream_rq_retry: Counter,
    /// Retries after an exponential back-off.
    upstream_rq_retry_backoff_exponential: Counter,
    /// Requests that had no retry left.
    upstream_rq_retry_limit_exceeded: Counter,
    /// Retries that `max_retries` of the circuit breaker refused.
    upstream_rq_retry_overflow: Counter,
    /// Retries that got a good response.
    upstream_rq_retry_success: Counter,
    /// From the end of a request to its response, in milliseconds.
    upstream_rq_time: Histogram,
    /// Responses.
    upstream_rq_completed: Counter,
    /// Interim responses (1xx).
    upstream_rq_1xx: Counter,
    /// Responses with success.
    upstream_rq_2xx: Counter,
    /// Responses that redirect.
    upstream_rq_3xx: Counter,
    /// Responses that blame the client.
    upstream_rq_4xx: Counter,
    /// Responses that blame the server.
    upstream_rq_5xx: Counter,
    /// Responses by status: a counter for each that was seen.
    upstream_rq_codes: Codes = "upstream_rq_<code>",
    /// Hosts.
    membership_total: Gauge,
    /// Hosts that can be used.
    membership_healthy: Gauge,
    /// Changes of the hosts.
    membership_change: Counter,
    /// Largest weight of a host.
    max_host_weight: Gauge,
    /// Look-ups of the hosts.
    update_attempt: Counter,
    /// Of these, with an answer.
    update_success: Counter,
    /// Of these, failed.
    update_failure: Counter,
    /// Of these, with an empty answer.
    update_empty: Counter,
    /// Of these, with an answer that changed nothing.
    update_no_rebuild: Counter,
}

values! {
    /// `server.`: the process.
    ServerValues;
    /// Seconds since the start.
    uptime: Gauge,
    /// Worker threads.
    concurrency: Gauge,
    /// 1 while the server takes requests and does not drain.
    live: Gauge,
    /// 0 live, 1 draining, 2 before initialization, 3 initializing.
    state: Gauge,
    /// Connections to clients that are there.
    total_connections: Gauge,
    /// Physical memory of the process, in bytes, where the system tells.
    memory_physical_size: Gauge,
    /// The version as a number: major, minor and patch in three digits each.
    version: Gauge,
    /// 0: there is no hot restart.
    hot_restart_epoch: Gauge,
}

values! {
    /// `listener_manager.`.
    ListenerManagerValues;
    /// Listeners added.
    listener_added: Counter,
    /// Listeners that were given to workers, once per worker.
    listener_create_success: Counter,
    /// Listeners that take connections.
    total_listeners_active: Gauge,
    /// Listeners that drain.
    total_listeners_draining: Gauge,
    /// 1 when the workers run.
    workers_started: Gauge,
}

values! {
    /// `cluster_manager.`.
    ClusterManagerValues;
    /// Clusters added.
    cluster_added: Counter,
    /// Clusters that are there.
    active_clusters: Gauge,
}

values! {
    /// `filesystem.`: the access logs.
    FilesystemValues;
    /// Lines put into a buffer.
    write_buffered: Counter,
    /// Buffers written.
    write_completed: Counter,
    /// Buffers that could not be written.
    write_failed: Counter,
    /// Rounds of writing that the interval began.
    flushed_by_timer: Counter,
    /// Files that could not be opened again.
    reopen_failed: Counter,
    /// Bytes that wait to be written.
    write_total_buffered: Gauge,
    /// Lines left out because the buffer was full; ours.
    write_dropped: Counter,
}

/// Counts a status by its class: an argument per class, 1xx first.
macro_rules! by_class {
    ($code:expr, $one:expr, $two:expr, $three:expr, $four:expr, $five:expr) => {
        match $code / 100 {
            1 => $one.inc(),
            2 => $two.inc(),
            3 => $three.inc(),
            4 => $four.inc(),
            5 => $five.inc(),
            _ => {}
        }
    };
}

impl HttpStats {
    /// A final response went to the client: `downstream_rq_completed` and its class.
    pub fn count_response(&self, code: u16) {
        self.downstream_rq_completed.inc();
        self.count_class(code);
    }

    /// An interim response (1xx) went to the client.
    pub fn count_interim(&self, code: u16) {
        self.count_class(code);
    }

    fn count_class(&self, code: u16) {
        by_class!(
            code,
            self.downstream_rq_1xx,
            self.downstream_rq_2xx,
            self.downstream_rq_3xx,
            self.downstream_rq_4xx,
            self.downstream_rq_5xx
        );
    }
}

impl ClusterStats {
    /// A final response of this cluster, or one given in its place: `upstream_rq_completed`, the
    /// class and the status.
    pub fn count_response(&self, code: u16) {
        self.upstream_rq_completed.inc();
        self.upstream_rq_codes.inc(code);
        by_class!(
            code,
            self.upstream_rq_1xx,
            self.upstream_rq_2xx,
            self.upstream_rq_3xx,
            self.upstream_rq_4xx,
            self.upstream_rq_5xx
        );
    }
}

/// Every scope with its stats, as `docs/stats.md` lists them.
pub const SCOPES: [(&str, &[Described]); 7] = [
    ("http.<stat_prefix>.", HttpValues::NAMES),
    ("listener.<address>.", ListenerValues::NAMES),
    ("cluster.<name>.", ClusterValues::NAMES),
    ("server.", ServerValues::NAMES),
    ("listener_manager.", ListenerManagerValues::NAMES),
    ("cluster_manager.", ClusterManagerValues::NAMES),
    ("filesystem.", FilesystemValues::NAMES),
];
