//! A client's side of the named clusters: its view of their hosts, whose turn it is, and which set of
//! pools is whose.
//!
//! Everything here belongs to one client, and so does what a call holds of it: counting references to
//! what all workers share would have the workers wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::cluster::{Inner, Worker};
use super::host::Host;
use super::leash::ReadyList;
use crate::cluster::{ClusterId, RoundRobin};
use crate::limits::Priority;

/// A cluster as one client's calls hold it.
pub(crate) struct Line {
    pub(crate) cluster: Arc<Inner>,
    /// Where the client's side of it is.
    index: u32,
}

/// A host as one client's calls and pools hold it.
pub(crate) struct Local {
    pub(crate) host: Arc<Host>,
    pub(crate) cluster: Arc<Inner>,
    /// Where the client's side of the cluster is.
    line: u32,
}

/// The way of one call: its cluster, and the host that it was sent to last.
pub(crate) struct Path {
    pub(crate) line: Arc<Line>,
    pub(crate) host: Option<Arc<Local>>,
    pub(crate) priority: Priority,
}

/// A cluster's side in a client.
pub(crate) struct Desk {
    line: Arc<Line>,
    version: u64,
    hosts: Vec<Arc<Local>>,
    turn: RoundRobin,
    /// The cluster among the pools, while it has any.
    pub(crate) in_set: Option<ClusterId>,
    pools: u32,
}

/// All clusters that a client was asked for.
pub(crate) struct Desks {
    desks: Vec<Option<Desk>>,
    by_id: HashMap<u64, u32, FixedState>,
    seed: u64,
}

impl Desks {
    pub(crate) fn new(seed: u64) -> Self {
        Self { desks: Vec::new(), by_id: HashMap::with_hasher(FixedState::with_seed(seed)), seed }
    }

    /// The client's side of a cluster, if it was asked for before.
    #[inline]
    pub(crate) fn line(&self, cluster: &Inner) -> Option<Arc<Line>> {
        let index = *self.by_id.get(&cluster.id)?;
        Some(self.desks.get(index as usize)?.as_ref()?.line.clone())
    }

    /// Takes a cluster up; its hosts are not known yet.
    pub(crate) fn open(
        &mut self,
        cluster: &Arc<Inner>,
        changed: &Arc<AtomicBool>,
        ready: &Arc<ReadyList>,
    ) -> Arc<Line> {
        cluster.enlist(Worker { changed: Arc::downgrade(changed), ready: Arc::downgrade(ready) });
        let vacant = self.desks.iter().position(Option::is_none).unwrap_or(self.desks.len());
        let index = u32::try_from(vacant).unwrap_or(u32::MAX);
        let line = Arc::new(Line { cluster: cluster.clone(), index });
        let desk = Desk {
            line: line.clone(),
            // Older than any: the first look takes the hosts in.
            version: 0,
            hosts: Vec::new(),
            turn: RoundRobin::new(&[], self.seed.wrapping_add(u64::from(index))),
            in_set: None,
            pools: 0,
        };
        if vacant == self.desks.len() {
            self.desks.push(None);
        }
        self.desks[vacant] = Some(desk);
        self.by_id.insert(cluster.id, index);
        line
    }

    /// The client's side of a call's cluster; `None` if the cluster is over.
    #[inline]
    pub(crate) fn desk(&mut self, line: &Arc<Line>) -> Option<&mut Desk> {
        let desk = self.desks.get_mut(line.index as usize)?.as_mut()?;
        // By identity: a cluster that is over may have given its index to another.
        if Arc::ptr_eq(&desk.line, line) { Some(desk) } else { None }
    }

    /// Looks at clusters whose hosts have changed. Returns the hosts that are gone.
    pub(crate) fn look_again(&mut self) -> Vec<Arc<Local>> {
        let mut gone = Vec::new();
        for place in &mut self.desks {
            let Some(desk) = place else { continue };
            desk.look_again(&mut gone);
            if desk.line.cluster.is_over() {
                // It is over before its list is empty: nobody will look at what is left of it.
                gone.append(&mut desk.hosts);
                self.by_id.remove(&desk.line.cluster.id);
                *place = None;
            }
        }
        gone
    }

    /// A pool of a host is gone.
    pub(crate) fn pool_gone(&mut self, of: &Local) {
        let Some(Some(desk)) = self.desks.get_mut(of.line as usize) else { return };
        if !Arc::ptr_eq(&desk.line.cluster, &of.cluster) {
            return;
        }
        desk.pools = desk.pools.saturating_sub(1);
        if desk.pools == 0 {
            // The set forgets a cluster with its last pool.
            desk.in_set = None;
        }
    }
}

impl Desk {
    /// Whether its hosts have changed since it looked.
    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        self.version != self.line.cluster.version()
    }

    /// Takes the present hosts in. Hosts that are no longer there are added to `gone`.
    pub(crate) fn look_again(&mut self, gone: &mut Vec<Arc<Local>>) {
        if !self.is_stale() {
            return;
        }
        let Line { cluster, index } = &*self.line;
        // Before the hosts: if they change in between, they are looked at once more.
        self.version = cluster.version();
        let present = cluster.hosts();
        let before = std::mem::take(&mut self.hosts);
        let mut before: BTreeMap<_, _> = before.into_iter().map(|local| (local.host.id(), local)).collect();
        for host in present.iter() {
            match before.remove(&host.id()) {
                Some(known) => self.hosts.push(known),
                // A logical host without an address takes no requests yet.
                None if host.address().is_none() => {}
                None => {
                    let local = Local { host: host.clone(), cluster: cluster.clone(), line: *index };
                    self.hosts.push(Arc::new(local));
                }
            }
        }
        gone.extend(before.into_values());
        let weights: Vec<u32> = self.hosts.iter().map(|local| local.host.share()).collect();
        self.turn.set_weights(&weights);
    }

    /// The host whose turn it is.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Arc<Local>> {
        self.hosts.get(self.turn.pick()?).cloned()
    }

    /// A pool was made.
    pub(crate) fn pool_made(&mut self, id: ClusterId) {
        self.in_set = Some(id);
        self.pools += 1;
    }

    /// No pool could be made: the set has forgotten a cluster that has none.
    pub(crate) fn pool_refused(&mut self) {
        if self.pools == 0 {
            self.in_set = None;
        }
    }
}
