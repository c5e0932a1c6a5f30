//! HTTP/1.1 to HTTP/1.1 proxies over loopback: who they are, how they are started and measured.
//!
//! The measured proxy is a process on core 0 with one worker. Load and origin are two processes on
//! core 1. The load reads the CPU clock of the proxy's process before and after a fixed number of
//! requests on warm connections; instruments are put around the proxy and count whole runs.

mod load;
mod measure;
mod program;
mod serve;

mod floor;
#[cfg(feature = "peers")]
mod hyper;
#[cfg(feature = "heavy-peers")]
mod pingora;

use std::net::SocketAddr;

pub(crate) use load::{Work, run as load};
pub(crate) use measure::{Instruments, exact, timed};
pub(crate) use program::missing;
pub(crate) use serve::run as serve;

/// All peers that there may be; which of them can be started, [`missing`] tells.
pub(crate) const PEERS: &[&str] = &[
    "ours",
    "nginx",
    "haproxy",
    #[cfg(feature = "heavy-peers")]
    "pingora",
    #[cfg(feature = "peers")]
    "hyper",
    "floor",
];

/// How a proxy that is part of this program is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Serve {
    pub(crate) peer: String,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Where it sends every request.
    pub(crate) origin: SocketAddr,
}
