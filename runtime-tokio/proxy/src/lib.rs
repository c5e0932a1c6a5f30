//! An HTTP reverse proxy on [`pool_core`]'s connection pools that reads Envoy's configuration.
#![forbid(unsafe_code)]

pub mod access_log;
pub mod admin;
pub mod config;
pub mod recordings;
pub mod stats;
