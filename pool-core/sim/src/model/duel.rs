//! The machine against the model: the same steps for both, and everything that can be seen of them
//! compared after each.

mod compare;

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::Arc;

use pool_core::config::{EarlyDataSupport, Jitter, Ratio};
use pool_core::id::{ConnId, HostId, PoolId, Token, WaiterId};
use pool_core::limits::{self, Claimant, Ledger, Limits, Local, Priority};
use pool_core::pool::{Action, Answer, DrainCause, EarlyData, Pool, Request, State};
use pool_core::time::Instant;

use super::{Order, Reply, Serial, World};
use crate::alphabet::{Aim, Choices, ConnectionFact, Step, Target};
use crate::bench::Settings;
use crate::engines::law;
use crate::pool_facts;
use crate::shrink::needed;
use compare::normal;

const OTHER: Claimant = Claimant { pool: PoolId(99), host: HostId(99), priority: Priority::Default };

/// A duel of which any bytes spell settings and steps. Panics where machine and model differ.
pub fn run(bytes: &[u8]) {
    let (settings, steps) = spelled(bytes);
    play(&settings, &steps);
}

/// The settings and steps that bytes spell.
#[must_use]
pub fn spelled(bytes: &[u8]) -> (Settings, Vec<Step>) {
    let mut choices = Choices::new(bytes);
    let settings = comparable(pool_facts::settings(&mut choices));
    let mut steps = Vec::new();
    while !choices.is_exhausted() && steps.len() < MAX_STEPS {
        steps.push(Step::read(&mut choices));
    }
    (settings, steps)
}

/// A duel of these steps. Panics where machine and model differ.
pub fn play(settings: &Settings, steps: &[Step]) {
    let mut duel = Duel::new(settings, Instant::from_millis(1));
    steps.iter().for_each(|step| duel.take(*step));
}

/// A duel that fails, cut down to the steps that it takes, told; one step to a line.
#[must_use]
pub fn tell(settings: &Settings, steps: &[Step]) -> String {
    let left = needed(steps, |steps| catch_unwind(|| play(settings, steps)).is_err());
    let mut story = format!("{settings:?}\n");
    for (number, step) in (1..).zip(&left) {
        let _ = writeln!(story, "{number:3}. {step:?}");
    }
    match catch_unwind(|| play(settings, &left)) {
        Ok(()) => story,
        Err(payload) => format!("broken: {}\n{story}", law(payload.as_ref())),
    }
}

/// The same settings without jitter, which is drawn from a seed that the model does not know.
#[must_use]
pub fn comparable(settings: Settings) -> Settings {
    let config = settings.config.to_builder().idle_jitter(Jitter::NONE);
    let config = config.max_connection_duration_jitter(Jitter::NONE).max_requests_jitter(Jitter::NONE);
    Settings { config: config.build().expect("valid with jitter, valid without"), ..settings }
}

/// Steps of one duel at most, so that long inputs stay cheap.
const MAX_STEPS: usize = 1_000;

/// One machine and what its driver knows.
#[derive(Debug)]
struct Machine {
    pool: Pool,
    /// The machine's names, by the model's.
    ids: BTreeMap<Serial, ConnId>,
    waiters: BTreeMap<Token, WaiterId>,
    /// Streams that the driver has heard of.
    streams: BTreeMap<Serial, usize>,
}

/// When orders are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    AtOnce,
    AfterOneMore,
}

/// Whether a duel goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    On,
    /// Unlike connections had something due at the same instant. Who is first is not promised, so the
    /// two sides may part here.
    Drawn,
}

/// A duel in progress.
#[derive(Debug)]
pub struct Duel {
    now: Instant,
    initial_limit: Option<u32>,
    ledger: Local,
    held: Vec<limits::Seat>,
    machines: Vec<Machine>,
    world: World,
    current: usize,
    tokens: u64,
    taking: Taking,
    course: Course,
}

impl Duel {
    /// Both sides unused. The settings have to be [`comparable`].
    #[must_use]
    pub fn new(settings: &Settings, now: Instant) -> Self {
        let machines = (0..).zip(&settings.hosts).map(|(pool, host)| {
            let who = Claimant { pool: PoolId(pool), host: HostId(*host), priority: Priority::Default };
            Machine {
                pool: Pool::new(Arc::clone(&settings.config), who, 0),
                ids: BTreeMap::new(),
                waiters: BTreeMap::new(),
                streams: BTreeMap::new(),
            }
        });
        Self {
            now,
            initial_limit: settings.initial_limit,
            ledger: Local::new(settings.limits),
            held: Vec::new(),
            machines: machines.collect(),
            world: World::new(Arc::clone(&settings.config), settings.limits, &settings.hosts, now),
            current: 0,
            tokens: 0,
            taking: Taking::AtOnce,
            course: Course::On,
        }
    }

