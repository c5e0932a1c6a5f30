//! What the proxy runs from: a configuration that was checked, in the words of Envoy's API.
//!
//! Every value is final here: defaults are filled in, references are resolved to indexes, durations of
//! zero that mean "off" are `None`. Nothing in this file knows YAML.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use pool_core::config::PoolConfig;
use pool_core::exchange::RetryPolicy;
use pool_core::limits::{Limits, Priority};

/// The whole of it (`envoy.config.bootstrap.v3.Bootstrap`).
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// `node`: who this proxy says it is, in `/server_info`.
    pub node: Node,
    /// `admin`; without it there is no admin port.
    pub admin: Option<Admin>,
    /// `static_resources.listeners`, at least one.
    pub listeners: Vec<Listener>,
    /// `static_resources.clusters`. Routes name them by index.
    pub clusters: Vec<Cluster>,
}

/// `node`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `id`.
    pub id: String,
    /// `cluster`: the service that the proxy belongs to.
    pub cluster: String,
}

/// `admin`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// `address.socket_address`.
    pub address: SocketAddr,
    /// `access_log`.
    pub access_log: Vec<AccessLog>,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// `name`; generated if the configuration has none.
    pub name: String,
    /// `address.socket_address`; port 0 lets the system choose.
    pub address: SocketAddr,
    /// `enable_reuse_port`, default true: one socket per worker.
    pub reuse_port: bool,
    /// `tcp_backlog_size`, default 1024.
    pub backlog: u32,
    /// `per_connection_buffer_limit_bytes`, default 1 MiB: also the request bytes kept for a retry.
    pub buffer_limit: usize,
    /// `drain_type`.
    pub drain_type: DrainType,
    /// The HTTP connection manager that ends the only filter chain.
    pub manager: HttpManager,
}

/// `drain_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainType {
    /// `DEFAULT`: drained by `/healthcheck/fail`, too.
    Default,
    /// `MODIFY_ONLY`: drained only when the listener goes away.
    ModifyOnly,
}

/// `HttpConnectionManager`.
#[derive(Clone, Debug)]
pub struct HttpManager {
    /// `stat_prefix`: stats are `http.<stat_prefix>.*`.
    pub stat_prefix: String,
    /// `codec_type`.
    pub codec: Codec,
    /// `route_config`.
    pub routes: RouteConfig,
    /// `access_log`.
    pub access_log: Vec<AccessLog>,
    /// `server_name`, default `envoy`; what `Server` says.
    pub server_name: HeaderValue,
    /// `server_header_transformation`.
    pub server_header: ServerHeader,
    /// `common_http_protocol_options.idle_timeout`, default 1 h.
    pub idle_timeout: Option<Duration>,
    /// `common_http_protocol_options.max_connection_duration`, default none.
    pub max_connection_duration: Option<Duration>,
    /// `common_http_protocol_options.max_requests_per_connection`, default none.
    pub max_requests_per_connection: Option<u64>,
    /// `common_http_protocol_options.max_stream_duration`, default none.
    pub max_stream_duration: Option<Duration>,
    /// `common_http_protocol_options.max_headers_count`, default 100.
    pub max_headers_count: u32,
    /// `max_request_headers_kb`, default 60.
    pub max_request_headers_kb: u32,
    /// `stream_idle_timeout`, default 5 min.
    pub stream_idle_timeout: Option<Duration>,
    /// `request_timeout`, default none.
    pub request_timeout: Option<Duration>,
    /// `request_headers_timeout`, default none.
    pub request_headers_timeout: Option<Duration>,
    /// `delayed_close_timeout`, default 1 s.
    pub delayed_close_timeout: Option<Duration>,
    /// `drain_timeout`, default 5 s.
    pub drain_timeout: Duration,
    /// `use_remote_address`, default false: whether the peer is the client, so that
    /// `X-Forwarded-For` is appended to.
    pub use_remote_address: bool,
    /// `generate_request_id`, default true.
    pub generate_request_id: bool,
    /// `preserve_external_request_id`, default false.
    pub preserve_external_request_id: bool,
    /// `proxy_100_continue`, default false.
    pub proxy_100_continue: bool,
    /// `upgrade_configs`: protocols that may be switched to, in lower case.
    pub upgrades: Vec<String>,
    /// `http_protocol_options.accept_http_10`, default false.
    pub accept_http_10: bool,
    /// `http_protocol_options.default_host_for_http_10`.
    pub default_host_for_http_10: Option<HeaderValue>,
    /// `http_protocol_options.enable_trailers`, default false.
    pub enable_trailers: bool,
}

/// `codec_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// By the connection's first bytes.
    Auto,
    /// HTTP/1.1 and 1.0.
    Http1,
}

/// `server_header_transformation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerHeader {
    /// `OVERWRITE`, the default.
    Overwrite,
    /// `APPEND_IF_ABSENT`.
    AppendIfAbsent,
    /// `PASS_THROUGH`.
    PassThrough,
}

/// `route_config`.
#[derive(Clone, Debug)]
pub struct RouteConfig {
    /// `name`.
    pub name: String,
    /// `virtual_hosts`.
    pub virtual_hosts: Vec<VirtualHost>,
}

