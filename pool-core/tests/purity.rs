//! The machines are pure: no clock, socket, thread, future or chance on floors 0 to 6. Clippy bans
//! the calls; this bans the names, in every feature combination at once.

mod source;

use std::fs;

use source::{module_of, package, paths, rust_files, tokens};

/// Rooms of the face (floors 7 and up), which are made of futures.
const FACE: [&str; 4] = ["runtime", "client", "server", "conformance"];

/// Paths that a machine never names, and what it does instead.
const BANNED_PATHS: [(&[&str], &str); 15] = [
    (&["std", "net"], "address types are in core::net; sockets belong to an adapter"),
    (&["std", "os"], "the operating system belongs to an adapter"),
    (&["std", "fs"], "files belong to the caller"),
    (&["std", "env"], "configuration is an argument"),
    (&["std", "process"], "a machine returns errors"),
    (&["std", "thread"], "a machine belongs to whoever calls it"),
    (&["std", "time", "Instant"], "`now: crate::time::Instant` is an argument"),
    (&["std", "time", "SystemTime"], "`now: crate::time::Instant` is an argument"),
    (&["std", "future"], "futures are the face's"),
    (&["core", "future"], "futures are the face's"),
    (&["std", "collections", "HashMap"], "seeded by chance; use hashbrown with foldhash::fast::FixedState"),
    (&["std", "collections", "HashSet"], "seeded by chance; use hashbrown with foldhash::fast::FixedState"),
    (&["std", "collections", "hash_map"], "seeded by chance; use hashbrown"),
    (&["std", "collections", "hash_set"], "seeded by chance; use hashbrown"),
    (&["std", "hash", "RandomState"], "seeded by chance; use foldhash::fast::FixedState"),
];

/// Crates that a machine never names.
const BANNED_CRATES: [&str; 11] = [
    "tokio",
    "async_std",
    "async_io",
    "smol",
    "mio",
    "polling",
    "socket2",
    "rand",
    "getrandom",
    "fastrand",
    "libc",
];

/// Words that mean a future, chance or hidden state wherever they stand.
const BANNED_WORDS: [&str; 5] = ["async", "await", "RandomState", "SystemTime", "thread_local"];

fn impurities(module: &[String], source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in paths(source, module).iter().filter(|path| !path.in_test) {
        let segments: Vec<&str> =
            path.segments.iter().map(String::as_str).filter(|&segment| segment != "*").collect();
        if BANNED_CRATES.contains(&segments[0]) {
            found.push(format!("line {}: crate {}", path.line, segments[0]));
        }
        for (banned, instead) in BANNED_PATHS {
            // Importing the module above a banned name would hide the name at its use.
            let hides = segments.len() < banned.len() && banned.starts_with(&segments);
            if segments.starts_with(banned) || hides {
                found.push(format!("line {}: {} ({instead})", path.line, segments.join("::")));
            }
        }
    }
    for token in tokens(source) {
        if BANNED_WORDS.contains(&token.text.as_str()) {
            found.push(format!("line {}: `{}`", token.line, token.text));
        }
    }
    found
}

fn is_test_file(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests" || part.ends_with("_tests"))
}

#[test]
fn machine_rooms_name_no_clock_socket_thread_future_or_chance() {
    let src = package().join("src");
    let mut found = Vec::new();
    let mut read = 0;
    for file in rust_files(&src) {
        let module = module_of(&file);
        let is_face = module.first().is_some_and(|room| FACE.contains(&room.as_str()));
        if is_face || is_test_file(&module) {
            continue;
        }
        read += 1;
        let source = fs::read_to_string(src.join(&file)).unwrap();
        let wrong = impurities(&module, &source);
        found.extend(wrong.into_iter().map(|what| format!("src/{}: {what}", file.display())));
    }
    assert!(read > 8, "read only {read} files");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn planted_impurities_are_found() {
    let planted = [
        "use std::net::TcpStream;",
        "use std::{fmt, net::SocketAddr};",
        "fn f() { let now = std::time::Instant::now(); }",
        "use std::time;",
        "use std::time::*;",
        "use std::time::{Duration, SystemTime as T};",
        "use std::collections::{BTreeMap, HashMap};",
        "use std::thread::spawn;",
        "async fn f() {}",
        "fn f() { let x = async move { 1 }; }",
        "use foldhash::fast::RandomState;",
        "fn f() -> u64 { rand::random() }",
        "use tokio::sync::Mutex;",
        "thread_local! { static X: u8 = 1; }",
    ];
    for source in planted {
        assert!(!impurities(&["pool".to_owned()], source).is_empty(), "{source}");
    }
}

#[test]
fn pure_source_is_left_alone() {
    let pure = [
        "use core::net::SocketAddr; use std::time::Duration; use core::time::Duration as D;",
        "use std::collections::{BTreeMap, VecDeque}; use std::sync::Arc; use std::io::IoSlice;",
        "use hashbrown::HashMap; use foldhash::fast::FixedState;",
        "// reads no std::time::Instant, spawns no tokio task\nfn f() {}",
        "#[cfg(test)]\nmod tests { fn f() { std::thread::spawn(|| ()); } }",
    ];
    for source in pure {
        assert_eq!(impurities(&["pool".to_owned()], source), Vec::<String>::new(), "{source}");
    }
}
