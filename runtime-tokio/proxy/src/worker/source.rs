//! What the proxy tells of itself: to the admin port, and to whoever embeds it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pool_core::client::{Cluster, HostStats};
use pool_core::limits::{Gauge, Priority, Resource};
use pool_core::server::ServerHandle;
use runtime_tokio::Tokio;
use tokio::time::Instant;

use super::control::{AfterDrain, Command, Commands};
use super::readings;
use super::thread::Worker;
use crate::access_log::Logs;
use crate::admin::{Action, ClusterStatus, ListenerStatus, ServerState, Source, WorkerPools};
use crate::config::model::{self, AccessLog, Bootstrap};
use crate::forward::Drain;
use crate::stats::{
    ClusterManagerValues, ClusterValues, FilesystemValues, HostResults, HttpValues, ListenerManagerValues,
    ListenerValues, Readings, Sample, ServerValues, Store,
};
use crate::upstream::Counts;

/// The admin port's server.
pub(super) type AdminServer = ServerHandle<Tokio>;

/// A proxy, from outside.
pub struct Proxy {
    made: Made,
    started: Instant,
    workers: Mutex<Vec<Worker>>,
    state: AtomicU8,
}

/// What a proxy is made of.
pub(super) struct Made {
    pub(super) config: Arc<Bootstrap>,
    pub(super) config_text: String,
    pub(super) command_line: Vec<(String, String)>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) admin_address: Option<SocketAddr>,
    pub(super) clusters: Vec<Cluster>,
    pub(super) counts: Vec<Option<Arc<Counts>>>,
    pub(super) store: Store,
    pub(super) logs: Logs,
    pub(super) commands: Commands,
    pub(super) drain: Arc<Drain>,
}

const INITIALIZING: u8 = 0;
const LIVE: u8 = 1;

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("listeners", &self.made.addresses).finish_non_exhaustive()
    }
}

impl Proxy {
    pub(super) fn new(made: Made) -> Self {
        Self { made, started: Instant::now(), workers: Mutex::default(), state: AtomicU8::new(INITIALIZING) }
    }

    /// The addresses that are listened on, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.made.addresses.clone()
    }

    /// The address of the admin port, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.made.admin_address
    }

    /// The clusters, in the order of the configuration.
    #[must_use]
    pub fn pool_clusters(&self) -> &[Cluster] {
        &self.made.clusters
    }

    /// The stats.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.made.store
    }

    /// All stats, now; or as they were at the end.
    #[must_use]
    pub fn samples(self: &Arc<Self>) -> Vec<Sample> {
        self.made.store.samples(&Shared(self.clone()))
    }

    pub(super) fn bootstrap(&self) -> &Arc<Bootstrap> {
        &self.made.config
    }

    pub(super) fn drain(&self) -> &Arc<Drain> {
        &self.made.drain
    }

    pub(super) fn logs(&self) -> &Logs {
        &self.made.logs
    }

    pub(super) fn config_admin_log(&self) -> &[AccessLog] {
        self.made.config.admin.as_ref().map_or(&[], |admin| &admin.access_log)
    }

    pub(super) fn set_live(&self) {
        self.state.store(LIVE, Ordering::Release);
    }

    pub(super) fn add_worker(&self, worker: Worker) {
        self.workers().push(worker);
    }

    pub(super) fn servers(&self) -> Vec<ServerHandle<Tokio>> {
        self.workers().iter().flat_map(|worker| worker.servers.iter().cloned()).collect()
    }

    /// The server of a listener on a worker.
    fn server(&self, listener: usize, worker: usize) -> Option<ServerHandle<Tokio>> {
        self.workers().get(worker)?.servers.get(listener).cloned()
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The proxy as the admin port has it.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Arc<Proxy>);

impl Source for Shared {
    fn state(&self) -> ServerState {
        match self.0.state.load(Ordering::Acquire) {
            LIVE if self.0.made.drain.fails() => ServerState::Draining,
            LIVE => ServerState::Live,
            _ => ServerState::Initializing,
        }
    }

    fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    fn command_line_options(&self) -> Vec<(String, String)> {
        self.0.made.command_line.clone()
    }

    fn config(&self) -> &Bootstrap {
        &self.0.made.config
    }

    fn config_text(&self) -> &str {
        &self.0.made.config_text
    }

    fn stats(&self) -> &Store {
        &self.0.made.store
    }

