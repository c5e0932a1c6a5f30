//! Envoy's HTTP connection pools as pure state machines. This crate never opens a socket, reads a
//! clock, starts a thread or draws a random number; facts go in, actions come out, and the next
//! deadline is an output.
//!
//! # The contract of every machine
//!
//! > Handle one fact, drain all actions, sleep until the deadline.
//!
//! * Methods come in four kinds, in this order in every file: questions (`&self`); `handle_*` facts,
//!   in the past tense; wishes, in the imperative; `poll_*` results.
//! * Facts and wishes carry `now`. Queued actions show as [`time::Deadline::Now`].
//! * Stale ids are ignored and counted. Peer bytes never panic.
//!
//! # Reading order
//!
//! 1. [`time`], [`id`], [`error`], [`report`]: the vocabulary.
//! 2. [`limits`]: circuit breakers as a ledger that is passed by argument.
//! 3. [`pool`]: the machine; its states, its queue, what it decides and why.
//! 4. `wire`: bytes to exchanges and back (feature `h1`).
//! 5. [`exchange`]: one request's life over its attempts; who may replay what.
//! 6. [`cluster`]: full keys to pools, one set of pools per worker.
//! 7. `runtime`, `client`, `server`: the async face and the seams that an adapter fills.
#![forbid(unsafe_code)]

pub mod error;
pub mod id;
pub mod report;
pub mod time;

pub mod config;
pub mod limits;

pub mod pool;
#[cfg(feature = "h1")]
pub mod wire;

pub mod cluster;
pub mod exchange;

#[cfg(feature = "trace")]
pub mod trace;

#[cfg(any(feature = "client", feature = "server"))]
pub mod runtime;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "conformance")]
pub mod conformance;
