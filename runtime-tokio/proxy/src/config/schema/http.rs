//! The HTTP connection manager and its filters.

use super::{Message, field};

pub(crate) const HTTP_MANAGER: Message = Message::new(
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    &[
        field("stat_prefix", "string", "required", "stats are `http.<stat_prefix>.*`"),
        field("codec_type", "AUTO or HTTP1", "AUTO", "the protocol of clients"),
        field("route_config", "RouteConfiguration", "required", "where requests go"),
        field("http_filters", "list of HttpFilter", "the router alone", "the router, and nothing else yet"),
        field("common_http_protocol_options", "HttpProtocolOptions", "", "bounds on connections of clients"),
        field("http_protocol_options", "Http1ProtocolOptions", "", "HTTP/1 with clients"),
        field("access_log", "list of AccessLog", "none", "one line per request"),
        field("server_name", "string", "envoy", "what `Server` says"),
        field(
            "server_header_transformation",
            "OVERWRITE, APPEND_IF_ABSENT or PASS_THROUGH",
            "OVERWRITE",
            "whose `Server` field the client sees",
        ),
        field("max_request_headers_kb", "1 to 8192", "60", "largest head of a request, in KiB"),
        field(
            "stream_idle_timeout",
            "duration, 0s is off",
            "300s",
            "how long an exchange may make no progress",
        ),
        field("request_timeout", "duration, 0s is off", "off", "how long a client may take for a request"),
        field(
            "request_headers_timeout",
            "duration, 0s is off",
            "off",
            "how long a client may take for a request's head",
        ),
        field(
            "drain_timeout",
            "duration",
            "5s",
            "from the notice that a connection will close until it takes no more requests",
        ),
        field(
            "delayed_close_timeout",
            "duration, 0s is off",
            "1s",
            "how long a closing connection waits for the client to close first",
        ),
        field(
            "use_remote_address",
            "bool",
            "false",
            "whether the peer is the client; then it is added to `X-Forwarded-For`",
        ),
        field("generate_request_id", "bool", "true", "whether requests get an `x-request-id`"),
        field(
            "preserve_external_request_id",
            "bool",
            "false",
            "whether a client's own `x-request-id` is kept",
        ),
        field(
            "proxy_100_continue",
            "bool",
            "false",
            "whether `Expect: 100-continue` is the upstream's to answer",
        ),
        field("upgrade_configs", "list of UpgradeConfig", "none", "protocols that may be switched to"),
    ],
)
.ignored(&[
    "http2_protocol_options",
    "http3_protocol_options",
    "add_user_agent",
    "tracing",
    "http1_safe_max_connection_duration",
    "stream_flush_timeout",
    "drain_timeout_jitter",
    "max_request_headers_count",
    "access_log_flush_interval",
    "flush_access_log_on_new_request",
    "flush_log_on_tunnel_successfully_established",
    "access_log_options",
    "internal_address_config",
    "always_set_request_id_in_response",
    "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
    "request_id_extension",
    "stream_error_on_invalid_http_message",
    "proxy_status_config",
    "append_x_forwarded_port",
    "append_local_overload",
    "add_proxy_protocol_connection_state",
])
.refused(&[
    ("rds", "write the routes as route_config"),
    ("scoped_routes", "write the routes as route_config"),
    ("xff_num_trusted_hops", "the client's address would be wrong"),
    ("original_ip_detection_extensions", "the client's address would be wrong"),
    ("early_header_mutation_extensions", "headers would stay as they are"),
    ("skip_xff_append", "use use_remote_address"),
    ("via", "no Via field is added"),
    ("scheme_header_transformation", "the scheme is that of the connection"),
    ("forward_client_cert_details", "TLS with clients is not in this build"),
    ("set_current_client_cert_details", "TLS with clients is not in this build"),
    ("normalize_path", "paths are matched and passed on as they are"),
    ("merge_slashes", "paths are matched and passed on as they are"),
    ("path_with_escaped_slashes_action", "paths are matched and passed on as they are"),
    ("path_normalization_options", "paths are matched and passed on as they are"),
    ("strip_matching_host_port", "the host is passed on as it is"),
    ("strip_any_host_port", "the host is passed on as it is"),
    ("strip_trailing_host_dot", "the host is passed on as it is"),
    ("local_reply_config", "the proxy's own responses are Envoy's defaults"),
    ("typed_header_validation_config", "header fields are checked by RFC 9110 and 9112"),
]);

pub(crate) const UPGRADE_CONFIG: Message = Message::new(
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig",
    &[
        field("upgrade_type", "string", "required", "the protocol, as `Upgrade` names it: `websocket`"),
        field("enabled", "bool", "true", "whether it may be switched to"),
        field("filters", "list of HttpFilter", "the router alone", "as `http_filters`"),
    ],
)
.refused(&[("ignore_on_http1_1", "the upgrade is carried out")]);

pub(crate) const HTTP_FILTER: Message = Message::new(
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
    &[
        field("name", "string", "", "a label"),
        field("typed_config", "Any", "required", "Router"),
        field("is_optional", "bool", "false", "whether an unknown filter is left out instead of rejected"),
        field("disabled", "bool", "false", "leaves the filter out; not for the router"),
    ],
)
.refused(&[("config_discovery", "the filter must be written here"), ("config", "write it as typed_config")]);

pub(crate) const ROUTER: Message = Message::new("envoy.extensions.filters.http.router.v3.Router", &[])
    .ignored(&[
        "dynamic_stats",
        "start_child_span",
        "upstream_log",
        "upstream_log_options",
        "strict_check_headers",
        "respect_expected_rq_timeout",
        "suppress_grpc_request_failure_code_stats",
        "reject_connect_request_early",
        "suppress_envoy_headers",
    ])
    .refused(&[("upstream_http_filters", "there are no filters besides the router")]);
