//! Virtual hosts and routes.

use std::collections::HashMap;
use std::time::Duration;

use http::StatusCode;
use pool_core::exchange::RetryPolicy;
use pool_core::limits::Priority;

use super::access_log::inline_string;
use super::protocol::header_value;
use crate::config::model::{
    Forward, PathMatch, Retry, RetryOn, Route, RouteAction, RouteConfig, RouteMatch, VirtualHost,
};
use crate::config::nearest::nearest;
use crate::config::schema;
use crate::config::tree::{Value, shorten};
use crate::config::walk::{Choice, Cursor, Fields};

/// Envoy's `max_direct_response_body_size_bytes`.
const MAX_DIRECT_BODY: usize = 4096;

pub(super) const PRIORITIES: &[(&str, u32, Choice<Priority>)] =
    &[("DEFAULT", 0, Choice::Take(Priority::Default)), ("HIGH", 1, Choice::Take(Priority::High))];

/// Envoy's words of `retry_on`, and what of each is honoured here.
const RETRY_ON: &[(&str, Honoured)] = &[
    ("connect-failure", Honoured::Whole(RetryOn { connect_failure: true, ..NONE })),
    ("reset-before-request", Honoured::Whole(RetryOn { reset_before_request: true, ..NONE })),
    ("refused-stream", Honoured::Whole(RetryOn { refused_stream: true, ..NONE })),
    ("5xx", Honoured::Unsent),
    ("gateway-error", Honoured::Unsent),
    ("reset", Honoured::Unsent),
    ("retriable-4xx", Honoured::Nothing),
    ("retriable-status-codes", Honoured::Nothing),
    ("retriable-headers", Honoured::Nothing),
    ("envoy-ratelimited", Honoured::Nothing),
    ("http3-post-connect-failure", Honoured::Nothing),
    ("cancelled", Honoured::Nothing),
    ("deadline-exceeded", Honoured::Nothing),
    ("internal", Honoured::Nothing),
    ("resource-exhausted", Honoured::Nothing),
    ("unavailable", Honoured::Nothing),
];

const NONE: RetryOn = RetryOn { connect_failure: false, reset_before_request: false, refused_stream: false };

#[derive(Clone, Copy, Debug)]
enum Honoured {
    Whole(RetryOn),
    /// In Envoy these stand for the three words above and for failures after the request was sent.
    Unsent,
    Nothing,
}

pub(super) fn route_config(cursor: &Cursor<'_>, clusters: &[&str]) -> RouteConfig {
    let fields = cursor.message(&schema::ROUTE_CONFIG);
    let mut domains = HashMap::new();
    let hosts = fields.list("virtual_hosts");
    let virtual_hosts = hosts.iter().map(|host| virtual_host(host, clusters, &mut domains)).collect();
    RouteConfig { name: fields.text("name").unwrap_or_default(), virtual_hosts }
}

fn virtual_host(item: &Cursor<'_>, clusters: &[&str], taken: &mut HashMap<String, usize>) -> VirtualHost {
    let fields = item.message(&schema::VIRTUAL_HOST);
    let retry = fields.get("retry_policy").map(|retry| retry_policy(&retry));
    VirtualHost {
        name: fields.required_text("name"),
        domains: domains(&fields, taken),
        routes: fields.list("routes").iter().map(|item| route(item, clusters, retry.as_ref())).collect(),
        include_request_attempt_count: fields.bool("include_request_attempt_count").unwrap_or(false),
        include_attempt_count_in_response: fields.bool("include_attempt_count_in_response").unwrap_or(false),
    }
}

fn domains(host: &Fields<'_>, taken: &mut HashMap<String, usize>) -> Vec<String> {
    let Some(list) = host.required("domains") else { return Vec::new() };
    let items = list.list();
    if items.is_empty() && matches!(list.node.value, Value::List(_)) {
        list.problem("at least one domain is needed; '*' is any host");
    }
    let mut domains = Vec::new();
    for item in items {
        let Some(domain) = item.string() else { continue };
        let domain = domain.to_ascii_lowercase();
        let inner = domain.strip_prefix('*').or_else(|| domain.strip_suffix('*')).unwrap_or(&domain);
        if domain.is_empty() {
            item.problem("must not be empty");
        } else if inner.contains('*') {
            item.problem(format!("'{}': a wildcard stands at the beginning or at the end", shorten(&domain)));
        } else if let Some(line) = taken.insert(domain.clone(), item.node.at.line) {
            item.problem(format!("duplicate domain '{}'; first in line {line}", shorten(&domain)));
        }
        domains.push(domain);
    }
    domains
}

