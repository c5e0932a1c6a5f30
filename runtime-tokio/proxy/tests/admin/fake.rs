//! A proxy that only says what a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use pool_core::client::Snapshot;
use pool_core::config::PoolConfig;
use pool_core::limits::{Gauge, Limits, Priority, Resource, Thresholds, UNLIMITED};
use pool_proxy::admin::{
    Action, ClusterStatus, HostStatus, ListenerStatus, ServerState, Source, WorkerPools,
};
use pool_proxy::config::model::{
    Admin, Bootstrap, Cluster, Codec, Discovery, DrainType, Endpoint, Forward, HttpManager, Listener, Node,
    PathMatch, Route, RouteAction, RouteConfig, RouteMatch, ServerHeader, VirtualHost,
};
use pool_proxy::stats::{
    ClusterManagerValues, ClusterValues, FilesystemValues, HttpValues, ListenerManagerValues, ListenerValues,
    Readings, ServerValues, Store,
};

/// Shared with the server, so that a test can change and look.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Inner>);

struct Inner {
    config: Bootstrap,
    store: Store,
    state: Mutex<ServerState>,
    actions: Mutex<Vec<Action>>,
    pools: Mutex<Vec<WorkerPools>>,
}

impl Fake {
    /// One listener, one cluster, two workers.
    pub(crate) fn new() -> Self {
        Self::with(bootstrap(&["ingress"], &["service_b"]))
    }

    pub(crate) fn with(config: Bootstrap) -> Self {
        let store = Store::new(&config, 2);
        Self(Arc::new(Inner {
            config,
            store,
            state: Mutex::new(ServerState::Live),
            actions: Mutex::default(),
            pools: Mutex::default(),
        }))
    }

    pub(crate) fn set_state(&self, state: ServerState) {
        *self.0.state.lock().expect("state") = state;
    }

    pub(crate) fn set_pools(&self, snapshot: Snapshot) {
        *self.0.pools.lock().expect("pools") = vec![WorkerPools { worker: 1, snapshot }];
    }

    pub(crate) fn actions(&self) -> Vec<Action> {
        std::mem::take(&mut self.0.actions.lock().expect("actions"))
    }
}

impl Source for Fake {
    fn state(&self) -> ServerState {
        *self.0.state.lock().expect("state")
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(12_999)
    }

    fn command_line_options(&self) -> Vec<(String, String)> {
        vec![("config_path".to_owned(), "proxy.yaml".to_owned()), ("concurrency".to_owned(), "2".to_owned())]
    }

    fn config(&self) -> &Bootstrap {
        &self.0.config
    }

    fn config_text(&self) -> &str {
        "static_resources: {}\n"
    }

    fn stats(&self) -> &Store {
        &self.0.store
    }

    fn clusters(&self) -> Vec<ClusterStatus> {
        vec![ClusterStatus {
            name: "service_b".to_owned(),
            observability_name: "b".to_owned(),
            limits: Limits::both(Thresholds::default().max_connections(7)),
            added_via_api: false,
            hosts: vec![HostStatus {
                address: Some("127.0.0.1:8080".parse().expect("address")),
                hostname: "b.example".to_owned(),
                weight: 3,
                priority: 0,
                cx_active: 1,
                cx_connect_fail: 2,
                cx_total: 3,
                rq_active: 4,
                rq_error: 5,
                rq_success: 6,
                rq_timeout: 7,
                rq_total: 8,
            }],
        }]
    }

    fn listeners(&self) -> Vec<ListenerStatus> {
        vec![ListenerStatus {
            name: "listener_0".to_owned(),
            address: "127.0.0.1:10000".parse().expect("address"),
        }]
    }

    fn pools(&self) -> Vec<WorkerPools> {
        self.0.pools.lock().expect("pools").clone()
    }

    fn act(&self, action: Action) {
        self.0.actions.lock().expect("actions").push(action);
    }
}

impl Readings for Fake {
    fn add_http(&self, _: usize, worker: usize, values: &mut HttpValues) {
        values.downstream_cx_total.add(10 + worker as u64);
    }

    fn add_listener(&self, _: usize, worker: usize, values: &mut ListenerValues) {
        values.downstream_cx_total.add(10 + worker as u64);
        values.downstream_cx_active.add(1);
    }

    fn add_cluster(&self, _: usize, values: &mut ClusterValues) {
        values.upstream_cx_total.add(5);
        values.upstream_cx_length_ms.add(1_000_000, 4_000_000, 2);
        values.upstream_cx_length_ms.add_to_sum(5_000_000);
    }

