//! Listeners and their filter chains.

use super::{Message, field};

pub(crate) const LISTENER: Message = Message::new(
    "envoy.config.listener.v3.Listener",
    &[
        field("name", "string, unique", "generated", "the name in logs and stats"),
        field("address", "Address", "required", "where it listens"),
        field("filter_chains", "list of FilterChain", "exactly one", "what becomes of a connection"),
        field(
            "per_connection_buffer_limit_bytes",
            "number from 1",
            "1048576",
            "bytes buffered per connection; also those of a request that are kept for a retry",
        ),
        field(
            "tcp_backlog_size",
            "number",
            "1024",
            "connections that the system holds before they are accepted",
        ),
        field("enable_reuse_port", "bool", "true", "one socket per worker (`SO_REUSEPORT`)"),
        field("drain_type", "DEFAULT or MODIFY_ONLY", "DEFAULT", "whether `/healthcheck/fail` drains it too"),
    ],
)
.ignored(&[
    "stat_prefix",
    "metadata",
    "traffic_direction",
    "deprecated_v1",
    "listener_filters_timeout",
    "continue_on_listener_filters_timeout",
    "freebind",
    "tcp_fast_open_queue_length",
    "connection_balance_config",
    "reuse_port",
    "access_log",
    "bind_to_port",
    "enable_mptcp",
    "max_connections_to_accept_per_socket_event",
    "ignore_global_conn_limit",
    "bypass_overload_manager",
    "socket_options",
])
.refused(&[
    ("listener_filters", "a connection is HTTP from its first byte"),
    ("additional_addresses", "write one listener for each address"),
    ("transparent", "connections would not keep the client's address"),
    ("use_original_dst", "there is no redirection to other listeners"),
    ("filter_chain_matcher", "there is one filter chain for all connections"),
    ("default_filter_chain", "write it as the only filter chain"),
    ("udp_listener_config", "only TCP is"),
    ("api_listener", "only socket listeners are"),
    ("internal_listener", "only socket listeners are"),
]);

pub(crate) const FILTER_CHAIN: Message = Message::new(
    "envoy.config.listener.v3.FilterChain",
    &[
        field("filters", "list of Filter", "exactly one", "the HTTP connection manager"),
        field("name", "string", "", "a label"),
    ],
)
.ignored(&["metadata", "transport_socket_connect_timeout", "on_demand_configuration"])
.refused(&[
    ("filter_chain_match", "there is one filter chain for all connections"),
    ("transport_socket", "TLS with clients is not in this build; leave it out for cleartext HTTP"),
    ("transport_socket_factory", "TLS with clients is not in this build"),
    ("tls_context", "TLS with clients is not in this build"),
    ("use_proxy_proto", "the client's address would be wrong"),
]);

pub(crate) const FILTER: Message = Message::new(
    "envoy.config.listener.v3.Filter",
    &[
        field("name", "string", "", "a label"),
        field("typed_config", "Any", "required", "HttpConnectionManager"),
    ],
)
.refused(&[("config_discovery", "the filter must be written here"), ("config", "write it as typed_config")]);
