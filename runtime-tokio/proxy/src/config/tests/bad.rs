use super::*;

/// The problems of `text`, without the file's name.
fn said(text: &str) -> Vec<String> {
    let lines = problems(text, Mode::Lenient);
    // What is wrong in earnest is wrong in both modes, at the same places.
    let strict = problems(text, Mode::Strict);
    let missing: Vec<_> = lines.iter().filter(|line| !strict.contains(line)).collect();
    assert!(missing.is_empty(), "only in lenient mode: {missing:?}");
    lines.iter().map(|line| line.strip_prefix("f:").unwrap_or(line).to_owned()).collect()
}

const CLUSTER: &str = "static_resources.clusters[0](c)";
const MANAGER: &str = "static_resources.listeners[0](l).filter_chains[0].filters[0](m).typed_config";
const ROUTE: &str = ".route_config.virtual_hosts[0](v).routes[0].route";

/// Each row: what is put in, and the problems as `line:column: path below: message`.
fn check(path: &str, with: fn(&str) -> String, rows: &[(&str, &[&str])]) {
    for (line, expected) in rows {
        let said: Vec<_> = said(&with(line)).iter().map(|said| said.replacen(path, "", 1)).collect();
        assert_eq!(said, *expected, "{line}");
    }
}

#[test]
fn five_mistakes_are_told_with_their_lines() {
    let long = "static_resources.listeners[0](ingress).filter_chains[0].filters[0](envoy.filters.network.http_connection_manager).typed_config";
    let expected = [
        "8:21: static_resources.listeners[0](ingress).address.socket_address.port_value: 100000 is out of range: 0 to 65535".to_owned(),
        format!("13:11: {long}: missing 'stat_prefix'"),
        format!("21:35: {long}.route_config.virtual_hosts[0](everyone).routes[0].route.cluster: unknown cluster 'shpo'; did you mean 'shop'?"),
        "28:11: static_resources.clusters[0](shop).type: 'STATC' is not a valid value; did you mean STATIC?".to_owned(),
        "29:22: static_resources.clusters[0](shop).connect_timeout: '250ms' is not a duration; write '0.25s'".to_owned(),
    ];
    assert_eq!(said(FIVE), expected);
    let whole = load(FIVE, "f", Mode::Lenient).expect_err("rejected").to_string();
    assert_eq!(whole.lines().count(), 6);
    assert!(whole.ends_with("\nconfiguration 'f': 5 problems"), "{whole}");
    let page = include_str!("../../../docs/configuration.md");
    for line in whole.lines() {
        let line = line
            .replacen("f:", "configs/five-mistakes.yaml:", 1)
            .replace("'f'", "'configs/five-mistakes.yaml'");
        assert!(page.contains(&line), "docs/configuration.md shows {line}");
    }
}