    /// Whether it was broken off: from here on the sides may part.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.course == Course::Drawn
    }

    /// Takes one step with both, a nanosecond after the last one.
    ///
    /// # Panics
    /// If they differ in anything that can be seen.
    pub fn take(&mut self, step: Step) {
        if self.is_drawn() {
            return;
        }
        let p = self.current;
        self.now = self.now + Duration::from_nanos(1);
        self.world.now = self.now;
        match step {
            Step::Timeout if self.world.is_tied(p) => {
                self.course = Course::Drawn;
                return;
            }
            Step::NextPool => {
                self.current = (p + 1) % self.machines.len();
                return;
            }
            Step::HoldOrdersBack => {
                self.taking = Taking::AfterOneMore;
                return;
            }
            Step::Sleep => {
                let due = (0..self.machines.len()).filter_map(|p| self.next_deadline(p)).min();
                return self.advance_to(due.unwrap_or(self.now));
            }
            Step::Advance { ms } => return self.advance_to(self.now + Duration::from_millis(u64::from(ms))),
            Step::Connection { target, fact } => self.fact(p, target, fact),
            step => self.wish(p, step),
        }
        self.turn();
    }

    fn wish(&mut self, p: usize, step: Step) {
        let (now, ledger) = (self.now, &mut self.ledger);
        let Machine { pool, waiters, .. } = &mut self.machines[p];
        match step {
            Step::Request { early_data } => self.request(p, early_data, None),
            Step::Requeue { early_data, lifetime_ms } => {
                let deadline = lifetime_ms.map(|ms| now + Duration::from_millis(u64::from(ms)));
                self.request(p, early_data, Some(deadline));
            }
            Step::Cancel { nth, policy } => {
                let queue = &self.world.pools[p].queue;
                let Some(token) = queue.get(usize::from(nth) % queue.len().max(1)).map(|w| w.token) else {
                    return;
                };
                let was_there = pool.cancel(now, ledger, waiters[&token], policy);
                assert_eq!(was_there, self.world.cancel(p, token, policy), "cancel of {token:?}");
            }
            Step::Settled => {
                pool.handle_settled(now, ledger);
                self.world.settled(p);
            }
            Step::Timeout => {
                pool.handle_timeout(now, ledger);
                self.world.timeout(p);
            }
            Step::SlotFreed { resource } => {
                pool.handle_slot_freed(now, ledger, resource);
                self.world.slot_freed(p, resource);
            }
            Step::Health { health } => {
                pool.handle_host_health(now, ledger, health);
                self.world.health(p, health);
            }
            Step::Drain { mode } => {
                pool.drain(now, ledger, mode);
                self.world.drain(p, mode);
            }
            Step::Preconnect { thousandths } => {
                pool.maybe_preconnect(now, ledger, Ratio::from_thousandths(thousandths));
                self.world.preconnect(p, Ratio::from_thousandths(thousandths));
            }
            Step::Abort => {
                pool.abort(now, ledger);
                self.world.abort(p);
            }
            Step::TakeSeat { resource } => {
                let taken = ledger.try_take(resource, OTHER);
                assert_eq!(taken.is_ok(), self.world.other_takes(resource), "a seat of {resource:?}");
                self.held.extend(taken);
            }
            Step::GiveSeat { nth } => {
                if !self.held.is_empty() {
                    let nth = usize::from(nth) % self.held.len();
                    ledger.give_back(self.held.remove(nth));
                    self.world.other_gives(nth);
                }
            }
            Step::SetLimit { resource, max } => {
                let max = u32::from(max);
                let thresholds = ledger.limits().thresholds(Priority::Default).with(resource, max);
                ledger.set_limits(Limits::both(thresholds));
                self.world.set_limit(resource, max);
            }
            Step::Connection { .. }
            | Step::Sleep
            | Step::Advance { .. }
            | Step::NextPool
            | Step::HoldOrdersBack => {}
        }
    }

    fn request(&mut self, p: usize, early_data: EarlyData, requeued: Option<Option<Instant>>) {
        self.tokens += 1;
        let token = Token(self.tokens);
        let request = Request { token, early_data };
        let Machine { pool, ids, waiters, streams } = &mut self.machines[p];
        let (answer, reply) = match requeued {
            None => {
                (pool.request(self.now, &mut self.ledger, request), self.world.request(p, token, early_data))
            }
            Some(deadline) => (
                pool.requeue(self.now, &mut self.ledger, request, deadline),
                self.world.requeue(p, token, early_data, deadline),
            ),
        };
        let said = match answer {
            Answer::Bound(bound) => {
                let conn = serial(ids, bound.conn);
                *streams.entry(conn).or_default() += 1;
                Reply::Bound { conn, reason: bound.reason, usage: bound.usage }
            }
            Answer::Queued(queued) => {
                waiters.insert(token, queued.waiter);
                Reply::Queued { reason: queued.reason }
            }
            Answer::Failed(failed) => Reply::Failed { reason: failed.reason },
        };
        assert_eq!(said, reply, "the machine's answer to {token:?}, and the model's");
    }

    fn fact(&mut self, p: usize, target: Target, fact: ConnectionFact) {
        let Some(c) = self.target(p, target, fact) else { return };
        let known = self.machines[p].streams.get(&c).copied().unwrap_or(0);
        let (now, ledger) = (self.now, &mut self.ledger);
        let Machine { pool, ids, streams, .. } = &mut self.machines[p];
        let id = ids[&c];
        let conn = self.world.pools[p].conns[c].clone();
        let is_open = conn.is_there() && !conn.is_closed();
        let has_stream = is_open && conn.active > 0;
        if has_stream && known == 0 {
            match fact {
                // The driver has not heard of the stream yet and cannot report on it.
                ConnectionFact::StreamEnded { .. }
                | ConnectionFact::StreamEndedAndSettled { .. }
                | ConnectionFact::BindRefused { .. } => return,
                _ => {}
            }
        }
        let world = &mut self.world;
        let less = |streams: &mut BTreeMap<Serial, usize>| {
            if let Some(count) = streams.get_mut(&c) {
                *count -= 1;
            }
        };
        match fact {
            ConnectionFact::Connected { limit } => {
                let limit = limit.map(u32::from);
                let makes_sense = is_open && !conn.is_up();
                pool.handle_connected(now, ledger, id, limit);
                if makes_sense {
                    world.connected(p, c, limit);
                }
            }
            ConnectionFact::EarlyDataReady => {
                let supported = world.config.early_data() == EarlyDataSupport::On;
                let makes_sense = is_open && conn.state == State::Connecting && supported;
                pool.handle_early_data_ready(now, ledger, id);
                if makes_sense {
                    world.early_data_ready(p, c);
                }
            }
            ConnectionFact::StreamEnded { end } => {
                pool.handle_stream_ended(now, ledger, id, end);
                if has_stream {
                    less(streams);
                    world.stream_ended(p, c, end);
                }
            }
            ConnectionFact::StreamEndedAndSettled { end } => {
                pool.handle_stream_ended_and_settled(now, ledger, id, end);
                if has_stream {
                    less(streams);
                    world.stream_ended(p, c, end);
                }
                world.settled(p);
            }
            ConnectionFact::BindRefused { limit } => {
                pool.handle_bind_refused(now, ledger, id, u32::from(limit));
                if has_stream {
                    less(streams);
                    world.bind_refused(p, c, u32::from(limit));
                }
            }
            ConnectionFact::CapacityChanged { limit } => {
                pool.handle_capacity_changed(now, ledger, id, u32::from(limit));
                if is_open {
                    world.capacity_changed(p, c, u32::from(limit));
                }
            }
            ConnectionFact::GoAway => {
                pool.handle_go_away(now, ledger, id);
                if is_open {
                    world.end_one(p, c, DrainCause::GoAway);
                }
            }
            ConnectionFact::Suspect => {
                pool.handle_suspect(now, ledger, id);
                if is_open {
                    world.end_one(p, c, DrainCause::Suspect);
                }
            }
            ConnectionFact::Retire => {
                pool.retire(now, ledger, id);
                if is_open {
                    world.end_one(p, c, DrainCause::Retired);
                }
            }
            ConnectionFact::ProtocolError => {
                pool.handle_protocol_error(now, ledger, id);
                if is_open {
                    world.protocol_error(p, c);
                }
            }
            ConnectionFact::Closed { by } | ConnectionFact::Gone { by } => {
                let there = conn.is_there();
                pool.handle_closed(now, ledger, id, by);
                if there {
                    world.closed(p, c, by);
                }
                streams.remove(&c);
            }
        }
    }

    /// The connection that a step is about, among those that the driver has heard of.
    fn target(&self, p: usize, target: Target, fact: ConnectionFact) -> Option<Serial> {
        let fits = |c: &Serial| {
            let conn = &self.world.pools[p].conns[*c];
            let is_open = conn.is_there() && !conn.is_closed();
            target.aim == Aim::Any
                || match fact {
                    ConnectionFact::Connected { .. } => is_open && !conn.is_up(),
                    ConnectionFact::EarlyDataReady => is_open && conn.state == State::Connecting,
                    ConnectionFact::StreamEnded { .. }
                    | ConnectionFact::StreamEndedAndSettled { .. }
                    | ConnectionFact::BindRefused { .. } => conn.active > 0,
                    ConnectionFact::GoAway | ConnectionFact::ProtocolError | ConnectionFact::Suspect => {
                        is_open && conn.is_up()
                    }
                    ConnectionFact::CapacityChanged { .. }
                    | ConnectionFact::Retire
                    | ConnectionFact::Closed { .. } => is_open,
                    ConnectionFact::Gone { .. } => conn.is_there() && conn.is_closed(),
                }
        };
        let heard: Vec<Serial> = self.machines[p].ids.keys().copied().filter(fits).collect();
        heard.get(usize::from(target.nth) % heard.len().max(1)).copied()
    }

    fn next_deadline(&self, p: usize) -> Option<Instant> {
        let machine = self.machines[p].pool.deadline().instant(self.now);
        let model = self.world.deadline(p);
        assert!(
            model.is_none_or(|model| machine.is_some_and(|machine| machine <= model.max(self.now))),
            "the machine sleeps until {machine:?}, the model until {model:?}"
        );
        machine
    }

    fn advance_to(&mut self, target: Instant) {
        self.taking = Taking::AtOnce;
        self.turn();
        while let Some((at, p)) = (0..self.machines.len())
            .filter_map(|p| Some((self.next_deadline(p)?, p)))
            .min()
            .filter(|(at, _)| *at <= target)
        {
            self.now = self.now.max(at);
            self.world.now = self.now;
            if self.world.is_tied(p) {
                self.course = Course::Drawn;
                return;
            }
            self.machines[p].pool.handle_timeout(self.now, &mut self.ledger);
            self.world.timeout(p);
            self.turn();
        }
        self.now = self.now.max(target);
        self.world.now = self.now;
        self.compare();
    }

    /// Takes all orders of both, then compares.
    fn turn(&mut self) {
        if self.taking == Taking::AfterOneMore {
            self.taking = Taking::AtOnce;
            return;
        }
        (0..self.machines.len()).for_each(|p| self.take_orders(p));
        while let Some((pool, resource)) = self.ledger.poll_freed() {
            let told = self.world.told();
            assert_eq!(told, Some(pool.0 as usize), "for whom a seat is kept");
            let p = pool.0 as usize;
            self.machines[p].pool.handle_slot_freed(self.now, &mut self.ledger, resource);
            self.world.slot_freed(p, resource);
            self.take_orders(p);
        }
        assert_eq!(self.world.told(), None, "the model keeps a seat for somebody");
        self.compare();
    }

    /// Orders of both, one `Connect` after the other, so that names can be matched.
    fn take_orders(&mut self, p: usize) {
        let (mut machine, mut model) = (Vec::new(), Vec::new());
        loop {
            let action = self.machines[p].pool.poll_action();
            let is_connect = matches!(action, Some(Action::Connect { .. }));
            while let Some(order) = self.world.order(p) {
                model.push(order);
                if matches!(order, Order::Connect { .. }) {
                    break;
                }
                if !is_connect && action.is_some() {
                    break;
                }
            }
            let Some(action) = action else { break };
            if let (Action::Connect { conn, .. }, Some(Order::Connect { conn: serial, .. })) =
                (action, model.last())
            {
                self.machines[p].ids.insert(*serial, conn);
            }
            machine.push(self.translate(p, action));
            if let Action::Connect { conn, .. } = action {
                let c = serial(&self.machines[p].ids, conn);
                let (pool, ledger) = (&mut self.machines[p].pool, &mut self.ledger);
                pool.handle_connect_started(self.now, ledger, conn, self.initial_limit);
                self.world.connect_started(p, c, self.initial_limit);
            }
        }
        assert_eq!(normal(machine), normal(model), "the orders of pool {p}: the machine's, the model's");
    }

    fn translate(&mut self, p: usize, action: Action) -> Order {
        let Machine { ids, waiters, streams, .. } = &mut self.machines[p];
        match action {
            Action::Connect { conn, reason } => Order::Connect { conn: serial(ids, conn), reason },
            Action::Close { conn, reason } => {
                streams.remove(&serial(ids, conn));
                Order::Close { conn: serial(ids, conn), reason }
            }
            Action::Bind { token, conn, reason, usage, .. } => {
                waiters.remove(&token);
                let conn = serial(ids, conn);
                let open = &self.world.pools[p].conns[conn];
                if open.is_there() && !open.is_closed() {
                    *streams.entry(conn).or_default() += 1;
                }
                Order::Bind { token, conn, reason, usage }
            }
            Action::Fail { token, reason, .. } => {
                waiters.remove(&token);
                Order::Fail { token, reason }
            }
            Action::NotifyGoAway { conn } => Order::NotifyGoAway { conn: serial(ids, conn) },
            Action::Idle => Order::Idle,
        }
    }
}

fn serial(ids: &BTreeMap<Serial, ConnId>, conn: ConnId) -> Serial {
    let found = ids.iter().find(|(_, id)| **id == conn);
    *found.expect("a connection that was ordered has a name in the model").0
}
