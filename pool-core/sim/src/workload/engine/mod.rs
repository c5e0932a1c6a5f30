//! Requests, connections and time, without a byte: pools of several workers on shared circuit
//! breakers, driven from event to event.
//!
//! ```text
//!  Nature: arrivals, connect and service times, what peers do
//!     |                                                        orders
//!     v            facts and wishes                              |
//!  Engine: events ----------------> PoolSet per worker ----------+--> next events, Outcome
//!                                    |  one Shared ledger per cluster
//! ```
//!
//! The pools, their limits and the rules of retries are those of the real thing; only the world
//! around them is a model. What the model says comes from a [`Nature`].

mod act;
pub(crate) mod desk;
mod drive;
mod request;
mod socket;
mod told;

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use core::time::Duration;

use pool_core::cluster::{ClusterId, PoolSet};
use pool_core::config::PoolConfig;
use pool_core::exchange::{Repeatable, RetryPolicy};
use pool_core::id::{ConnId, PoolId};
use pool_core::limits::{Limits, Priority, Shared, SharedHandle};
use pool_core::pool::DrainMode;
use pool_core::report::StreamEnd;
use pool_core::time::Instant;

use super::books::Outcome;
use desk::{Bell, Desk};
use request::Requests;
use socket::Socket;

/// An instant that never comes.
pub const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// A request that comes.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// To which place, by number.
    pub place: u32,
    /// Its name with the [`Nature`].
    pub key: u64,
    /// When its caller gives it up.
    pub gives_up: Instant,
    /// Whether it may be sent again after it may have been seen.
    pub repeatable: Repeatable,
}

/// How an exchange will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The exchange ends, and the pool hears how.
    Stream(StreamEnd),
    /// The connection ends with it, by the peer's doing, before a response.
    Breaks,
}

/// What will become of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When; [`NEVER`] if nobody ends it.
    pub at: Instant,
    /// How.
    pub how: How,
}

/// What will become of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// It is up then.
    Up(Instant),
    /// It is refused then.
    Refused(Instant),
    /// Nobody answers.
    Silent,
}

/// A connection as the [`Nature`] sees it.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Its place, by number.
    pub place: u32,
    /// Exchanges that have ended on it.
    pub served: u32,
    /// When the peer would have closed it had it stayed idle; [`NEVER`] if it would not.
    pub peer_closes: Instant,
}

/// The world around the pools.
pub trait Nature {
    /// The next request; they come in the order of time.
    fn arrival(&mut self) -> Option<Arrival>;

    /// A request was bound: how its exchange will end. `attempt` counts its binds from zero.
    fn exchange(&mut self, now: Instant, line: Line, key: u64, attempt: u32) -> Ending;

    /// A connection was ordered: what will become of it.
    fn dial(&mut self, now: Instant, place: u32) -> Dial;

    /// A connection is idle from now on: when its peer closes it, or [`NEVER`].
    fn idle(&mut self, now: Instant, line: Line) -> Instant;

    /// A connection that was up, or that would have come up, is gone.
    fn gone(&mut self, _place: u32) {}

    /// Another place for a request that is retried; the same by default.
    fn other_place(&mut self, place: u32, _key: u64) -> u32 {
        place
    }

    /// What was asked for is now used: values that nobody asks about are not counted as made up.
    fn used(&mut self, _use: Use) {}
}

/// Which kind of value was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The end of an exchange of this request and attempt.
    Exchange {
        /// The request's name.
        key: u64,
        /// Which of its attempts.
        attempt: u32,
    },
    /// A connection attempt begun then at this place.
    Dial {
        /// When it began.
        at: Instant,
        /// Where.
        place: u32,
    },
}

/// Circuit breakers and pool settings that several places share.
#[derive(Clone, Debug)]
pub struct Group {
    /// The cluster's name.
    pub name: String,
    /// The settings of its pools.
    pub pool: Arc<PoolConfig>,
    /// Its limits.
    pub limits: Limits,
    /// Whether retries need a seat of `max_retries`.
    pub limits_retries: bool,
}

