//! `envoy.config.listener.v3.Listener` and what its connection manager says.

use pool_core::limits::Priority;

use super::{access_log, duration, header, limit, part, typed};
use crate::admin::clusters::address;
use crate::admin::json::Json;
use crate::config::model::{
    Cluster, Codec, DrainType, Forward, HttpManager, Listener, PathMatch, Retry, Route, RouteAction,
    RouteConfig, ServerHeader, VirtualHost,
};

const MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

pub(super) fn listener(listener: &Listener, clusters: &[Cluster]) -> Json {
    let filter = Json::object([
        ("name", Json::text("envoy.filters.network.http_connection_manager")),
        ("typed_config", manager(&listener.manager, clusters)),
    ]);
    let drain = match listener.drain_type {
        DrainType::Default => "DEFAULT",
        DrainType::ModifyOnly => "MODIFY_ONLY",
    };
    Json::object([
        ("name", Json::text(&listener.name)),
        ("address", address(listener.address)),
        ("filter_chains", Json::list([Json::object([("filters", Json::list([filter]))])])),
        ("per_connection_buffer_limit_bytes", Json::Integer(listener.buffer_limit as u64)),
        ("tcp_backlog_size", Json::Integer(listener.backlog.into())),
        ("enable_reuse_port", Json::Bool(listener.reuse_port)),
        ("drain_type", Json::text(drain)),
    ])
}

fn manager(manager: &HttpManager, clusters: &[Cluster]) -> Json {
    let codec = match manager.codec {
        Codec::Auto => "AUTO",
        Codec::Http1 => "HTTP1",
    };
    let server = match manager.server_header {
        ServerHeader::Overwrite => "OVERWRITE",
        ServerHeader::AppendIfAbsent => "APPEND_IF_ABSENT",
        ServerHeader::PassThrough => "PASS_THROUGH",
    };
    let upgrades = manager.upgrades.iter().map(|name| Json::object([("upgrade_type", Json::text(name))]));
    let router = Json::object([
        ("name", Json::text("envoy.filters.http.router")),
        ("typed_config", typed(ROUTER, Vec::new())),
    ]);
    let fields = vec![
        part("codec_type", Json::text(codec)),
        part("stat_prefix", Json::text(&manager.stat_prefix)),
        part("route_config", Json::Object(routes(&manager.routes, clusters))),
        part("http_filters", Json::list([router])),
        part("access_log", Json::list(manager.access_log.iter().map(access_log))),
        part("server_name", header(&manager.server_name)),
        part("server_header_transformation", Json::text(server)),
        part("common_http_protocol_options", common(manager)),
        part("http_protocol_options", http1(manager)),
        part("max_request_headers_kb", Json::Integer(manager.max_request_headers_kb.into())),
        part("stream_idle_timeout", limit(manager.stream_idle_timeout)),
        part("request_timeout", limit(manager.request_timeout)),
        part("request_headers_timeout", limit(manager.request_headers_timeout)),
        part("delayed_close_timeout", limit(manager.delayed_close_timeout)),
        part("drain_timeout", duration(manager.drain_timeout)),
        part("use_remote_address", Json::Bool(manager.use_remote_address)),
        part("generate_request_id", Json::Bool(manager.generate_request_id)),
        part("preserve_external_request_id", Json::Bool(manager.preserve_external_request_id)),
        part("proxy_100_continue", Json::Bool(manager.proxy_100_continue)),
        part("upgrade_configs", Json::list(upgrades)),
    ];
    typed(MANAGER, fields)
}

fn common(manager: &HttpManager) -> Json {
    Json::object([
        ("idle_timeout", limit(manager.idle_timeout)),
        ("max_connection_duration", limit(manager.max_connection_duration)),
        ("max_stream_duration", limit(manager.max_stream_duration)),
        ("max_requests_per_connection", Json::Integer(manager.max_requests_per_connection.unwrap_or(0))),
        ("max_headers_count", Json::Integer(manager.max_headers_count.into())),
    ])
}

