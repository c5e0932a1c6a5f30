//! The law of the ledger, without threads: counts, limits, reservations and hand-over.
//!
//! What always holds between two calls:
//!
//! * A seat is only counted if `counted + reserved < max` held for its cell, and for its host if it
//!   is a connection; except [`Book::take_over_limit`].
//! * Whoever is next in the wait list and has room has a reservation: nobody waits beside a free
//!   seat, so a seat that was freed cannot be grabbed by a pool that did not wait.

use std::collections::{BTreeMap, VecDeque};

use super::waits::{Cell, Lane, Standing, WaitKey, Waits};
use super::{Full, Gauge, Limits, Need, Priority, Resource, Seat, WaitView};
use crate::id::HostId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct Count {
    /// Seats taken, and credits lent to banks.
    counted: u64,
    /// Seats held back for waits that were told.
    reserved: u64,
}

impl Count {
    const fn has_room(self, max: u32) -> bool {
        self.counted + self.reserved < max as u64
    }
}

/// How a seat was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was free.
    Free,
    /// It was reserved; the wait is over.
    Reservation,
}

/// Counts and waits of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Book {
    limits: Limits,
    counts: [[Count; Resource::ALL.len()]; Priority::ALL.len()],
    /// Connections by host, both priorities together; only hosts that have any.
    hosts: BTreeMap<HostId, Count>,
    waits: Waits,
    /// Reservations whose pools were not told yet, oldest first.
    pub(super) granted: VecDeque<WaitKey>,
}

impl Book {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn gauge(&self, cell: Cell) -> Gauge {
        let Count { counted, reserved } = self.count(cell);
        let max = self.max(cell);
        let remaining = u64::from(max).saturating_sub(counted);
        Gauge {
            current: counted,
            max,
            // At most `max`, and reservations are at most what fits into an unlimited count.
            remaining: u32::try_from(remaining).unwrap_or(max),
            open: counted >= u64::from(max),
            reserved: u32::try_from(reserved).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn host_connections(&self, host: HostId) -> u64 {
        self.hosts.get(&host).map_or(0, |count| count.counted)
    }

    pub(super) fn standing(&self, key: &WaitKey) -> Option<Standing> {
        self.waits.standing(key)
    }

    /// Every wait, in the order in which they are served.
    pub(super) fn waits(&self) -> Vec<WaitView> {
        let told = |key: &WaitKey| !self.granted.contains(key);
        self.waits.in_order(told)
    }

    /// Whether anybody waits for the cell or holds a reservation in it.
    pub(super) fn is_awaited(&self, cell: Cell) -> bool {
        self.count(cell).reserved > 0 || self.waits.next(cell).is_some()
    }

    /// Seats that anybody could take now.
    pub(super) fn spare(&self, cell: Cell) -> u32 {
        let Count { counted, reserved } = self.count(cell);
        let spare = u64::from(self.max(cell)).saturating_sub(counted + reserved);
        u32::try_from(spare).unwrap_or(u32::MAX)
    }

    /// Whether [`Book::take`] would give a seat.
    pub(super) fn admits(&self, key: &WaitKey, lane: Lane) -> Result<(), Full> {
        // A reserved seat is inside the count already: only a lowered limit can refuse it.
        let reserved = self.standing(key) == Some(Standing::Reserved);
        let admit = |count: Count, max: u32| {
            if reserved { count.counted < u64::from(max) } else { count.has_room(max) }
        };
        if !admit(self.count(lane.cell), self.max(lane.cell)) {
            return Err(Full::Cluster);
        }
        match lane.host {
            Some(host) if !admit(self.host(host), self.max_per_host(lane.cell.priority)) => Err(Full::Host),
            Some(_) | None => Ok(()),
        }
    }

    /// What almost every call is, nobody waiting and no host involved, is done inline.
    #[inline]
    pub(super) fn take(&mut self, key: &WaitKey, lane: Lane) -> Result<Taken, Full> {
        if lane.host.is_some() || !self.waits.is_empty() {
            return self.take_in_turn(key, lane);
        }
        let max = self.max(lane.cell);
        let count = self.count_mut(lane.cell);
        if !count.has_room(max) {
            return Err(Full::Cluster);
        }
        count.counted += 1;
        Ok(Taken::Free)
    }

    fn take_in_turn(&mut self, key: &WaitKey, lane: Lane) -> Result<Taken, Full> {
        match self.admits(key, lane) {
            Ok(()) => Ok(self.take_over_limit(key, lane)),
            Err(full) => {
                if self.standing(key) == Some(Standing::Reserved) {
                    self.waits.lapse(key);
                    self.granted.retain(|granted| granted != key);
                    self.change(lane, |count| count.reserved -= 1);
                    self.hand_out(lane.cell.resource);
                }
                Err(full)
            }
        }
    }

    pub(super) fn take_over_limit(&mut self, key: &WaitKey, lane: Lane) -> Taken {
        if self.standing(key) == Some(Standing::Reserved) {
            self.waits.remove(key);
            self.granted.retain(|granted| granted != key);
            self.change(lane, |count| {
                count.reserved -= 1;
                count.counted += 1;
            });
            return Taken::Reservation;
        }
        self.change(lane, |count| count.counted += 1);
        Taken::Free
    }

    #[inline]
    pub(super) fn give_back(&mut self, seat: &Seat) {
        let lane = Lane::new(seat.priority, seat.resource, seat.host);
        // Saturating: a seat of another ledger must not turn into an endless supply.
        let one_less = |count: &mut Count| count.counted = count.counted.saturating_sub(1);
        if lane.host.is_some() || !self.waits.is_empty() {
            self.change(lane, one_less);
            self.hand_out(seat.resource);
        } else {
            one_less(self.count_mut(lane.cell));
        }
    }

    /// Counts credits that are lent to a bank. Only [`Book::spare`] ones.
    pub(super) fn lend(&mut self, cell: Cell, credits: u32) {
        self.change(Lane { cell, host: None }, |count| count.counted += u64::from(credits));
    }

    /// Credits that came back from a bank.
    pub(super) fn collect(&mut self, cell: Cell, credits: u64) {
        let lane = Lane { cell, host: None };
        self.change(lane, |count| count.counted = count.counted.saturating_sub(credits));
    }

    /// Whether the wait is new.
    pub(super) fn await_free(&mut self, key: WaitKey, lane: Lane, need: Need) -> bool {
        let new = self.waits.insert(key, lane, need);
        self.refresh(lane);
        self.hand_out(lane.cell.resource);
        new
    }

    /// Whether there was a wait.
    pub(super) fn cancel_wait(&mut self, key: &WaitKey) -> bool {
        let Some((lane, standing)) = self.waits.remove(key) else { return false };
        match standing {
            Standing::Waiting => self.refresh(lane),
            Standing::Reserved => {
                self.granted.retain(|granted| granted != key);
                self.change(lane, |count| count.reserved -= 1);
                self.hand_out(lane.cell.resource);
            }
        }
        true
    }

    /// Ends all waits of a worker that goes away.
    pub(super) fn cancel_worker(&mut self, worker: u32) {
        for key in self.waits.keys_of(worker) {
            self.cancel_wait(&key);
        }
    }

    /// Puts other limits in force. Nothing is taken away from anybody.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        for lane in self.waits.lanes() {
            self.refresh(lane);
        }
        for resource in Resource::ALL {
            self.hand_out(resource);
        }
    }

