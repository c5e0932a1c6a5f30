//! The HTTP connection manager.

use std::time::Duration;

use http::HeaderValue;

use super::protocol::{Common, Http1, Side, header_value};
use super::{access_log, route};
use crate::config::model::{Codec, HttpManager, RouteConfig, ServerHeader};
use crate::config::schema;
use crate::config::walk::{Choice, Cursor, Fields};

const HTTP2: &str = "HTTP/2 with clients is not in this build; write AUTO or HTTP1";
const HTTP3: &str = "HTTP/3 with clients is not in this build; write AUTO or HTTP1";

const CODECS: &[(&str, u32, Choice<Codec>)] = &[
    ("AUTO", 0, Choice::Take(Codec::Auto)),
    ("HTTP1", 1, Choice::Take(Codec::Http1)),
    ("HTTP2", 2, Choice::NotHere(HTTP2)),
    ("HTTP3", 3, Choice::NotHere(HTTP3)),
];

const SERVER_HEADERS: &[(&str, u32, Choice<ServerHeader>)] = &[
    ("OVERWRITE", 0, Choice::Take(ServerHeader::Overwrite)),
    ("APPEND_IF_ABSENT", 1, Choice::Take(ServerHeader::AppendIfAbsent)),
    ("PASS_THROUGH", 2, Choice::Take(ServerHeader::PassThrough)),
];

/// Stands in for a manager that is missing or wrong.
pub(super) fn placeholder() -> HttpManager {
    read(&Fields::absent(&schema::HTTP_MANAGER), &[])
}

pub(super) fn manager(config: &Cursor<'_>, clusters: &[&str]) -> HttpManager {
    read(&config.typed_message(&schema::HTTP_MANAGER), clusters)
}

fn read(fields: &Fields<'_>, clusters: &[&str]) -> HttpManager {
    let common = fields.message("common_http_protocol_options", &schema::HTTP_PROTOCOL_OPTIONS);
    let common = Common::read(&common, Side::Downstream);
    let http1 = fields.message("http_protocol_options", &schema::HTTP1_PROTOCOL_OPTIONS);
    let http1 = Http1::read(&http1, Side::Downstream);
    let routes = fields.one_of(&["route_config"], &["rds", "scoped_routes"]);
    http_filters(fields.get("http_filters").as_ref());
    let second = Duration::from_secs(1);
    HttpManager {
        stat_prefix: fields.required_text("stat_prefix"),
        codec: fields.get("codec_type").and_then(|codec| codec.choice(CODECS)).unwrap_or(Codec::Auto),
        routes: routes.map_or_else(no_routes, |(_, routes)| route::route_config(&routes, clusters)),
        access_log: access_log::access_logs(&fields.list("access_log")),
        server_name: server_name(fields),
        server_header: fields
            .get("server_header_transformation")
            .and_then(|header| header.choice(SERVER_HEADERS))
            .unwrap_or(ServerHeader::Overwrite),
        idle_timeout: common.idle_timeout,
        max_connection_duration: common.max_connection_duration,
        max_requests_per_connection: common.max_requests_per_connection.map(u64::from),
        max_stream_duration: common.max_stream_duration,
        max_headers_count: common.max_headers_count,
        max_request_headers_kb: fields.number("max_request_headers_kb", 1, 8192).unwrap_or(60),
        stream_idle_timeout: fields.timeout("stream_idle_timeout", Some(second * 300)),
        request_timeout: fields.timeout("request_timeout", None),
        request_headers_timeout: fields.timeout("request_headers_timeout", None),
        delayed_close_timeout: fields.timeout("delayed_close_timeout", Some(second)),
        drain_timeout: fields.duration("drain_timeout").unwrap_or(second * 5),
        use_remote_address: fields.bool("use_remote_address").unwrap_or(false),
        generate_request_id: fields.bool("generate_request_id").unwrap_or(true),
        preserve_external_request_id: fields.bool("preserve_external_request_id").unwrap_or(false),
        proxy_100_continue: fields.bool("proxy_100_continue").unwrap_or(false),
        upgrades: upgrades(&fields.list("upgrade_configs")),
        accept_http_10: http1.accept_http_10,
        default_host_for_http_10: http1.default_host_for_http_10,
        enable_trailers: http1.enable_trailers,
    }
}

fn no_routes() -> RouteConfig {
    RouteConfig { name: String::new(), virtual_hosts: Vec::new() }
}

fn server_name(fields: &Fields<'_>) -> HeaderValue {
    let name = fields.get("server_name").and_then(|name| header_value(&name));
    name.unwrap_or_else(|| HeaderValue::from_static("envoy"))
}

/// The router is the only filter there is, and it must be last.
fn http_filters(list: Option<&Cursor<'_>>) {
    let Some(list) = list else { return };
    let filters = list.list();
    let mut last = None;
    for filter in &filters {
        if let Some(previous) = last.take() {
            let previous: &Cursor<'_> = previous;
            previous.problem("the router must be the last filter");
        }
        if is_router(filter) {
            last = Some(filter);
        }
    }
    if last.is_none() && !filters.is_empty() {
        list.problem("the last filter must be envoy.filters.http.router");
    }
}

fn is_router(filter: &Cursor<'_>) -> bool {
    let fields = filter.message(&schema::HTTP_FILTER);
    let _label = fields.text("name");
    let is_optional = fields.bool("is_optional").unwrap_or(false);
    let is_disabled = fields.bool("disabled").unwrap_or(false);
    let Some(config) = fields.required("typed_config") else { return false };
    match config.type_name() {
        Some(name) if name == schema::ROUTER.name => {
            config.typed_message(&schema::ROUTER);
            if is_disabled {
                filter.problem("the router cannot be disabled");
            }
            true
        }
        Some(_) if is_disabled => false,
        Some(name) if is_optional => {
            config.warn(format!("'{name}' is not supported; left out, as it is optional"));
            false
        }
        Some(name) => {
            config.problem(format!("'{name}' is not supported; the only filter is {}", schema::ROUTER.name));
            false
        }
        None => false,
    }
}

fn upgrades(items: &[Cursor<'_>]) -> Vec<String> {
    let mut upgrades: Vec<String> = Vec::new();
    for item in items {
        let fields = item.message(&schema::UPGRADE_CONFIG);
        http_filters(fields.get("filters").as_ref());
        let is_enabled = fields.bool("enabled").unwrap_or(true);
        let protocol = fields.required_text("upgrade_type").to_ascii_lowercase();
        if upgrades.contains(&protocol) {
            item.problem(format!("multiple upgrade_configs for '{protocol}'"));
        } else if protocol == "connect" {
            item.problem("CONNECT is not forwarded");
        } else if is_enabled {
            upgrades.push(protocol);
        }
    }
    upgrades
}
