//! What the proxy gives to the admin port.

use std::net::SocketAddr;
use std::time::Duration;

use pool_core::client::Snapshot;

use crate::config::model::Bootstrap;
use crate::stats::{Readings, Store};

/// What the server is doing (`envoy.admin.v3.ServerInfo.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// Serves.
    Live,
    /// `POST /healthcheck/fail` was asked for: still serves, but wants no new traffic.
    Draining,
    /// Before the clusters are known.
    PreInitializing,
    /// Before the listeners take connections.
    Initializing,
}

impl ServerState {
    /// Envoy's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Draining => "DRAINING",
            Self::PreInitializing => "PRE_INITIALIZING",
            Self::Initializing => "INITIALIZING",
        }
    }
}

/// What somebody asked of the admin port, by POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `/quitquitquit`: end the process, in order.
    Quit,
    /// `/healthcheck/fail`: be [`ServerState::Draining`].
    HealthcheckFail,
    /// `/healthcheck/ok`: take it back.
    HealthcheckOk,
    /// `/drain_listeners`.
    DrainListeners {
        /// `graceful`: responses ask for the end of their connections first; else listeners close now.
        graceful: bool,
        /// `skip_exit`: after a graceful drain the listeners stay open.
        skip_exit: bool,
    },
    /// `/reopen_logs`.
    ReopenLogs,
    /// `/reset_counters`, after the store did its part: whatever else counts.
    CountersReset,
}

/// One cluster as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterStatus {
    /// Its name.
    pub name: String,
    /// The name that the admin shows (`alt_stat_name`, or the name).
    pub observability_name: String,
    /// Its limits.
    pub limits: pool_core::limits::Limits,
    /// Whether its hosts were added by an API; always false here.
    pub added_via_api: bool,
    /// Its hosts.
    pub hosts: Vec<HostStatus>,
}

/// One host of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct HostStatus {
    /// Its address; a host found by name has none before the first answer.
    pub address: Option<SocketAddr>,
    /// Its name.
    pub hostname: String,
    /// Its weight.
    pub weight: u32,
    /// Its priority.
    pub priority: u32,
    /// Connections that are there.
    pub cx_active: u64,
    /// Connections that could not be made.
    pub cx_connect_fail: u64,
    /// Connections made.
    pub cx_total: u64,
    /// Requests in progress.
    pub rq_active: u64,
    /// Requests without success: 5xx, reset or timeout.
    pub rq_error: u64,
    /// Requests with a response other than 5xx.
    pub rq_success: u64,
    /// Requests that ran into a timeout.
    pub rq_timeout: u64,
    /// Requests.
    pub rq_total: u64,
}

/// One listener as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    /// Its name.
    pub name: String,
    /// The address that it really listens on.
    pub address: SocketAddr,
}

/// The pools of one worker.
#[derive(Clone, Debug)]
pub struct WorkerPools {
    /// The worker.
    pub worker: usize,
    /// Its client's pools.
    pub snapshot: Snapshot,
}

/// What the proxy gives: how it is, and a way to ask things of it. Questions are asked on the thread
/// of the admin port and should not block it for long.
pub trait Source: Readings + Send + Sync + 'static {
    /// What the server is doing.
    fn state(&self) -> ServerState;

    /// Since the process began.
    fn uptime(&self) -> Duration;

    /// The command line: flags without dashes and their values, in order, as `/server_info` shows
    /// them.
    fn command_line_options(&self) -> Vec<(String, String)>;

    /// The configuration that runs.
    fn config(&self) -> &Bootstrap;

    /// The text that it was read from.
    fn config_text(&self) -> &str;

    /// The stats.
    fn stats(&self) -> &Store;

    /// The clusters, in the order of the configuration.
    fn clusters(&self) -> Vec<ClusterStatus>;

    /// The listeners, in the order of the configuration.
    fn listeners(&self) -> Vec<ListenerStatus>;

    /// The pools of every worker.
    fn pools(&self) -> Vec<WorkerPools>;

    /// Does what was asked; returns at once, the rest happens elsewhere.
    fn act(&self, action: Action);
}
