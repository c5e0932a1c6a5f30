//! What one seed means: which network, which origins, which clients, which load, which ends.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use pool_core::config::{FailQueue, Multiplexing, PoolConfig};
use pool_core::exchange::RetryPolicy;
use pool_core::limits::Thresholds;

use super::content::Pace;
use super::load::{Ask, Whim};
use super::origin::Manners;
use super::rng::Rng;
use super::served::Habits;
use super::visitor::Errand;
use super::weather::Weather;
use super::world::Moods;

/// The kinds of days; the seed's remainder chooses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Nothing breaks.
    Calm,
    /// Origins go away and come back.
    Restarts,
    /// Everything breaks.
    Chaos,
    /// Breakers of one or two.
    TinyLimits,
    /// Many callers at the same moment.
    FanIn,
    /// Callers that read slowly or not at all.
    SlowReaders,
    /// Origins that answer before they have read.
    EarlyResponses,
    /// Callers that give up at any wait.
    Cancels,
    /// Clients and servers end while they are busy.
    Shutdown,
    /// Scripted clients beside ours, at this project's server.
    Visitors,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Calm,
        Self::Restarts,
        Self::Chaos,
        Self::TinyLimits,
        Self::FanIn,
        Self::SlowReaders,
        Self::EarlyResponses,
        Self::Cancels,
        Self::Shutdown,
        Self::Visitors,
    ];

    /// That of a seed.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self::ALL[(seed % 10) as usize]
    }

    /// Counts without which a profile has covered nothing.
    #[must_use]
    pub const fn must_cover(self) -> &'static [&'static str] {
        match self {
            Self::Calm => &["outcome: complete", "net: connected"],
            Self::Restarts => {
                &["outcome: complete", "peer: restarted", "server: shut down", "net: connect refused"]
            }
            Self::Chaos => &[
                "net: reset at a byte",
                "net: black hole",
                "net: segment lost",
                "net: held up by a partition",
                "net: connect lost",
                "net: connect refused",
                "net: accept failed",
                "net: name not found",
                "net: FIN with data",
                "peer: malformed response",
                "peer: message broken off",
                "peer: stopped answering",
                "peer: closed instead of answering",
                "peer: closed while idle",
                "peer: 408 while idle",
                "peer: HTTP/1.0",
                "peer: bytes behind the response",
                "outcome: complete",
                "outcome: connection broke",
                "outcome: protocol error",
                "outcome: closed by the peer",
                "outcome: connect timeout",
                "outcome: body broke",
                "verdict: never sent",
                "verdict: no response byte",
                "verdict: unknown",
            ],
            Self::TinyLimits => &["outcome: overflow", "outcome: complete", "outcome: pending timeout"],
            Self::FanIn => &["outcome: complete"],
            Self::SlowReaders => {
                &["net: write blocked", "caller: held a response unread", "outcome: complete"]
            }
            Self::EarlyResponses => &["peer: early response", "server: answered without reading"],
            Self::Cancels => &["outcome: cancelled", "caller: dropped a response"],
            Self::Shutdown => &[
                "outcome: client closed",
                "outcome: closed by the pool",
                "server: shut down with connections cut",
                "client: closed while busy",
                "client: aborted while busy",
            ],
            Self::Visitors => &[
                "visitor: pipelined",
                "visitor: half a head",
                "visitor: half a body",
                "visitor: nonsense",
                "visitor: half-closed",
                "visitor: reset",
                "visitor: never read",
            ],
        }
    }
}

/// How one origin is built.
#[derive(Clone, Debug)]
pub enum OriginPlan {
    /// A script.
    Scripted(Manners),
    /// This project's server.
    Served(Habits),
}

/// What happens to an origin or a client at a time.
#[derive(Clone, Debug)]
pub enum Turn {
    /// An origin goes away for a while.
    Restart {
        /// Which one.
        origin: usize,
        /// How long a server may take to go.
        grace: Duration,
        /// How long it is away.
        away: Duration,
    },
    /// A client is closed gracefully.
    Close(usize),
    /// A client is cut off.
    Abort(usize),
    /// Every other connection of a client is taken out of service.
    Retire(usize),
    /// A script visits an origin.
    Visit(usize, Errand),
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kind of day.
    pub profile: Profile,
    /// The network.
    pub weather: Weather,
    /// The scheduler.
    pub moods: Moods,
    /// The clients' settings.
    pub pool: Arc<PoolConfig>,
    /// Breakers that all clients share.
    pub limits: Thresholds,
    /// When requests are sent again.
    pub retry: RetryPolicy,
    /// Bytes of a request that are kept.
    pub replay_limit: usize,
    /// How many clients.
    pub workers: usize,
    /// The origins.
    pub origins: Vec<OriginPlan>,
    /// What is asked for.
    pub asks: Vec<Ask>,
    /// What happens meanwhile.
    pub turns: Vec<(u64, Turn)>,
    /// Steps between two inspections of the clients.
    pub inspect_every: u64,
}