    fn clusters(&self) -> Vec<ClusterStatus> {
        let store = &self.0.made.store;
        let host = |cluster: usize, stats: &HostStats| {
            let number = stats.host.id().map(|id| id.0 as usize);
            readings::host(
                stats,
                number.map_or_else(HostResults::default, |number| store.host(cluster, number)),
            )
        };
        let of_cluster = |(index, (config, cluster)): (usize, (&model::Cluster, &Cluster))| ClusterStatus {
            name: config.name.clone(),
            observability_name: config.stat_name.clone(),
            limits: cluster.limits(),
            added_via_api: false,
            hosts: cluster.stats().hosts.iter().map(|stats| host(index, stats)).collect(),
        };
        self.0.made.config.clusters.iter().zip(&self.0.made.clusters).enumerate().map(of_cluster).collect()
    }

    fn listeners(&self) -> Vec<ListenerStatus> {
        let named = self.0.made.config.listeners.iter().zip(&self.0.made.addresses);
        named
            .map(|(listener, address)| ListenerStatus { name: listener.name.clone(), address: *address })
            .collect()
    }

    fn pools(&self) -> Vec<WorkerPools> {
        let workers = self.0.workers().clone();
        let numbered = workers.iter().enumerate();
        numbered
            .map(|(number, worker)| WorkerPools { worker: number, snapshot: worker.client.snapshot() })
            .collect()
    }

    fn act(&self, action: Action) {
        match action {
            Action::Quit => self.0.made.commands.send(Command::Stop),
            Action::HealthcheckFail => self.0.made.drain.set_fails(true),
            Action::HealthcheckOk => self.0.made.drain.set_fails(false),
            Action::DrainListeners { graceful: false, .. } => {
                self.0.made.commands.send(Command::CloseListeners);
            }
            Action::DrainListeners { graceful: true, skip_exit } => {
                let after = if skip_exit { AfterDrain::StayOpen } else { AfterDrain::Close };
                self.0.made.commands.send(Command::Drain(after));
            }
            Action::ReopenLogs => self.0.made.commands.send(Command::ReopenLogs),
            Action::CountersReset => {}
        }
    }
}

impl Readings for Shared {
    fn add_http(&self, listener: usize, worker: usize, values: &mut HttpValues) {
        if let Some(server) = self.0.server(listener, worker) {
            readings::http(&server.snapshot(), values);
        }
    }

    fn add_listener(&self, listener: usize, worker: usize, values: &mut ListenerValues) {
        if let Some(server) = self.0.server(listener, worker) {
            readings::listener(&server.snapshot(), values);
        }
    }

    fn add_cluster(&self, cluster: usize, values: &mut ClusterValues) {
        if let Some(cluster) = self.0.made.clusters.get(cluster) {
            readings::cluster(&cluster.stats(), values);
        }
        if let Some(Some(counts)) = self.0.made.counts.get(cluster) {
            readings::lookups(counts, values);
        }
    }

    fn breaker(&self, cluster: usize, priority: Priority, resource: Resource) -> Option<Gauge> {
        Some(self.0.made.clusters.get(cluster)?.breaker(priority, resource))
    }

    fn add_server(&self, values: &mut ServerValues) {
        values.uptime.add(self.uptime().as_secs());
        values.concurrency.add(self.0.made.store.concurrency() as u64);
        let state = self.state();
        values.live.add(u64::from(state == ServerState::Live));
        values.state.add(state as u64);
        let servers = self.0.servers();
        values.total_connections.add(servers.iter().map(|server| server.snapshot().active).sum());
    }

    fn add_listener_manager(&self, values: &mut ListenerManagerValues) {
        let listeners = self.0.made.config.listeners.len() as u64;
        let workers = self.0.workers().len() as u64;
        values.listener_added.add(listeners);
        values.listener_create_success.add(listeners * workers);
        values.total_listeners_active.add(listeners);
        values.total_listeners_draining.add(if self.0.made.drain.is_on() { listeners } else { 0 });
        values.workers_started.add(u64::from(self.0.state.load(Ordering::Acquire) != INITIALIZING));
    }

    fn add_cluster_manager(&self, values: &mut ClusterManagerValues) {
        values.cluster_added.add(self.0.made.clusters.len() as u64);
        values.active_clusters.add(self.0.made.clusters.len() as u64);
    }

    fn add_filesystem(&self, values: &mut FilesystemValues) {
        self.0.made.logs.values(values);
    }
}