    /// Reserves what is free for those who are next. A freed seat may help both priorities: its
    /// host's limit counts them together; then the more urgent or longer wait comes first.
    fn hand_out(&mut self, resource: Resource) {
        while !self.waits.is_empty() {
            let mut next = None;
            for priority in Priority::ALL {
                let cell = Cell { priority, resource };
                if !self.count(cell).has_room(self.max(cell)) {
                    continue;
                }
                if let Some((rank, lane)) = self.waits.next(cell) {
                    if next.is_none_or(|(best, _)| rank < best) {
                        next = Some((rank, lane));
                    }
                }
            }
            let Some((rank, lane)) = next else { return };
            let Some(key) = self.waits.reserve(lane, rank) else { return };
            self.granted.push_back(key);
            self.change(lane, |count| count.reserved += 1);
        }
    }

    /// The one way in which counts change: cell and host together, and the wait list sees it.
    fn change(&mut self, lane: Lane, change: impl Fn(&mut Count)) {
        change(self.count_mut(lane.cell));
        if let Some(host) = lane.host {
            let count = self.hosts.entry(host).or_default();
            change(count);
            if *count == Count::default() {
                self.hosts.remove(&host);
            }
        }
        if !self.waits.is_empty() {
            for priority in Priority::ALL {
                self.refresh(Lane { cell: Cell { priority, ..lane.cell }, ..lane });
            }
        }
    }

    fn refresh(&mut self, lane: Lane) {
        let room =
            lane.host.is_none_or(|host| self.host(host).has_room(self.max_per_host(lane.cell.priority)));
        self.waits.show(lane, room);
    }

    fn count(&self, cell: Cell) -> Count {
        self.counts[cell.priority as usize][cell.resource as usize]
    }

    fn count_mut(&mut self, cell: Cell) -> &mut Count {
        &mut self.counts[cell.priority as usize][cell.resource as usize]
    }

    fn host(&self, host: HostId) -> Count {
        self.hosts.get(&host).copied().unwrap_or_default()
    }

    fn max(&self, cell: Cell) -> u32 {
        self.limits.max(cell.priority, cell.resource)
    }

    fn max_per_host(&self, priority: Priority) -> u32 {
        self.limits.thresholds(priority).max_per_host()
    }
}
