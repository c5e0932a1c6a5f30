//! Paths against path specifiers.

use crate::config::model::{PathMatch, RouteMatch};

/// The path of a request target.
fn without_query(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// Whether `path`, without its query, is matched. The asterisk of OPTIONS is no path and matches none
/// but itself.
pub(super) fn matches(matches: &RouteMatch, path: &str) -> bool {
    let (path, sensitive) = (path.as_bytes(), matches.case_sensitive);
    match &matches.path {
        PathMatch::Prefix(prefix) => begins(path, prefix.as_bytes(), sensitive),
        PathMatch::Path(whole) => equal(path, whole.as_bytes(), sensitive),
        PathMatch::PathSeparatedPrefix(prefix) => {
            let prefix = prefix.as_bytes();
            begins(path, prefix, sensitive) && matches!(path.get(prefix.len()), None | Some(b'/'))
        }
    }
}

fn equal(path: &[u8], pattern: &[u8], case_sensitive: bool) -> bool {
    if case_sensitive { path == pattern } else { path.eq_ignore_ascii_case(pattern) }
}

fn begins(path: &[u8], prefix: &[u8], case_sensitive: bool) -> bool {
    path.get(..prefix.len()).is_some_and(|start| equal(start, prefix, case_sensitive))
}

/// The request target for the upstream: what was matched is replaced, query and all else stays
/// (Envoy: `prefix_rewrite`).
#[must_use]
pub fn rewrite(matches: &RouteMatch, target: &str, with: &str) -> String {
    let matched = match &matches.path {
        PathMatch::Prefix(prefix) | PathMatch::PathSeparatedPrefix(prefix) => prefix.len(),
        PathMatch::Path(_) => without_query(target).len(),
    };
    let rest = target.get(matched..).unwrap_or_default();
    let mut path = String::with_capacity(with.len() + rest.len());
    path.push_str(with);
    path.push_str(rest);
    path
}
