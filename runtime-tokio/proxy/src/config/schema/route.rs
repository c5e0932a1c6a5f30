//! Virtual hosts and routes.

use super::{Message, field};

const HEADERS: &str = "header fields would stay as they are";
const FILTERS: &str = "there are no filters besides the router";
const HASH: &str = "requests go round robin";

pub(crate) const ROUTE_CONFIG: Message = Message::new(
    "envoy.config.route.v3.RouteConfiguration",
    &[
        field("name", "string", "", "a label"),
        field(
            "virtual_hosts",
            "list of VirtualHost",
            "none",
            "routes by host; a request that fits none gets 404",
        ),
    ],
)
.ignored(&[
    "validate_clusters",
    "metadata",
    "most_specific_header_mutations_wins",
    "max_direct_response_body_size_bytes",
    "internal_only_headers",
])
.refused(&[
    ("vhds", "write the hosts as virtual_hosts"),
    ("response_headers_to_add", HEADERS),
    ("response_headers_to_remove", HEADERS),
    ("request_headers_to_add", HEADERS),
    ("request_headers_to_remove", HEADERS),
    ("cluster_specifier_plugins", "name a cluster in each route"),
    ("request_mirror_policies", "nothing would be mirrored"),
    ("ignore_port_in_host_matching", "list the domains with their ports"),
    ("ignore_path_parameters_in_path_matching", "paths are matched as they are"),
    ("typed_per_filter_config", FILTERS),
]);

pub(crate) const VIRTUAL_HOST: Message = Message::new(
    "envoy.config.route.v3.VirtualHost",
    &[
        field("name", "string", "required", "the name in logs and stats"),
        field(
            "domains",
            "list of strings",
            "at least one",
            "`*`, `*.suffix`, `prefix.*` or a host; exact ones are preferred, then the longest",
        ),
        field("routes", "list of Route", "none", "the first that matches is taken"),
        field(
            "include_request_attempt_count",
            "bool",
            "false",
            "whether requests to the upstream say `x-envoy-attempt-count`",
        ),
        field("include_attempt_count_in_response", "bool", "false", "whether responses say it"),
        field("retry_policy", "RetryPolicy", "none", "for routes without one of their own"),
    ],
)
.ignored(&[
    "virtual_clusters",
    "per_request_buffer_limit_bytes",
    "request_body_buffer_limit",
    "metadata",
    "include_is_timeout_retry_header",
])
.refused(&[
    ("matcher", "write the routes as routes"),
    ("require_tls", "requests in cleartext would pass"),
    ("rate_limits", "nothing would be limited"),
    ("request_headers_to_add", HEADERS),
    ("request_headers_to_remove", HEADERS),
    ("response_headers_to_add", HEADERS),
    ("response_headers_to_remove", HEADERS),
    ("cors", FILTERS),
    ("typed_per_filter_config", FILTERS),
    ("retry_policy_typed_config", "write it as retry_policy"),
    ("hedge_policy", "requests are not hedged"),
    ("request_mirror_policies", "nothing would be mirrored"),
]);

pub(crate) const ROUTE: Message = Message::new(
    "envoy.config.route.v3.Route",
    &[
        field("name", "string", "", "the name in logs"),
        field("match", "RouteMatch", "required", "which requests"),
        field("route", "RouteAction", "this or direct_response", "sends the request to a cluster"),
        field("direct_response", "DirectResponseAction", "this or route", "answers it"),
    ],
)
.ignored(&[
    "metadata",
    "decorator",
    "tracing",
    "per_request_buffer_limit_bytes",
    "request_body_buffer_limit",
    "stat_prefix",
])
.refused(&[
    ("redirect", "answer with direct_response, or let the upstream redirect"),
    ("filter_action", FILTERS),
    ("non_forwarding_action", FILTERS),
    ("typed_per_filter_config", FILTERS),
    ("request_headers_to_add", HEADERS),
    ("request_headers_to_remove", HEADERS),
    ("response_headers_to_add", HEADERS),
    ("response_headers_to_remove", HEADERS),
]);

pub(crate) const ROUTE_MATCH: Message = Message::new(
    "envoy.config.route.v3.RouteMatch",
    &[
        field("prefix", "string", "one of the three", "the path begins so: `/a` also matches `/ab`"),
        field("path", "string", "one of the three", "the path without the query is this"),
        field(
            "path_separated_prefix",
            "string",
            "one of the three",
            "the path begins with these segments: `/a` does not match `/ab`",
        ),
        field("case_sensitive", "bool", "true", "whether case matters"),
    ],
)
.refused(&[
    ("safe_regex", "use prefix, path or path_separated_prefix"),
    ("connect_matcher", "CONNECT is not forwarded"),
    ("path_match_policy", "use prefix, path or path_separated_prefix"),
    ("runtime_fraction", "all matching requests would take this route"),
    ("headers", "requests would match whatever their headers"),
    ("query_parameters", "requests would match whatever their query"),
    ("cookies", "requests would match whatever their cookies"),
    ("grpc", "other requests would match, too"),
    ("tls_context", "requests would match whatever their certificate"),
    ("dynamic_metadata", "requests would match whatever their metadata"),
    ("filter_state", "requests would match whatever their state"),
]);