/// Where a pool may be: a worker and a host.
#[derive(Clone, Debug)]
pub struct Place {
    /// The worker.
    pub worker: u32,
    /// The group, by number.
    pub group: u32,
    /// Which home within the worker: places of one home are pools of one cluster there.
    pub home: u32,
    /// The host, unique in its group.
    pub host: u32,
    /// Whose limits apply.
    pub priority: Priority,
}

/// A cluster within one worker.
#[derive(Debug, Default)]
struct Home {
    id: Option<ClusterId>,
    pools: u32,
}

#[derive(Debug)]
struct Worker {
    set: PoolSet<Desk>,
    homes: Vec<Home>,
    /// By pool id: where it is, and its sockets.
    pools: Vec<(u32, Vec<Socket>)>,
    bell: Bell,
}

/// What will happen to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// An exchange ends.
    End { slot: u32, stamp: u32 },
    /// A connection attempt is decided.
    Dialled { worker: u32, pool: u32, index: u32, generation: u32 },
    /// A peer may close an idle connection.
    PeerCloses { worker: u32, pool: u32, index: u32, generation: u32 },
    /// A back-off is over.
    Retry { slot: u32, stamp: u32 },
    /// A caller's patience is over.
    GivesUp { slot: u32, life: u32 },
    /// The owner wishes something, by number.
    Wish(u32),
}

/// An event with its time; of equal times the one that was planned first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: core::cmp::Reverse<(Instant, u64)>,
    what: What,
}

/// A wish of whoever owns the pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To drain the pool of a place.
    Drain(u32, DrainMode),
    /// To tear it down.
    Abort(u32),
}

/// Things to do before time goes on.
#[derive(Clone, Copy, Debug)]
enum Todo {
    /// The socket of a connection that was ordered to close is gone.
    Closed { worker: u32, pool: PoolId, conn: ConnId },
    /// A request goes back to the head of its queue.
    Requeue { slot: u32 },
}

/// Whether the engine plans what follows, or is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Every end, connect and close is planned.
    Planned,
    /// They come from a recording; nothing is planned.
    Told,
}

/// The engine. See the [module](self).
pub struct Engine<N> {
    pub(crate) nature: N,
    pub(crate) course: Course,
    /// Of the books; the pools may be told slightly older times by a recording.
    pub(crate) now: Instant,
    groups: Vec<Group>,
    ledgers: Vec<Shared>,
    /// For the seats of retries, which are not any worker's.
    retry_desks: Vec<SharedHandle>,
    places: Vec<Place>,
    /// By place: the pool there.
    pools: Vec<Option<PoolId>>,
    workers: Vec<Worker>,
    requests: Requests,
    policy: RetryPolicy,
    events: BinaryHeap<Event>,
    serial: u64,
    /// Ends of patience that come in the order of arrival, as they do if all callers are alike.
    patience: VecDeque<(Instant, u32, u32)>,
    wishes: Vec<Wish>,
    todo: Vec<Todo>,
    next: Option<Arrival>,
    pub(crate) outcome: Outcome,
    /// Events handled.
    steps: u64,
}

impl<N: core::fmt::Debug> core::fmt::Debug for Engine<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine").field("now", &self.now).field("nature", &self.nature).finish_non_exhaustive()
    }
}

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of each worker's pools; as many workers as seeds.
    pub seeds: Vec<u64>,
    /// Clusters.
    pub groups: Vec<Group>,
    /// Places, by number.
    pub places: Vec<Place>,
    /// How often requests are sent again.
    pub policy: RetryPolicy,
}

