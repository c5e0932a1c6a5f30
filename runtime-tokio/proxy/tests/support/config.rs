//! Configurations, by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pool_core::config::PoolConfig;
use pool_core::exchange::RetryPolicy;
use pool_core::limits::{Limits, Priority};
use pool_proxy::config::model::*;

/// One listener, one route to all paths, one cluster with a host.
pub(crate) fn simple(upstream: SocketAddr) -> Bootstrap {
    Bootstrap {
        node: Node::default(),
        admin: None,
        listeners: vec![listener(vec![route("/", forward(0))])],
        clusters: vec![cluster(&[upstream])],
    }
}

pub(crate) fn listener(routes: Vec<Route>) -> Listener {
    Listener {
        name: "main".to_owned(),
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        reuse_port: true,
        backlog: 1024,
        buffer_limit: 1024 * 1024,
        drain_type: DrainType::Default,
        manager: manager(routes),
    }
}

pub(crate) fn manager(routes: Vec<Route>) -> HttpManager {
    HttpManager {
        stat_prefix: "test".to_owned(),
        codec: Codec::Auto,
        routes: RouteConfig { name: "local".to_owned(), virtual_hosts: vec![virtual_host(routes)] },
        access_log: Vec::new(),
        server_name: HeaderValue::from_static("envoy"),
        server_header: ServerHeader::Overwrite,
        idle_timeout: Some(Duration::from_secs(3600)),
        max_connection_duration: None,
        max_requests_per_connection: None,
        max_stream_duration: None,
        max_headers_count: 100,
        max_request_headers_kb: 60,
        stream_idle_timeout: Some(Duration::from_secs(300)),
        request_timeout: None,
        request_headers_timeout: None,
        delayed_close_timeout: Some(Duration::from_secs(1)),
        drain_timeout: Duration::from_secs(5),
        use_remote_address: false,
        generate_request_id: true,
        preserve_external_request_id: false,
        proxy_100_continue: false,
        upgrades: Vec::new(),
        accept_http_10: false,
        default_host_for_http_10: None,
        enable_trailers: false,
    }
}

pub(crate) fn virtual_host(routes: Vec<Route>) -> VirtualHost {
    VirtualHost {
        name: "all".to_owned(),
        domains: vec!["*".to_owned()],
        routes,
        include_request_attempt_count: false,
        include_attempt_count_in_response: false,
    }
}

pub(crate) fn route(prefix: &str, forward: Forward) -> Route {
    Route {
        name: String::new(),
        matches: RouteMatch { path: PathMatch::Prefix(prefix.to_owned()), case_sensitive: true },
        action: RouteAction::Forward(Box::new(forward)),
    }
}

pub(crate) fn forward(cluster: usize) -> Forward {
    Forward {
        cluster,
        timeout: Some(Duration::from_secs(15)),
        idle_timeout: None,
        retry: None,
        priority: Priority::Default,
        prefix_rewrite: None,
        host_rewrite: None,
        auto_host_rewrite: false,
    }
}

/// `retry_on: connect-failure`, without waiting.
pub(crate) fn retry(retries: u8) -> Retry {
    let policy = RetryPolicy {
        max_replays: 2,
        max_retries: retries,
        retry_on: pool_core::exchange::RetryOn::CONNECT_FAILURE,
        base_interval: Duration::from_millis(1),
        max_interval: Duration::from_millis(2),
    };
    let on = RetryOn { connect_failure: true, ..RetryOn::default() };
    Retry { on, policy, per_try_timeout: None }
}

pub(crate) fn cluster(hosts: &[SocketAddr]) -> Cluster {
    let endpoint = |address: &SocketAddr| Endpoint {
        host: address.ip().to_string(),
        port: address.port(),
        hostname: String::new(),
        weight: 1,
    };
    Cluster {
        name: "upstream".to_owned(),
        stat_name: "upstream".to_owned(),
        discovery: Discovery::Static,
        endpoints: hosts.iter().map(endpoint).collect(),
        pool: Arc::new(PoolConfig::default()),
        limits: Limits::default(),
        buffer_limit: 1 << 20,
        max_headers_count: 100,
        max_response_headers_kb: 60,
        enable_trailers: false,
    }
}

/// The only route's action.
pub(crate) fn forwarding(config: &mut Bootstrap) -> &mut Forward {
    let route = &mut config.listeners[0].manager.routes.virtual_hosts[0].routes[0];
    match &mut route.action {
        RouteAction::Forward(forward) => forward,
        RouteAction::Direct { .. } => panic!("the route does not forward"),
    }
}

/// The only connection manager.
pub(crate) fn http(config: &mut Bootstrap) -> &mut HttpManager {
    &mut config.listeners[0].manager
}
