//! A model of load: who asks how often, how far away the servers are, how long they take, and when
//! they close connections.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;
use std::sync::Arc;

use pool_core::config::PoolConfig;
use pool_core::exchange::{Repeatable, RetryPolicy};
use pool_core::limits::{Limits, Priority};
use pool_core::report::StreamEnd;
use pool_core::time::Instant;

use super::books::Outcome;
use super::engine::{Arrival, Dial, Ending, Engine, Group, How, Line, NEVER, Nature, Place, Plan};
use super::random::Random;
use super::settings::{SettingError, Settings};

/// How long a server takes for a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Service {
    /// Always as long.
    Constant(Duration),
    /// Exponential, by its mean.
    Exponential(Duration),
    /// Lognormal, by its median and its 99th percentile.
    LogNormal {
        /// The median.
        p50: Duration,
        /// The 99th percentile, not less.
        p99: Duration,
    },
    /// Pareto: a tail that falls as a power.
    Pareto {
        /// The shortest.
        min: Duration,
        /// The power, more than 1; the smaller, the heavier the tail.
        alpha: f64,
    },
}

/// The least time that a refusal takes, in nanoseconds: a pool that wants a spare tries again at once,
/// and time would stand still.
const REFUSAL: u64 = 50_000;

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

impl Service {
    /// The mean in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Constant(mean) | Self::Exponential(mean) => mean.as_secs_f64(),
            Self::LogNormal { p50, .. } => p50.as_secs_f64() * (self.sigma().powi(2) / 2.0).exp(),
            Self::Pareto { min, alpha } => min.as_secs_f64() * alpha / (alpha - 1.0),
        }
    }

    fn sigma(&self) -> f64 {
        match *self {
            Self::LogNormal { p50, p99 } => {
                (p99.as_secs_f64() / p50.as_secs_f64().max(1e-12)).ln().max(0.0) / Z99
            }
            Self::Constant(_) | Self::Exponential(_) | Self::Pareto { .. } => 0.0,
        }
    }

    #[inline]
    fn draw(&self, sigma: f64, random: &mut Random) -> u64 {
        let nanos = |length: Duration| length.as_secs_f64() * 1e9;
        let drawn = match *self {
            Self::Constant(length) => return u64::try_from(length.as_nanos()).unwrap_or(u64::MAX),
            Self::Exponential(mean) => nanos(mean) * random.exponential(),
            Self::LogNormal { p50, .. } => nanos(p50) * (sigma * random.normal()).exp(),
            Self::Pareto { min, alpha } => nanos(min) * random.share().powf(-1.0 / alpha),
        };
        drawn as u64
    }
}

/// Times of arrival: a Poisson process whose rate alternates between calm and burst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// The rate in a burst is this times the mean rate; 1 is no burst at all.
    pub factor: f64,
    /// The share of the time that is burst; `factor` is at most its inverse, which is on and off.
    pub share: f64,
    /// The mean length of a burst.
    pub length: Duration,
}

/// What servers do besides answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Server {
    /// Requests that one host works on at a time; others wait there. `None`: any number.
    pub max_concurrent: Option<u32>,
    /// How long it keeps an idle connection. `None`: for ever.
    pub keep_alive_timeout: Option<Duration>,
    /// It answers the last of so many requests with `Connection: close`.
    pub max_requests_per_connection: Option<u32>,
    /// Connections that one host accepts at a time; further ones are refused.
    pub max_connections: Option<u32>,
}

/// A model of load. All figures together, not per worker or host, where nothing else is said.
#[derive(Clone, Debug)]
pub struct Model {
    /// Requests per second.
    pub rate: f64,
    /// How they cluster.
    pub bursts: Option<Bursts>,
    /// How many requests come.
    pub requests: u64,
    /// Upstream hosts; each worker takes them in turn.
    pub hosts: u32,
    /// Workers; each request comes to any of them.
    pub workers: u32,
    /// Round-trip time to a host.
    pub rtt: Duration,
    /// By how much a round trip may be shorter or longer: 0.1 is a tenth.
    pub rtt_jitter: f64,
    /// Round trips until a connection is up: TCP 1, with TLS 1.3 2, with TLS 1.2 3.
    pub handshake_round_trips: u32,
    /// How long a server takes.
    pub service: Service,
    /// What servers do besides.
    pub server: Server,
    /// When callers give up.
    pub request_timeout: Option<Duration>,
    /// Of requests that may be sent twice.
    pub repeatable: Repeatable,
    /// Settings of the pools.
    pub pool: Arc<PoolConfig>,
    /// Circuit breakers.
    pub limits: Limits,
    /// Of everything that is drawn.
    pub seed: u64,
}

impl Default for Model {
    /// 1 000 requests per second to one host, 1 ms away, that takes 10 ms; Envoy's settings.
    fn default() -> Self {
        Self {
            rate: 1000.0,
            bursts: None,
            requests: 100_000,
            hosts: 1,
            workers: 1,
            rtt: Duration::from_millis(1),
            rtt_jitter: 0.0,
            handshake_round_trips: 1,
            service: Service::Exponential(Duration::from_millis(10)),
            server: Server::default(),
            request_timeout: None,
            repeatable: Repeatable::Idempotent,
            pool: Arc::default(),
            limits: Limits::default(),
            seed: 1,
        }
    }
}

