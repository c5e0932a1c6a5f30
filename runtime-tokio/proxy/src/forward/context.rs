//! What the requests of one listener on one worker have in common.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{self, HeaderMap, HeaderValue};
use pool_core::client::Cluster;
use runtime_tokio::Tokio;

use super::alarm::Alarm;
use super::body::Client;
use super::date::Dates;
use super::drain::Drain;
use super::plan::Plan;
use super::random::RequestIds;
use crate::access_log::Logger;
use crate::config::model::{Bootstrap, DrainType, HttpManager};
use crate::route::Routes;
use crate::stats::{ClusterStats, HostCells, HttpStats, WorkerStats};

/// Everything that a request may need.
pub(crate) struct Context {
    pub(crate) manager: HttpManager,
    pub(crate) routes: Routes<Plan>,
    pub(crate) clusters: Vec<Upstream>,
    pub(crate) client: Client,
    pub(crate) clock: Tokio,
    pub(crate) dates: Dates,
    pub(crate) ids: RequestIds,
    pub(crate) logger: Logger,
    /// The number of the worker.
    pub(crate) worker: u32,
    /// What it listens on.
    pub(crate) address: SocketAddr,
    drain: Arc<Drain>,
    drain_type: DrainType,
    stats: WorkerStats,
    listener: usize,
    connections: AtomicU64,
}

/// A cluster, as requests see it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) cluster: Cluster,
    pub(crate) stat_name: Arc<str>,
    pub(crate) enable_trailers: bool,
}

/// What a context is made of.
pub(crate) struct Parts {
    pub(crate) worker: u32,
    pub(crate) client: Client,
    pub(crate) clock: Tokio,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) logger: Logger,
    pub(crate) address: SocketAddr,
    pub(crate) drain: Arc<Drain>,
    pub(crate) stats: WorkerStats,
    pub(crate) seed: u64,
}

impl Context {
    /// For a listener, by its place in the configuration; `None` if there is no such listener.
    pub(crate) fn new(config: &Bootstrap, listener: usize, parts: Parts) -> Option<Self> {
        let described = config.listeners.get(listener)?;
        let Parts { worker, client, clock, clusters, logger, address, drain, stats, seed } = parts;
        let manager = described.manager.clone();
        let routes = Routes::new(&manager.routes, |host, route| Plan::of(described, host, route));
        let upstream = |(cluster, config): (Cluster, &crate::config::model::Cluster)| Upstream {
            cluster,
            stat_name: config.stat_name.as_str().into(),
            enable_trailers: config.enable_trailers,
        };
        Some(Self {
            manager,
            routes,
            clusters: clusters.into_iter().zip(&config.clusters).map(upstream).collect(),
            client,
            clock,
            dates: Dates::new(),
            ids: RequestIds::new(seed),
            logger,
            worker,
            address,
            drain,
            drain_type: described.drain_type,
            stats,
            listener,
            connections: AtomicU64::new(0),
        })
    }

    /// Stats of this connection manager.
    pub(crate) fn http(&self) -> &HttpStats {
        self.stats.http(self.listener)
    }

    /// Tells the client of this response to come back on another connection, if the proxy drains.
    #[inline]
    pub(crate) fn drain(&self, headers: &mut HeaderMap) {
        if self.drain.closes(self.drain_type, || self.ids.draw()) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            self.http().downstream_cx_drain_close.inc();
        }
    }

    /// Stats of a cluster.
    pub(crate) fn cluster(&self, cluster: usize) -> &ClusterStats {
        self.stats.cluster(cluster)
    }

    pub(crate) fn host(&self, cluster: usize, host: usize) -> Option<&HostCells> {
        self.stats.host(cluster, host)
    }
}

/// A connection of a client, as its requests see it.
pub(crate) struct Connection {
    pub(crate) context: Arc<Context>,
    /// Unique on its worker.
    pub(crate) id: u64,
    alarm: Mutex<Alarm>,
}

impl Connection {
    pub(crate) fn new(context: Arc<Context>) -> Arc<Self> {
        let id = context.connections.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { context, id, alarm: Mutex::default() })
    }

    /// The timer of the request in progress. Never waited for: one task polls all of a connection.
    pub(crate) fn alarm(&self) -> MutexGuard<'_, Alarm> {
        self.alarm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
