//! A real pool in each state of the table, and what a fact does to it.

use core::time::Duration;
use std::sync::Arc;

use pool_core::config::{EarlyDataSupport, Multiplexing, PoolConfig, PoolConfigBuilder};
use pool_core::id::{ConnId, HostId, PoolId, Token, WaiterId};
use pool_core::limits::{Claimant, Ledger, Limits, Local, Priority, Thresholds};
use pool_core::pool::{Action, Answer, CancelPolicy, DrainMode, EarlyData, HostHealth, Pool, Request, State};
use pool_core::report::{ClosedBy, StreamEnd};
use pool_core::time::Instant;

use super::{Also, Fact, If, Name, To};

/// Whether the pool's connections carry one stream at a time or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants of `Multiplexing`")]
pub enum Flavour {
    Exclusive,
    Streams,
}

/// Whether a drained connection's handshake was complete when it began to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "what it says")]
pub enum Handshake {
    Incomplete,
    Complete,
}

/// Whether a request waits in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "what it says")]
pub enum Queue {
    Empty,
    OneWaits,
}

/// A case in which a fact can come: what guards look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Of the pool.
    pub flavour: Flavour,
    /// Of the connection.
    pub state: Name,
    /// Of the connection.
    pub handshake: Handshake,
    /// Streams in progress.
    pub streams: u32,
    /// Streams allowed at a time.
    pub limit: u32,
    /// Of the pool.
    pub queue: Queue,
}

impl Case {
    /// Every case that can be brought about.
    #[must_use]
    pub fn all() -> Vec<Self> {
        use Flavour::{Exclusive, Streams};
        use Handshake::{Complete, Incomplete};
        // State, handshake, streams in progress, streams allowed.
        let shapes = [
            (Exclusive, Name::Connecting, Incomplete, 0, 1),
            (Exclusive, Name::EarlyData, Incomplete, 0, 1),
            (Exclusive, Name::BusyEarly, Incomplete, 1, 1),
            (Exclusive, Name::Ready, Complete, 0, 1),
            (Exclusive, Name::Settling, Complete, 0, 1),
            (Exclusive, Name::Busy, Complete, 1, 1),
            (Exclusive, Name::Draining, Incomplete, 1, 1),
            (Exclusive, Name::Draining, Complete, 1, 1),
            (Exclusive, Name::Closed, Complete, 0, 1),
            (Streams, Name::Connecting, Incomplete, 0, 2),
            (Streams, Name::EarlyData, Incomplete, 0, 1),
            (Streams, Name::EarlyData, Incomplete, 0, 2),
            (Streams, Name::EarlyData, Incomplete, 1, 2),
            (Streams, Name::EarlyData, Incomplete, 1, 3),
            (Streams, Name::EarlyData, Incomplete, 2, 3),
            (Streams, Name::BusyEarly, Incomplete, 0, 0),
            (Streams, Name::BusyEarly, Incomplete, 1, 1),
            (Streams, Name::BusyEarly, Incomplete, 2, 2),
            (Streams, Name::Ready, Complete, 0, 1),
            (Streams, Name::Ready, Complete, 0, 2),
            (Streams, Name::Ready, Complete, 1, 2),
            (Streams, Name::Ready, Complete, 1, 3),
            (Streams, Name::Ready, Complete, 2, 3),
            (Streams, Name::Busy, Complete, 0, 0),
            (Streams, Name::Busy, Complete, 1, 1),
            (Streams, Name::Busy, Complete, 2, 2),
            (Streams, Name::Draining, Incomplete, 1, 2),
            (Streams, Name::Draining, Incomplete, 2, 2),
            (Streams, Name::Draining, Complete, 1, 2),
            (Streams, Name::Draining, Complete, 2, 2),
            (Streams, Name::Closed, Complete, 0, 2),
        ];
        let mut cases = Vec::new();
        for (flavour, state, handshake, streams, limit) in shapes {
            for queue in [Queue::Empty, Queue::OneWaits] {
                // Nobody waits beside a connection that could take them (invariant 23).
                if state != Name::Ready || queue == Queue::Empty {
                    cases.push(Self { flavour, state, handshake, streams, limit, queue });
                }
            }
        }
        cases
    }

    /// Whether a condition holds.
    #[must_use]
    pub fn is(&self, condition: If) -> bool {
        match condition {
            If::Exclusive => self.flavour == Flavour::Exclusive,
            If::Streams => self.flavour == Flavour::Streams,
            If::Unused => self.streams == 0,
            If::Used => self.streams > 0,
            If::OneLeft => self.streams == 1,
            If::MoreLeft => self.streams > 1,
            If::OneFree => self.streams + 1 == self.limit,
            If::MoreFree => self.streams + 1 < self.limit,
            If::Early => self.handshake == Handshake::Incomplete,
            If::Up => self.handshake == Handshake::Complete,
            If::Waited => self.queue == Queue::OneWaits,
            If::Unwaited => self.queue == Queue::Empty,
        }
    }
}

/// What a fact did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// To the connection.
    pub to: To,
    /// Beside it.
    pub also: Vec<Also>,
}