/// A model that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsound(pub &'static str);

impl core::fmt::Display for Unsound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Unsound {}

impl Model {
    /// Connections in use on average if nothing waits: rate times the time that a request holds one
    /// (Little's law).
    #[must_use]
    pub fn offered(&self) -> f64 {
        self.rate * self.holding()
    }

    /// How long a request holds a connection, on average, in seconds.
    #[must_use]
    pub fn holding(&self) -> f64 {
        self.rtt.as_secs_f64() + self.service.mean()
    }

    /// The model with other pool settings.
    ///
    /// # Errors
    /// If the pool refuses them.
    pub fn with(&self, settings: &Settings) -> Result<Self, SettingError> {
        let (pool, limits) = settings.apply("simulated", &self.pool, &self.limits)?;
        Ok(Self { pool, limits, ..self.clone() })
    }

    /// Checks what types do not.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Unsound> {
        let bursts = self.bursts.unwrap_or(Bursts { factor: 1.0, share: 0.5, length: Duration::MAX });
        let bad_service = match self.service {
            Service::LogNormal { p50, p99 } => p99 < p50 || p50.is_zero(),
            Service::Pareto { min, alpha } => alpha <= 1.0 || !alpha.is_finite() || min.is_zero(),
            Service::Constant(_) | Service::Exponential(_) => false,
        };
        let is_positive = |number: f64| number > 0.0 && number.is_finite();
        let checks = [
            (is_positive(self.rate), "the rate must be more than zero"),
            (self.hosts > 0 && self.workers > 0, "at least one host and one worker"),
            (u64::from(self.hosts) * u64::from(self.workers) <= 1 << 20, "too many hosts times workers"),
            ((0.0..1.0).contains(&self.rtt_jitter), "the jitter must be within 0 and 1"),
            (!bad_service, "service: p99 must not be below p50, nothing zero, alpha more than 1"),
            (bursts.share > 0.0 && bursts.share < 1.0, "the share of bursts must be within 0 and 1"),
            (
                bursts.factor >= 1.0 && bursts.factor * bursts.share <= 1.0 + 1e-9,
                "the burst factor must be within 1 and the inverse of the bursts' share",
            ),
            (!bursts.length.is_zero(), "a burst must take time"),
        ];
        checks.iter().find(|(right, _)| !right).map_or(Ok(()), |(_, words)| Err(Unsound(words)))
    }

    /// An engine for it, ready to run.
    #[must_use]
    pub fn engine(&self) -> Engine<World> {
        let group = Group {
            name: "simulated".to_owned(),
            pool: self.pool.clone(),
            limits: self.limits,
            limits_retries: true,
        };
        let place = |worker, host| Place { worker, group: 0, home: 0, host, priority: Priority::Default };
        let places =
            (0..self.workers).flat_map(|worker| (0..self.hosts).map(move |host| place(worker, host)));
        let plan = Plan {
            seeds: (0..self.workers).map(|worker| self.seed.wrapping_add(u64::from(worker))).collect(),
            groups: vec![group],
            places: places.collect(),
            policy: RetryPolicy::DEFAULT,
        };
        Engine::new(plan, World::new(self))
    }

    /// Runs it: what came out, and how many events it took.
    ///
    /// # Errors
    /// The model's contradiction, or what was left over at the end, which would be a defect.
    pub fn run(&self) -> Result<(Outcome, u64), Unsound> {
        self.check()?;
        let mut engine = self.engine();
        engine.run(Instant::ZERO);
        let steps = engine.steps();
        engine.dismantle().map(|(outcome, _)| (outcome, steps)).map_err(Unsound)
    }
}

#[derive(Clone, Debug, Default)]
struct Host {
    /// When each of the places for a request there is free, if they are limited.
    free_at: BinaryHeap<Reverse<u64>>,
    connections: u32,
}

/// The world that a model describes.
#[derive(Clone, Debug)]
pub struct World {
    model: Model,
    sigma: f64,
    /// Drawn from apart, so that other settings meet the same requests.
    arrivals: Random,
    services: Random,
    paths: Random,
    left: u64,
    clock: f64,
    /// When calm and burst change next, and whether it is a burst.
    change: f64,
    phase: Phase,
    hosts: Vec<Host>,
    /// By worker: the host that is next.
    turns: Vec<u32>,
    /// In nanoseconds.
    rtt: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Calm,
    Burst,
}

impl World {
    fn new(model: &Model) -> Self {
        let seed = model.seed;
        Self {
            sigma: model.service.sigma(),
            arrivals: Random::new(seed),
            services: Random::new(seed ^ 0x5e71_11ce),
            paths: Random::new(seed ^ 0x9a75),
            left: model.requests,
            clock: 0.0,
            change: 0.0,
            phase: Phase::Burst,
            hosts: vec![Host::default(); model.hosts as usize],
            turns: vec![0; model.workers as usize],
            rtt: model.rtt.as_secs_f64() * 1e9,
            model: model.clone(),
        }
    }

