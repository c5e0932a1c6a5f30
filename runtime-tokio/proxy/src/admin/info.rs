//! `/server_info`, `/memory` and `/ready`.

use http::StatusCode;

use super::json::Json;
use super::reply::{Reply, TEXT};
use super::source::{ServerState, Source};
use crate::stats::physical_memory;

/// 200 while the server is live, else 503.
pub(super) fn ready(state: ServerState) -> Reply {
    let body = format!("{}\n", state.name());
    match state {
        ServerState::Live => Reply::ok(TEXT, body),
        ServerState::Draining | ServerState::PreInitializing | ServerState::Initializing => {
            Reply::with(StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

pub(super) fn server_info(source: &impl Source) -> Json {
    let node = &source.config().node;
    let options = source.command_line_options();
    let options = options.into_iter().map(|(name, value)| (name, Json::Text(value)));
    let uptime = || Json::Text(format!("{}s", source.uptime().as_secs()));
    let version = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    Json::object([
        ("version", Json::text(version)),
        ("state", Json::text(source.state().name())),
        ("hot_restart_version", Json::text("disabled")),
        ("uptime_current_epoch", uptime()),
        ("uptime_all_epochs", uptime()),
        ("command_line_options", Json::object(options)),
        ("node", Json::object([("id", Json::text(&node.id)), ("cluster", Json::text(&node.cluster))])),
    ])
}

/// What the system says about the process; the allocator is not asked.
pub(super) fn memory() -> Json {
    Json::object(physical_memory().map(|bytes| ("total_physical_bytes", Json::long(bytes))))
}