/// The port of all origins.
pub const PORT: u16 = 80;

/// The name of an origin.
#[must_use]
pub fn host_of(origin: usize) -> String {
    format!("origin{origin}.test")
}

impl Plan {
    /// What a seed means.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed).fork(3);
        let rng = &mut rng;
        let profile = Profile::of(seed);
        let span = *rng.pick(&[1_000_000, 100_000_000, 3_000_000_000]);
        let workers = rng.within(1, 4) as usize;
        let count = match profile {
            Profile::FanIn if rng.permille(60) => rng.within(1000, 4000),
            Profile::FanIn => rng.within(100, 500),
            _ => rng.within(5, 80),
        } as usize;
        let chaotic = matches!(profile, Profile::Chaos)
            || (matches!(profile, Profile::Cancels | Profile::Shutdown | Profile::TinyLimits)
                && rng.permille(300));
        let weather = if chaotic { Weather::rough(rng, span) } else { Weather::mild(rng) };
        let moods = Moods { spurious: *rng.pick(&[0, 0, 20]), late: *rng.pick(&[0, 0, 10]) };
        let origins: Vec<_> = (0..rng.within(1, 3)).map(|_| origin(rng, profile, chaotic)).collect();
        let mut plan = Self {
            profile,
            weather,
            moods,
            pool: pool(rng, profile),
            limits: limits(rng, profile),
            retry: retry(rng),
            replay_limit: *rng.pick(&[64 * 1024, 64 * 1024, 0, 1000]),
            workers,
            asks: Vec::new(),
            turns: Vec::new(),
            inspect_every: if count > 200 { 2000 } else { *rng.pick(&[1, 16, 64]) },
            origins,
        };
        plan.asks = (0..count).map(|_| plan.ask(rng, span)).collect();
        plan.asks.sort_by_key(|ask| ask.at);
        plan.turns = plan.turns(rng, span);
        plan
    }

    /// Everything but the requests, in a few lines.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self {
            profile, weather, moods, pool, limits, retry, replay_limit, workers, origins, asks, ..
        } = self;
        format!(
            "{profile:?}, {} requests by {workers} clients\n  {weather:?}\n  {moods:?}\n  {pool:?}\n  {limits:?}\n  \
             {retry:?}, keeps {replay_limit} bytes\n  {origins:?}",
            asks.len()
        )
    }

    fn ask(&self, rng: &mut Rng, span: u64) -> Ask {
        let methods =
            [Method::GET, Method::GET, Method::GET, Method::HEAD, Method::POST, Method::POST, Method::PUT];
        let method = rng.pick(&methods).clone();
        let uploads = !matches!(method, Method::GET | Method::HEAD);
        let (most_up, most_down) = match self.profile {
            Profile::FanIn => (500, 500),
            Profile::SlowReaders => (1000, 400_000),
            Profile::EarlyResponses => (200_000, 50_000),
            // Networks of tiny segments would take for ever.
            _ if self.weather.segment.0 < 100 => (5_000, 5_000),
            _ => (60_000, 60_000),
        };
        let upload = match (uploads, self.profile) {
            (false, _) => 0,
            (true, Profile::EarlyResponses) => rng.within(1, most_up),
            (true, _) => rng.size(most_up),
        };
        let whim = match self.profile {
            Profile::Cancels if rng.permille(500) => Whim::GivesUpAtWait(rng.within(1, 12) as u32),
            Profile::Cancels if rng.permille(400) => Whim::DropsAfter(rng.below(4) as u32),
            Profile::SlowReaders if rng.permille(500) => Whim::ReadsSlowly(rng.micros(100, 20_000)),
            Profile::SlowReaders if rng.permille(300) => Whim::Holds(rng.micros(100, 2_000_000)),
            Profile::Chaos | Profile::Shutdown | Profile::TinyLimits if rng.permille(100) => {
                Whim::GivesUpAtWait(rng.within(1, 12) as u32)
            }
            _ => Whim::None,
        };
        let mut pace = Pace::draw(rng, if self.profile == Profile::EarlyResponses { 300 } else { 50 });
        if upload > 0 && rng.permille(if self.profile == Profile::Chaos { 50 } else { 0 }) {
            pace.breaks_at = Some(rng.below(upload));
        }
        let together = self.profile == Profile::FanIn && rng.permille(900);
        Ask {
            at: if together { 0 } else { rng.below(span + 1) },
            worker: rng.index(self.workers),
            method,
            authority: format!("{}:{PORT}", host_of(rng.index(self.origins.len()))),
            upload,
            pace,
            want: rng.size(most_down),
            patience: *rng.pick(&[Duration::from_secs(30), Duration::from_secs(30), Duration::from_secs(2)]),
            whim,
        }
    }

    fn turns(&self, rng: &mut Rng, span: u64) -> Vec<(u64, Turn)> {
        let mut turns = Vec::new();
        let restarts = match self.profile {
            Profile::Restarts => rng.within(1, 5),
            Profile::Chaos | Profile::Shutdown => rng.below(4),
            _ => 0,
        };
        for _ in 0..restarts {
            let restart = Turn::Restart {
                origin: rng.index(self.origins.len()),
                grace: *rng.pick(&[Duration::ZERO, Duration::from_millis(5), Duration::from_secs(5)]),
                away: rng.micros(0, 500_000),
            };
            turns.push((rng.below(span + 1), restart));
        }
        if self.profile == Profile::Shutdown {
            for worker in 0..self.workers {
                let at = rng.below(span + 1);
                turns.push((at, if rng.permille(500) { Turn::Close(worker) } else { Turn::Abort(worker) }));
            }
        }
        if matches!(self.profile, Profile::Restarts | Profile::Chaos | Profile::Cancels) {
            for _ in 0..rng.below(4) {
                turns.push((rng.below(span + 1), Turn::Retire(rng.index(self.workers))));
            }
        }
        if self.profile == Profile::Visitors {
            for _ in 0..rng.within(5, 40) {
                let visit = Turn::Visit(rng.index(self.origins.len()), Errand::draw(rng));
                turns.push((rng.below(span + 1), visit));
            }
        }
        turns
    }
}

