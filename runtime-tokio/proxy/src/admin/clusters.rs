//! `/clusters` and `/listeners`.

use std::fmt::Write as _;
use std::net::SocketAddr;

use pool_core::limits::{Priority, Resource};

use super::json::Json;
use super::source::{ClusterStatus, HostStatus, ListenerStatus};

/// What is shown of each priority's limits, in Envoy's order.
const LIMITS: [(&str, Resource); 4] = [
    ("max_connections", Resource::Connections),
    ("max_pending_requests", Resource::Pending),
    ("max_requests", Resource::Requests),
    ("max_retries", Resource::Retries),
];

const fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Default => "default",
        Priority::High => "high",
    }
}

impl HostStatus {
    /// Names, values and kinds, by name.
    fn numbers(&self) -> [(&'static str, u64, &'static str); 8] {
        [
            ("cx_active", self.cx_active, "GAUGE"),
            ("cx_connect_fail", self.cx_connect_fail, "COUNTER"),
            ("cx_total", self.cx_total, "COUNTER"),
            ("rq_active", self.rq_active, "GAUGE"),
            ("rq_error", self.rq_error, "COUNTER"),
            ("rq_success", self.rq_success, "COUNTER"),
            ("rq_timeout", self.rq_timeout, "COUNTER"),
            ("rq_total", self.rq_total, "COUNTER"),
        ]
    }

    /// How lines begin: its address, or its name before it has one.
    fn label(&self) -> String {
        self.address.map_or_else(|| self.hostname.clone(), |address| address.to_string())
    }
}

pub(super) fn text(clusters: &[ClusterStatus]) -> String {
    let mut out = String::new();
    for cluster in clusters {
        let name = &cluster.name;
        // Writing to a `String` does not fail.
        let _ = writeln!(out, "{name}::observability_name::{}", cluster.observability_name);
        for priority in Priority::ALL {
            for (limit, resource) in LIMITS {
                let (word, max) = (priority_name(priority), cluster.limits.max(priority, resource));
                let _ = writeln!(out, "{name}::{word}_priority::{limit}::{max}");
            }
        }
        let _ = writeln!(out, "{name}::added_via_api::{}", cluster.added_via_api);
        for host in &cluster.hosts {
            let label = format!("{name}::{}", host.label());
            for (key, value, _) in host.numbers() {
                let _ = writeln!(out, "{label}::{key}::{value}");
            }
            for (key, value) in [
                ("hostname", host.hostname.clone()),
                ("health_flags", "healthy".to_owned()),
                ("weight", host.weight.to_string()),
                ("region", String::new()),
                ("zone", String::new()),
                ("sub_zone", String::new()),
                ("canary", "false".to_owned()),
                ("priority", host.priority.to_string()),
                ("success_rate", "-1".to_owned()),
                ("local_origin_success_rate", "-1".to_owned()),
            ] {
                let _ = writeln!(out, "{label}::{key}::{value}");
            }
        }
    }
    out
}

pub(super) fn json(clusters: &[ClusterStatus]) -> Json {
    let cluster = |cluster: &ClusterStatus| {
        let thresholds = Priority::ALL.map(|priority| {
            let limits = LIMITS
                .map(|(name, resource)| (name, Json::Integer(cluster.limits.max(priority, resource).into())));
            let name = priority_name(priority).to_ascii_uppercase();
            Json::object([("priority", Json::Text(name))].into_iter().chain(limits))
        });
        Json::object([
            ("name", Json::text(&cluster.name)),
            ("added_via_api", Json::Bool(cluster.added_via_api)),
            ("host_statuses", Json::list(cluster.hosts.iter().map(host))),
            ("circuit_breakers", Json::object([("thresholds", Json::list(thresholds))])),
            ("observability_name", Json::text(&cluster.observability_name)),
        ])
    };
    Json::object([("cluster_statuses", Json::list(clusters.iter().map(cluster)))])
}

fn host(host: &HostStatus) -> Json {
    let stats = host.numbers().map(|(name, value, kind)| {
        Json::object([("type", Json::text(kind)), ("value", Json::long(value)), ("name", Json::text(name))])
    });
    Json::object([
        ("address", host.address.map_or(Json::Null, address)),
        ("stats", Json::list(stats)),
        ("health_status", Json::object([("eds_health_status", Json::text("HEALTHY"))])),
        ("weight", Json::Integer(host.weight.into())),
        ("hostname", Json::text(&host.hostname)),
        ("priority", Json::Integer(host.priority.into())),
        ("locality", Json::object::<String>([])),
    ])
}

/// `envoy.config.core.v3.Address`.
pub(super) fn address(address: SocketAddr) -> Json {
    Json::object([(
        "socket_address",
        Json::object([
            ("address", Json::text(address.ip().to_string())),
            ("port_value", Json::Integer(address.port().into())),
        ]),
    )])
}

pub(super) fn listeners_text(listeners: &[ListenerStatus]) -> String {
    listeners.iter().map(|listener| format!("{}::{}\n", listener.name, listener.address)).collect()
}

pub(super) fn listeners_json(listeners: &[ListenerStatus]) -> Json {
    let listener = |listener: &ListenerStatus| {
        Json::object([("name", Json::text(&listener.name)), ("local_address", address(listener.address))])
    };
    Json::object([("listener_statuses", Json::list(listeners.iter().map(listener)))])
}