pub(crate) const DIRECT_RESPONSE: Message = Message::new(
    "envoy.config.route.v3.DirectResponseAction",
    &[
        field("status", "200 to 599", "required", "the status code"),
        field("body", "DataSource", "empty", "the body, at most 4096 bytes"),
    ],
)
.refused(&[("body_format", "write the text as body")]);

pub(crate) const ROUTE_ACTION: Message = Message::new(
    "envoy.config.route.v3.RouteAction",
    &[
        field("cluster", "string", "required", "the name of a cluster in `static_resources`"),
        field(
            "timeout",
            "duration, 0s is off",
            "15s",
            "from the end of the request to the end of the response, retries included",
        ),
        field(
            "idle_timeout",
            "duration, 0s is off",
            "`stream_idle_timeout`",
            "how long an exchange may make no progress",
        ),
        field("retry_policy", "RetryPolicy", "that of the virtual host", "when a request is sent again"),
        field("priority", "DEFAULT or HIGH", "DEFAULT", "whose circuit breakers count"),
        field("prefix_rewrite", "string", "none", "replaces what the match matched"),
        field("host_rewrite_literal", "string", "none", "the upstream's `Host`"),
        field("auto_host_rewrite", "bool", "false", "the upstream's `Host` is its endpoint's hostname"),
    ],
)
.ignored(&[
    "flush_timeout",
    "append_x_forwarded_host",
    "metadata_match",
    "max_grpc_timeout",
    "grpc_timeout_offset",
    "include_vh_rate_limits",
    "early_data_policy",
])
.refused(&[
    ("cluster_header", "name a cluster"),
    ("weighted_clusters", "name one cluster"),
    ("cluster_specifier_plugin", "name a cluster"),
    ("inline_cluster_specifier_plugin", "name a cluster"),
    ("cluster_not_found_response_code", "an unknown cluster is rejected here"),
    ("path_rewrite", "use prefix_rewrite"),
    ("path_rewrite_policy", "use prefix_rewrite"),
    ("regex_rewrite", "use prefix_rewrite"),
    ("host_rewrite", "use host_rewrite_literal"),
    ("host_rewrite_header", "use host_rewrite_literal or auto_host_rewrite"),
    ("host_rewrite_path_regex", "use host_rewrite_literal or auto_host_rewrite"),
    ("retry_policy_typed_config", "write it as retry_policy"),
    ("request_mirror_policies", "nothing would be mirrored"),
    ("rate_limits", "nothing would be limited"),
    ("hash_policy", HASH),
    ("cors", FILTERS),
    ("upgrade_configs", "write them in the connection manager"),
    ("internal_redirect_policy", "redirects are passed to the client"),
    ("internal_redirect_action", "redirects are passed to the client"),
    ("max_internal_redirects", "redirects are passed to the client"),
    ("hedge_policy", "requests are not hedged"),
    (
        "max_stream_duration",
        "use timeout, or common_http_protocol_options.max_stream_duration of the connection manager",
    ),
]);

pub(crate) const RETRY_POLICY: Message = Message::new(
    "envoy.config.route.v3.RetryPolicy",
    &[
        field(
            "retry_on",
            "words with commas",
            "required",
            "`connect-failure`, `reset-before-request`, `refused-stream`",
        ),
        field("num_retries", "number", "1", "how often at most"),
        field("per_try_timeout", "duration, 0s is off", "off", "how long one attempt may take"),
        field(
            "retry_back_off",
            "RetryBackOff",
            "",
            "the wait before a retry: random, up to a bound that doubles",
        ),
    ],
)
.ignored(&["host_selection_retry_max_attempts"])
.refused(&[
    ("per_try_idle_timeout", "use per_try_timeout"),
    ("retry_priority", HASH),
    ("retry_host_predicate", HASH),
    ("retry_options_predicates", HASH),
    ("retriable_status_codes", "responses are not retried"),
    ("retriable_headers", "responses are not retried"),
    ("retriable_request_headers", "requests are retried whatever their headers"),
    ("rate_limited_retry_back_off", "responses are not retried"),
]);

pub(crate) const BACK_OFF: Message = Message::new(
    "envoy.config.route.v3.RetryPolicy.RetryBackOff",
    &[
        field("base_interval", "duration", "required (0.025s without retry_back_off)", "the first bound"),
        field("max_interval", "duration", "ten times base_interval", "the last bound"),
    ],
);