/// One virtual host.
#[derive(Clone, Debug)]
pub struct VirtualHost {
    /// `name`.
    pub name: String,
    /// `domains`: exact, `*.suffix`, `prefix.*` or `*`, in lower case; unique over all virtual hosts.
    pub domains: Vec<String>,
    /// `routes`: the first that matches is taken.
    pub routes: Vec<Route>,
    /// `include_request_attempt_count`: `x-envoy-attempt-count` in upstream requests.
    pub include_request_attempt_count: bool,
    /// `include_attempt_count_in_response`.
    pub include_attempt_count_in_response: bool,
}

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// `name`.
    pub name: String,
    /// `match`.
    pub matches: RouteMatch,
    /// `route`, `direct_response` or `redirect`.
    pub action: RouteAction,
}

/// `match`: the path, without the query.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// `prefix` or `path`.
    pub path: PathMatch,
    /// `case_sensitive`, default true.
    pub case_sensitive: bool,
}

/// A path specifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// `prefix`: raw, so `/a` also matches `/ab`.
    Prefix(String),
    /// `path`: the whole of it.
    Path(String),
    /// `path_separated_prefix`: whole segments.
    PathSeparatedPrefix(String),
}

/// What a route does.
#[derive(Clone, Debug)]
pub enum RouteAction {
    /// `route`.
    Forward(Box<Forward>),
    /// `direct_response`.
    Direct {
        /// `status`.
        status: StatusCode,
        /// `body.inline_string`.
        body: String,
    },
}

/// `RouteAction`.
#[derive(Clone, Debug)]
pub struct Forward {
    /// `cluster`, as an index into [`Bootstrap::clusters`].
    pub cluster: usize,
    /// `timeout`, default 15 s: from the end of the request to the end of the response.
    pub timeout: Option<Duration>,
    /// `idle_timeout`; `None` leaves it to `stream_idle_timeout`, `Some(None)` turns that off.
    pub idle_timeout: Option<Option<Duration>>,
    /// `retry_policy`.
    pub retry: Option<Retry>,
    /// `priority`.
    pub priority: Priority,
    /// `prefix_rewrite`: replaces what the match matched.
    pub prefix_rewrite: Option<String>,
    /// `host_rewrite_literal`.
    pub host_rewrite: Option<HeaderValue>,
    /// `auto_host_rewrite`: `Host` becomes the endpoint's `hostname`.
    pub auto_host_rewrite: bool,
}

/// `RetryPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `retry_on`.
    pub on: RetryOn,
    /// `num_retries` (default 1; 0 if [`Retry::on`] has no `connect-failure`) as retries after a failed
    /// connect, and `retry_back_off` (25 ms, ten times that).
    pub policy: RetryPolicy,
    /// `per_try_timeout`.
    pub per_try_timeout: Option<Duration>,
}

/// `retry_on`, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOn {
    /// `connect-failure`.
    pub connect_failure: bool,
    /// `reset-before-request`.
    pub reset_before_request: bool,
    /// `refused-stream`.
    pub refused_stream: bool,
}

/// One cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `name`.
    pub name: String,
    /// `alt_stat_name`, or the name: stats are `cluster.<stat_name>.*`.
    pub stat_name: String,
    /// `type`.
    pub discovery: Discovery,
    /// `load_assignment`, all localities and endpoints in order; one for [`Discovery::LogicalDns`].
    pub endpoints: Vec<Endpoint>,
    /// `connect_timeout`, common and HTTP/1 protocol options.
    pub pool: Arc<PoolConfig>,
    /// `circuit_breakers`.
    pub limits: Limits,
    /// `per_connection_buffer_limit_bytes`, default 1 MiB.
    pub buffer_limit: usize,
    /// `common_http_protocol_options.max_headers_count`, default 100: of responses.
    pub max_headers_count: u32,
    /// `common_http_protocol_options.max_response_headers_kb`, default 60.
    pub max_response_headers_kb: u32,
    /// `http_protocol_options.enable_trailers`, default false.
    pub enable_trailers: bool,
}

/// `type` of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// `STATIC`: addresses only.
    Static,
    /// `LOGICAL_DNS`: one name; new connections go to the first address of the latest answer.
    LogicalDns(Dns),
}

/// How a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dns {
    /// `dns_lookup_family`.
    pub family: DnsLookupFamily,
    /// `dns_refresh_rate`, default 5 s.
    pub refresh_rate: Duration,
    /// `dns_failure_refresh_rate.base_interval`, default the refresh rate.
    pub failure_base: Duration,
    /// `dns_failure_refresh_rate.max_interval`, default ten times the base if that is set, else the
    /// refresh rate.
    pub failure_max: Duration,
}

/// `dns_lookup_family`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsLookupFamily {
    /// IPv6 if there is any, else IPv4. The default.
    Auto,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
    /// IPv4 if there is any, else IPv6.
    V4Preferred,
    /// Both; connections try them in turn.
    All,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `address.socket_address.address`: an IP address, or a name for DNS clusters.
    pub host: String,
    /// `address.socket_address.port_value`.
    pub port: u16,
    /// `hostname`; the DNS name if there is none.
    pub hostname: String,
    /// `load_balancing_weight`, default 1.
    pub weight: u32,
}

/// `envoy.access_loggers.file`, `.stdout` or `.stderr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Where it goes.
    pub sink: AccessLogSink,
    /// The format.
    pub format: AccessLogFormat,
}

/// Where an access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogSink {
    /// `path`.
    File(std::path::PathBuf),
    /// `StdoutAccessLog`.
    Stdout,
    /// `StderrAccessLog`.
    Stderr,
}

/// How a line looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// Envoy's default.
    Default,
    /// `log_format.text_format_source.inline_string`, with command operators.
    Text(String),
    /// `log_format.json_format`: keys and operator strings, in order.
    Json(Vec<(String, String)>),
}