fn origin(rng: &mut Rng, profile: Profile, chaotic: bool) -> OriginPlan {
    let scripted = match profile {
        Profile::Visitors => false,
        Profile::Shutdown => rng.permille(250),
        _ => rng.permille(500),
    };
    if !scripted {
        let faults = chaotic || rng.permille(300) && profile != Profile::Calm;
        let mut habits = Habits::draw(rng, faults);
        if profile == Profile::EarlyResponses {
            habits.early = 500;
        }
        return OriginPlan::Served(habits);
    }
    OriginPlan::Scripted(match profile {
        Profile::Calm | Profile::FanIn | Profile::SlowReaders => Manners::good(rng),
        Profile::EarlyResponses => Manners { early: 500, ..Manners::good(rng) },
        _ if chaotic => Manners::bad(rng),
        _ => Manners::moody(rng),
    })
}

fn pool(rng: &mut Rng, profile: Profile) -> Arc<PoolConfig> {
    let millis = |millis| Some(Duration::from_millis(millis));
    let builder = PoolConfig::builder(Multiplexing::Exclusive)
        .connect_timeout(Duration::from_millis(*rng.pick(&[100, 1000, 5000])))
        .idle_timeout(*rng.pick(&[millis(5), millis(50), millis(3_600_000), None]))
        .max_connection_duration(*rng.pick(&[None, None, millis(2), millis(500)]))
        .max_requests_per_connection(*rng.pick(&[None, None, Some(1), Some(3)]))
        .drain_timeout(*rng.pick(&[None, millis(20)]))
        .pending_timeout(if profile == Profile::TinyLimits {
            millis(100)
        } else {
            *rng.pick(&[None, None, millis(500)])
        })
        .on_connect_failure(*rng.pick(&[FailQueue::All, FailQueue::Unservable]))
        .strict_limits(rng.permille(300));
    match builder.build() {
        Ok(config) => config,
        Err(error) => unreachable!("settings in range: {error}"),
    }
}

fn limits(rng: &mut Rng, profile: Profile) -> Thresholds {
    match profile {
        Profile::TinyLimits => Thresholds::default()
            .max_connections(rng.within(1, 2) as u32)
            .max_pending_requests(*rng.pick(&[0, 1, 5, 1024]))
            .max_requests(*rng.pick(&[1, 2, 1024])),
        Profile::FanIn => Thresholds::default()
            .max_connections(*rng.pick(&[1, 8, 100, 4096]))
            .max_pending_requests(8192)
            .max_requests(8192),
        _ => Thresholds::default().max_connections(*rng.pick(&[1, 3, 10, 1024])),
    }
}

fn retry(rng: &mut Rng) -> RetryPolicy {
    *rng.pick(&[RetryPolicy::default(), RetryPolicy::default(), RetryPolicy::NEVER])
}
