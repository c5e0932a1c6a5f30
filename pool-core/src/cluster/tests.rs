use core::time::Duration;
use std::sync::Arc;

use super::*;
use crate::config::{Multiplexing, PoolConfig};
use crate::id::{ConnId, PoolId, Token};
use crate::limits::{Full, Limits, Local, Priority, Resource, Shared, SharedHandle, Thresholds};
use crate::pool::{Action, Answer, CancelPolicy, CloseReason, DrainMode, Request};
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
fn a_pool_whose_only_request_was_refused_is_forgotten() {
    let mut world = World::new(http1(), Thresholds::default().max_pending_requests(0));
    let pool = world.pool("a");
    assert!(matches!(world.request(T0, pool, 1), Answer::Failed(_)));
    assert_eq!(world.actions(), [(pool, Action::Idle)]);
    assert!(world.set.is_empty());
}

#[test]
fn a_cluster_whose_first_pool_was_refused_is_forgotten() {
    let mut world = World::new(http1(), Thresholds::default().max_connection_pools(0));
    let refused = world.set.add_pool(&Key::http1("a", 80), world.cluster, Priority::Default);
    assert_eq!(refused, Err(Full::Cluster));
    let next = world.set.add_cluster(http1(), Local::new(Limits::default()));
    assert_eq!(next, world.cluster, "its place is free");
}

/// A set with room for one pool, on a ledger that outlives its clusters.
fn one_pool(config: Arc<PoolConfig>) -> (PoolSet<SharedHandle>, Shared, PoolId, ConnId) {
    let shared = Shared::new(Limits::from(Thresholds::default().max_connection_pools(1)));
    let mut set = PoolSet::new(1);
    let cluster = set.add_cluster(config, shared.worker(Arc::new(|| {})));
    let pool = set.add_pool(&Key::http1("a", 80), cluster, Priority::Default).expect("room for a pool");
    set.request(T0, pool, Request::new(Token(1)));
    let Some((_, Action::Connect { conn, .. })) = set.poll_action() else { panic!("a connect") };
    set.handle_report(T0, pool, conn, Report::Connected { limit: None });
    assert!(matches!(set.poll_action(), Some((_, Action::Bind { .. }))));
    assert!(shared.snapshot(Priority::Default, Resource::Pools).open);
    (set, shared, pool, conn)
}

#[test]
fn cm_14_a_pool_is_deleted_after_it_closed_its_last_connection() {
    let one = PoolConfig::builder(Multiplexing::Exclusive).max_requests_per_connection(Some(1)).build();
    let (mut set, shared, pool, conn) = one_pool(one.expect("valid settings"));
    set.finish(T0, pool, conn, StreamEnd::Complete);
    assert!(matches!(set.poll_action(), Some((_, Action::Close { .. }))));
    assert!(shared.snapshot(Priority::Default, Resource::Pools).open, "the socket is still there");
    set.handle_report(T0, pool, conn, Report::Closed(ClosedBy::Local));
    assert_eq!(set.poll_action(), Some((pool, Action::Idle)));
    assert!(!shared.snapshot(Priority::Default, Resource::Pools).open);
    assert!(set.pool(pool).is_none());
}

#[test]
fn cm_16_a_drained_pool_is_deleted() {
    let (mut set, shared, pool, conn) = one_pool(http1());
    set.finish(T0, pool, conn, StreamEnd::Complete);
    set.drain(T0, pool, DrainMode::Existing);
    assert!(matches!(set.poll_action(), Some((_, Action::Close { .. }))));
    set.handle_report(T0, pool, conn, Report::Closed(ClosedBy::Local));
    assert_eq!(set.poll_action(), Some((pool, Action::Idle)));
    assert!(!shared.snapshot(Priority::Default, Resource::Pools).open);
    assert!(set.is_empty());
}