#[test]
fn clusters() {
    check(
        CLUSTER,
        in_cluster,
        &[
            ("connect_timeout: 0s", &["21:22: .connect_timeout: must be more than 0s"]),
            (
                "connect_timeout: 1s\n    connectTimeout: 2s",
                &["22:5: .connect_timeout: given twice, in both spellings"],
            ),
            (
                "connect_timeout: 1s\n    connect_timeout: 2s",
                &["22:5: the key 'connect_timeout' appears twice; first in line 21"],
            ),
            (
                "connect_timeout: {seconds: 1}",
                &["21:22: .connect_timeout: expected a duration such as '0.25s', found a mapping"],
            ),
            (
                "type: STRICT_DNS",
                &[
                    "21:11: .type: STRICT_DNS is not supported: write LOGICAL_DNS for one name, or STATIC with addresses",
                ],
            ),
            (
                "type: 9",
                &[
                    "21:11: .type: '9' is not a valid value; valid: STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST",
                ],
            ),
            (
                "type: LOGICAL_DNS",
                &[
                    "22:22: .load_assignment: LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint, found 0",
                ],
            ),
            (
                "lb_policy: MAGLEV",
                &["21:16: .lb_policy: MAGLEV is not supported: requests go round robin; write ROUND_ROBIN"],
            ),
            (
                "transport_socket: {name: tls}",
                &[
                    "21:5: .transport_socket: not supported: TLS to upstreams is not in this build; leave it out for cleartext HTTP",
                ],
            ),
            (
                "health_checks: [{}]",
                &["21:5: .health_checks: not supported: hosts that fail would still be used"],
            ),
            ("health_checks: []", &[]),
            (
                "http2_protocol_options: {}",
                &[
                    "21:5: .http2_protocol_options: not supported: HTTP/2 to upstreams is not in this build; write 'http_protocol_options: {}' for HTTP/1.1",
                ],
            ),
            (
                "circuit_breakers: {thresholds: {max_requests: 5}}",
                &[
                    "21:36: .circuit_breakers.thresholds: expected a list, found a mapping; begin each item with '- '",
                ],
            ),
            (
                "circuit_breakers: {thresholds: [{max_connections: -1}, {max_connections: many}]}",
                &[
                    "21:55: .circuit_breakers.thresholds[0].max_connections: -1 is out of range: 0 to 4294967295",
                    "21:60: .circuit_breakers.thresholds[1]: thresholds of this priority are already in line 21",
                    "21:78: .circuit_breakers.thresholds[1].max_connections: expected a whole number, found 'many'",
                ],
            ),
            (
                "circuit_breakers: {thresholds: [{retry_budget: {}}], per_host_thresholds: [{max_requests: 1}]}",
                &[
                    "21:38: .circuit_breakers.thresholds[0].retry_budget: not supported: write max_retries",
                    "21:95: .circuit_breakers.per_host_thresholds[0].max_requests: per_host_thresholds have only max_connections",
                ],
            ),
            (
                "preconnect_policy: {per_upstream_preconnect_ratio: 4}",
                &["21:56: .preconnect_policy.per_upstream_preconnect_ratio: 4 is out of range: 1.0 to 3.0"],
            ),
            (
                "dns_failure_refresh_rate: {base_interval: 2s, max_interval: 1s}",
                &["21:65: .dns_failure_refresh_rate.max_interval: must be no less than base_interval"],
            ),
            (
                "alt_stat_name: 7",
                &["21:20: .alt_stat_name: expected a string, but 7 is a number; write \"7\""],
            ),
            (
                "typed_extension_protocol_options: {x: {}}",
                &[
                    "21:43: .typed_extension_protocol_options[x]: not supported; there is 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'",
                ],
            ),
        ],
    );
}

#[test]
fn endpoints() {
    let with = |endpoint: &str| {
        in_cluster("").replace(
            "{cluster_name: c}",
            &format!("{{cluster_name: c, endpoints: [{{lb_endpoints: [{endpoint}]}}]}}"),
        )
    };
    let at = ".load_assignment.endpoints[0].lb_endpoints[0]";
    for (endpoint, expected) in [
        (
            "{endpoint: {address: {socket_address: {address: a.test, port_value: 80}}}}",
            format!(
                "22:116: {CLUSTER}{at}.endpoint.address.socket_address.address: malformed IP address: a.test; write type: LOGICAL_DNS on the cluster to resolve a name"
            ),
        ),
        (
            "{endpoint: {address: {socket_address: {address: 1.2.3.4, port_value: 65536}}}}",
            format!(
                "22:137: {CLUSTER}{at}.endpoint.address.socket_address.port_value: 65536 is out of range: 0 to 65535"
            ),
        ),
        (
            "{endpoint: {address: {socket_address: {address: 1.2.3.4}}}}",
            format!("22:106: {CLUSTER}{at}.endpoint.address.socket_address: missing 'port_value'"),
        ),
        (
            "{endpoint: {address: {pipe: {path: x}}}}",
            format!("22:90: {CLUSTER}{at}.endpoint.address.pipe: not supported: only TCP addresses are"),
        ),
        ("{endpoint: {}}", format!("22:79: {CLUSTER}{at}.endpoint: missing 'address'")),
        ("{}", format!("22:68: {CLUSTER}{at}: missing 'endpoint'")),
    ] {
        assert_eq!(said(&with(endpoint)), [expected], "{endpoint}");
    }
}

