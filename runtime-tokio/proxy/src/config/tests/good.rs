use std::time::Duration;

use pool_core::limits::{Priority, Resource, UNLIMITED};

use super::*;
use crate::config::model::*;

fn loaded(text: &str) -> Bootstrap {
    match load(text, "f", Mode::Lenient) {
        Ok((bootstrap, _)) => bootstrap,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

fn forward(bootstrap: &Bootstrap) -> &Forward {
    match &bootstrap.listeners[0].manager.routes.virtual_hosts[0].routes[0].action {
        RouteAction::Forward(forward) => forward,
        RouteAction::Direct { .. } => panic!("the first route forwards"),
    }
}

#[test]
fn the_sample_loads_without_a_word_in_both_modes() {
    assert_eq!(warnings(SAMPLE, Mode::Lenient), Vec::<String>::new());
    assert_eq!(warnings(SAMPLE, Mode::Strict), Vec::<String>::new());
    let bootstrap = loaded(SAMPLE);
    assert_eq!(bootstrap.admin.as_ref().map(|admin| admin.address), "127.0.0.1:9901".parse().ok());
    let manager = &bootstrap.listeners[0].manager;
    assert_eq!(manager.stream_idle_timeout, Some(Duration::from_secs(60)));
    assert_eq!(manager.access_log.len(), 1);
    let retry = forward(&bootstrap).retry.as_ref().expect("a retry policy");
    assert_eq!(retry.on, RetryOn { connect_failure: true, reset_before_request: true, refused_stream: true });
    assert_eq!(retry.policy.max_retries, 2);
    let cluster = &bootstrap.clusters[0];
    assert_eq!(cluster.pool.connect_timeout(), Duration::from_millis(250));
    assert_eq!(cluster.pool.idle_timeout(), Some(Duration::from_secs(30)));
    assert_eq!(cluster.pool.max_requests_per_connection(), Some(10_000));
    assert_eq!(cluster.limits.max(Priority::Default, Resource::Pending), 200);
    assert_eq!(cluster.limits.max(Priority::High, Resource::Pending), 1024);
}

#[test]
fn defaults_are_envoys() {
    let bootstrap = loaded(&Minimal::default().text());
    let listener = &bootstrap.listeners[0];
    assert_eq!((listener.reuse_port, listener.backlog, listener.buffer_limit), (true, 1024, 1 << 20));
    assert_eq!(listener.drain_type, DrainType::Default);
    let manager = &listener.manager;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!((manager.codec, manager.server_header), (Codec::Auto, ServerHeader::Overwrite));
    assert_eq!(manager.server_name, "envoy");
    assert_eq!((manager.idle_timeout, manager.stream_idle_timeout), (seconds(3600), seconds(300)));
    assert_eq!((manager.request_timeout, manager.request_headers_timeout), (None, None));
    assert_eq!((manager.delayed_close_timeout, Some(manager.drain_timeout)), (seconds(1), seconds(5)));
    assert_eq!((manager.max_headers_count, manager.max_request_headers_kb), (100, 60));
    assert_eq!((manager.generate_request_id, manager.use_remote_address), (true, false));
    let forward = forward(&bootstrap);
    assert_eq!((forward.timeout, forward.idle_timeout), (seconds(15), None));
    assert!(forward.retry.is_none());
    let cluster = &bootstrap.clusters[0];
    assert_eq!((cluster.stat_name.as_str(), &cluster.discovery), ("c", &Discovery::Static));
    assert_eq!(cluster.pool.connect_timeout(), Duration::from_secs(5));
    assert_eq!(cluster.pool.idle_timeout(), seconds(3600));
    assert_eq!(cluster.limits, pool_core::limits::Limits::default());
    assert_eq!(
        (cluster.buffer_limit, cluster.max_headers_count, cluster.max_response_headers_kb),
        (1 << 20, 100, 60)
    );
}

#[test]
fn both_spellings_numbers_of_enums_and_json_mean_the_same() {
    for cluster in [
        "{connect_timeout: 2s, type: LOGICAL_DNS}",
        "{connectTimeout: \"2s\", type: 2}",
        "{\"connectTimeout\": \"2.000s\", \"type\": \"LOGICAL_DNS\"}",
    ] {
        let json = cluster.trim_matches(['{', '}']);
        let text = format!(
            "{{\"static_resources\": {{\"listeners\": [], \"clusters\": [{{\"name\": \"c\", {json}, \"load_assignment\":\n\t{{\"cluster_name\": \"c\", \"endpoints\": [{{\"lb_endpoints\": [{{\"endpoint\": {{\"address\": {{\"socket_address\": {{\"address\": \"a.test\", \"port_value\": 80}}}}}}}}]}}]}}}}]}}}}"
        );
        // No listeners: the only problem, so the cluster was understood.
        assert_eq!(problems(&text, Mode::Strict).len(), 1, "{:?}", problems(&text, Mode::Strict));
    }
}

#[test]
fn zero_turns_a_timeout_off() {
    let bootstrap = loaded(&in_route("timeout: 0s, idle_timeout: 0s,"));
    assert_eq!((forward(&bootstrap).timeout, forward(&bootstrap).idle_timeout), (None, Some(None)));
    let bootstrap = loaded(&in_manager(
        "stream_idle_timeout: 0s, delayed_close_timeout: 0s, common_http_protocol_options: {idle_timeout: 0s},",
    ));
    let manager = &bootstrap.listeners[0].manager;
    assert_eq!(
        (manager.stream_idle_timeout, manager.delayed_close_timeout, manager.idle_timeout),
        (None, None, None)
    );
}

#[test]
fn routes_and_hosts() {
    let bootstrap = loaded(&in_route(
        "priority: HIGH, prefix_rewrite: /x, host_rewrite_literal: h.test, timeout: 1.5s, \
         retry_policy: {retry_on: 'connect-failure', num_retries: 3, per_try_timeout: 0.5s, retry_back_off: {base_interval: 0.1s}},",
    ));
    let forward = forward(&bootstrap);
    assert_eq!((forward.priority, forward.prefix_rewrite.as_deref()), (Priority::High, Some("/x")));
    assert_eq!(forward.host_rewrite.as_ref().map(|host| host.as_bytes()), Some(&b"h.test"[..]));
    let retry = forward.retry.as_ref().expect("a retry policy");
    assert_eq!((retry.policy.max_retries, retry.per_try_timeout), (3, Some(Duration::from_millis(500))));
    assert_eq!(
        (retry.policy.base_interval, retry.policy.max_interval),
        (Duration::from_millis(100), Duration::from_secs(1))
    );
    let host = "retry_policy: {retry_on: refused-stream}, include_request_attempt_count: true,";
    let bootstrap = loaded(&Minimal { host, ..Minimal::default() }.text());
    let host = &bootstrap.listeners[0].manager.routes.virtual_hosts[0];
    assert!(host.include_request_attempt_count);
    let RouteAction::Forward(inherits) = &host.routes[0].action else { panic!("forwards") };
    let retry = inherits.retry.as_ref().expect("the virtual host's");
    assert!(retry.on.refused_stream && !retry.on.connect_failure);
    let asked = retry.policy.retry_on;
    assert_eq!(asked, pool_core::exchange::RetryOn::REFUSED_STREAM, "connect failures were not asked for");
}

#[test]
fn managers() {
    let bootstrap = loaded(&in_manager(
        "codec_type: HTTP1, server_name: me, server_header_transformation: PASS_THROUGH, use_remote_address: true, \
         upgrade_configs: [{upgrade_type: WebSocket}, {upgrade_type: other, enabled: false}], \
         http_protocol_options: {accept_http_10: true, default_host_for_http_10: d.test, enable_trailers: true}, \
         access_log: [{name: a, typed_config: {\"@type\": t/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null, \
         log_format: {json_format: {b: '%PROTOCOL%', a: x}}}}, {typed_config: {\"@type\": \
         t/envoy.extensions.access_loggers.stream.v3.StderrAccessLog, log_format: {text_format_source: {inline_string: hi}}}}], \
         http_filters: [{name: r, typed_config: {\"@type\": t/envoy.extensions.filters.http.router.v3.Router}}],",
    ));
    let manager = &bootstrap.listeners[0].manager;
    assert_eq!((manager.codec, manager.server_header), (Codec::Http1, ServerHeader::PassThrough));
    assert_eq!(manager.upgrades, ["websocket"]);
    assert!(manager.accept_http_10 && manager.enable_trailers && manager.use_remote_address);
    let json = [("b", "%PROTOCOL%"), ("a", "x")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let expected = [
        AccessLog {
            sink: AccessLogSink::File("/dev/null".into()),
            format: AccessLogFormat::Json(json.to_vec()),
        },
        AccessLog { sink: AccessLogSink::Stderr, format: AccessLogFormat::Text("hi".to_owned()) },
    ];
    assert_eq!(manager.access_log, expected);
}

#[test]
fn clusters() {
    let bootstrap = loaded(&in_cluster(
        "circuit_breakers:
      thresholds: [{max_connections: 0, track_remaining: true}, {priority: HIGH, max_retries: 9}]
      per_host_thresholds: [{max_connections: 5}]
    preconnect_policy: {per_upstream_preconnect_ratio: 1.5}
    alt_stat_name: s
    max_requests_per_connection: 7
    common_http_protocol_options: {idle_timeout: 9s, max_connection_duration: 60s}",
    ));
    let cluster = &bootstrap.clusters[0];
    assert_eq!(cluster.limits.max(Priority::Default, Resource::Connections), 0);
    assert_eq!(cluster.limits.max(Priority::Default, Resource::Pools), UNLIMITED);
    assert_eq!(cluster.limits.max(Priority::High, Resource::Retries), 9);
    assert_eq!(cluster.limits.thresholds(Priority::Default).max_per_host(), 5);
    assert_eq!(cluster.pool.per_upstream_preconnect_ratio().thousandths(), 1500);
    assert_eq!((cluster.stat_name.as_str(), cluster.pool.max_requests_per_connection()), ("s", Some(7)));
    assert_eq!(cluster.pool.idle_timeout(), Some(Duration::from_secs(9)));
    assert_eq!(cluster.pool.max_connection_duration(), Some(Duration::from_secs(60)));
}

#[test]
fn aliases_and_merge_keys_are_replaced() {
    let text = in_cluster(
        "circuit_breakers: {thresholds: [&t {max_connections: 3, max_requests: 4}, {<<: *t, priority: HIGH, max_requests: 5}]}",
    );
    let limits = loaded(&text).clusters[0].limits;
    assert_eq!(limits.max(Priority::High, Resource::Connections), 3);
    assert_eq!(limits.max(Priority::High, Resource::Requests), 5);
    assert_eq!(problems(&text, Mode::Strict).len(), 1, "Envoy has no merge keys");
}

#[test]
fn text_is_laid_over_a_file() {
    let over =
        "{static_resources: {clusters: [{name: d, load_assignment: {cluster_name: d}}]}, node: {id: me}}";
    let base = Minimal { top: "node: {id: m, cluster: k}", ..Minimal::default() }.text();
    let sources = [Source { name: "f", text: &base }, Source { name: "flag", text: over }];
    let (bootstrap, _) = load_all(&sources, Mode::Strict, |_| Ok(())).expect("valid");
    assert_eq!(
        bootstrap.clusters.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>(),
        ["c", "d"]
    );
    assert_eq!(bootstrap.node, Node { id: "me".to_owned(), cluster: "k".to_owned() });
    let sources = [sources[0], Source { name: "flag", text: "node: {id: 5}" }];
    let problems = load_all(&sources, Mode::Strict, |_| Ok(())).expect_err("a number for a string").problems;
    assert_eq!(
        problems[0].to_string(),
        "flag:1:12: node.id: expected a string, but 5 is a number; write \"5\""
    );
}
