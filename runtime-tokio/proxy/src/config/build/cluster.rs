//! Clusters.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use pool_core::config::{Multiplexing, PoolConfig, Ratio};
use pool_core::limits::{Limits, Priority, UNLIMITED};

use super::protocol::{Common, Http1, Side, explicit};
use super::route::{PRIORITIES, intervals};
use super::{address, buffer_limit};
use crate::config::model::{Cluster, Discovery, Dns, DnsLookupFamily, Endpoint};
use crate::config::nearest::nearest;
use crate::config::schema;
use crate::config::walk::{Choice, Cursor, Fields};

const NO_STRICT_DNS: &str = "write LOGICAL_DNS for one name, or STATIC with addresses";
const NO_DISCOVERY: &str = "endpoints must be in load_assignment, with type STATIC or LOGICAL_DNS";
const NO_BALANCER: &str = "requests go round robin; write ROUND_ROBIN";

/// `type`, without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Static,
    LogicalDns,
}

const TYPES: &[(&str, u32, Choice<Type>)] = &[
    ("STATIC", 0, Choice::Take(Type::Static)),
    ("STRICT_DNS", 1, Choice::NotHere(NO_STRICT_DNS)),
    ("LOGICAL_DNS", 2, Choice::Take(Type::LogicalDns)),
    ("EDS", 3, Choice::NotHere(NO_DISCOVERY)),
    ("ORIGINAL_DST", 4, Choice::NotHere(NO_DISCOVERY)),
];

const FAMILIES: &[(&str, u32, Choice<DnsLookupFamily>)] = &[
    ("AUTO", 0, Choice::Take(DnsLookupFamily::Auto)),
    ("V4_ONLY", 1, Choice::Take(DnsLookupFamily::V4Only)),
    ("V6_ONLY", 2, Choice::Take(DnsLookupFamily::V6Only)),
    ("V4_PREFERRED", 3, Choice::Take(DnsLookupFamily::V4Preferred)),
    ("ALL", 4, Choice::Take(DnsLookupFamily::All)),
];

const BALANCERS: &[(&str, u32, Choice<()>)] = &[
    ("ROUND_ROBIN", 0, Choice::Take(())),
    ("LEAST_REQUEST", 1, Choice::NotHere(NO_BALANCER)),
    ("RING_HASH", 2, Choice::NotHere(NO_BALANCER)),
    ("RANDOM", 3, Choice::NotHere(NO_BALANCER)),
    ("MAGLEV", 5, Choice::NotHere(NO_BALANCER)),
    ("CLUSTER_PROVIDED", 6, Choice::NotHere(NO_BALANCER)),
    ("LOAD_BALANCING_POLICY_CONFIG", 7, Choice::NotHere(NO_BALANCER)),
];

pub(super) fn clusters(items: &[Cursor<'_>]) -> Vec<Cluster> {
    let mut names = HashMap::new();
    let build = |item: &Cursor<'_>| {
        let cluster = cluster(item);
        if let Some(line) = names.insert(cluster.name.clone(), item.node.at.line)
            && !cluster.name.is_empty()
        {
            item.problem(format!("duplicate cluster '{}'; first in line {line}", cluster.name));
        }
        cluster
    };
    items.iter().map(build).collect()
}

fn cluster(item: &Cursor<'_>) -> Cluster {
    let fields = item.message(&schema::CLUSTER);
    let name = fields.required_text("name");
    // A type that is wrong was noted; nothing more is to be said about the endpoints then.
    let kind = match fields.get("type") {
        Some(kind) => kind.choice(TYPES),
        None => Some(Type::Static),
    };
    if let Some(policy) = fields.get("lb_policy") {
        policy.choice(BALANCERS);
    }
    let dns = dns(&fields);
    let (common, http1) = protocol(&fields);
    Cluster {
        stat_name: fields.text("alt_stat_name").unwrap_or_else(|| name.clone()),
        name,
        discovery: if kind == Some(Type::LogicalDns) {
            Discovery::LogicalDns(dns)
        } else {
            Discovery::Static
        },
        endpoints: endpoints(&fields, kind),
        pool: pool(&fields, &common),
        limits: circuit_breakers(&fields.message("circuit_breakers", &schema::CIRCUIT_BREAKERS)),
        buffer_limit: buffer_limit(&fields),
        max_headers_count: common.max_headers_count,
        max_response_headers_kb: common.max_response_headers_kb,
        enable_trailers: http1.enable_trailers,
    }
}