#[test]
fn routes() {
    check(
        &format!("{MANAGER}{ROUTE}"),
        in_route,
        &[
            ("timeout: 5,", &["18:16: .timeout: '5' is not a duration; write '5s'"]),
            ("timeout: [5s],", &["18:16: .timeout: expected a duration such as '0.25s', found a list"]),
            (
                "retry_policy: {retry_on: 'connect-failur'},",
                &[
                    "18:32: .retry_policy.retry_on: 'connect-failur' is not a retry condition; did you mean 'connect-failure'?",
                ],
            ),
            ("retry_policy: {},", &["18:21: .retry_policy: missing 'retry_on'"]),
            ("weighted_clusters: {},", &["18:7: .weighted_clusters: not supported: name one cluster"]),
            (
                "host_rewrite_literal: a, auto_host_rewrite: true,",
                &[
                    "18:51: .auto_host_rewrite: only one of 'host_rewrite_literal', 'auto_host_rewrite' may be set",
                ],
            ),
            (
                "auto_host_rewrite: 'true',",
                &[
                    "18:26: .auto_host_rewrite: expected true or false without quotes, found the string 'true'",
                ],
            ),
            (
                "prefix_rewrite: 'a b',",
                &["18:23: .prefix_rewrite: a path has only visible ASCII characters; write others as %xx"],
            ),
            ("priority: LOW,", &["18:17: .priority: 'LOW' is not a valid value; valid: DEFAULT, HIGH"]),
        ],
    );
}

#[test]
fn alternatives() {
    let with = |matches: &str| Minimal::default().text().replace("match: {prefix: /}", matches);
    let path = format!("{MANAGER}.route_config.virtual_hosts[0](v).routes[0]");
    for (matches, expected) in [
        (
            "match: {prefix: /, path: /}",
            format!("16:42: {path}.match.path: only one of 'prefix', 'path' may be set"),
        ),
        (
            "match: {}",
            format!("16:24: {path}.match: missing one of 'prefix', 'path', 'path_separated_prefix'"),
        ),
        (
            "match: {prefix: }",
            format!(
                "16:25: {path}.match.prefix: nothing after the colon counts as absent; write 'prefix: {{}}'"
            ),
        ),
        (
            "match: {safe_regex: {}}",
            format!(
                "16:25: {path}.match.safe_regex: not supported: use prefix, path or path_separated_prefix"
            ),
        ),
        (
            "match: {path_separated_prefix: /a/}",
            format!(
                "16:48: {path}.match.path_separated_prefix: '/a/': must not be empty, end with '/' or contain '?' or '#'"
            ),
        ),
        (
            "match: {prefix: /}, direct_response: {status: 200}",
            format!("16:54: {path}.direct_response: only one of 'route', 'direct_response' may be set"),
        ),
    ] {
        let said = said(&with(matches));
        assert_eq!(said, [expected], "{matches}");
    }
}

