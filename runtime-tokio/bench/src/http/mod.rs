//! HTTP/1.1 over loopback: the load, and the clients that carry it.

mod drive;
mod floor;
mod ours;

#[cfg(feature = "peers")]
mod hyper_util;
#[cfg(feature = "heavy-peers")]
mod pingora;
#[cfg(feature = "heavy-peers")]
mod reqwest;

use std::net::SocketAddr;

use crate::cases::Load;
use crate::error::{Error, Result};
use crate::figures::Figures;

/// The peers that were compiled in.
pub(crate) const PEERS: &[&str] = &[
    "ours",
    "ours-cluster",
    #[cfg(feature = "trace")]
    "ours-recorded",
    "ours-async-std",
    #[cfg(feature = "peers")]
    "hyper-util",
    #[cfg(feature = "heavy-peers")]
    "reqwest",
    #[cfg(feature = "heavy-peers")]
    "pingora",
    "floor",
];

/// A client under load. One value per process; clones of it are cheap and share its pool.
pub(crate) trait Client: Clone + Send + 'static {
    /// What one of the concurrent tasks needs for itself, its request ready to be cloned.
    type Lane: Send + 'static;

    fn new(target: &Target) -> Result<Self>;

    fn lane(&self, target: &Target) -> Result<Self::Lane>;

    /// Sends one request and reads the response to its end; gives the number of body bytes.
    fn fetch(lane: &mut Self::Lane) -> impl Future<Output = Result<usize>> + Send;
}

/// What is fetched.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) origin: SocketAddr,
    /// Path of the request, from the slash.
    pub(crate) path: String,
    /// Body bytes that the response must have.
    pub(crate) body: usize,
    /// Most connections that will be idle at once.
    #[cfg_attr(not(feature = "heavy-peers"), expect(dead_code, reason = "only some peers bound their pool"))]
    pub(crate) connections: usize,
}

impl Target {
    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.origin, self.path)
    }
}

/// Runs one case of one peer.
pub(crate) fn run(load: Load, peer: &str, origin: SocketAddr, operations: u64) -> Result<Figures> {
    let work = Work::of(load, origin, operations)?;
    match peer {
        "ours" => drive::on_tokio::<ours::OnTokio>(&work),
        #[cfg(feature = "trace")]
        "ours-recorded" => drive::on_tokio::<ours::Recorded>(&work),
        "ours-cluster" => drive::on_tokio::<ours::OnCluster>(&work),
        "ours-async-std" => drive::on_async_std::<ours::OnAsyncStd>(&work),
        "floor" => drive::on_tokio::<floor::Floor>(&work),
        #[cfg(feature = "peers")]
        "hyper-util" => drive::on_tokio::<hyper_util::HyperUtil>(&work),
        #[cfg(feature = "heavy-peers")]
        "reqwest" => drive::on_tokio::<reqwest::Reqwest>(&work),
        #[cfg(feature = "heavy-peers")]
        "pingora" => drive::on_tokio::<pingora::Pingora>(&work),
        other => Err(Error::new(format!("client: no peer {other} was compiled in"))),
    }
}

/// A load in numbers.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) target: Target,
    pub(crate) concurrency: usize,
    pub(crate) operations: u64,
    pub(crate) measured: Measured,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measured {
    /// CPU, latency and allocations of requests.
    Requests,
    /// Heap of connections that the requests left idle.
    IdleHeap,
}

impl Work {
    fn of(load: Load, origin: SocketAddr, operations: u64) -> Result<Self> {
        match load {
            Load::Client { body, concurrency } => Ok(Self {
                target: Target { origin, path: format!("/{body}"), body, connections: concurrency },
                concurrency,
                operations,
                measured: Measured::Requests,
            }),
            Load::Idle { connections } => Ok(Self {
                target: Target { origin, path: format!("/hold/{connections}"), body: 100, connections },
                concurrency: connections,
                operations: connections as u64,
                measured: Measured::IdleHeap,
            }),
            Load::Micro { .. } | Load::Queue { .. } | Load::Proxy { .. } => {
                Err(Error::new("client: not a load for clients"))
            }
        }
    }
}