#[test]
fn names_of_a_forgotten_pool_mean_nothing_to_the_one_that_took_its_place() {
    let mut world = World::new(http1(), Thresholds::default());
    world.pool("keeps the cluster");
    let old = world.pool("a");
    let Answer::Queued(queued) = world.request(T0, old, 1) else { panic!("a cold pool") };
    let [(_, Action::Connect { conn, .. })] = *world.actions() else { panic!("one connect") };
    assert!(world.close(T0, old, conn).contains(&(old, Action::Idle)));

    let new = world.pool("b");
    assert_eq!(new, old, "the same place");
    assert!(matches!(world.request(T0, new, 2), Answer::Queued(_)));
    assert_eq!(world.actions().len(), 1);
    // Late: a caller that goes away, a socket that is gone.
    world.set.cancel(T0, old, queued.waiter, CancelPolicy::Default);
    assert_eq!(world.close(T0, old, conn), []);
    let pool = world.set.pool(new).expect("the new pool");
    assert_eq!((pool.triple().pending, pool.stats().ignored_facts), (1, 2));
}

#[test]
fn a_pool_that_settled_wants_no_further_pass() {
    let mut world = World::new(http1(), Thresholds::default());
    let pool = world.pool("a");
    let conns = [world.bound(T0, pool, 1), world.bound(T0, pool, 2)];
    for conn in conns {
        world.set.handle_report(T0, pool, conn, Report::StreamEnded(StreamEnd::Complete));
        assert_eq!(world.actions(), []);
        assert_eq!(world.set.deadline(), Deadline::Now(()));
    }
    world.set.handle_settled(T0, pool);
    assert_eq!(world.actions(), []);
    assert!(matches!(world.set.deadline(), Deadline::At(..)), "{:?}", world.set.deadline());
}

#[test]
fn a_set_that_goes_away_gives_its_seats_back() {
    let shared = Shared::new(Limits::from(Thresholds::default().max_connections(1)));
    let other = shared.worker(Arc::new(|| {}));
    let mut set = PoolSet::new(1);
    let cluster = set.add_cluster(http1(), shared.worker(Arc::new(|| {})));
    let pool = set.add_pool(&Key::http1("a", 80), cluster, Priority::Default).expect("room for a pool");
    set.request(T0, pool, Request::new(Token(1)));
    let Some((_, Action::Connect { conn, .. })) = set.poll_action() else { panic!("a connect") };
    set.handle_report(T0, pool, conn, Report::Connected { limit: None });
    set.request(T0, pool, Request::new(Token(2)));
    let taken = |resource| shared.snapshot(Priority::Default, resource).current;
    assert_eq!(Resource::ALL.map(taken), [1, 1, 1, 0, 1]);
    drop(set);
    assert_eq!(Resource::ALL.map(taken), [0; 5], "others share the ledger");
    drop(other);
}

#[test]
fn any_number_of_seats_can_be_freed_at_once() {
    let pools = 8_000;
    let limit = |max| Limits::from(Thresholds::default().max_connections(max).max_pending_requests(pools));
    let shared = Shared::new(limit(0));
    let mut set = PoolSet::new(1);
    let cluster = set.add_cluster(strict(), shared.worker(Arc::new(|| {})));
    for port in 0..pools {
        let host = port.to_string();
        let pool = set.add_pool(&Key::http1(&host, 80), cluster, Priority::Default).expect("room for a pool");
        let answer = set.request(T0, pool, Request::new(Token(u64::from(port))));
        assert!(matches!(answer, Some(Answer::Queued(_))));
    }
    assert_eq!(set.poll_action(), None);
    shared.set_limits(limit(pools));
    set.handle_seats_freed(T0);
    let actions: Vec<_> = core::iter::from_fn(|| set.poll_action()).collect();
    assert_eq!(actions.len(), pools as usize);
    assert!(actions.iter().all(|(_, action)| matches!(action, Action::Connect { .. })));
}

#[test]
fn a_pool_whose_actions_were_taken_has_its_deadlines_registered() {
    let mut world = World::new(Arc::new(PoolConfig::default()), Thresholds::default());
    let pool = world.pool("a");
    world.set.request(T0, pool, Request::new(Token(1)));
    world.actions();
    assert_eq!(world.set.deadline(), Deadline::At(T0 + PoolConfig::default().connect_timeout(), ()));
}