fn route(item: &Cursor<'_>, clusters: &[&str], inherited: Option<&Retry>) -> Route {
    let fields = item.message(&schema::ROUTE);
    let others = ["redirect", "filter_action", "non_forwarding_action"];
    let action = match fields.one_of(&["route", "direct_response"], &others) {
        Some(("route", action)) => forward(&action, clusters, inherited),
        Some((_, action)) => direct_response(&action),
        None => RouteAction::Direct { status: StatusCode::NOT_FOUND, body: String::new() },
    };
    let matches = match fields.required("match") {
        Some(matches) => route_match(&matches),
        None => RouteMatch { path: PathMatch::Prefix(String::new()), case_sensitive: true },
    };
    Route { name: fields.text("name").unwrap_or_default(), matches, action }
}

fn route_match(cursor: &Cursor<'_>) -> RouteMatch {
    let fields = cursor.message(&schema::ROUTE_MATCH);
    let others = ["safe_regex", "connect_matcher", "path_match_policy"];
    let found = fields.one_of(&["prefix", "path", "path_separated_prefix"], &others);
    let text = found.as_ref().and_then(|(_, at)| at.string()).unwrap_or_default();
    let path = match &found {
        Some(("path_separated_prefix", at)) => {
            if text.is_empty() || text.ends_with('/') || text.contains(['?', '#']) {
                at.problem(format!(
                    "'{}': must not be empty, end with '/' or contain '?' or '#'",
                    shorten(&text)
                ));
            }
            PathMatch::PathSeparatedPrefix(text.clone())
        }
        Some(("path", _)) => PathMatch::Path(text.clone()),
        Some(_) | None => PathMatch::Prefix(text.clone()),
    };
    if let Some((name, at)) = &found {
        if !text.is_empty() && !text.starts_with(['/', '*']) {
            at.warn(format!(
                "no path begins with '{}', so this never matches; did you mean '/{}'?",
                shorten(&text),
                shorten(&text)
            ));
        } else if *name != "path_separated_prefix" && text.contains(['?', '#']) {
            at.warn("the path is matched without its query, so this never matches");
        }
    }
    RouteMatch { path, case_sensitive: fields.bool("case_sensitive").unwrap_or(true) }
}

fn direct_response(cursor: &Cursor<'_>) -> RouteAction {
    let fields = cursor.message(&schema::DIRECT_RESPONSE);
    let status = fields.required("status").and_then(|status| status.number(200, 599));
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let source = fields.get("body");
    let body = source.as_ref().map(inline_string).unwrap_or_default();
    if let (Some(source), true) = (&source, body.len() > MAX_DIRECT_BODY) {
        source.problem(format!("the body has {} bytes, more than {MAX_DIRECT_BODY}", body.len()));
    }
    RouteAction::Direct { status: status.unwrap_or(StatusCode::OK), body }
}

fn forward(cursor: &Cursor<'_>, clusters: &[&str], inherited: Option<&Retry>) -> RouteAction {
    let fields = cursor.message(&schema::ROUTE_ACTION);
    let others = [
        "cluster_header",
        "weighted_clusters",
        "cluster_specifier_plugin",
        "inline_cluster_specifier_plugin",
    ];
    let cluster = fields.one_of(&["cluster"], &others).and_then(|(_, name)| cluster(&name, clusters));
    let retry = fields.get("retry_policy").map(|retry| retry_policy(&retry));
    let (literal, auto) = (fields.get("host_rewrite_literal"), fields.get("auto_host_rewrite"));
    let host_rewrite = literal.as_ref().and_then(header_value);
    let auto_host_rewrite = auto.as_ref().and_then(Cursor::bool).unwrap_or(false);
    if let (Some(auto), true, true) = (&auto, auto_host_rewrite, host_rewrite.is_some()) {
        auto.problem("only one of 'host_rewrite_literal', 'auto_host_rewrite' may be set");
    }
    RouteAction::Forward(Box::new(Forward {
        cluster: cluster.unwrap_or(0),
        timeout: fields.timeout("timeout", Some(Duration::from_secs(15))),
        idle_timeout: fields
            .duration("idle_timeout")
            .map(|length| Some(length).filter(|length| !length.is_zero())),
        retry: retry.or_else(|| inherited.cloned()),
        priority: fields.get("priority").and_then(|priority| priority.choice(PRIORITIES)).unwrap_or_default(),
        prefix_rewrite: fields.get("prefix_rewrite").and_then(|rewrite| prefix_rewrite(&rewrite)),
        host_rewrite,
        auto_host_rewrite,
    }))
}