/// When a pool is made.
const BEGIN: Instant = Instant::from_millis(1);
/// Our own ceiling of streams on a connection that carries many.
const MOST: u32 = 3;
/// Longer than anything that is played here.
const AGES: Duration = Duration::from_secs(3600);
/// The timer that is to expire, if the fact is one.
const SOON: Duration = Duration::from_millis(10);

/// One pool whose first connection is looked at.
struct Stage {
    now: Instant,
    ledger: Local,
    pool: Pool,
    actions: Vec<Action>,
    waiter: Option<WaiterId>,
    tokens: u64,
}

/// Brings the case about, lets the fact happen, and looks.
///
/// # Panics
/// If the case cannot be brought about: the machine has left the table before the fact came.
#[must_use]
pub fn play(case: Case, fact: Fact) -> Seen {
    let max_requests = match fact {
        Fact::LastRequest => {
            let (stage, _) = Stage::set(case, config(case.flavour, fact, None));
            u32::try_from(stage.pool.stats().rq_total + 1).ok()
        }
        _ => None,
    };
    let (mut stage, conn) = Stage::set(case, config(case.flavour, fact, max_requests));
    let view = stage.pool.connection(conn).expect("the connection is there");
    assert_eq!((Name::of(view.state), view.active), (case.state, case.streams), "{case:?}");
    assert_eq!(stage.pool.triple().pending, u64::from(case.queue == Queue::OneWaits), "{case:?}");
    let ignored = stage.pool.stats().ignored_facts;
    let mut also: Vec<Also> = stage.apply(conn, fact).into_iter().collect();
    stage.take_orders();
    let mut to = match stage.pool.connection(conn).map(|now| now.state) {
        None => To::Gone,
        Some(State::Closed(reason)) if case.state != Name::Closed => To::Close(reason),
        Some(now) if Name::of(now) == case.state => To::Same,
        Some(now) => To::Become(Name::of(now)),
    };
    for action in &stage.actions {
        match *action {
            Action::Bind { conn: bound, .. } if bound == conn => also.push(Also::Binds),
            Action::Fail { .. } => also.push(Also::Fails),
            Action::Connect { .. } => also.push(Also::Opens),
            Action::NotifyGoAway { .. } => also.push(Also::Notifies),
            Action::Close { conn: closed, reason } if closed == conn => assert_eq!(to, To::Close(reason)),
            Action::Bind { .. } | Action::Close { .. } | Action::Idle => {}
        }
    }
    let is_late = matches!(fact, Fact::CancelExcess | Fact::Request | Fact::SafeRequest | Fact::LastRequest);
    if stage.pool.stats().ignored_facts > ignored && !is_late {
        assert_eq!((to, also.len()), (To::Same, 0), "an ignored fact changes nothing: {case:?}, {fact:?}");
        to = To::Ignored;
    }
    also.sort_unstable();
    also.dedup();
    Seen { to, also }
}

fn config(flavour: Flavour, fact: Fact, max_requests: Option<u32>) -> Arc<PoolConfig> {
    let multiplexing = match flavour {
        Flavour::Exclusive => Multiplexing::Exclusive,
        Flavour::Streams => Multiplexing::Streams { max_concurrent_streams: MOST },
    };
    let base = PoolConfig::builder(multiplexing)
        .early_data(EarlyDataSupport::On)
        .max_requests_per_connection(max_requests)
        .connect_timeout(AGES)
        .idle_timeout(None);
    let with_timer = |base: PoolConfigBuilder| match fact {
        Fact::ConnectTimeout => base.connect_timeout(SOON),
        Fact::IdleTimeout => base.idle_timeout(Some(SOON)),
        Fact::MaxAge => base.max_connection_duration(Some(SOON)),
        Fact::DrainTimeout => base.drain_timeout(Some(SOON)),
        Fact::PendingTimeout => base.pending_timeout(Some(SOON)),
        _ => base,
    };
    with_timer(base).build().expect("these settings are valid")
}

impl Stage {
    fn set(case: Case, config: Arc<PoolConfig>) -> (Self, ConnId) {
        let who = Claimant { pool: PoolId(0), host: HostId(0), priority: Priority::Default };
        let mut stage = Self {
            now: BEGIN,
            // One connection: who waits does not bring a second one about, unless this one is lost.
            ledger: Local::new(Limits::both(Thresholds::unlimited().max_connections(1))),
            pool: Pool::new(config, who, 0),
            actions: Vec::new(),
            waiter: None,
            tokens: 0,
        };
        stage.request(EarlyData::Unsafe);
        let conn = stage.pool.connections().next().expect("a request opens a connection").id;
        stage.bring_about(conn, case);
        stage.actions.clear();
        (stage, conn)
    }

