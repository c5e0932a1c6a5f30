//! When two states are the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use pool_core::id::PoolId;
use pool_core::limits::{Need, Priority, Resource, WaitProgress};
use pool_core::pool::Canonical;

use crate::bench::{Bench, Side};

/// A state, boiled down to 128 bits: a million states meet by chance with odds of 1 in 10^26.
pub type Key = (u64, u64);

/// What decides the future of a bench whose orders are all taken.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct State {
    pools: Vec<(u32, Canonical)>,
    /// Of each resource: in use, reserved, limit.
    gauges: Vec<(u64, u32, u32)>,
    /// Who waits for a seat, first come first served, by rank in `pools`.
    waits: Vec<(Resource, usize, Need, WaitProgress)>,
}

/// The key of a state.
#[must_use]
pub fn of(bench: &Bench) -> Key {
    // Pools of one host have the same settings: they can change places.
    let states = orders(bench.sides()).into_iter().map(|order| state(bench, &order));
    let Some(least) = states.min() else { return (0, 0) };
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        least.hash(&mut hasher);
        hasher.finish()
    };
    (half(1), half(2))
}

/// The orders in which the pools can be named: as they are, and with any two of one host exchanged.
fn orders(sides: &[Side]) -> Vec<Vec<usize>> {
    let plain: Vec<usize> = (0..sides.len()).collect();
    let mut orders = vec![plain.clone()];
    for a in 0..sides.len() {
        for b in a + 1..sides.len() {
            if sides[a].pool.claimant().host == sides[b].pool.claimant().host {
                let mut order = plain.clone();
                order.swap(a, b);
                orders.push(order);
            }
        }
    }
    orders
}

fn state(bench: &Bench, order: &[usize]) -> State {
    let pools = order.iter().map(|side| {
        let pool = &bench.sides()[*side].pool;
        (pool.claimant().host.0, pool.canonical(bench.now()))
    });
    let gauges = Resource::ALL.map(|resource| {
        let gauge = bench.ledger().snapshot(Priority::Default, resource);
        (gauge.current, gauge.reserved, gauge.max)
    });
    let rank = |pool: PoolId| order.iter().position(|side| *side == pool.0 as usize);
    let waits = bench.ledger().waits().into_iter().map(|wait| {
        let rank = rank(wait.pool).unwrap_or(order.len());
        (wait.resource, rank, wait.need, wait.progress)
    });
    State { pools: pools.collect(), gauges: gauges.to_vec(), waits: waits.collect() }
}