#[test]
fn managers_and_listeners() {
    check(
        MANAGER,
        in_manager,
        &[
            (
                "codec_type: HTTP2,",
                &[
                    "10:19: .codec_type: HTTP2 is not supported: HTTP/2 with clients is not in this build; write AUTO or HTTP1",
                ],
            ),
            ("rds: {},", &["10:7: .rds: not supported: write the routes as route_config"]),
            (
                "normalize_path: true, merge_slashes: false,",
                &["10:7: .normalize_path: not supported: paths are matched and passed on as they are"],
            ),
            (
                "access_log: [{typed_config: {path: x}}],",
                &[
                    "10:35: .access_log[0].typed_config: missing '@type', which says what this is: 'type.googleapis.com/' and a message name",
                ],
            ),
            (
                "server_name: \"a\\u0007b\", max_request_headers_kb: 9000,",
                &[
                    "10:20: .server_name: not a valid header field value",
                    "10:56: .max_request_headers_kb: 9000 is out of range: 1 to 8192",
                ],
            ),
            (
                "http_filters: [{name: f, typed_config: {\"@type\": t/x.Rbac}}],",
                &[
                    "10:21: .http_filters: the last filter must be envoy.filters.http.router",
                    "10:46: .http_filters[0](f).typed_config: 'x.Rbac' is not supported; the only filter is envoy.extensions.filters.http.router.v3.Router",
                ],
            ),
        ],
    );
    let host = |host: &str| Minimal { host, ..Minimal::default() }.text();
    check(
        &format!("{MANAGER}.route_config.virtual_hosts[0](v)"),
        host,
        &[("require_tls: ALL,", &["15:7: .require_tls: not supported: requests in cleartext would pass"])],
    );
    let domains = Minimal::default().text().replace("[a.test]", "[a.test, 'a*b', A.test, '']");
    let at = format!("{MANAGER}.route_config.virtual_hosts[0](v).domains");
    let expected = [
        format!("15:26: {at}[1]: 'a*b': a wildcard stands at the beginning or at the end"),
        format!("15:33: {at}[2]: duplicate domain 'a.test'; first in line 15"),
        format!("15:41: {at}[3]: must not be empty"),
    ];
    assert_eq!(said(&domains), expected);
    let top = |top: &str| Minimal { top, ..Minimal::default() }.text();
    check(
        "",
        top,
        &[
            (
                "dynamic_resources: {}",
                &[
                    "1:1: dynamic_resources: not supported: listeners and clusters must be in static_resources",
                ],
            ),
            (
                "admin: {address: {socket_address: {address: localhost, port_value: 1}}}",
                &[
                    "1:45: admin.address.socket_address.address: malformed IP address: localhost; write 127.0.0.1",
                ],
            ),
            ("node: me", &["1:7: node: expected a mapping, found 'me'"]),
        ],
    );
}

#[test]
fn duplicates() {
    let text = "static_resources:
  clusters:
  - {name: c, load_assignment: {cluster_name: c}}
  - {name: c, load_assignment: {cluster_name: c}}
  listeners: []
";
    let expected = [
        "4:5: static_resources.clusters[1](c): duplicate cluster 'c'; first in line 3",
        "5:14: static_resources.listeners: at least one listener is needed",
    ];
    assert_eq!(said(text), expected);
    let listener = "{name: l, address: {socket_address: {address: 1.2.3.4, port_value: 80}}}";
    let text = format!("static_resources:\n  listeners:\n  - {listener}\n  - {listener}\n");
    let said = said(&text);
    assert!(
        said.contains(
            &"4:5: static_resources.listeners[1](l): duplicate listener 'l'; first in line 3".to_owned()
        ),
        "{said:?}"
    );
    assert!(
        said.contains(
            &"4:5: static_resources.listeners[1](l): duplicate address 1.2.3.4:80; first in line 3"
                .to_owned()
        ),
        "{said:?}"
    );
}

#[test]
fn text_that_is_no_configuration() {
    let deep = "[".repeat(500);
    let laughs =
        format!("a: &a [{}]\nb: &b [{}]\nc: [{}]\n", "x,".repeat(2000), "*a,".repeat(400), "*b,".repeat(400));
    for (text, expected) in [
        ("", "1:1: the configuration is empty"),
        ("# nothing\n", "1:1: the configuration is empty"),
        ("a: b: c", "1:5: not YAML: mapping values are not allowed in this context"),
        ("static_resources: [", "1:19: not YAML: unclosed bracket '['"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document; only one is read"),
        ("- a", "1:1: expected a mapping, found a list"),
        ("{}", "1:1: missing 'static_resources'"),
        ("static_resources: {}", "1:19: static_resources: missing 'listeners'"),
        ("a: &x [*x]", "1:8: an alias inside of what it stands for"),
        ("a: *x", "1:4: not YAML: while parsing node, found unknown anchor"),
        (&deep, "1:101: not YAML: recursion limit exceeded"),
        (&laughs, "2:7: more than 1048576 values with all aliases replaced"),
    ] {
        let said = said(text);
        assert_eq!(said, [expected], "{text:.40}");
    }
    assert_eq!(said("static_resources: {listeners: !x []}")[0], "1:34: the tag '!x' means nothing here");
}