    fn bring_about(&mut self, conn: ConnId, case: Case) {
        self.cancel(CancelPolicy::Default);
        let kind = match case.handshake {
            Handshake::Incomplete => EarlyData::Safe,
            Handshake::Complete => EarlyData::Unsafe,
        };
        self.pool.handle_capacity_changed(self.now, &mut self.ledger, conn, case.limit.max(1));
        match (case.state, case.handshake) {
            (Name::Connecting, _) => {}
            (_, Handshake::Incomplete) => {
                self.pool.handle_early_data_ready(self.now, &mut self.ledger, conn);
            }
            (_, Handshake::Complete) => self.pool.handle_connected(self.now, &mut self.ledger, conn, None),
        }
        if case.state == Name::Settling {
            self.request(kind);
            self.pool.handle_stream_ended(self.now, &mut self.ledger, conn, StreamEnd::Complete);
        }
        for _ in 0..case.streams {
            self.request(kind);
        }
        if case.limit == 0 {
            self.pool.handle_capacity_changed(self.now, &mut self.ledger, conn, 0);
        }
        match case.state {
            Name::Draining => self.pool.handle_go_away(self.now, &mut self.ledger, conn),
            Name::Closed => self.pool.retire(self.now, &mut self.ledger, conn),
            Name::Connecting
            | Name::EarlyData
            | Name::BusyEarly
            | Name::Ready
            | Name::Settling
            | Name::Busy => {}
        }
        if case.queue == Queue::OneWaits {
            // Later, so that a connection that is opened for it does not time out with the first one.
            self.now = self.now + SOON / 2;
            self.request(EarlyData::Unsafe);
        }
        self.take_orders();
    }

    fn take_orders(&mut self) {
        while let Some(action) = self.pool.poll_action() {
            self.actions.push(action);
        }
    }

    fn request(&mut self, early_data: EarlyData) -> Option<Also> {
        self.tokens += 1;
        let request = Request { token: Token(self.tokens), early_data };
        let answer = self.pool.request(self.now, &mut self.ledger, request);
        self.take_orders();
        match answer {
            Answer::Bound(_) => Some(Also::Binds),
            Answer::Failed(_) => Some(Also::Fails),
            Answer::Queued(queued) => {
                self.waiter = Some(queued.waiter);
                Some(Also::Queues)
            }
        }
    }

    fn cancel(&mut self, policy: CancelPolicy) {
        if let Some(waiter) = self.waiter.take() {
            self.pool.cancel(self.now, &mut self.ledger, waiter, policy);
        }
    }

    /// Lets the fact happen. What it answers about a request is part of the outcome.
    fn apply(&mut self, conn: ConnId, fact: Fact) -> Option<Also> {
        let (pool, ledger) = (&mut self.pool, &mut self.ledger);
        match fact {
            Fact::ConnectStarted => pool.handle_connect_started(self.now, ledger, conn, Some(1)),
            Fact::EarlyDataReady => pool.handle_early_data_ready(self.now, ledger, conn),
            Fact::Connected => pool.handle_connected(self.now, ledger, conn, None),
            Fact::StreamEnded(end) => pool.handle_stream_ended(self.now, ledger, conn, end),
            Fact::Settled => pool.handle_settled(self.now, ledger),
            Fact::BindRefused => pool.handle_bind_refused(self.now, ledger, conn, 1),
            Fact::LimitRaised => pool.handle_capacity_changed(self.now, ledger, conn, MOST),
            Fact::LimitZero => pool.handle_capacity_changed(self.now, ledger, conn, 0),
            Fact::GoAway => pool.handle_go_away(self.now, ledger, conn),
            Fact::Suspect => pool.handle_suspect(self.now, ledger, conn),
            Fact::ProtocolError => pool.handle_protocol_error(self.now, ledger, conn),
            Fact::Closed => pool.handle_closed(self.now, ledger, conn, ClosedBy::Remote),
            Fact::Request | Fact::LastRequest => return self.request(EarlyData::Unsafe),
            Fact::SafeRequest => return self.request(EarlyData::Safe),
            Fact::CancelExcess => self.cancel(CancelPolicy::CloseExcess),
            Fact::Retire => pool.retire(self.now, ledger, conn),
            Fact::Drain => pool.drain(self.now, ledger, DrainMode::Existing),
            Fact::DrainAndNotify => pool.drain(self.now, ledger, DrainMode::NotifyPeerAndExisting),
            Fact::DrainAndDelete => pool.drain(self.now, ledger, DrainMode::AndDelete),
            Fact::Abort => pool.abort(self.now, ledger),
            Fact::Unhealthy => pool.handle_host_health(self.now, ledger, HostHealth::Unhealthy),
            Fact::Degraded => pool.handle_host_health(self.now, ledger, HostHealth::Degraded),
            Fact::SlotFreed => {
                ledger.set_limits(Limits::both(Thresholds::unlimited().max_connections(3)));
                while let Some((_, resource)) = ledger.poll_freed() {
                    pool.handle_slot_freed(self.now, ledger, resource);
                }
            }
            Fact::ConnectTimeout | Fact::IdleTimeout | Fact::MaxAge | Fact::DrainTimeout => {
                self.now = BEGIN + SOON;
                pool.handle_timeout(self.now, ledger);
            }
            Fact::PendingTimeout => {
                self.now = self.now + SOON;
                pool.handle_timeout(self.now, ledger);
            }
        }
        None
    }
}
