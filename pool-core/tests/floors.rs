//! The floors of the house: a room imports only from floors below its own, and rooms of one floor
//! do not import each other. Read from the source, so that a convenient import fails the build
//! and not the next reader.

mod source;

use std::fs;

use source::{module_of, package, paths, rust_files};

/// Rooms by floor, from the ground up. `lib.rs` is the house itself and may name every room.
const FLOORS: [&[&str]; 10] = [
    &["time", "id", "error", "stats", "report"],
    &["config", "limits"],
    &["pool", "wire", "downstream"],
    &["origin", "health", "retry"],
    &["cluster"],
    &["exchange"],
    &["trace"],
    &["runtime"],
    &["client", "server"],
    // The suite that a third party runs on its own runtime: a user of all of the above. An exported
    // macro stands at the root of the crate, whatever room it was written in.
    &["conformance", "conformance_suite"],
];

/// Exported macros stand at the root of the crate, whichever room they are written in.
const MACROS: [(&str, &str); 2] =
    [("conformance_suite", "conformance"), ("server_conformance_suite", "conformance")];

/// Doors inside `wire` that must not open into each other; `wire` itself may know them all.
const WIRE: [&str; 5] = ["h1", "h2", "h3", "tls", "quic"];

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

/// What is wrong with the imports of one file that stands at `module`.
fn breaches(module: &[String], source: &str) -> Vec<String> {
    let Some(room) = module.first() else {
        return Vec::new();
    };
    let Some(floor) = floor_of(room) else {
        return vec![format!("room `{room}` has no floor: give it one in this test")];
    };
    let mut found = Vec::new();
    for path in paths(source, module) {
        let [root, target, rest @ ..] = path.segments.as_slice() else {
            continue;
        };
        if root != "crate" {
            continue;
        }
        let target =
            MACROS.iter().find(|(name, _)| name == target).map_or(target.as_str(), |(_, room)| *room);
        let wrong = if target == room {
            sideways_in_wire(module, target, rest)
        } else {
            match floor_of(target) {
                None => Some(format!("`{target}` is not a room: name the room that owns it")),
                Some(other) if other < floor => None,
                Some(other) if other == floor => Some(format!("sideways on floor {floor}")),
                Some(other) => Some(format!("up from floor {floor} to floor {other}")),
            }
        };
        if let Some(wrong) = wrong {
            found.push(format!("line {}: {} ({wrong})", path.line, path.segments.join("::")));
        }
    }
    found
}

fn sideways_in_wire(module: &[String], target: &str, rest: &[String]) -> Option<String> {
    let own = module.get(1)?;
    let other = rest.first()?;
    let both = WIRE.contains(&own.as_str()) && WIRE.contains(&other.as_str());
    (target == "wire" && both && own != other).then(|| format!("sideways in wire, from {own}"))
}

#[test]
fn no_file_imports_up_or_sideways() {
    let src = package().join("src");
    let files = rust_files(&src);
    assert!(files.len() > 10, "read only {} files below {}", files.len(), src.display());
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(src.join(&file)).unwrap();
        let wrong = breaches(&module_of(&file), &source);
        found.extend(wrong.into_iter().map(|breach| format!("src/{}: {breach}", file.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn at(module: &str) -> Vec<String> {
    module.split("::").map(str::to_owned).collect()
}

#[test]
fn a_planted_breach_is_found_whatever_its_shape() {
    let planted = [
        ("limits", "use crate::pool::Pool;"),
        ("limits", "use crate::config::PoolConfig;"),
        ("limits::shared", "use super::super::pool::Pool;"),
        ("limits::shared", "use super::super::{time::Instant, pool};"),
        ("pool", "use crate::{\n    id::ConnId,\n    wire::{self, h1},\n};"),
        ("pool", "fn f() { let x = crate::client::Client::new(); }"),
        ("pool", "mod inner { fn f() { super::super::cluster::f() } }"),
        ("pool", "macro_rules! m { ($a:ident) => { use crate::{$a, client::Client}; } }"),
        ("pool::state", "pub(in crate::pool) fn f(x: &dyn crate::exchange::Choose) {}"),
        ("pool", "use crate::*;"),
        ("pool", "use crate::Thing;"),
        ("pool", "use self::super::runtime::Io;"),
        ("pool", "macro_rules! m { () => { $crate::server::Server } }"),
        ("pool", "const C: char = '\"'; use crate::trace::Log; const D: char = '\"';"),
        ("time", "use crate::id::ConnId;"),
        ("wire::h1", "use crate::wire::h2::Frame;"),
        ("wire::h1::body", "use super::super::tls;"),
        ("cellar", ""),
    ];
    for (module, source) in planted {
        assert!(!breaches(&at(module), source).is_empty(), "{module}: {source}");
    }
}

#[test]
fn legal_imports_are_left_alone() {
    let legal = [
        ("pool", "use crate::{id::{ConnId, WaiterId}, limits::Ledger, time};"),
        ("pool::state", "use super::queue::Queue; use super::super::time::Instant;"),
        ("pool", "#[cfg(test)] mod tests { use super::*; use super::queue::Queue; }"),
        ("pool", "mod a { fn f() {} } mod b { use super::a; use super::super::id::ConnId; }"),
        ("pool", "pub(crate) fn f() {} pub(super) fn g() {}"),
        ("pool", "// use crate::client::Client;\n/* crate::wire::h1 /* nested */ crate::server */"),
        ("pool", "const S: &str = \"crate::client\"; const R: &str = r#\"crate::\"wire\"#;"),
        ("pool", "fn f<'a>(x: &'a u8) -> Vec<&'a u8> { Vec::<&'a u8>::new() }"),
        ("wire", "use crate::wire::{h1, h2}; use self::h1::Client;"),
        ("wire::h1", "use crate::wire::buffer::Spare; use super::Error;"),
        ("client", "use crate::{runtime::Io, exchange::Exchange, report::Report};"),
    ];
    for (module, source) in legal {
        assert_eq!(breaches(&at(module), source), Vec::<String>::new(), "{module}: {source}");
    }
}
