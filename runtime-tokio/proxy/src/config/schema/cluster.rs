//! Clusters, their endpoints, limits and protocols.

use super::{Message, field};

const TLS: &str = "TLS to upstreams is not in this build; leave it out for cleartext HTTP";
const HEALTH: &str = "hosts that fail would still be used";
const HTTP2: &str =
    "HTTP/2 to upstreams is not in this build; write 'http_protocol_options: {}' for HTTP/1.1";
const RESOLVER: &str = "names are resolved by the system";
const BALANCE: &str = "requests go round robin";

pub(crate) const CLUSTER: Message = Message::new(
    "envoy.config.cluster.v3.Cluster",
    &[
        field("name", "string, unique", "required", "how routes name it"),
        field("alt_stat_name", "string", "the name", "stats are `cluster.<alt_stat_name>.*`"),
        field("type", "STATIC or LOGICAL_DNS", "STATIC", "addresses, or one name that is resolved again and again"),
        field("connect_timeout", "duration, more than 0s", "5s", "until a connection is established"),
        field("load_assignment", "ClusterLoadAssignment", "required", "the endpoints; exactly one for LOGICAL_DNS"),
        field("lb_policy", "ROUND_ROBIN", "ROUND_ROBIN", "which endpoint is next"),
        field("per_connection_buffer_limit_bytes", "number from 1", "1048576", "bytes buffered per connection"),
        field("circuit_breakers", "CircuitBreakers", "Envoy's limits", "limits on connections, requests and retries"),
        field("preconnect_policy", "PreconnectPolicy", "", "connections ahead of requests"),
        field("dns_lookup_family", "AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED or ALL", "AUTO", "addresses of LOGICAL_DNS"),
        field("dns_refresh_rate", "duration, more than 0.001s", "5s", "how often the name is resolved"),
        field("dns_failure_refresh_rate", "RefreshRate", "dns_refresh_rate", "how often after a failure"),
        field("typed_extension_protocol_options", "map", "HTTP/1.1", "under the key `envoy.extensions.upstreams.http.v3.HttpProtocolOptions`: protocol and bounds of connections"),
        field("common_http_protocol_options", "HttpProtocolOptions", "", "the same as in typed_extension_protocol_options"),
        field("http_protocol_options", "Http1ProtocolOptions", "", "the same as in typed_extension_protocol_options"),
        field("max_requests_per_connection", "number, 0 is unlimited", "unlimited", "the same as in common_http_protocol_options"),
    ],
)
.ignored(&[
    "dns_jitter",
    "respect_dns_ttl",
    "use_tcp_for_dns_lookups",
    "wait_for_warm_on_init",
    "cleanup_interval",
    "metadata",
    "protocol_selection",
    "upstream_connection_options",
    "close_connections_on_host_health_failure",
    "ignore_health_on_host_removal",
    "track_timeout_budgets",
    "track_cluster_stats",
    "connection_pool_per_downstream_connection",
    "round_robin_lb_config",
    "common_lb_config",
])
.refused(&[
    ("cluster_type", "write type: STATIC or type: LOGICAL_DNS"),
    ("eds_cluster_config", "write the endpoints as load_assignment"),
    ("hosts", "write the endpoints as load_assignment"),
    ("health_checks", HEALTH),
    ("outlier_detection", HEALTH),
    ("dns_resolvers", RESOLVER),
    ("dns_resolution_config", RESOLVER),
    ("typed_dns_resolver_config", RESOLVER),
    ("http2_protocol_options", HTTP2),
    ("extension_protocol_options", "write it as typed_extension_protocol_options"),
    ("upstream_bind_config", "the system chooses the local address"),
    ("lb_subset_config", BALANCE),
    ("ring_hash_lb_config", BALANCE),
    ("maglev_lb_config", BALANCE),
    ("original_dst_lb_config", BALANCE),
    ("least_request_lb_config", BALANCE),
    ("load_balancing_policy", "write lb_policy: ROUND_ROBIN"),
    ("transport_socket", TLS),
    ("transport_socket_matches", TLS),
    ("transport_socket_matcher", TLS),
    ("tls_context", TLS),
    ("upstream_http_protocol_options", TLS),
    ("upstream_config", "connections are HTTP over TCP"),
    ("filters", "there are no filters on upstream connections"),
    ("lrs_server", "no load is reported"),
    ("lrs_report_endpoint_metrics", "no load is reported"),
])
.deprecated(&[
    ("dns_lookup_family", "cluster_type envoy.clusters.dns"),
    ("dns_refresh_rate", "cluster_type envoy.clusters.dns"),
    ("dns_failure_refresh_rate", "cluster_type envoy.clusters.dns"),
    ("lb_policy", "load_balancing_policy"),
    ("common_http_protocol_options", "typed_extension_protocol_options"),
    ("http_protocol_options", "typed_extension_protocol_options"),
    ("max_requests_per_connection", "typed_extension_protocol_options"),
]);

