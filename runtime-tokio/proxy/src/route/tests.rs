//! Envoy's order of domains and routes.

use super::{Routes, rewrite};
use crate::config::model::{PathMatch, Route, RouteAction, RouteConfig, RouteMatch, VirtualHost};

fn on(path: PathMatch, case_sensitive: bool) -> RouteMatch {
    RouteMatch { path, case_sensitive }
}

fn prefix(prefix: &str) -> RouteMatch {
    on(PathMatch::Prefix(prefix.to_owned()), true)
}

fn host(name: &str, domains: &[&str], routes: Vec<RouteMatch>) -> VirtualHost {
    let action = || RouteAction::Direct { status: http::StatusCode::OK, body: String::new() };
    VirtualHost {
        name: name.to_owned(),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        routes: routes
            .into_iter()
            .map(|matches| Route { name: String::new(), matches, action: action() })
            .collect(),
        include_request_attempt_count: false,
        include_attempt_count_in_response: false,
    }
}

/// Knows of every route the name of its virtual host and its number.
fn routes(virtual_hosts: Vec<VirtualHost>) -> Routes<(String, usize)> {
    let config = RouteConfig { name: String::new(), virtual_hosts };
    Routes::new(&config, |host, route| {
        let number = host.routes.iter().position(|other| std::ptr::eq(other, route));
        (host.name.clone(), number.expect("one of its routes"))
    })
}

/// The name of the virtual host and the number of the route.
fn find<'a>(routes: &'a Routes<(String, usize)>, authority: &str, target: &str) -> Option<(&'a str, usize)> {
    let path = target.split('?').next().expect("a path");
    let id = routes.find(|| authority.as_bytes(), path)?;
    routes.get(id).map(|(host, route)| (host.as_str(), *route))
}

#[test]
fn domains_exact_then_longest_suffix_then_longest_prefix_then_any() {
    let all = || vec![prefix("/")];
    let routes = routes(vec![
        host("any", &["*"], all()),
        host("prefix", &["www.*"], all()),
        host("longer prefix", &["www.example.*"], all()),
        host("suffix", &["*.com"], all()),
        host("longer suffix", &["*.example.com", "*-x.example.com"], all()),
        host("exact", &["www.example.com", "with.port:8080"], all()),
    ]);
    for (authority, expected) in [
        ("www.example.com", "exact"),
        ("WWW.Example.COM", "exact"),
        ("with.port:8080", "exact"),
        ("with.port", "any"),
        ("a.example.com", "longer suffix"),
        ("a-x.example.com", "longer suffix"),
        ("example.com", "suffix"),
        (".example.com", "suffix"),
        (".com", "any"),
        ("www.example.org", "longer prefix"),
        ("www.example.", "prefix"),
        ("www.other.org", "prefix"),
        ("www.", "any"),
        // The port is a part of the authority.
        ("www.example.com:80", "longer prefix"),
        ("", "any"),
    ] {
        assert_eq!(find(&routes, authority, "/").map(|(name, _)| name), Some(expected), "{authority}");
    }
    let long = format!("{}.com", "a".repeat(1000));
    assert_eq!(find(&routes, &long, "/"), Some(("any", 0)), "longer than any name");
}

#[test]
fn without_a_domain_nothing_matches_and_a_virtual_host_is_final() {
    let routes = routes(vec![
        host("one", &["one.test"], vec![prefix("/one")]),
        host("two", &["*.test"], vec![prefix("/")]),
    ]);
    assert_eq!(find(&routes, "elsewhere", "/"), None);
    assert_eq!(find(&routes, "one.test", "/two"), None, "the other virtual host is not asked");
    assert_eq!(find(&routes, "two.test", "/two"), Some(("two", 0)));
}

#[test]
fn the_first_route_that_matches_the_path_without_its_query() {
    let routes = routes(vec![host(
        "all",
        &["*"],
        vec![
            on(PathMatch::Path("/exact".to_owned()), true),
            on(PathMatch::Path("/Any-Case".to_owned()), false),
            on(PathMatch::PathSeparatedPrefix("/seg".to_owned()), true),
            prefix("/service-b"),
            on(PathMatch::Prefix("/Mixed".to_owned()), false),
        ],
    )]);
    for (path, expected) in [
        ("/exact", Some(0)),
        ("/exact?query", Some(0)),
        ("/exact/", None),
        ("/Exact", None),
        ("/any-case", Some(1)),
        ("/seg", Some(2)),
        ("/seg?x=/y", Some(2)),
        ("/seg/ment", Some(2)),
        ("/segment", None),
        ("/service-bx", Some(3)),
        ("/service-", None),
        ("/mIXED/up", Some(4)),
        ("/?/exact", None),
        ("*", None),
        ("", None),
    ] {
        assert_eq!(find(&routes, "h", path).map(|(_, route)| route), expected, "{path}");
    }
}

#[test]
fn what_was_matched_is_replaced() {
    assert_eq!(rewrite(&prefix("/a/"), "/a/b?c=/a/", "/"), "/b?c=/a/");
    assert_eq!(rewrite(&prefix("/a"), "/ab", "/x"), "/xb");
    assert_eq!(rewrite(&on(PathMatch::Path("/whole".to_owned()), true), "/whole?q", "/new"), "/new?q");
    assert_eq!(rewrite(&on(PathMatch::PathSeparatedPrefix("/s".to_owned()), true), "/s/t", "/u"), "/u/t");
}