fn prefix_rewrite(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.string().filter(|text| !text.is_empty())?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        cursor.problem("a path has only visible ASCII characters; write others as %xx");
        return None;
    }
    Some(text)
}

fn cluster(cursor: &Cursor<'_>, clusters: &[&str]) -> Option<usize> {
    let name = cursor.string()?;
    let found = clusters.iter().position(|cluster| *cluster == name);
    if found.is_none() {
        let hint = nearest(&name, clusters.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
        cursor.problem(format!("unknown cluster '{}'{}", shorten(&name), hint.unwrap_or_default()));
    }
    found
}

fn retry_policy(cursor: &Cursor<'_>) -> Retry {
    let fields = cursor.message(&schema::RETRY_POLICY);
    let on = fields.required("retry_on").map(|words| retry_on(&words)).unwrap_or_default();
    let retries = fields.number("num_retries", 0, u32::MAX).unwrap_or(1);
    let retries = u8::try_from(retries).unwrap_or(u8::MAX);
    let (base_interval, max_interval) = match fields.get("retry_back_off") {
        Some(back_off) => intervals(&back_off.message(&schema::BACK_OFF)),
        None => (RetryPolicy::default().base_interval, RetryPolicy::default().max_interval),
    };
    let policy = RetryPolicy {
        // What is safe to repeat is repeated by the pool whether asked for or not.
        max_replays: RetryPolicy::default().max_replays,
        max_retries: retries,
        retry_on: conditions(on),
        base_interval,
        max_interval,
    };
    Retry { on, policy, per_try_timeout: fields.timeout("per_try_timeout", None) }
}

/// The conditions as the pool's client has them.
fn conditions(on: RetryOn) -> pool_core::exchange::RetryOn {
    use pool_core::exchange::RetryOn as Condition;
    let asked = [
        (on.connect_failure, Condition::CONNECT_FAILURE),
        (on.reset_before_request, Condition::RESET_BEFORE_REQUEST),
        (on.refused_stream, Condition::REFUSED_STREAM),
    ];
    let asked = asked.into_iter().filter(|(is_asked, _)| *is_asked);
    asked.fold(Condition::NOTHING, |all, (_, one)| all.union(one))
}

/// Envoy rounds intervals below a millisecond up to one, and wants the last to be no less than the first.
pub(super) fn intervals(fields: &Fields<'_>) -> (Duration, Duration) {
    let _there = fields.required("base_interval");
    let base =
        fields.length("base_interval").unwrap_or(Duration::from_millis(25)).max(Duration::from_millis(1));
    let max = fields.length("max_interval").unwrap_or(base * 10).max(Duration::from_millis(1));
    if let (Some(at), true) = (fields.get("max_interval"), max < base) {
        at.problem("must be no less than base_interval");
    }
    (base, max)
}

fn retry_on(cursor: &Cursor<'_>) -> RetryOn {
    let mut on = RetryOn::default();
    let Some(words) = cursor.string() else { return on };
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let honoured = RETRY_ON.iter().find(|(name, _)| *name == word).map(|(_, honoured)| *honoured);
        match honoured {
            Some(Honoured::Whole(more)) => {
                on.connect_failure |= more.connect_failure;
                on.reset_before_request |= more.reset_before_request;
                on.refused_stream |= more.refused_stream;
            }
            Some(Honoured::Unsent) => {
                on = RetryOn { connect_failure: true, reset_before_request: true, refused_stream: true };
                cursor.limited(format!(
                    "'{word}' is honoured only as far as connect-failure,reset-before-request,refused-stream"
                ));
            }
            Some(Honoured::Nothing) => cursor.limited(format!("'{word}' is not supported, ignored")),
            None => {
                let near = nearest(word, RETRY_ON.iter().map(|(name, _)| *name));
                let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
                cursor.problem(format!("'{}' is not a retry condition{hint}", shorten(word)));
            }
        }
    }
    on
}