pub(crate) const LOAD_ASSIGNMENT: Message = Message::new(
    "envoy.config.endpoint.v3.ClusterLoadAssignment",
    &[
        field("cluster_name", "string", "required", "a label; the cluster's name"),
        field("endpoints", "list of LocalityLbEndpoints", "none", "the endpoints, by locality"),
    ],
)
.ignored(&["named_endpoints"])
.refused(&[("policy", BALANCE)]);

pub(crate) const LOCALITY: Message = Message::new(
    "envoy.config.endpoint.v3.LocalityLbEndpoints",
    &[
        field("lb_endpoints", "list of LbEndpoint", "none", "the endpoints"),
        field("priority", "0", "0", "only one priority is supported"),
    ],
)
.ignored(&["locality", "metadata", "proximity"])
.refused(&[
    ("load_balancing_weight", "weigh the endpoints instead"),
    ("load_balancer_endpoints", "write the endpoints as lb_endpoints"),
    ("leds_cluster_locality_config", "write the endpoints as lb_endpoints"),
]);

pub(crate) const LB_ENDPOINT: Message = Message::new(
    "envoy.config.endpoint.v3.LbEndpoint",
    &[
        field("endpoint", "Endpoint", "required", "where it is"),
        field("load_balancing_weight", "number from 1", "1", "its share of the requests"),
    ],
)
.ignored(&["metadata"])
.refused(&[("endpoint_name", "write the endpoint here"), ("health_status", HEALTH)]);

pub(crate) const ENDPOINT: Message = Message::new(
    "envoy.config.endpoint.v3.Endpoint",
    &[
        field("address", "Address", "required", "address and port"),
        field("hostname", "string", "the DNS name", "for auto_host_rewrite"),
    ],
)
.ignored(&["health_check_config"])
.refused(&[("additional_addresses", "write one endpoint for each address")]);

pub(crate) const CIRCUIT_BREAKERS: Message = Message::new(
    "envoy.config.cluster.v3.CircuitBreakers",
    &[
        field(
            "thresholds",
            "list of Thresholds",
            "Envoy's limits",
            "limits of the cluster, one item per priority",
        ),
        field(
            "per_host_thresholds",
            "list of Thresholds",
            "none",
            "limits of each endpoint; only max_connections",
        ),
    ],
);

pub(crate) const THRESHOLDS: Message = Message::new(
    "envoy.config.cluster.v3.CircuitBreakers.Thresholds",
    &[
        field("priority", "DEFAULT or HIGH", "DEFAULT", "whose limits these are"),
        field("max_connections", "number", "1024", "connections of all workers together"),
        field("max_pending_requests", "number", "1024", "requests that wait for a connection"),
        field("max_requests", "number", "1024", "requests in progress"),
        field("max_retries", "number", "3", "retries in progress"),
        field("max_connection_pools", "number", "unlimited", "pools"),
        field("track_remaining", "bool", "false", "accepted: what remains is always in the stats"),
    ],
)
.refused(&[("retry_budget", "write max_retries")]);

pub(crate) const PRECONNECT: Message = Message::new(
    "envoy.config.cluster.v3.Cluster.PreconnectPolicy",
    &[field(
        "per_upstream_preconnect_ratio",
        "1.0 to 3.0",
        "1.0",
        "connections to hold per request in progress or waiting",
    )],
)
.ignored(&["predictive_preconnect_ratio"]);

pub(crate) const REFRESH_RATE: Message = Message::new(
    "envoy.config.cluster.v3.Cluster.RefreshRate",
    &[
        field("base_interval", "duration, at least 0.001s", "required", "after the first failure"),
        field("max_interval", "duration", "ten times base_interval", "after many"),
    ],
);

pub(crate) const UPSTREAM_OPTIONS: Message = Message::new(
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    &[
        field("common_http_protocol_options", "HttpProtocolOptions", "", "bounds on connections to the upstream"),
        field("explicit_http_config", "ExplicitHttpConfig", "required", "one fixed protocol"),
    ],
)
.ignored(&["upstream_http_protocol_options"])
.refused(&[
    ("auto_config", "it needs TLS and HTTP/2, which are not in this build; write explicit_http_config: { http_protocol_options: {} }"),
    ("use_downstream_protocol_config", "write explicit_http_config: { http_protocol_options: {} }"),
    ("http_filters", "there are no filters besides the router"),
    ("header_validation_config", "header fields are checked by RFC 9110 and 9112"),
    ("outlier_detection", HEALTH),
]);

pub(crate) const EXPLICIT_CONFIG: Message = Message::new(
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig",
    &[field("http_protocol_options", "Http1ProtocolOptions", "required", "HTTP/1.1; `{}` for the defaults")],
)
.refused(&[
    ("http2_protocol_options", HTTP2),
    ("http3_protocol_options", "HTTP/3 is not in this build; write 'http_protocol_options: {}' for HTTP/1.1"),
]);