fn http1(manager: &HttpManager) -> Json {
    let mut fields = vec![part("accept_http_10", Json::Bool(manager.accept_http_10))];
    fields.extend(
        manager.default_host_for_http_10.as_ref().map(|host| part("default_host_for_http_10", header(host))),
    );
    fields.push(part("enable_trailers", Json::Bool(manager.enable_trailers)));
    Json::Object(fields)
}

/// `envoy.config.route.v3.RouteConfiguration`.
pub(super) fn routes(routes: &RouteConfig, clusters: &[Cluster]) -> Vec<(String, Json)> {
    let hosts = routes.virtual_hosts.iter().map(|host| virtual_host(host, clusters));
    vec![part("name", Json::text(&routes.name)), part("virtual_hosts", Json::list(hosts))]
}

fn virtual_host(host: &VirtualHost, clusters: &[Cluster]) -> Json {
    Json::object([
        ("name", Json::text(&host.name)),
        ("domains", Json::list(host.domains.iter().map(Json::text))),
        ("routes", Json::list(host.routes.iter().map(|one| route(one, clusters)))),
        ("include_request_attempt_count", Json::Bool(host.include_request_attempt_count)),
        ("include_attempt_count_in_response", Json::Bool(host.include_attempt_count_in_response)),
    ])
}

fn route(route: &Route, clusters: &[Cluster]) -> Json {
    let path = match &route.matches.path {
        PathMatch::Prefix(path) => part("prefix", Json::text(path)),
        PathMatch::Path(path) => part("path", Json::text(path)),
        PathMatch::PathSeparatedPrefix(path) => part("path_separated_prefix", Json::text(path)),
    };
    let matches = vec![path, part("case_sensitive", Json::Bool(route.matches.case_sensitive))];
    let action = match &route.action {
        RouteAction::Forward(forward) => part("route", forwarded(forward, clusters)),
        RouteAction::Direct { status, body } => part(
            "direct_response",
            Json::object([
                ("status", Json::Integer(status.as_u16().into())),
                ("body", Json::object([("inline_string", Json::text(body))])),
            ]),
        ),
    };
    Json::Object(vec![part("name", Json::text(&route.name)), part("match", Json::Object(matches)), action])
}

fn forwarded(forward: &Forward, clusters: &[Cluster]) -> Json {
    let cluster = clusters.get(forward.cluster).map_or("", |cluster| cluster.name.as_str());
    let priority = match forward.priority {
        Priority::Default => "DEFAULT",
        Priority::High => "HIGH",
    };
    let mut fields = vec![part("cluster", Json::text(cluster)), part("timeout", limit(forward.timeout))];
    fields.extend(forward.idle_timeout.map(|time| part("idle_timeout", limit(time))));
    fields.extend(forward.retry.as_ref().map(|policy| part("retry_policy", retry(policy))));
    fields.push(part("priority", Json::text(priority)));
    fields.extend(forward.prefix_rewrite.as_ref().map(|path| part("prefix_rewrite", Json::text(path))));
    fields.extend(forward.host_rewrite.as_ref().map(|host| part("host_rewrite_literal", header(host))));
    fields.push(part("auto_host_rewrite", Json::Bool(forward.auto_host_rewrite)));
    Json::Object(fields)
}

fn retry(retry: &Retry) -> Json {
    let on = [
        (retry.on.connect_failure, "connect-failure"),
        (retry.on.reset_before_request, "reset-before-request"),
        (retry.on.refused_stream, "refused-stream"),
    ];
    let on: Vec<&str> = on.into_iter().filter(|(is_on, _)| *is_on).map(|(_, name)| name).collect();
    let back_off = Json::object([
        ("base_interval", duration(retry.policy.base_interval)),
        ("max_interval", duration(retry.policy.max_interval)),
    ]);
    let mut fields = vec![
        part("retry_on", Json::text(on.join(","))),
        part("num_retries", Json::Integer(retry.policy.max_retries.into())),
        part("retry_back_off", back_off),
    ];
    fields.extend(retry.per_try_timeout.map(|time| part("per_try_timeout", duration(time))));
    Json::Object(fields)
}
