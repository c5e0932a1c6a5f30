//! An HTTP reverse proxy on [`pool_core`]'s connection pools that reads Envoy's configuration.
#![forbid(unsafe_code)]

pub mod access_log;
pub mod admin;
pub mod config;
pub mod demo;
pub mod flags;
pub mod forward;
pub mod logging;
pub mod recordings;
pub mod route;
pub mod startup;
pub mod stats;
mod upstream;
pub mod worker;

pub use worker::{RunError, RunOptions, Running, Signals, StartError, run};
