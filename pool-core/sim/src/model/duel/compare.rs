//! Everything that can be seen of machine and model, compared.

use std::collections::BTreeSet;

use pool_core::limits::{Priority, Resource};
use pool_core::pool::{FailReason, Seating};
use pool_core::time::Deadline;

use super::{Duel, Machine};
use crate::model::{Order, Seat, Serial};

impl Duel {
    pub(super) fn compare(&self) {
        for p in 0..self.machines.len() {
            self.compare_pool(p);
            let _ = self.next_deadline(p);
        }
        for resource in [Resource::Connections, Resource::Pending, Resource::Requests] {
            let gauge = self.ledger.snapshot(Priority::Default, resource);
            assert_eq!(gauge.current, self.world.in_use(resource), "seats of {resource:?} in use");
        }
        let gauge = self.ledger.snapshot(Priority::Default, Resource::Connections);
        assert_eq!(u64::from(gauge.reserved), self.world.kept(), "seats kept for those in line");
    }

    fn compare_pool(&self, p: usize) {
        let (Machine { pool, ids, .. }, world) = (&self.machines[p], &self.world);
        let triple = pool.triple();
        assert_eq!(
            (triple.active as i64, triple.pending as i64, triple.capacity, pool.connecting_capacity()),
            (world.active(p), world.pending(p), world.capacity(p), world.connecting(p)),
            "pool {p}: active, pending, capacity, connecting"
        );
        assert_eq!(pool.awaits_seat(), world.waits(p).is_some(), "pool {p} waits for a seat");
        assert_eq!(pool.is_idle(), world.is_idle(p), "pool {p} is idle");
        let theirs: Vec<_> = pool.waiters().map(|waiter| (waiter.token, waiter.deadline)).collect();
        let ours: Vec<_> = world.pools[p].queue.iter().map(|w| (w.token, w.deadline)).collect();
        assert_eq!(theirs, ours, "pool {p}: the queue");
        let live: BTreeSet<Serial> = world.conns(p).map(|(c, _)| c).collect();
        assert_eq!(pool.connections().count(), live.len(), "pool {p}: connections");
        for c in live {
            let Some(view) = ids.get(&c).and_then(|id| pool.connection(*id)) else { continue };
            let conn = &world.pools[p].conns[c];
            let seat = if view.seating == Seating::Seated { Seat::Held } else { Seat::Missing };
            assert_eq!(
                (view.state, i64::from(view.active), view.usage, view.connected_at, seat),
                (conn.state, conn.active, conn.usage, conn.connected_at, conn.seat),
                "pool {p}, connection {c}"
            );
            if conn.serves() {
                assert_eq!(
                    (view.unused, i64::from(view.limit), i64::from(view.remaining)),
                    (conn.unused(), conn.limit, conn.remaining),
                    "pool {p}, connection {c}: unused, limit, remaining"
                );
            }
        }
        let (stats, c) = (pool.stats(), &world.pools[p].counters);
        let counters = [
            ("cx_total", stats.cx_total, c.cx_total),
            ("cx_destroy", stats.cx_destroy, c.cx_destroy),
            ("cx_connect_fail", stats.cx_connect_fail, c.cx_connect_fail),
            ("cx_connect_timeout", stats.cx_connect_timeout, c.cx_connect_timeout),
            ("cx_idle_timeout", stats.cx_idle_timeout, c.cx_idle_timeout),
            ("cx_max_duration_reached", stats.cx_max_duration_reached, c.cx_max_duration_reached),
            ("cx_max_requests", stats.cx_max_requests, c.cx_max_requests),
            ("cx_overflow", stats.cx_overflow, c.cx_overflow),
            ("cx_drain_timeout", stats.cx_drain_timeout, c.cx_drain_timeout),
            ("rq_total", stats.rq_total, c.rq_total),
            ("rq_pending_total", stats.rq_pending_total, c.rq_pending_total),
            ("rq_pending_overflow", stats.rq_pending_overflow, c.rq_pending_overflow),
            ("rq_active_overflow", stats.rq_active_overflow, c.rq_active_overflow),
            ("rq_pending_timeout", stats.rq_pending_timeout, c.rq_pending_timeout),
            ("rq_cancelled", stats.rq_cancelled, c.rq_cancelled),
        ];
        for (name, machine, model) in counters {
            assert_eq!(machine, model, "pool {p}: {name}, the machine's and the model's");
        }
        let settles = matches!(pool.deadline(), Deadline::Now(_));
        assert_eq!(settles, world.settling(p) > 0, "pool {p} settles");
    }
}

/// Orders as far as their order is promised: requests are bound and failed in turn, `Connect` orders
/// come in turn and last; closings and notices of one turn are a set.
pub(super) fn normal(orders: Vec<Order>) -> (Vec<Order>, Vec<String>) {
    let is_in_turn = |order: &Order| match order {
        // Of requests that time out at the same instant none is first.
        Order::Fail { reason: FailReason::PendingTimeout, .. } => false,
        Order::Bind { .. } | Order::Fail { .. } | Order::Connect { .. } => true,
        Order::Close { .. } | Order::NotifyGoAway { .. } | Order::Idle => false,
    };
    let (in_turn, set): (Vec<Order>, Vec<Order>) = orders.into_iter().partition(is_in_turn);
    let mut set: Vec<String> = set.iter().map(|order| format!("{order:?}")).collect();
    set.sort_unstable();
    (in_turn, set)
}
