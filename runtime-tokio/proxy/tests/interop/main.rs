//! The program as its user runs it, `pool-proxy -c FILE`, between real clients and servers: wrk, curl
//! and raw sockets on one side, nginx, node and raw sockets on the other.
//!
//! A program that is not installed skips its tests aloud; with `POOL_REQUIRE_INTEROP` set it fails
//! them. `POOL_PROXY_BODY_MIB` and `POOL_PROXY_LOAD_SECONDS` make the bodies larger and the load
//! longer: CI asks for 1024 MiB and 5 s, of a release build.
#![allow(
    clippy::disallowed_methods,
    reason = "clients and upstreams are blocking sockets on threads, with a clock of their own"
)]

mod bodies;
mod clients;
mod load;
mod names;
mod operations;
mod process;
mod programs;
mod proxy;
mod restart;
mod smuggling;
mod socket;

/// A number from the environment.
fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |set| set.parse().unwrap_or_else(|_| panic!("{name} is not a number: {set}")))
}

/// One load at a time: two would take each other's processors and change each other's figures.
fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
