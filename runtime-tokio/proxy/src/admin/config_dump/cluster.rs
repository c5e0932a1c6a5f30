//! `envoy.config.cluster.v3.Cluster`.

use pool_core::limits::{Priority, Resource, UNLIMITED};

use super::{duration, limit, part, typed};
use crate::admin::json::Json;
use crate::config::model::{Cluster, Discovery, Dns, DnsLookupFamily, Endpoint};

pub(super) fn cluster(cluster: &Cluster) -> Json {
    let kind = match cluster.discovery {
        Discovery::Static => "STATIC",
        Discovery::LogicalDns(_) => "LOGICAL_DNS",
    };
    let endpoints = cluster.endpoints.iter().map(endpoint);
    let assignment = Json::object([
        ("cluster_name", Json::text(&cluster.name)),
        ("endpoints", Json::list([Json::object([("lb_endpoints", Json::list(endpoints))])])),
    ]);
    let mut fields = vec![
        part("name", Json::text(&cluster.name)),
        part("alt_stat_name", Json::text(&cluster.stat_name)),
        part("type", Json::text(kind)),
        part("connect_timeout", duration(cluster.pool.connect_timeout())),
        part("per_connection_buffer_limit_bytes", Json::Integer(cluster.buffer_limit as u64)),
        part("lb_policy", Json::text("ROUND_ROBIN")),
    ];
    match &cluster.discovery {
        Discovery::Static => {}
        Discovery::LogicalDns(dns) => fields.extend(names(dns)),
    }
    let thresholds = Priority::ALL.map(|priority| thresholds(cluster, priority));
    fields.extend([
        part("circuit_breakers", Json::object([("thresholds", Json::list(thresholds))])),
        part("load_assignment", assignment),
        part("typed_extension_protocol_options", options(cluster)),
    ]);
    Json::Object(fields)
}

fn endpoint(endpoint: &Endpoint) -> Json {
    let address = Json::object([
        ("address", Json::text(&endpoint.host)),
        ("port_value", Json::Integer(endpoint.port.into())),
    ]);
    let host = Json::object([
        ("address", Json::object([("socket_address", address)])),
        ("hostname", Json::text(&endpoint.hostname)),
    ]);
    Json::object([("endpoint", host), ("load_balancing_weight", Json::Integer(endpoint.weight.into()))])
}

fn names(dns: &Dns) -> [(String, Json); 3] {
    let family = match dns.family {
        DnsLookupFamily::Auto => "AUTO",
        DnsLookupFamily::V4Only => "V4_ONLY",
        DnsLookupFamily::V6Only => "V6_ONLY",
        DnsLookupFamily::V4Preferred => "V4_PREFERRED",
        DnsLookupFamily::All => "ALL",
    };
    let failure = Json::object([
        ("base_interval", duration(dns.failure_base)),
        ("max_interval", duration(dns.failure_max)),
    ]);
    [
        part("dns_refresh_rate", duration(dns.refresh_rate)),
        part("dns_failure_refresh_rate", failure),
        part("dns_lookup_family", Json::text(family)),
    ]
}

fn thresholds(cluster: &Cluster, priority: Priority) -> Json {
    let name = match priority {
        Priority::Default => "DEFAULT",
        Priority::High => "HIGH",
    };
    let limits = [
        ("max_connections", Resource::Connections),
        ("max_pending_requests", Resource::Pending),
        ("max_requests", Resource::Requests),
        ("max_retries", Resource::Retries),
        ("max_connection_pools", Resource::Pools),
    ];
    let limits = limits.map(|(name, resource)| {
        let max = cluster.limits.max(priority, resource);
        // Unlimited is Envoy's largest number, which it leaves out for pools.
        let shown = max != UNLIMITED || resource != Resource::Pools;
        (name, if shown { Json::Integer(max.into()) } else { Json::Null })
    });
    Json::object([("priority", Json::text(name))].into_iter().chain(limits))
}

fn options(cluster: &Cluster) -> Json {
    let pool = &cluster.pool;
    let common = Json::object([
        ("idle_timeout", limit(pool.idle_timeout())),
        ("max_connection_duration", limit(pool.max_connection_duration())),
        (
            "max_requests_per_connection",
            Json::Integer(pool.max_requests_per_connection().unwrap_or(0).into()),
        ),
        ("max_headers_count", Json::Integer(cluster.max_headers_count.into())),
        ("max_response_headers_kb", Json::Integer(cluster.max_response_headers_kb.into())),
    ]);
    let http1 = Json::object([("enable_trailers", Json::Bool(cluster.enable_trailers))]);
    let explicit = Json::object([("http_protocol_options", http1)]);
    let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = vec![part("common_http_protocol_options", common), part("explicit_http_config", explicit)];
    Json::object([(name, typed(name, options))])
}