    #[inline]
    fn round_trip(&mut self) -> u64 {
        if self.model.rtt_jitter == 0.0 {
            return self.rtt as u64;
        }
        let swing = (2.0 * self.paths.share() - 1.0) * self.model.rtt_jitter;
        (self.rtt * (1.0 + swing)) as u64
    }

    /// Seconds until the next request.
    fn gap(&mut self) {
        let Some(Bursts { factor, share, length }) = self.model.bursts else {
            self.clock += self.arrivals.exponential() / self.model.rate;
            return;
        };
        let mut wanted = self.arrivals.exponential();
        loop {
            let rate = match self.phase {
                Phase::Burst => self.model.rate * factor,
                Phase::Calm => (self.model.rate * (1.0 - share * factor) / (1.0 - share)).max(0.0),
            };
            let room = (self.change - self.clock) * rate;
            if wanted <= room {
                self.clock += wanted / rate;
                return;
            }
            wanted -= room.max(0.0);
            self.clock = self.change;
            let mean = length.as_secs_f64();
            let mean = match self.phase {
                Phase::Burst => {
                    self.phase = Phase::Calm;
                    mean * (1.0 - share) / share
                }
                Phase::Calm => {
                    self.phase = Phase::Burst;
                    mean
                }
            };
            self.change = self.clock + mean * self.arrivals.exponential();
        }
    }

    fn host(&self, place: u32) -> usize {
        (place % self.model.hosts) as usize
    }
}

impl Nature for World {
    fn arrival(&mut self) -> Option<Arrival> {
        self.left = self.left.checked_sub(1)?;
        self.gap();
        let at = Instant::from_nanos((self.clock * 1e9) as u64);
        let worker = match self.model.workers {
            1 => 0,
            workers => self.arrivals.below(u64::from(workers)) as u32,
        };
        let place = worker * self.model.hosts + next_host(&mut self.turns[worker as usize], self.model.hosts);
        let gives_up = self.model.request_timeout.map_or(NEVER, |timeout| at + timeout);
        let key = self.model.requests - self.left - 1;
        Some(Arrival { at, place, key, gives_up, repeatable: self.model.repeatable })
    }

    fn exchange(&mut self, now: Instant, line: Line, _key: u64, _attempt: u32) -> Ending {
        let trip = self.round_trip();
        let now = now.as_nanos();
        // The server closed before the request could arrive; the news is on its way to us.
        if line.peer_closes != NEVER && now + trip > line.peer_closes.as_nanos() {
            return Ending { at: line.peer_closes, how: How::Breaks };
        }
        let service = self.model.service.draw(self.sigma, &mut self.services);
        let there = now + trip / 2;
        let done = match self.model.server.max_concurrent {
            None => there + service,
            Some(max) => {
                let host = self.host(line.place);
                let free_at = &mut self.hosts[host].free_at;
                let begin = if free_at.len() < max.max(1) as usize {
                    there
                } else {
                    free_at.pop().map_or(there, |Reverse(free)| free.max(there))
                };
                free_at.push(Reverse(begin + service));
                begin + service
            }
        };
        let is_last = self.model.server.max_requests_per_connection.is_some_and(|max| line.served + 1 >= max);
        let end = if is_last { StreamEnd::CloseNotified } else { StreamEnd::Complete };
        Ending { at: Instant::from_nanos(done + (trip - trip / 2)), how: How::Stream(end) }
    }

    fn dial(&mut self, now: Instant, place: u32) -> Dial {
        let host = self.host(place);
        let trip = self.round_trip();
        if self.model.server.max_connections.is_some_and(|max| self.hosts[host].connections >= max) {
            return Dial::Refused(Instant::from_nanos(now.as_nanos() + trip.max(REFUSAL)));
        }
        self.hosts[host].connections += 1;
        let trips = trip * u64::from(self.model.handshake_round_trips.max(1));
        Dial::Up(Instant::from_nanos(now.as_nanos() + trips))
    }

    #[inline]
    fn idle(&mut self, now: Instant, _line: Line) -> Instant {
        // The server counts from its response, half a trip ago, and its news take half a trip.
        self.model.server.keep_alive_timeout.map_or(NEVER, |timeout| now + timeout)
    }

    fn gone(&mut self, place: u32) {
        let host = self.host(place);
        self.hosts[host].connections = self.hosts[host].connections.saturating_sub(1);
    }

    fn other_place(&mut self, place: u32, _key: u64) -> u32 {
        let hosts = self.model.hosts;
        let worker = place / hosts;
        worker * hosts + next_host(&mut self.turns[worker as usize], hosts)
    }
}

fn next_host(turn: &mut u32, hosts: u32) -> u32 {
    let host = *turn;
    *turn = if host + 1 >= hosts { 0 } else { host + 1 };
    host
}