fn dns(cluster: &Fields<'_>) -> Dns {
    let family = cluster.get("dns_lookup_family").and_then(|family| family.choice(FAMILIES));
    let refresh_rate = cluster.length("dns_refresh_rate").unwrap_or(Duration::from_secs(5));
    if let (Some(at), true) = (cluster.get("dns_refresh_rate"), refresh_rate <= Duration::from_millis(1)) {
        at.problem("must be more than 0.001s");
    }
    let (failure_base, failure_max) = match cluster.get("dns_failure_refresh_rate") {
        Some(rate) => intervals(&rate.message(&schema::REFRESH_RATE)),
        None => (refresh_rate, refresh_rate),
    };
    Dns { family: family.unwrap_or(DnsLookupFamily::Auto), refresh_rate, failure_base, failure_max }
}

/// What `typed_extension_protocol_options` says, else the older fields of the cluster itself.
fn protocol(cluster: &Fields<'_>) -> (Common, Http1) {
    let common = cluster.message("common_http_protocol_options", &schema::HTTP_PROTOCOL_OPTIONS);
    let mut old_common = Common::read(&common, Side::Upstream);
    let http1 = cluster.message("http_protocol_options", &schema::HTTP1_PROTOCOL_OPTIONS);
    let old_http1 = Http1::read(&http1, Side::Upstream);
    let max_requests = cluster.number("max_requests_per_connection", 0, u32::MAX).filter(|max| *max > 0);
    let mut typed = None;
    for (key, options) in cluster.get("typed_extension_protocol_options").iter().flat_map(Cursor::entries) {
        let expected = schema::UPSTREAM_OPTIONS.name;
        if key == expected {
            typed = upstream_options(&options);
        } else {
            let hint = nearest(key, [expected]).map_or("not supported; there is", |_| "did you mean");
            options.problem(format!("{hint} '{expected}'"));
        }
    }
    let Some((mut common, http1)) = typed else {
        old_common.max_requests_per_connection = old_common.max_requests_per_connection.or(max_requests);
        return (old_common, old_http1);
    };
    for name in ["common_http_protocol_options", "http_protocol_options"] {
        if let Some(old) = cluster.get(name) {
            old.warn("ignored, since typed_extension_protocol_options is set");
        }
    }
    common.max_requests_per_connection = common.max_requests_per_connection.or(max_requests);
    (common, http1)
}

fn upstream_options(options: &Cursor<'_>) -> Option<(Common, Http1)> {
    let name = options.type_name()?;
    if name != schema::UPSTREAM_OPTIONS.name {
        options.problem(format!("'@type' is '{name}', must be '{}'", schema::UPSTREAM_OPTIONS.name));
        return None;
    }
    let fields = options.typed_message(&schema::UPSTREAM_OPTIONS);
    let common = fields.message("common_http_protocol_options", &schema::HTTP_PROTOCOL_OPTIONS);
    let common = Common::read(&common, Side::Upstream);
    let config = fields.one_of(&["explicit_http_config"], &["auto_config", "use_downstream_protocol_config"]);
    Some((common, explicit(config.map(|(_, config)| config))))
}

fn pool(cluster: &Fields<'_>, common: &Common) -> std::sync::Arc<PoolConfig> {
    let builder = PoolConfig::builder(Multiplexing::Exclusive)
        .connect_timeout(cluster.length("connect_timeout").unwrap_or(Duration::from_secs(5)))
        .idle_timeout(common.idle_timeout)
        .max_connection_duration(common.max_connection_duration)
        .max_requests_per_connection(common.max_requests_per_connection)
        .per_upstream_preconnect_ratio(preconnect_ratio(cluster));
    match builder.build() {
        Ok(pool) => pool,
        Err(error) => {
            if let Some(cluster) = &cluster.cursor {
                cluster.problem(error.to_string());
            }
            std::sync::Arc::new(PoolConfig::default())
        }
    }
}

