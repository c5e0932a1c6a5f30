//! Whose turn it is: round robin over the hosts of a cluster, by weight where weights differ.
//!
//! As Envoy's `ROUND_ROBIN`: hosts of one weight are taken one after the other; otherwise the host
//! with the earliest deadline is next, and its deadline moves on by the reciprocal of its weight, so
//! that every host has its share in any stretch of picks and no burst.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Picks positions in a list of hosts. One per worker and cluster.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    seed: u64,
    order: Order,
}

#[derive(Clone, Debug)]
enum Order {
    Equal { hosts: usize, next: u64 },
    ByDeadline(Schedule),
}

/// Deadlines count in fractions of a turn: a host of weight 1 moves on by this much.
const TURN: u128 = 1 << 64;

#[derive(Clone, Debug, Default)]
struct Schedule {
    /// Deadline, then who was queued first, then position.
    queue: BinaryHeap<Reverse<(u128, u64, usize)>>,
    weights: Vec<u32>,
    queued: u64,
}

impl Schedule {
    fn push(&mut self, now: u128, host: usize) {
        let weight = self.weights.get(host).copied().unwrap_or(1).max(1);
        self.queued += 1;
        self.queue.push(Reverse((now + TURN / u128::from(weight), self.queued, host)));
    }

    fn pick(&mut self) -> Option<usize> {
        let Reverse((deadline, _, host)) = self.queue.pop()?;
        self.push(deadline, host);
        Some(host)
    }
}

impl RoundRobin {
    /// Over hosts of these weights, a weight of 0 counting as 1. `seed` decides where it begins, so that
    /// the workers do not all begin with the same host.
    #[must_use]
    pub fn new(weights: &[u32], seed: u64) -> Self {
        let mut new = Self { seed, order: Order::Equal { hosts: 0, next: seed } };
        new.set_weights(weights);
        new
    }

    /// Another list of hosts.
    pub fn set_weights(&mut self, weights: &[u32]) {
        let is_even = weights.windows(2).all(|pair| pair[0].max(1) == pair[1].max(1));
        if is_even {
            let next = match self.order {
                Order::Equal { next, .. } => next,
                Order::ByDeadline(_) => self.seed,
            };
            self.order = Order::Equal { hosts: weights.len(), next };
            return;
        }
        let mut schedule = Schedule { weights: weights.to_vec(), ..Schedule::default() };
        for host in 0..weights.len() {
            schedule.push(0, host);
        }
        for _ in 0..self.seed % weights.len() as u64 {
            schedule.pick();
        }
        self.order = Order::ByDeadline(schedule);
    }

    /// The position of the host whose turn it is; `None` if there are no hosts.
    #[inline]
    pub fn pick(&mut self) -> Option<usize> {
        match &mut self.order {
            Order::Equal { hosts: 0, .. } => None,
            Order::Equal { hosts, next } => {
                let host = (*next % *hosts as u64) as usize;
                *next = next.wrapping_add(1);
                Some(host)
            }
            Order::ByDeadline(schedule) => schedule.pick(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(robin: &mut RoundRobin, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| robin.pick()).collect()
    }

    #[test]
    fn equal_hosts_take_turns_from_a_seeded_start() {
        assert_eq!(picks(&mut RoundRobin::new(&[1, 1, 1], 0), 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(picks(&mut RoundRobin::new(&[7, 7, 7], 4), 4), [1, 2, 0, 1]);
        assert_eq!(picks(&mut RoundRobin::new(&[0, 1], 0), 4), [0, 1, 0, 1]);
        assert_eq!(picks(&mut RoundRobin::new(&[], 5), 3), []);
    }

    #[test]
    fn a_new_list_goes_on_where_the_old_one_was() {
        let mut robin = RoundRobin::new(&[1, 1], 0);
        assert_eq!(picks(&mut robin, 3), [0, 1, 0]);
        robin.set_weights(&[1, 1, 1, 1]);
        assert_eq!(picks(&mut robin, 3), [3, 0, 1]);
    }

    #[test]
    fn shares_follow_weights_without_bursts() {
        let weights = [5, 1, 2];
        for seed in 0..8 {
            let mut robin = RoundRobin::new(&weights, seed);
            let picked = picks(&mut robin, 8 * 100);
            for (host, weight) in weights.iter().enumerate() {
                let share = picked.iter().filter(|pick| **pick == host).count();
                assert!(share.abs_diff(*weight as usize * 100) <= 1, "host {host} of {weights:?}: {share}");
            }
            // The host of 5/8 never has to wait for two others in a row and a third.
            assert!(picked.windows(4).all(|four| four.contains(&0)), "{:?}", &picked[..16]);
        }
    }

    #[test]
    fn weights_may_be_as_large_as_they_get() {
        let mut robin = RoundRobin::new(&[u32::MAX, 1], 0);
        let picked = picks(&mut robin, 10_000);
        assert!(picked.iter().filter(|pick| **pick == 1).count() <= 1);
    }
}
