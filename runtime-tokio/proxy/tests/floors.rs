//! The floors of the proxy: a room imports only from floors below its own, and rooms of one floor do
//! not import each other.

#[path = "../../../pool-core/tests/source/mod.rs"]
mod source;

use std::fs;

use source::{module_of, package, paths, rust_files};

/// Rooms by floor, from the ground up. `lib.rs` and `main.rs` are the house and its door.
const FLOORS: [&[&str]; 10] = [
    &["config"],
    &["stats"],
    &["access_log"],
    &["route", "upstream", "admin", "recordings"],
    &["forward"],
    &["flags"],
    &["logging"],
    &["worker"],
    &["demo"],
    &["startup"],
];

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

/// What is wrong with the imports of one file that stands at `module`.
fn breaches(module: &[String], source: &str) -> Vec<String> {
    let Some(room) = module.first() else { return Vec::new() };
    let Some(floor) = floor_of(room) else { return vec![format!("room `{room}` has no floor")] };
    let mut found = Vec::new();
    for path in paths(source, module) {
        let [root, target, ..] = path.segments.as_slice() else { continue };
        if root != "crate" || target == room {
            continue;
        }
        // The reader takes `pool_core` for this crate; its rooms are not ours.
        if floor_of(target).is_some_and(|other| other >= floor) {
            found.push(format!("line {}: {}", path.line, path.segments.join("::")));
        }
    }
    found
}

#[test]
fn no_file_imports_up_or_sideways() {
    let src = package().join("src");
    let mut found = Vec::new();
    let mut rooms = std::collections::BTreeSet::new();
    for file in rust_files(&src) {
        let module = module_of(&file);
        if module.first().is_none_or(|room| room == "main") {
            continue;
        }
        rooms.insert(module[0].clone());
        let source = fs::read_to_string(src.join(&file)).expect("a source file");
        let wrong = breaches(&module, &source);
        found.extend(wrong.into_iter().map(|breach| format!("src/{}: {breach}", file.display())));
    }
    assert!(rooms.len() > 8, "read only {rooms:?}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_breach_is_found() {
    let at = |module: &str| module.split("::").map(str::to_owned).collect::<Vec<_>>();
    for (module, source) in [
        ("config::build", "use crate::access_log::Format;"),
        ("route", "use crate::{config::model::Route, forward::Exchange};"),
        ("route", "use super::upstream::Made;"),
        ("admin", "fn f() { crate::worker::run() }"),
        ("cellar", ""),
    ] {
        assert_eq!(breaches(&at(module), source).len(), 1, "{module}: {source}");
    }
    assert!(breaches(&at("worker::control"), "use crate::admin; use super::listen;").is_empty());
}
