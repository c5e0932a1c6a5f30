//! A pool without names, history and absolute times: equal for pools that will behave alike.

use super::action::{CloseReason, EarlyData, HostHealth, Usage};
use super::slots::{ListName, NEVER, NONE};
use super::state::State;
use super::{Life, Pool};
use crate::config::Jitter;
use crate::time::Instant;

/// The part of a pool's state that decides its future, for search and models to compare and hash.
///
/// Names are left out, times are relative, counters are not there. Connections of a list stand in
/// its order, since it decides who is picked; all others are sorted. Take all actions first: those
/// that wait are only counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Canonical {
    pool: [u64; 9],
    listed: Vec<Option<Conn>>,
    others: Vec<Conn>,
    waiters: Vec<Waiter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Conn {
    state: State,
    active: u32,
    limit: u32,
    remaining: u32,
    usage: Usage,
    forced: u8,
    heard: u8,
    lost: u8,
    /// Of connecting, idle, age and drain deadlines, those that apply.
    due: [u64; 4],
    /// The idle timeout that it drew.
    idle_for: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Waiter {
    early_data: EarlyData,
    due: u64,
}

impl Pool {
    /// The state without names and history; see [`Canonical`].
    #[must_use]
    pub fn canonical(&self, now: Instant) -> Canonical {
        let mut listed = Vec::new();
        for list in [ListName::Connecting, ListName::EarlyData, ListName::Ready, ListName::Settling] {
            listed.extend(self.slots.members(list).map(|index| self.canonical_conn(now, index)));
            // Where one list ends and the next begins.
            listed.push(None);
        }
        let mut others: Vec<Conn> = self
            .slots
            .live_slots()
            .filter(|(_, state)| super::list_of(Some(*state)).is_none())
            .filter_map(|(index, _)| self.canonical_conn(now, index))
            .collect();
        others.sort_unstable();
        let waiters = self.cold.queue.iter().map(|index| {
            let waiter = self.cold.queue.get(index);
            Waiter { early_data: waiter.early_data, due: relative(now, waiter.deadline) }
        });
        let config = &self.cold.config;
        let jitters =
            [config.max_requests_jitter(), config.idle_jitter(), config.max_connection_duration_jitter()];
        // Only with jitter does the number of past connections reach into the future.
        let serial = if jitters == [Jitter::NONE; 3] { 0 } else { self.cold.serial };
        let life = match self.life {
            Life::Open => 0,
            Life::Deleting => 1,
        };
        let health = match self.health {
            HostHealth::Healthy => 0,
            HostHealth::Degraded => 1,
            HostHealth::Unhealthy => 2,
        };
        Canonical {
            pool: [
                life,
                health,
                self.wait as u64,
                self.cold.idle as u64,
                serial,
                u64::from(self.untaken),
                u64::from(self.cold.forced != NONE),
                u64::from(self.cold.queue.len()),
                // What a learned limit may still open, while there is an attempt to learn one for.
                if self.slots.table.connecting.len == 0 { 0 } else { u64::from(self.cold.budget) },
            ],
            listed,
            others,
            waiters: waiters.collect(),
        }
    }

    fn canonical_conn(&self, now: Instant, index: u32) -> Option<Conn> {
        let (hot, cold) = (&self.slots[index], self.slots.cold(index));
        let state = hot.state?;
        let connect = cold.opened_at.after(self.cold.config.connect_timeout());
        let connected = cold.connected_at != NEVER;
        // Why it was closed is history; why it drains is said once more when it closes.
        let (state, closed) = match state {
            State::Closed(_) => (State::Closed(CloseReason::Aborted), true),
            State::Connecting | State::EarlyData | State::Ready(_) | State::Busy(_) | State::Draining(_) => {
                (state, false)
            }
        };
        let idle = if hot.active == 0 && connected && cold.idle_for != u64::MAX {
            hot.idle_since.after(core::time::Duration::from_nanos(cold.idle_for))
        } else {
            NEVER
        };
        // Until it counts, an age is a length.
        let age = if connected { cold.age_at } else { now.after(cold.age_at.since(Instant::ZERO)) };
        let due = [if connected { NEVER } else { connect }, idle, age, cold.drain_at];
        Some(Conn {
            state,
            active: hot.active,
            limit: hot.limit,
            // A lifetime that nobody configured is 2^29 streams or more: as good as endless, and a search
            // would never see the same state again.
            remaining: match self.cold.config.max_requests_per_connection() {
                None if hot.remaining > 0 => u32::MAX,
                None | Some(_) => hot.remaining,
            },
            usage: hot.usage,
            forced: u8::from(self.cold.forced == index),
            heard: cold.heard as u8,
            lost: u8::from(cold.lost > 0),
            due: due.map(|at| if closed { u64::MAX } else { relative(now, at) }),
            idle_for: if closed { 0 } else { cold.idle_for },
        })
    }
}

/// Nanoseconds from `now` to `at`; what is past is due now.
fn relative(now: Instant, at: Instant) -> u64 {
    if at == NEVER { u64::MAX } else { at.as_nanos().saturating_sub(now.as_nanos()) }
}