    fn breaker(&self, _: usize, priority: Priority, resource: Resource) -> Option<Gauge> {
        let (current, max) = match (priority, resource) {
            (Priority::Default, Resource::Connections) => (7, 7),
            (Priority::Default, Resource::Requests) => (24, 1024),
            (_, Resource::Pools) => (1, UNLIMITED),
            _ => return None,
        };
        Some(gauge(current, max))
    }

    fn add_server(&self, values: &mut ServerValues) {
        values.uptime.add(12);
        values.live.add(1);
    }

    fn add_listener_manager(&self, values: &mut ListenerManagerValues) {
        values.total_listeners_active.add(1);
    }

    fn add_cluster_manager(&self, values: &mut ClusterManagerValues) {
        values.active_clusters.add(1);
    }

    fn add_filesystem(&self, values: &mut FilesystemValues) {
        values.write_buffered.add(9);
    }
}

pub(crate) fn gauge(current: u64, max: u32) -> Gauge {
    let remaining = max.saturating_sub(u32::try_from(current).expect("small"));
    Gauge { current, max, remaining, open: remaining == 0, reserved: 0 }
}

/// Listeners with these prefixes, all on one address, and clusters with these names.
pub(crate) fn bootstrap(prefixes: &[&str], clusters: &[&str]) -> Bootstrap {
    Bootstrap {
        node: Node { id: "node-1".to_owned(), cluster: "edge".to_owned() },
        admin: Some(Admin { address: "127.0.0.1:9901".parse().expect("address"), access_log: Vec::new() }),
        listeners: prefixes.iter().map(|prefix| listener(prefix)).collect(),
        clusters: clusters.iter().map(|name| cluster(name)).collect(),
    }
}

fn listener(prefix: &str) -> Listener {
    Listener {
        name: "listener_0".to_owned(),
        address: "0.0.0.0:10000".parse().expect("address"),
        reuse_port: true,
        backlog: 1024,
        buffer_limit: 1024 * 1024,
        drain_type: DrainType::Default,
        manager: manager(prefix),
    }
}

fn manager(prefix: &str) -> HttpManager {
    let second = Duration::from_secs(1);
    HttpManager {
        stat_prefix: prefix.to_owned(),
        codec: Codec::Auto,
        routes: routes(),
        access_log: Vec::new(),
        server_name: HeaderValue::from_static("envoy"),
        server_header: ServerHeader::Overwrite,
        idle_timeout: Some(3600 * second),
        max_connection_duration: None,
        max_requests_per_connection: None,
        max_stream_duration: None,
        max_headers_count: 100,
        max_request_headers_kb: 60,
        stream_idle_timeout: Some(300 * second),
        request_timeout: None,
        request_headers_timeout: None,
        delayed_close_timeout: Some(second),
        drain_timeout: 5 * second,
        use_remote_address: false,
        generate_request_id: true,
        preserve_external_request_id: false,
        proxy_100_continue: false,
        upgrades: vec!["websocket".to_owned()],
        accept_http_10: false,
        default_host_for_http_10: None,
        enable_trailers: false,
    }
}

fn routes() -> RouteConfig {
    let matching = |path| RouteMatch { path, case_sensitive: true };
    let forward = Forward {
        cluster: 0,
        timeout: Some(Duration::from_millis(2500)),
        idle_timeout: None,
        retry: None,
        priority: Priority::Default,
        prefix_rewrite: None,
        host_rewrite: None,
        auto_host_rewrite: false,
    };
    let direct = RouteAction::Direct { status: StatusCode::OK, body: "pong".to_owned() };
    RouteConfig {
        name: "local_route".to_owned(),
        virtual_hosts: vec![VirtualHost {
            name: "all".to_owned(),
            domains: vec!["*".to_owned()],
            routes: vec![
                Route {
                    name: "ping".to_owned(),
                    matches: matching(PathMatch::Path("/ping".to_owned())),
                    action: direct,
                },
                Route {
                    name: "rest".to_owned(),
                    matches: matching(PathMatch::Prefix("/".to_owned())),
                    action: RouteAction::Forward(Box::new(forward)),
                },
            ],
            include_request_attempt_count: false,
            include_attempt_count_in_response: false,
        }],
    }
}

fn cluster(name: &str) -> Cluster {
    Cluster {
        name: name.to_owned(),
        stat_name: name.to_owned(),
        discovery: Discovery::Static,
        endpoints: vec![Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            hostname: String::new(),
            weight: 1,
        }],
        pool: Arc::new(PoolConfig::default()),
        limits: Limits::default(),
        buffer_limit: 1024 * 1024,
        max_headers_count: 100,
        max_response_headers_kb: 60,
        enable_trailers: false,
    }
}
