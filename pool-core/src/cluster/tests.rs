use core::time::Duration;
use std::sync::Arc;

use super::*;
use crate::config::{Multiplexing, PoolConfig};
use crate::id::{ConnId, PoolId, Token};
use crate::limits::{Full, Limits, Local, Priority, Thresholds};
use crate::pool::{Action, Answer, CloseReason, Request};
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::time::{Deadline, Instant};

const T0: Instant = Instant::ZERO;

struct World {
    set: PoolSet<Local>,
    cluster: ClusterId,
}

impl World {
    fn new(config: Arc<PoolConfig>, limits: Thresholds) -> Self {
        let mut set = PoolSet::new(1);
        let cluster = set.add_cluster(config, Local::new(Limits::from(limits)));
        Self { set, cluster }
    }

    fn pool(&mut self, host: &str) -> PoolId {
        let key = Key::http1(host, 80);
        match self.set.find(&key) {
            Some(pool) => pool,
            None => self.set.add_pool(&key, self.cluster, Priority::Default).expect("room for a pool"),
        }
    }

    fn request(&mut self, now: Instant, pool: PoolId, token: u64) -> Answer {
        self.set.request(now, pool, Request::new(Token(token))).expect("a known pool")
    }

    fn actions(&mut self) -> Vec<(PoolId, Action)> {
        core::iter::from_fn(|| self.set.poll_action()).collect()
    }

    /// Asks, connects and returns the connection that was bound.
    fn bound(&mut self, now: Instant, pool: PoolId, token: u64) -> ConnId {
        assert!(matches!(self.request(now, pool, token), Answer::Queued(_)));
        let actions = self.actions();
        let [(at, Action::Connect { conn, .. })] = *actions else { panic!("one connect, not {actions:?}") };
        assert_eq!(at, pool);
        self.set.handle_report(now, pool, conn, Report::Connected { limit: None });
        let actions = self.actions();
        assert!(matches!(*actions, [(at, Action::Bind { conn: bound, .. })] if at == pool && bound == conn));
        conn
    }

    fn close(&mut self, now: Instant, pool: PoolId, conn: ConnId) -> Vec<(PoolId, Action)> {
        self.set.handle_report(now, pool, conn, Report::Closed(ClosedBy::Remote));
        self.actions()
    }
}

fn http1() -> Arc<PoolConfig> {
    Arc::new(PoolConfig::default())
}

fn strict() -> Arc<PoolConfig> {
    PoolConfig::builder(Multiplexing::Exclusive).strict_limits(true).build().expect("valid settings")
}

#[test]
fn equal_keys_share_connections_and_others_do_not() {
    let mut world = World::new(http1(), Thresholds::default());
    let (a, b) = (world.pool("a"), world.pool("b"));
    assert_ne!(a, b);
    assert_eq!(world.pool("a"), a);
    let conn = world.bound(T0, a, 1);
    world.set.finish(T0, a, conn, StreamEnd::Complete);
    assert!(matches!(world.request(T0, a, 2), Answer::Bound(bound) if bound.conn == conn));
    assert!(matches!(world.request(T0, b, 3), Answer::Queued(_)));
}

#[test]
fn cm_23_an_idle_pool_is_forgotten_by_its_owner() {
    let mut world = World::new(http1(), Thresholds::default());
    let pool = world.pool("a");
    let conn = world.bound(T0, pool, 1);
    world.set.finish(T0, pool, conn, StreamEnd::Complete);
    assert_eq!(world.close(T0, pool, conn), [(pool, Action::Idle)]);
    assert!(world.set.is_empty());
    assert_eq!(world.set.find(&Key::http1("a", 80)), None);
    assert_eq!(world.set.deadline(), Deadline::Never);
    // Its cluster went with it: there is nothing left to make a pool in.
    let again = world.set.add_pool(&Key::http1("a", 80), world.cluster, Priority::Default);
    assert_eq!(again, Err(Full::Cluster));
}

#[test]
fn a_freed_seat_goes_to_the_pool_that_waits_longest_with_no_other_event() {
    let mut world = World::new(strict(), Thresholds::default().max_connections(1));
    let (a, b, c) = (world.pool("a"), world.pool("b"), world.pool("c"));
    let conn = world.bound(T0, a, 1);
    assert!(matches!(world.request(T0, b, 2), Answer::Queued(_)));
    assert!(matches!(world.request(T0, c, 3), Answer::Queued(_)));
    assert_eq!(world.actions(), []);
    let actions = world.close(T0, a, conn);
    assert!(actions.contains(&(a, Action::Idle)), "{actions:?}");
    assert!(actions.iter().any(|(pool, action)| *pool == b && matches!(action, Action::Connect { .. })));
    assert!(!actions.iter().any(|(pool, _)| *pool == c), "{actions:?}");
}

#[test]
fn max_connection_pools_is_a_limit_on_pools() {
    let mut world = World::new(http1(), Thresholds::default().max_connection_pools(1));
    world.pool("a");
    let refused = world.set.add_pool(&Key::http1("b", 80), world.cluster, Priority::Default);
    assert_eq!(refused, Err(Full::Cluster));
    assert_eq!(world.set.find(&Key::http1("b", 80)), None);
}

#[test]
fn the_deadline_is_the_soonest_of_all_pools_and_only_due_pools_act() {
    let config = PoolConfig::builder(Multiplexing::Exclusive)
        .idle_timeout(Some(Duration::from_secs(10)))
        .build()
        .expect("valid settings");
    let mut world = World::new(config, Thresholds::default());
    let (a, b) = (world.pool("a"), world.pool("b"));
    let later = Instant::from_millis(3000);
    let conn_a = world.bound(T0, a, 1);
    world.set.finish(T0, a, conn_a, StreamEnd::Complete);
    let conn_b = world.bound(later, b, 2);
    world.set.finish(later, b, conn_b, StreamEnd::Complete);
    assert_eq!(world.actions(), []);
    // Follow the deadline faithfully: it may be early, and must end at the idle timeout exactly.
    let mut closed = Vec::new();
    for _ in 0..16 {
        let Deadline::At(at, ()) = world.set.deadline() else { break };
        world.set.handle_timeout(at);
        for (pool, action) in world.actions() {
            if let Action::Close { conn, reason } = action {
                assert_eq!(reason, CloseReason::IdleTimeout);
                closed.push((at, pool));
                world.set.handle_report(at, pool, conn, Report::Closed(ClosedBy::Local));
            }
        }
        world.actions();
    }
    assert_eq!(closed, [(Instant::from_millis(10_000), a), (Instant::from_millis(13_000), b)]);
}

#[test]
fn a_pool_whose_actions_were_taken_has_its_deadlines_registered() {
    let mut world = World::new(Arc::new(PoolConfig::default()), Thresholds::default());
    let pool = world.pool("a");
    world.set.request(T0, pool, Request::new(Token(1)));
    world.actions();
    assert_eq!(world.set.deadline(), Deadline::At(T0 + PoolConfig::default().connect_timeout(), ()));
}
