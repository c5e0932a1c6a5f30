//! Random facts and wishes, sensible or not: totals agree after every step, every request has one
//! outcome, and everything comes back.

use core::time::Duration;
use std::collections::BTreeMap;

use super::super::*;
use super::ledger::{ME, OTHER, is_in_line, limits, used};
use crate::config::{Admission, FailQueue, Jitter};
use crate::id::{ConnId, Token, WaiterId};
use crate::limits::{Ledger, Local, Priority, Resource, Seat};
use crate::report::{ClosedBy, StreamEnd};
use crate::time::Instant;

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn one<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len() as u64) as usize])
    }
}

struct World {
    pool: Pool,
    book: Local,
    now: Instant,
    dice: Dice,
    /// Everything that was ever named, dead names included.
    conns: Vec<ConnId>,
    /// Connections that the driver was told to open and has not reported closed.
    open: Vec<ConnId>,
    waiting: BTreeMap<u64, WaiterId>,
    asked: u64,
    outcomes: u64,
    foreign: Vec<Seat>,
    idle_reports: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let multiplexing = match dice.below(3) {
            0 => Multiplexing::Streams { max_concurrent_streams: 1 + dice.below(4) as u32 },
            _ => Multiplexing::Exclusive,
        };
        let ms = |length: u64| Some(Duration::from_millis(length));
        let mut config = PoolConfig::builder(multiplexing)
            .connect_timeout(Duration::from_millis(20))
            .idle_timeout(ms(50))
            .idle_jitter(Jitter::percent(dice.below(50) as u8))
            .per_upstream_preconnect_ratio(Ratio::from_thousandths(1000 + 500 * dice.below(3) as u32));
        if dice.below(2) == 0 {
            config = config.max_requests_per_connection(Some(1 + dice.below(4) as u32));
        }
        if dice.below(2) == 0 {
            config = config.max_connection_duration(ms(200)).drain_timeout(ms(30)).pending_timeout(ms(40));
        }
        if dice.below(2) == 0 {
            config = config.on_connect_failure(FailQueue::Unservable).early_data(EarlyDataSupport::On);
        }
        if dice.below(3) == 0 {
            config = config.admission(Admission::Strict);
        }
        let book = limits(1 + dice.below(4) as u32, 2 + dice.below(6) as u32, 1 + dice.below(6) as u32);
        let pool = Pool::new(config.build().unwrap(), ME, seed);
        let now = Instant::ZERO;
        let (conns, open, waiting) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self {
            pool,
            book,
            now,
            dice,
            conns,
            open,
            waiting,
            asked: 0,
            outcomes: 0,
            foreign: Vec::new(),
            idle_reports: 0,
        }
    }

    fn ask(&mut self, again: bool) {
        let token = self.asked;
        self.asked += 1;
        let request = match self.dice.below(2) {
            0 => Request::new(Token(token)),
            _ => Request::new(Token(token)).early_data_safe(),
        };
        let answer = if again {
            let deadline = (self.dice.below(2) == 0).then(|| self.now + Duration::from_millis(15));
            self.pool.requeue(self.now, &mut self.book, request, deadline)
        } else {
            self.pool.request(self.now, &mut self.book, request)
        };
        match answer {
            Answer::Queued(queued) => drop(self.waiting.insert(token, queued.waiter)),
            Answer::Bound(_) | Answer::Failed(_) => self.outcomes += 1,
        }
    }

    fn end(&mut self) -> StreamEnd {
        match self.dice.below(8) {
            0 => StreamEnd::CloseNotified,
            1 => StreamEnd::Final,
            2 => StreamEnd::RemoteReset,
            3 => StreamEnd::LocalReset,
            4 => StreamEnd::RequestUnfinished,
            _ => StreamEnd::Complete,
        }
    }

    fn step(&mut self) {
        let (end, by) = (self.end(), [ClosedBy::Local, ClosedBy::Remote]);
        // Mostly live names, sometimes dead ones.
        let conn =
            if self.dice.below(10) == 0 { self.dice.one(&self.conns) } else { self.dice.one(&self.open) };
        let conn = conn.unwrap_or(ConnId { index: 9, generation: 9 });
        let limit = self.dice.below(5) as u32;
        let by = by[self.dice.below(2) as usize];
        let (pool, book, now) = (&mut self.pool, &mut self.book, self.now);
        match self.dice.below(40) {
            0..=9 => self.ask(false),
            10 => self.ask(true),
            11..=14 => pool.handle_connected(now, book, conn, None),
            15 => pool.handle_connected(now, book, conn, Some(limit)),
            16 => pool.handle_connect_started(now, book, conn, Some(limit)),
            17 => pool.handle_early_data_ready(now, book, conn),
            18..=22 => pool.handle_stream_ended(now, book, conn, end),
            23 => pool.handle_settled(now, book),
            24 => pool.handle_capacity_changed(now, book, conn, limit),
            25 => pool.handle_bind_refused(now, book, conn, limit),
            26 => pool.handle_go_away(now, book, conn),
            27 => pool.handle_suspect(now, book, conn),
            28 => pool.handle_protocol_error(now, book, conn),
            29 => pool.retire(now, book, conn),
            30 => drop(pool.maybe_preconnect(now, book, Ratio::from_thousandths(1500))),
            31 => pool.drain(now, book, DrainMode::Existing),
            32 => {
                let health = [HostHealth::Healthy, HostHealth::Degraded, HostHealth::Unhealthy];
                pool.handle_host_health(now, book, health[limit as usize % 3]);
            }
            33 => self.cancel(),
            34 => self.foreign(),
            35..=37 => {
                self.now = self.now + Duration::from_millis(self.dice.below(12));
                self.pool.handle_timeout(self.now, &mut self.book);
            }
            _ => self.closed(conn, by),
        }
        self.after();
    }

    /// Another pool takes a connection seat, or gives one back.
    fn foreign(&mut self) {
        if let Some(seat) = self.foreign.pop() {
            self.book.give_back(seat);
        } else if let Ok(seat) = self.book.try_take(Resource::Connections, OTHER) {
            self.foreign.push(seat);
        }
    }

    fn cancel(&mut self) {
        let all: Vec<u64> = self.waiting.keys().copied().collect();
        let Some(token) = self.dice.one(&all) else { return };
        let policy = [CancelPolicy::Default, CancelPolicy::CloseExcess][self.dice.below(2) as usize];
        if self.pool.cancel(self.now, &mut self.book, self.waiting[&token], policy) {
            self.waiting.remove(&token);
            self.outcomes += 1;
        }
    }

    fn closed(&mut self, conn: ConnId, by: ClosedBy) {
        self.pool.handle_closed(self.now, &mut self.book, conn, by);
        self.open.retain(|open| *open != conn);
    }

    /// Takes actions (not always), hears the ledger, and checks everything.
    fn after(&mut self) {
        while let Some((_, resource)) = self.book.poll_freed() {
            self.pool.handle_slot_freed(self.now, &mut self.book, resource);
        }
        if self.dice.below(4) > 0 {
            self.take_actions();
        }
        self.pool.audit().unwrap();
        let counts = self.pool.counts();
        let max = self.book.snapshot(Priority::Default, Resource::Connections).max;
        assert!(counts.active() + counts.closing <= max + 1, "more than one forced");
        let stats = self.pool.stats();
        assert_eq!(stats.cx_total, u64::from(counts.active() + counts.closing) + stats.cx_destroy);
        assert!(stats.cx_connect_timeout <= stats.cx_connect_fail);
        if self.pool.deadline() == crate::time::Deadline::Never {
            assert!(
                self.pool
                    .connections()
                    .all(|view| matches!(view.state, State::Draining(_) | State::Closed(_)))
            );
        }
    }

    fn take_actions(&mut self) {
        while let Some(action) = self.pool.poll_action() {
            match action {
                Action::Connect { conn, .. } => {
                    self.conns.push(conn);
                    self.open.push(conn);
                }
                Action::Close { conn, .. } | Action::NotifyGoAway { conn } => {
                    assert!(self.open.contains(&conn), "an order for a connection that is not there");
                }
                Action::Bind { waiter, token, .. } | Action::Fail { waiter, token, .. } => {
                    assert_eq!(self.waiting.remove(&token.0), Some(waiter));
                    self.outcomes += 1;
                }
                Action::Idle => self.idle_reports += 1,
            }
        }
    }

    fn wind_down(&mut self) {
        self.foreign.drain(..).for_each(|seat| self.book.give_back(seat));
        match self.dice.below(2) {
            0 => self.pool.abort(self.now, &mut self.book),
            _ => self.pool.drain(self.now, &mut self.book, DrainMode::AndDelete),
        }
        self.take_actions();
        while let Some(conn) = self.open.first().copied() {
            self.closed(conn, ClosedBy::Remote);
            self.after();
            self.take_actions();
        }
        assert!(self.pool.is_idle());
        assert_eq!(self.outcomes, self.asked);
        assert_eq!(used(&self.book), [0; 5]);
        assert!(!is_in_line(&self.book, ME));
        assert!(self.idle_reports > 0);
        let at_rest = self.idle_reports;
        self.pool.drain(self.now, &mut self.book, DrainMode::AndDelete);
        self.take_actions();
        assert_eq!(self.idle_reports, at_rest, "idle was reported twice");
    }
}

#[test]
fn any_order_of_facts_keeps_totals_and_gives_every_request_one_outcome() {
    for seed in 0..600 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.step();
        }
        world.wind_down();
    }
}

#[test]
fn a_fork_goes_the_same_way() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.step();
        }
        world.take_actions();
        let (mut fork, mut book) = (world.pool.fork(), world.book.clone());
        assert_eq!(fork.canonical(world.now), world.pool.canonical(world.now));
        for _ in 0..20 {
            world.now = world.now + Duration::from_millis(7);
            world.pool.handle_timeout(world.now, &mut world.book);
            fork.handle_timeout(world.now, &mut book);
            loop {
                let action = fork.poll_action();
                assert_eq!(action, world.pool.poll_action());
                if action.is_none() {
                    break;
                }
            }
        }
        assert_eq!(fork.canonical(world.now), world.pool.canonical(world.now));
    }
}
