//! Who is next: pools that wait for a seat, in the order in which they get one.
//!
//! A wait belongs to a *lane*: all waits for connections to one host at one priority, or all waits
//! for another resource at one priority. Only the head of a lane can be next, and only if its host
//! has room; such heads are *shown*. The next waiter of a resource is then the first shown head,
//! however many others stand behind a full host. Every operation is O(log waits).

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::{Claimant, Need, Priority, Resource, WaitProgress, WaitView};
use crate::id::{HostId, PoolId};

/// One limit: a resource at a priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Cell {
    pub(super) priority: Priority,
    pub(super) resource: Resource,
}

/// Who waits for what. A pool waits at most once for a resource; pool ids are per worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WaitKey {
    pub(super) worker: u32,
    pub(super) pool: PoolId,
    pub(super) resource: Resource,
}

/// Waits that one host's room decides about together (`None`: no host is involved).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane {
    pub(super) cell: Cell,
    pub(super) host: Option<HostId>,
}

impl Lane {
    pub(super) fn new(priority: Priority, resource: Resource, host: HostId) -> Self {
        let host = (resource == Resource::Connections).then_some(host);
        Self { cell: Cell { priority, resource }, host }
    }

    pub(super) fn of(resource: Resource, who: Claimant) -> Self {
        Self::new(who.priority, resource, who.host)
    }
}

/// How far a wait has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Standing {
    /// In its lane.
    Waiting,
    /// A seat is held back for it.
    Reserved,
}

/// The place of a wait among those of its cell: need first, then arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    need: Need,
    arrival: u64,
}

#[derive(Clone, Debug)]
struct Wait {
    lane: Lane,
    rank: Rank,
    standing: Standing,
}

#[derive(Clone, Debug, Default)]
struct Line {
    waiting: BTreeMap<Rank, WaitKey>,
    shown: Option<Rank>,
}

/// All waits of one ledger. Equality and hash see order and standing, not arrival numbers, so that
/// two histories that lead to the same list are the same state.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    index: BTreeMap<WaitKey, Wait>,
    lanes: BTreeMap<Lane, Line>,
    heads: BTreeMap<(Cell, Rank), Lane>,
    arrivals: u64,
}

impl Waits {
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub(super) fn standing(&self, key: &WaitKey) -> Option<Standing> {
        self.index.get(key).map(|wait| wait.standing)
    }

    /// The first shown head of a cell.
    pub(super) fn next(&self, cell: Cell) -> Option<(Rank, Lane)> {
        let from = Rank { need: Need::Forced, arrival: 0 };
        let (&(found, rank), &lane) = self.heads.range((cell, from)..).next()?;
        (found == cell).then_some((rank, lane))
    }

    /// Lanes with a wait in them, for a change that touches them all.
    pub(super) fn lanes(&self) -> Vec<Lane> {
        self.lanes.keys().copied().collect()
    }

    pub(super) fn keys_of(&self, worker: u32) -> Vec<WaitKey> {
        let first = WaitKey { worker, pool: PoolId(0), resource: Resource::Connections };
        let from_there = self.index.range(first..).map(|(key, _)| *key);
        from_there.take_while(|key| key.worker == worker).collect()
    }

    /// Adds a wait, or raises the need of one. Whether it is new.
    pub(super) fn insert(&mut self, key: WaitKey, lane: Lane, need: Need) -> bool {
        let rank = match self.index.get(&key) {
            None => {
                self.arrivals += 1;
                Rank { need, arrival: self.arrivals }
            }
            Some(old) if need < old.rank.need => {
                let raised = Rank { need, arrival: old.rank.arrival };
                if old.standing == Standing::Reserved {
                    // It only matters if the reservation lapses.
                    if let Some(wait) = self.index.get_mut(&key) {
                        wait.rank = raised;
                    }
                    return false;
                }
                self.leave_lane(lane, old.rank);
                raised
            }
            Some(_) => return false,
        };
        self.lanes.entry(lane).or_default().waiting.insert(rank, key);
        self.index.insert(key, Wait { lane, rank, standing: Standing::Waiting }).is_none()
    }

    /// Shows or hides the head of a lane after a change to the lane or to the room of its host.
    pub(super) fn show(&mut self, lane: Lane, room: bool) {
        let Some(line) = self.lanes.get_mut(&lane) else { return };
        let head = line.waiting.keys().next().copied();
        let wanted = head.filter(|_| room);
        if line.shown != wanted {
            if let Some(old) = line.shown {
                self.heads.remove(&(lane.cell, old));
            }
            if let Some(new) = wanted {
                self.heads.insert((lane.cell, new), lane);
            }
            line.shown = wanted;
        }
        if head.is_none() {
            self.lanes.remove(&lane);
        }
    }

    /// Moves the head of a lane from the line to the reserved ones.
    pub(super) fn reserve(&mut self, lane: Lane, rank: Rank) -> Option<WaitKey> {
        let key = self.leave_lane(lane, rank)?;
        if let Some(wait) = self.index.get_mut(&key) {
            wait.standing = Standing::Reserved;
        }
        Some(key)
    }

    /// Puts a reserved wait back to its old place.
    pub(super) fn lapse(&mut self, key: &WaitKey) {
        if let Some(wait) = self.index.get_mut(key) {
            wait.standing = Standing::Waiting;
            self.lanes.entry(wait.lane).or_default().waiting.insert(wait.rank, *key);
        }
    }

    /// Ends a wait. Its lane needs [`Waits::show`] afterwards.
    pub(super) fn remove(&mut self, key: &WaitKey) -> Option<(Lane, Standing)> {
        let wait = self.index.remove(key)?;
        if wait.standing == Standing::Waiting {
            self.leave_lane(wait.lane, wait.rank);
        }
        Some((wait.lane, wait.standing))
    }

    fn leave_lane(&mut self, lane: Lane, rank: Rank) -> Option<WaitKey> {
        self.lanes.get_mut(&lane)?.waiting.remove(&rank)
    }

    /// The waits as they are seen from outside, in the order in which they are served.
    pub(super) fn in_order(&self, told: impl Fn(&WaitKey) -> bool) -> Vec<WaitView> {
        let waits = self.canonical().into_iter();
        let view = |(cell, need, standing, key, _host): (Cell, Need, Standing, WaitKey, Option<HostId>)| {
            let progress = match standing {
                Standing::Waiting => WaitProgress::Waiting,
                Standing::Reserved if told(&key) => WaitProgress::Told,
                Standing::Reserved => WaitProgress::Reserved,
            };
            WaitView { pool: key.pool, priority: cell.priority, resource: cell.resource, need, progress }
        };
        waits.map(view).collect()
    }

    /// The waits as an order without arrival numbers.
    fn canonical(&self) -> Vec<(Cell, Need, Standing, WaitKey, Option<HostId>)> {
        let mut waits: Vec<_> = self.index.iter().collect();
        waits.sort_unstable_by_key(|(_, wait)| (wait.lane.cell, wait.rank));
        let plain = waits.into_iter();
        plain
            .map(|(key, wait)| (wait.lane.cell, wait.rank.need, wait.standing, *key, wait.lane.host))
            .collect()
    }
}

impl PartialEq for Waits {
    fn eq(&self, other: &Self) -> bool {
        self.index.len() == other.index.len() && self.canonical() == other.canonical()
    }
}

impl Eq for Waits {}

impl Hash for Waits {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}
