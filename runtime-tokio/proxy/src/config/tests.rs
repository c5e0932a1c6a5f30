//! Good and bad configurations, with the exact sentences and places.

mod bad;
mod good;
mod mutated;
mod strict;

use super::*;

const SAMPLE: &str = include_str!("../../configs/reverse-proxy.yaml");
const FIVE: &str = include_str!("../../configs/five-mistakes.yaml");

fn problems(text: &str, mode: Mode) -> Vec<String> {
    match load(text, "f", mode) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.problems.iter().map(ToString::to_string).collect(),
    }
}

fn warnings(text: &str, mode: Mode) -> Vec<String> {
    match load(text, "f", mode) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => panic!("{problems}"),
    }
}

/// The smallest configuration that serves, with lines to be put into its parts.
#[derive(Default)]
struct Minimal<'a> {
    top: &'a str,
    listener: &'a str,
    manager: &'a str,
    host: &'a str,
    route: &'a str,
    cluster: &'a str,
}

impl Minimal<'_> {
    /// Each part begins at a fixed line: top 1, listener 4, manager 10, host 15, route 18, cluster 21.
    fn text(&self) -> String {
        let Minimal { top, listener, manager, host, route, cluster } = self;
        format!(
            "{top}
static_resources:
  listeners:
  - {{{listener} name: l, address: {{socket_address: {{address: 127.0.0.1, port_value: 80}}}},
      filter_chains: [
      {{filters:
      [
      {{name: m, typed_config: {{
      \"@type\": t/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
      {manager} stat_prefix: p,
      route_config:
      {{virtual_hosts:
      [
      {{name: v,
      {host} domains: [a.test],
      routes: [{{match: {{prefix: /}},
      route: {{
      {route} cluster: c}}}}]}}]}}}}}}]}}]}}
  clusters:
  - name: c
    {cluster}
    load_assignment: {{cluster_name: c}}
"
        )
    }
}

fn in_cluster(cluster: &str) -> String {
    Minimal { cluster, ..Minimal::default() }.text()
}

fn in_route(route: &str) -> String {
    Minimal { route, ..Minimal::default() }.text()
}

fn in_manager(manager: &str) -> String {
    Minimal { manager, ..Minimal::default() }.text()
}

/// `docs/configuration.md` between its two marks is what the tables say. To write it anew:
/// `UPDATE_DOCS=1 cargo test -p pool-proxy the_reference`.
#[test]
fn the_reference_is_what_the_tables_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let text = std::fs::read_to_string(path).expect("docs/configuration.md is there");
    let (begin, end) = ("<!-- begin: written from the tables -->\n\n", "<!-- end -->");
    let (head, rest) = text.split_once(begin).expect("the first mark");
    let (body, tail) = rest.split_once(end).expect("the second mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{begin}{}{end}{tail}", reference())).expect("can be written");
        return;
    }
    assert!(body == reference(), "run UPDATE_DOCS=1 cargo test -p pool-proxy the_reference");
}