fn preconnect_ratio(cluster: &Fields<'_>) -> Ratio {
    let policy = cluster.message("preconnect_policy", &schema::PRECONNECT);
    let Some(at) = policy.get("per_upstream_preconnect_ratio") else { return Ratio::ONE };
    let Some(ratio) = at.float() else { return Ratio::ONE };
    if !(1.0..=3.0).contains(&ratio) {
        at.problem(format!("{ratio} is out of range: 1.0 to 3.0"));
        return Ratio::ONE;
    }
    Ratio::nearest(ratio).unwrap_or(Ratio::ONE)
}

fn circuit_breakers(breakers: &Fields<'_>) -> Limits {
    let mut limits = Limits::default();
    let mut seen = HashMap::new();
    for item in breakers.list("thresholds") {
        let fields = item.message(&schema::THRESHOLDS);
        let priority = thresholds_priority(&fields);
        if let Some(line) = seen.insert(priority, item.node.at.line) {
            item.problem(format!("thresholds of this priority are already in line {line}"));
        }
        let limit = |name, default| fields.number(name, 0, UNLIMITED).unwrap_or(default);
        let _always_tracked = fields.bool("track_remaining");
        let thresholds = limits
            .thresholds(priority)
            .max_connections(limit("max_connections", 1024))
            .max_pending_requests(limit("max_pending_requests", 1024))
            .max_requests(limit("max_requests", 1024))
            .max_retries(limit("max_retries", 3))
            .max_connection_pools(limit("max_connection_pools", UNLIMITED));
        limits = limits.with(priority, thresholds);
    }
    for item in breakers.list("per_host_thresholds") {
        let fields = item.message(&schema::THRESHOLDS);
        let priority = thresholds_priority(&fields);
        let _always_tracked = fields.bool("track_remaining");
        for name in ["max_pending_requests", "max_requests", "max_retries", "max_connection_pools"] {
            if let Some(member) = fields.get(name) {
                member.problem("per_host_thresholds have only max_connections");
            }
        }
        if let Some(max) = fields.number("max_connections", 0, UNLIMITED) {
            let thresholds = limits.thresholds(priority).max_connections_per_host(max);
            limits = limits.with(priority, thresholds);
        }
    }
    limits
}

fn thresholds_priority(fields: &Fields<'_>) -> Priority {
    fields.get("priority").and_then(|priority| priority.choice(PRIORITIES)).unwrap_or_default()
}

fn endpoints(cluster: &Fields<'_>, kind: Option<Type>) -> Vec<Endpoint> {
    let Some(assignment) = cluster.required("load_assignment") else { return Vec::new() };
    let fields = assignment.message(&schema::LOAD_ASSIGNMENT);
    let _label = fields.required_text("cluster_name");
    let mut endpoints = Vec::new();
    let mut count = 0;
    for locality in fields.list("endpoints") {
        let fields = locality.message(&schema::LOCALITY);
        if let Some(priority) = fields.get("priority")
            && priority.number(0, 128).is_some_and(|number| number > 0)
        {
            priority.problem("not supported: all endpoints have priority 0");
        }
        let items = fields.list("lb_endpoints");
        count += items.len();
        endpoints.extend(items.iter().filter_map(|item| endpoint(item, kind)));
    }
    if kind == Some(Type::LogicalDns) && count != 1 {
        assignment.problem(format!(
            "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint, found {count}"
        ));
    }
    endpoints
}

fn endpoint(item: &Cursor<'_>, kind: Option<Type>) -> Option<Endpoint> {
    let fields = item.message(&schema::LB_ENDPOINT);
    let weight = fields.number("load_balancing_weight", 1, u32::MAX).unwrap_or(1);
    let (_, endpoint) = fields.one_of(&["endpoint"], &["endpoint_name"])?;
    let fields = endpoint.message(&schema::ENDPOINT);
    let hostname = fields.text("hostname");
    let (host, port, at) = address::host_and_port(&fields.required("address")?)?;
    let is_name = host.parse::<IpAddr>().is_err();
    if is_name && kind == Some(Type::Static) {
        at.problem(format!(
            "malformed IP address: {host}; write type: LOGICAL_DNS on the cluster to resolve a name"
        ));
    }
    let hostname = hostname.unwrap_or_else(|| if is_name { host.clone() } else { String::new() });
    Some(Endpoint { host, port, hostname, weight })
}
