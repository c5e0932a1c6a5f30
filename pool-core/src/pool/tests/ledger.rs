//! Limits of one pool set for unit tests: exact, with a line of waiting pools.

use std::collections::VecDeque;

use crate::id::{HostId, PoolId};
use crate::limits::{Claimant, Full, Ledger, Need, Priority, Resource, Seat};

pub(super) const ME: Claimant = Claimant { pool: PoolId(0), host: HostId(0), priority: Priority::Default };
pub(super) const OTHER: Claimant = Claimant { pool: PoolId(1), host: HostId(1), priority: Priority::Default };

#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) max: [u32; 5],
    pub(super) used: [u32; 5],
    pub(super) line: VecDeque<(PoolId, Need)>,
    pub(super) kept_for: Option<PoolId>,
    pub(super) freed: VecDeque<PoolId>,
}

impl Book {
    pub(super) fn new(connections: u32, pending: u32, requests: u32) -> Self {
        Self {
            max: [connections, pending, requests, 3, 1024],
            used: [0; 5],
            line: VecDeque::new(),
            kept_for: None,
            freed: VecDeque::new(),
        }
    }

    /// Keeps a free seat for the one that needs it most.
    fn hand_off(&mut self) {
        let slot = Resource::Connections as usize;
        if self.kept_for.is_some() || self.used[slot] >= self.max[slot] {
            return;
        }
        let Some(best) = self.line.iter().position(|(_, need)| *need == Need::Forced).or_else(|| {
            let any = !self.line.is_empty();
            any.then_some(0)
        }) else {
            return;
        };
        let Some((pool, _)) = self.line.remove(best) else { return };
        self.kept_for = Some(pool);
        self.freed.push_back(pool);
    }
}

impl Ledger for Book {
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        let slot = resource as usize;
        let kept = u32::from(resource == Resource::Connections && self.kept_for.is_some());
        if resource == Resource::Connections && self.kept_for == Some(who.pool) {
            self.kept_for = None;
        } else if self.used[slot] + kept >= self.max[slot] {
            return Err(Full::Cluster);
        }
        self.used[slot] += 1;
        Ok(Seat::new(resource, who))
    }

    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        self.used[resource as usize] += 1;
        Seat::new(resource, who)
    }

    fn give_back(&mut self, seat: Seat) {
        self.used[seat.resource as usize] -= 1;
        if seat.resource == Resource::Connections {
            self.hand_off();
        }
    }

    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need) {
        assert_eq!(resource, Resource::Connections);
        match self.line.iter_mut().find(|(pool, _)| *pool == who.pool) {
            Some((_, old)) => {
                if need == Need::Forced {
                    *old = need;
                }
            }
            None => self.line.push_back((who.pool, need)),
        }
    }

    fn cancel_wait(&mut self, _: Resource, who: Claimant) {
        self.line.retain(|(pool, _)| *pool != who.pool);
        if self.kept_for == Some(who.pool) {
            self.kept_for = None;
            self.hand_off();
        }
    }
}
