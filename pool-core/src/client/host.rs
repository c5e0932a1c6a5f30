//! One host of a named cluster.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::leash::lock;
use crate::cluster::{Endpoint, Identity, Key, Scheme};
use crate::id::HostId;
use crate::limits::Priority;
use crate::pool::Stats;
use crate::runtime::Target;

/// A host that connections of a [`Cluster`](super::Cluster) go to.
///
/// Its identity in later lists of hosts is its address with its name, or its name alone if it is
/// [logical](Host::logical). As a value it describes a host; in a cluster it is shared as `Arc<Host>`.
#[derive(Debug)]
pub struct Host {
    place: Option<Endpoint>,
    identity: Identity,
    address: Mutex<Option<SocketAddr>>,
    weight: AtomicU32,
    removed: AtomicBool,
    /// What pools of it counted that are gone.
    gone: Mutex<Stats>,
}

impl Host {
    /// A host at an address, of weight 1.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self::of(Identity::Address(address, None), Some(address))
    }

    /// A host that is known by name and whose address may change (Envoy: `LOGICAL_DNS`). It takes
    /// requests once [`Cluster::set_address`](super::Cluster::set_address) has given it one.
    #[must_use]
    pub fn logical(name: impl Into<Arc<str>>) -> Self {
        Self::of(Identity::Name(name.into()), None)
    }

    fn of(identity: Identity, address: Option<SocketAddr>) -> Self {
        Self {
            place: None,
            identity,
            address: Mutex::new(address),
            weight: AtomicU32::new(1),
            removed: AtomicBool::new(false),
            gone: Mutex::default(),
        }
    }

    /// The name that it goes by (Envoy: `endpoint.hostname`): part of its identity, and told to the
    /// connector. It changes nothing in requests.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<Arc<str>>) -> Self {
        self.identity = match self.identity {
            Identity::Address(address, _) => Identity::Address(address, Some(name.into())),
            Identity::Name(_) => Identity::Name(name.into()),
        };
        self
    }

    /// Its share of the requests in proportion to the other hosts' (Envoy: `load_balancing_weight`); 0
    /// counts as 1.
    #[must_use]
    pub fn weight(self, weight: u32) -> Self {
        self.set_share(weight);
        self
    }

    /// Where new connections go; `None` for a logical host without an address yet.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        *lock(&self.address)
    }

    /// The name that it goes by, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&Arc<str>> {
        match &self.identity {
            Identity::Address(_, name) => name.as_ref(),
            Identity::Name(name) => Some(name),
        }
    }

    /// Its weight.
    #[must_use]
    pub fn share(&self) -> u32 {
        self.weight.load(Ordering::Relaxed).max(1)
    }

    /// Its number in its cluster, never given to another host; `None` outside of a cluster.
    #[must_use]
    pub fn id(&self) -> Option<HostId> {
        self.place.map(|place| place.host)
    }

    /// Whether it is no longer among its cluster's hosts.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The key of its pool.
    #[inline]
    pub(crate) fn key(&self, priority: Priority) -> Key<'static> {
        match self.place {
            Some(place) => Key::endpoint(place, priority),
            None => Key::http1("", 0),
        }
    }

    /// Where a connection that is opened now goes.
    pub(crate) fn target(&self) -> Target {
        let address = self.address();
        let name = self.name().cloned();
        let ip = || address.map_or_else(|| Arc::from(""), |address| Arc::from(address.ip().to_string()));
        Target {
            scheme: Scheme::Http,
            host: name.unwrap_or_else(ip),
            port: address.map_or(0, |address| address.port()),
            address,
        }
    }

    pub(crate) fn gone(&self) -> Stats {
        lock(&self.gone).clone()
    }

    pub(crate) fn add_gone(&self, stats: &Stats) {
        lock(&self.gone).add(stats);
    }

    pub(crate) fn placed_at(mut self, place: Endpoint) -> Arc<Self> {
        self.place = Some(place);
        Arc::new(self)
    }

    pub(crate) fn set_share(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
    }

    pub(crate) fn set_address(&self, address: SocketAddr) {
        *lock(&self.address) = Some(address);
    }

    pub(crate) fn set_removed(&self) {
        self.removed.store(true, Ordering::Release);
    }
}
