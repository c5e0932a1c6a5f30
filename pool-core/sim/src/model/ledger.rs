//! Who may have a seat: counts are recounted, the line is a vector.

use pool_core::limits::{Limits, Need, Priority, Resource};

use super::{Conn, Place, Pool, Seat, Standing, World};

impl World {
    /// Seats in use.
    pub(super) fn in_use(&self, resource: Resource) -> u64 {
        let of_pools: usize = match resource {
            Resource::Connections => self.pools.iter().map(Pool::seats).sum(),
            Resource::Pending => self.pools.iter().map(|pool| pool.queue.len()).sum(),
            Resource::Requests if self.limits_requests() => {
                (0..self.pools.len()).map(|p| self.active(p) as usize).sum()
            }
            Resource::Requests | Resource::Retries | Resource::Pools => 0,
        };
        (of_pools + self.others.iter().filter(|other| **other == resource).count()) as u64
    }

    /// Seats kept for pools in the line.
    pub(super) fn kept(&self) -> u64 {
        self.line.iter().filter(|place| place.standing != Standing::InLine).count() as u64
    }

    fn max(&self, resource: Resource) -> u64 {
        u64::from(self.limits.max(Priority::Default, resource))
    }

    fn host_has_room(&self, host: u32, kept: impl Fn(&Place) -> bool) -> bool {
        let pools = self.pools.iter().filter(|pool| pool.host == host);
        let seats: usize = pools.map(Pool::seats).sum();
        let kept =
            self.line.iter().filter(|place| self.pools[place.pool].host == host && kept(place)).count();
        ((seats + kept) as u64) < u64::from(self.limits.thresholds(Priority::Default).max_per_host())
    }

    /// Whether a seat may be taken. One of pending or requests is counted by what the caller does next.
    pub(super) fn admits(&self, resource: Resource) -> bool {
        self.in_use(resource) < self.max(resource)
    }

    /// Whether a connection seat may be taken by a pool; a kept one is used up or lost by asking.
    pub(super) fn take_seat(&mut self, p: usize) -> bool {
        let is_kept = |place: &Place| place.standing != Standing::InLine;
        let mine = self.line.iter().position(|place| place.pool == p && is_kept(place));
        let host = self.pools[p].host;
        if let Some(mine) = mine {
            let room = self.admits(Resource::Connections) && self.host_has_room(host, |_| false);
            self.untold.retain(|untold| *untold != p);
            if room {
                self.line.remove(mine);
            } else {
                // The limit was lowered: it keeps its place.
                self.line[mine].standing = Standing::InLine;
                self.hand_out();
            }
            return room;
        }
        self.in_use(Resource::Connections) + self.kept() < self.max(Resource::Connections)
            && self.host_has_room(host, is_kept)
    }

    /// Keeps what is free for those who are next: forced connections first, then by arrival.
    pub(super) fn hand_out(&mut self) {
        loop {
            if self.in_use(Resource::Connections) + self.kept() >= self.max(Resource::Connections) {
                return;
            }
            let is_kept = |place: &Place| place.standing != Standing::InLine;
            let waiting = self.line.iter().enumerate().filter(|(_, place)| !is_kept(place));
            let next = waiting
                .filter(|(_, place)| self.host_has_room(self.pools[place.pool].host, is_kept))
                .min_by_key(|(arrival, place)| (place.need, *arrival))
                .map(|(arrival, _)| arrival);
            let Some(next) = next else { return };
            self.line[next].standing = Standing::Kept;
            self.untold.push(self.line[next].pool);
        }
    }

    pub(super) fn waits(&self, p: usize) -> Option<Need> {
        self.line.iter().find(|place| place.pool == p).map(|place| place.need)
    }

    pub(super) fn line_up(&mut self, p: usize, need: Need) {
        match self.line.iter_mut().find(|place| place.pool == p) {
            Some(place) => place.need = place.need.min(need),
            None => self.line.push(Place { pool: p, need, standing: Standing::InLine }),
        }
        self.hand_out();
    }

    pub(super) fn leave_line(&mut self, p: usize) {
        self.line.retain(|place| place.pool != p);
        self.untold.retain(|untold| *untold != p);
        self.hand_out();
    }

    /// The next pool whose driver is to be told that a seat is kept for it.
    pub(super) fn told(&mut self) -> Option<usize> {
        if self.untold.is_empty() {
            return None;
        }
        let pool = self.untold.remove(0);
        for place in &mut self.line {
            if place.pool == pool {
                place.standing = Standing::Told;
            }
        }
        Some(pool)
    }

    /// Somebody else takes a seat, if there is one.
    pub(super) fn other_takes(&mut self, resource: Resource) -> bool {
        let kept = if resource == Resource::Connections { self.kept() } else { 0 };
        // Somebody else is a pool of another host.
        let own = self.others.iter().filter(|other| **other == Resource::Connections).count() as u64;
        let per_host = u64::from(self.limits.thresholds(Priority::Default).max_per_host());
        let host_has_room = resource != Resource::Connections || own < per_host;
        let free = host_has_room && self.in_use(resource) + kept < self.max(resource);
        if free {
            self.others.push(resource);
        }
        free
    }

    /// Somebody else gives a seat back.
    pub(super) fn other_gives(&mut self, nth: usize) {
        self.others.remove(nth);
        self.hand_out();
    }

    pub(super) fn set_limit(&mut self, resource: Resource, max: u32) {
        self.limits = Limits::both(self.limits.thresholds(Priority::Default).with(resource, max));
        self.hand_out();
    }
}

impl Pool {
    fn seats(&self) -> usize {
        let seated = |conn: &&Conn| conn.is_there() && conn.seat == Seat::Held;
        self.conns.iter().filter(seated).count()
    }
}
