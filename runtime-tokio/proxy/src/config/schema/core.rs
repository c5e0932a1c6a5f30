//! Messages that many others use, and the bootstrap itself.

use super::{Field, Message, field};

/// Names that are not Envoy's, but can only mean one thing: message, name, meant.
pub(crate) const ALIASES: &[(&str, &str, &str)] =
    &[(HTTP_PROTOCOL_OPTIONS.name, "idle_connection_timeout", "idle_timeout")];

pub(crate) const BOOTSTRAP: Message = Message::new(
    "envoy.config.bootstrap.v3.Bootstrap",
    &[
        field("node", "Node", "", "who this proxy says it is"),
        field("static_resources", "StaticResources", "required", "listeners and clusters"),
        field("admin", "Admin", "no admin port", "the admin interface"),
    ],
)
.ignored(&[
    "node_context_params",
    "cluster_manager",
    "hds_config",
    "flags_path",
    "stats_sinks",
    "deferred_stat_options",
    "stats_config",
    "stats_flush_interval",
    "stats_flush_on_admin",
    "stats_eviction_interval",
    "watchdog",
    "watchdogs",
    "tracing",
    "layered_runtime",
    "runtime",
    "use_tcp_for_dns_lookups",
    "dns_resolution_config",
    "typed_dns_resolver_config",
    "bootstrap_extensions",
    "fatal_actions",
    "config_sources",
    "default_config_source",
    "default_socket_interface",
    "certificate_provider_instances",
    "inline_headers",
    "perf_tracing_file_path",
    "default_regex_engine",
    "xds_delegate_extension",
    "xds_config_tracker_extension",
    "listener_manager",
    "application_log_config",
    "grpc_async_client_manager_config",
    "memory_allocator_manager",
    "enable_dispatcher_stats",
    "header_prefix",
    "stats_server_version_override",
])
.refused(&[
    ("dynamic_resources", "listeners and clusters must be in static_resources"),
    ("overload_manager", "there are no overload actions; limit connections with circuit_breakers"),
]);

pub(crate) const STATIC_RESOURCES: Message = Message::new(
    "envoy.config.bootstrap.v3.Bootstrap.StaticResources",
    &[
        field("listeners", "list of Listener", "at least one", "where connections are accepted"),
        field("clusters", "list of Cluster", "none", "where requests can be sent"),
    ],
)
.refused(&[("secrets", "TLS with clients is not in this build")]);

pub(crate) const NODE: Message = Message::new(
    "envoy.config.core.v3.Node",
    &[
        field("id", "string", "`--service-node`", "the name of this proxy"),
        field("cluster", "string", "`--service-cluster`", "the service that it belongs to"),
    ],
)
.ignored(&[
    "metadata",
    "dynamic_parameters",
    "locality",
    "user_agent_name",
    "user_agent_version",
    "user_agent_build_version",
    "extensions",
    "client_features",
    "listening_addresses",
]);

pub(crate) const ADMIN: Message = Message::new(
    "envoy.config.bootstrap.v3.Admin",
    &[
        field(
            "address",
            "Address",
            "no admin port",
            "where it listens: anyone who can connect can stop the proxy",
        ),
        field("access_log", "list of AccessLog", "none", "log of the requests to the admin interface"),
        field("access_log_path", "path", "none", "the same, as a file in Envoy's default format"),
    ],
)
.ignored(&["profile_path", "socket_options", "ignore_global_conn_limit"])
.refused(&[("allow_paths", "every admin path would stay open")])
.deprecated(&[("access_log_path", "access_log")]);

pub(crate) const ADDRESS: Message = Message::new(
    "envoy.config.core.v3.Address",
    &[field("socket_address", "SocketAddress", "required", "address and port")],
)
.refused(&[("pipe", "only TCP addresses are"), ("envoy_internal_address", "only TCP addresses are")]);

pub(crate) const SOCKET_ADDRESS: Message = Message::new(
    "envoy.config.core.v3.SocketAddress",
    &[
        field("protocol", "TCP", "TCP", "the transport; UDP is not in this build"),
        field("address", "string", "required", "an IP address; for endpoints of DNS clusters also a name"),
        field("port_value", "0 to 65535", "required", "the port; for a listener 0 lets the system choose"),
    ],
)
.ignored(&["ipv4_compat"])
.refused(&[
    ("named_port", "write the number as port_value"),
    ("resolver_name", "names are resolved by the system"),
    ("network_namespace_filepath", "sockets are made in the proxy's own namespace"),
]);

pub(crate) const HTTP_PROTOCOL_OPTIONS: Message = Message::new(
    "envoy.config.core.v3.HttpProtocolOptions",
    &[
        field(
            "idle_timeout",
            "duration, 0s is off",
            "3600s",
            "how long a connection may be without requests",
        ),
        field(
            "max_connection_duration",
            "duration",
            "none",
            "how old a connection may become; a request in progress ends first",
        ),
        field(
            "max_requests_per_connection",
            "number, 0 is unlimited",
            "unlimited",
            "how many requests a connection carries in its life",
        ),
        field(
            "max_stream_duration",
            "duration",
            "none",
            "how long an exchange may take in all; of clients only",
        ),
        field("max_headers_count", "number from 1", "100", "most header fields of a message"),
        field(
            "max_response_headers_kb",
            "1 to 8192",
            "60",
            "largest head of a response, in KiB; of clusters only",
        ),
    ],
)
.ignored(&["max_connection_duration_jitter"])
.refused(&[("headers_with_underscores_action", "such header fields would still pass")]);