impl<N: Nature> Engine<N> {
    /// Everything empty, at time zero.
    #[must_use]
    pub fn new(plan: Plan, nature: N) -> Self {
        let Plan { seeds, groups, places, policy } = plan;
        let ledgers: Vec<Shared> = groups.iter().map(|group| Shared::new(group.limits)).collect();
        let retry_desks = ledgers.iter().map(|ledger| ledger.worker(Arc::new(|| {}))).collect();
        let worker = |seed| Worker {
            set: PoolSet::new(seed),
            homes: Vec::new(),
            pools: Vec::new(),
            bell: Bell::default(),
        };
        let mut workers: Vec<Worker> = seeds.into_iter().map(worker).collect();
        for place in &places {
            let homes = &mut workers[place.worker as usize].homes;
            let wanted = homes.len().max(place.home as usize + 1);
            homes.resize_with(wanted, Home::default);
        }
        Self {
            nature,
            course: Course::Planned,
            now: Instant::ZERO,
            pools: vec![None; places.len()],
            groups,
            ledgers,
            retry_desks,
            places,
            workers,
            requests: Requests::default(),
            policy,
            events: BinaryHeap::new(),
            serial: 0,
            patience: VecDeque::new(),
            wishes: Vec::new(),
            todo: Vec::new(),
            next: None,
            outcome: Outcome::default(),
            steps: 0,
        }
    }

    /// Circuit breakers of a group.
    #[must_use]
    pub fn ledger(&self, group: u32) -> Option<&Shared> {
        self.ledgers.get(group as usize)
    }

    /// Events handled so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Requests without an outcome.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.open()
    }

    #[inline]
    fn plan(&mut self, at: Instant, what: What) {
        if at != NEVER {
            self.serial += 1;
            self.events.push(Event { at: core::cmp::Reverse((at, self.serial)), what });
        }
    }

    /// Plans a wish.
    pub fn wish(&mut self, at: Instant, wish: Wish) {
        let number = u32::try_from(self.wishes.len()).unwrap_or(u32::MAX);
        self.wishes.push(wish);
        self.plan(at, What::Wish(number));
    }

    /// Runs until every request has its outcome and `until` is reached.
    pub fn run(&mut self, until: Instant) {
        self.next = self.nature.arrival();
        if self.outcome.requests == 0 {
            let first = self.next.map_or(Instant::ZERO, |arrival| arrival.at);
            self.outcome.span.0 = first;
        }
        while self.step(until) {}
        self.outcome.span.1 = self.outcome.span.1.max(self.now);
        self.close_the_books();
    }

    /// Levels up to now, and what is left.
    pub(crate) fn close_the_books(&mut self) {
        let now = self.now;
        self.outcome.connections.advance(now);
        self.outcome.queued.advance(now);
        self.outcome.active.advance(now);
        self.outcome.open_at_end = self.outcome.connections.now();
    }

    /// Tears everything down, which the outcome no longer sees, and checks that nothing is left.
    ///
    /// # Errors
    /// Names the first thing that is left.
    pub fn dismantle(mut self) -> Result<(Outcome, N), &'static str> {
        if self.requests.open() > 0 {
            return Err("a request without an outcome");
        }
        let outcome = self.outcome.clone();
        self.course = Course::Planned;
        for place in 0..self.places.len() {
            if let Some(pool) = self.pools[place] {
                let worker = self.places[place].worker;
                self.workers[worker as usize].set.abort(self.now, pool);
                self.turn(worker);
            }
        }
        if self.workers.iter().any(|worker| !worker.set.is_empty()) {
            return Err("a pool is left");
        }
        let seats = |ledger: &Shared| {
            let left = |priority| {
                pool_core::limits::Resource::ALL.map(|resource| ledger.snapshot(priority, resource).current)
            };
            Priority::ALL.map(left).iter().flatten().sum::<u64>()
        };
        if self.ledgers.iter().any(|ledger| seats(ledger) > 0) {
            return Err("a seat was not given back");
        }
        let levels = [&self.outcome.connections, &self.outcome.queued, &self.outcome.active];
        if levels.iter().any(|level| level.now() > 0) {
            return Err("a level that is not zero");
        }
        Ok((outcome, self.nature))
    }
}

/// In nanoseconds, as far as they go.
#[inline]
fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}