pub(crate) const HTTP1_PROTOCOL_OPTIONS: Message = Message::new(
    "envoy.config.core.v3.Http1ProtocolOptions",
    &[
        field(
            "accept_http_10",
            "bool",
            "false",
            "whether requests in HTTP/1.0 are answered other than with 426; of clients only",
        ),
        field(
            "default_host_for_http_10",
            "string",
            "none",
            "the host of an HTTP/1.0 request without one; of clients only",
        ),
        field("enable_trailers", "bool", "false", "whether trailer fields are passed on"),
    ],
)
.ignored(&[
    "send_fully_qualified_url",
    "use_balsa_parser",
    "allow_custom_methods",
    "ignore_http_11_upgrade",
    "override_stream_error_on_invalid_http_message",
])
.refused(&[
    ("allow_absolute_url", "absolute request targets are always understood"),
    ("header_key_format", "header names are written in lower case"),
    (
        "allow_chunked_length",
        "a message with both Content-Length and Transfer-Encoding is rejected (RFC 9112 6.3)",
    ),
]);

pub(crate) const DATA_SOURCE: Message = Message::new(
    "envoy.config.core.v3.DataSource",
    &[field("inline_string", "string", "required", "the text itself")],
)
.ignored(&["watched_directory"])
.refused(&[
    ("filename", "write the text as inline_string"),
    ("inline_bytes", "write the text as inline_string"),
    ("environment_variable", "write the text as inline_string"),
]);

pub(crate) const ACCESS_LOG: Message = Message::new(
    "envoy.config.accesslog.v3.AccessLog",
    &[
        field("name", "string", "", "a label"),
        field("typed_config", "Any", "required", "FileAccessLog, StdoutAccessLog or StderrAccessLog"),
    ],
)
.refused(&[("filter", "every request would be logged")]);

pub(crate) const FILE_ACCESS_LOG: Message = Message::new(
    "envoy.extensions.access_loggers.file.v3.FileAccessLog",
    &[
        field("path", "path", "required", "the file; lines are appended"),
        field("log_format", "SubstitutionFormatString", "Envoy's format", "what a line says"),
        field("format", "string", "Envoy's format", "the same as a text format"),
    ],
)
.refused(&[
    ("json_format", "write it under log_format"),
    ("typed_json_format", "write it as json_format under log_format"),
])
.deprecated(&[("format", "log_format.text_format_source")]);

pub(crate) const STREAM_ACCESS_LOG: Message = Message::new(
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    &[field("log_format", "SubstitutionFormatString", "Envoy's format", "what a line says")],
);

pub(crate) const LOG_FORMAT: Message = Message::new(
    "envoy.config.core.v3.SubstitutionFormatString",
    &[
        field(
            "text_format_source",
            "DataSource",
            "one of the three",
            "a line with command operators, ended as it is to end",
        ),
        field("text_format", "string", "one of the three", "the same, directly"),
        field("json_format", "map of names to strings", "one of the three", "one JSON object per line"),
    ],
)
.ignored(&["omit_empty_values", "content_type", "json_format_options"])
.refused(&[("formatters", "only Envoy's own command operators are known")])
.deprecated(&[("text_format", "text_format_source.inline_string")]);

/// Every message, in the order of the reference.
pub(crate) const ALL: &[&Message] = &[
    &BOOTSTRAP,
    &NODE,
    &ADMIN,
    &STATIC_RESOURCES,
    &super::LISTENER,
    &super::FILTER_CHAIN,
    &super::FILTER,
    &super::HTTP_MANAGER,
    &super::UPGRADE_CONFIG,
    &super::HTTP_FILTER,
    &super::ROUTER,
    &super::ROUTE_CONFIG,
    &super::VIRTUAL_HOST,
    &super::ROUTE,
    &super::ROUTE_MATCH,
    &super::DIRECT_RESPONSE,
    &super::ROUTE_ACTION,
    &super::RETRY_POLICY,
    &super::BACK_OFF,
    &super::CLUSTER,
    &super::LOAD_ASSIGNMENT,
    &super::LOCALITY,
    &super::LB_ENDPOINT,
    &super::ENDPOINT,
    &super::CIRCUIT_BREAKERS,
    &super::THRESHOLDS,
    &super::PRECONNECT,
    &super::REFRESH_RATE,
    &super::UPSTREAM_OPTIONS,
    &super::EXPLICIT_CONFIG,
    &HTTP_PROTOCOL_OPTIONS,
    &HTTP1_PROTOCOL_OPTIONS,
    &ADDRESS,
    &SOCKET_ADDRESS,
    &ACCESS_LOG,
    &FILE_ACCESS_LOG,
    &STREAM_ACCESS_LOG,
    &LOG_FORMAT,
    &DATA_SOURCE,
];

/// Which messages have a field of this name, for one that was put in the wrong place.
pub(crate) fn owners(name: &str) -> Option<String> {
    let has =
        |message: &&&Message| message.fields.iter().any(|field: &Field| super::is_name(name, field.name));
    let owners: Vec<_> =
        ALL.iter().filter(has).map(|message| message.name.rsplit('.').next().unwrap_or("")).collect();
    // A name that is everywhere helps nobody.
    (1..=3).contains(&owners.len()).then(|| owners.join(" and of "))
}
