//! What came out of a run: one account for recorded, re-run and simulated load alike.

use core::time::Duration;

use pool_core::pool::{CloseReason, ConnectReason, FailReason, Usage};
use pool_core::time::Instant;

use super::histogram::Histogram;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// A response was complete.
    Answered,
    /// `max_pending_requests` (Envoy: `UO`).
    PendingOverflow,
    /// `max_requests` (Envoy: `UO`).
    RequestOverflow,
    /// `max_connection_pools`.
    PoolOverflow,
    /// `connect_timeout`, and no retry left (Envoy: `UF`).
    ConnectTimeout,
    /// A connection attempt failed, and no retry left (Envoy: `UF`).
    ConnectFailure,
    /// `pending_timeout`.
    PendingTimeout,
    /// The caller gave up while it waited.
    GivenUpWaiting,
    /// The caller gave up while the request was in progress.
    GivenUpInProgress,
    /// Its connection broke, and it could not be sent again (Envoy: `UC`).
    Broken,
    /// A pool was deleted or torn down.
    TornDown,
    /// It was still on its way when the recording ended.
    Unfinished,
}

impl Ended {
    /// Every way, in the order of declaration.
    pub const ALL: [Self; 12] = [
        Self::Answered,
        Self::PendingOverflow,
        Self::RequestOverflow,
        Self::PoolOverflow,
        Self::ConnectTimeout,
        Self::ConnectFailure,
        Self::PendingTimeout,
        Self::GivenUpWaiting,
        Self::GivenUpInProgress,
        Self::Broken,
        Self::TornDown,
        Self::Unfinished,
    ];

    /// What a pool's refusal comes to if nothing follows on it.
    #[must_use]
    pub const fn of(reason: FailReason) -> Self {
        match reason {
            FailReason::PendingLimit => Self::PendingOverflow,
            FailReason::RequestLimit => Self::RequestOverflow,
            FailReason::ConnectTimeout => Self::ConnectTimeout,
            FailReason::ConnectFailedLocally | FailReason::ConnectFailedRemotely => Self::ConnectFailure,
            FailReason::PendingTimeout => Self::PendingTimeout,
            FailReason::Deleted | FailReason::Aborted => Self::TornDown,
        }
    }

    /// Its name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::PendingOverflow => "overflow of max_pending_requests (UO)",
            Self::RequestOverflow => "overflow of max_requests (UO)",
            Self::PoolOverflow => "overflow of max_connection_pools",
            Self::ConnectTimeout => "connect timeout (UF)",
            Self::ConnectFailure => "connect failure (UF)",
            Self::PendingTimeout => "pending_timeout",
            Self::GivenUpWaiting => "given up while queued",
            Self::GivenUpInProgress => "given up in progress",
            Self::Broken => "connection broke (UC)",
            Self::TornDown => "pool torn down",
            Self::Unfinished => "unfinished at the end",
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The pool ordered it.
    Ordered(CloseReason),
    /// The attempt failed.
    ConnectFailed,
    /// The peer closed it while it was idle.
    PeerWhileIdle,
    /// The peer closed it, or it broke, while it was in use.
    PeerWhileBusy,
    /// This side closed it without an order of the pool.
    LocalEnd,
}

/// Names of causes, by [`Cause::index`].
pub const CAUSES: [&str; 21] = [
    "connect_timeout",
    "idle_timeout",
    "max_connection_duration",
    "max_requests_per_connection",
    "GOAWAY",
    "peer's Connection: close",
    "final exchange",
    "request unfinished",
    "stream reset",
    "protocol error",
    "drained",
    "host unhealthy",
    "retired",
    "suspect",
    "drain_timeout",
    "excess",
    "torn down",
    "connect failed",
    "peer closed it idle",
    "peer closed it in use",
    "closed on this side",
];

impl Cause {
    /// Its place in [`CAUSES`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Ordered(reason) => match reason {
                CloseReason::ConnectTimeout => 0,
                CloseReason::IdleTimeout => 1,
                CloseReason::MaxAge => 2,
                CloseReason::MaxRequests => 3,
                CloseReason::GoAway => 4,
                CloseReason::CloseNotified => 5,
                CloseReason::FinalExchange => 6,
                CloseReason::RequestUnfinished => 7,
                CloseReason::StreamReset => 8,
                CloseReason::ProtocolError => 9,
                CloseReason::Drained => 10,
                CloseReason::HostUnhealthy => 11,
                CloseReason::Retired => 12,
                CloseReason::Suspect => 13,
                CloseReason::DrainTimeout => 14,
                CloseReason::Excess => 15,
                CloseReason::Aborted => 16,
            },
            Self::ConnectFailed => 17,
            Self::PeerWhileIdle => 18,
            Self::PeerWhileBusy => 19,
            Self::LocalEnd => 20,
        }
    }
}

/// Reasons for connections, by their place in [`Outcome::opened`].
pub const OPENED: [&str; 4] = ["demand", "preconnect", "predictive", "forced"];

/// A number that goes up and down, with its peak and its integral over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    now: u64,
    peak: u64,
    /// In units of one nanosecond.
    area: u128,
    since: Instant,
}

impl Level {
    /// As it is.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// The highest it was.
    #[must_use]
    pub const fn peak(&self) -> u64 {
        self.peak
    }

    /// Its integral over time up to the last change, in units of one nanosecond.
    #[must_use]
    pub const fn area_nanos(&self) -> u128 {
        self.area
    }

    #[inline]
    pub(crate) fn up(&mut self, now: Instant) {
        self.advance(now);
        self.now += 1;
        self.peak = self.peak.max(self.now);
    }

    #[inline]
    pub(crate) fn down(&mut self, now: Instant) {
        self.advance(now);
        self.now -= 1;
    }

    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) {
        let passed = now.as_nanos().saturating_sub(self.since.as_nanos());
        self.area += u128::from(self.now) * u128::from(passed);
        self.since = now;
    }
}

/// What came out of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// From the first event to the last.
    pub span: (Instant, Instant),
    /// Requests that came.
    pub requests: u64,
    /// How they ended, by [`Ended`] as an index; exactly one each.
    pub ended: [u64; Ended::ALL.len()],
    /// The time that each spent in queues, over all its attempts.
    pub queue: Histogram,
    /// From arrival to complete response, of answered ones.
    pub latency: Histogram,
    /// Connections ordered, by [`ConnectReason`] as an index; see [`OPENED`].
    pub opened: [u64; OPENED.len()],
    /// Connections gone, by [`Cause::index`].
    pub closed: [u64; CAUSES.len()],
    /// Connections that were there at the end.
    pub open_at_end: u64,
    /// Requests bound to a connection that had not carried any.
    pub first_use: u64,
    /// Requests bound to one that had.
    pub reused: u64,
    /// Requests put back at the head of their queue.
    pub replays: u64,
    /// Retries by policy.
    pub retries: u64,
    /// Retries that `max_retries` refused.
    pub retry_overflow: u64,
    /// Connections, opening ones and those that close included.
    pub connections: Level,
    /// Requests in queues.
    pub queued: Level,
    /// Requests on connections.
    pub active: Level,
    /// The sum of all waits, each taken when it ended: equal to the area of [`Outcome::queued`] once
    /// the queues are empty (Little's law).
    pub waited_nanos: u128,
}

impl Outcome {
    /// How many ended so.
    #[must_use]
    pub const fn of(&self, ended: Ended) -> u64 {
        self.ended[ended as usize]
    }

    /// Requests with an outcome.
    #[must_use]
    pub fn outcomes(&self) -> u64 {
        self.ended.iter().sum()
    }

    /// Requests that a circuit breaker refused.
    #[must_use]
    pub const fn overflows(&self) -> u64 {
        self.of(Ended::PendingOverflow) + self.of(Ended::RequestOverflow) + self.of(Ended::PoolOverflow)
    }

    /// Requests without an answer, overflows included.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.outcomes() - self.of(Ended::Answered) - self.of(Ended::Unfinished)
    }

    /// Connections ordered.
    #[must_use]
    pub fn opened_total(&self) -> u64 {
        self.opened.iter().sum()
    }

    /// The share of binds to connections that had carried a request before.
    #[must_use]
    pub fn reuse_ratio(&self) -> f64 {
        let binds = self.first_use + self.reused;
        if binds == 0 { 0.0 } else { self.reused as f64 / binds as f64 }
    }

    /// The length of the run.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.span.1.since(self.span.0)
    }

    pub(crate) fn order(&mut self, now: Instant, reason: ConnectReason) {
        let index = match reason {
            ConnectReason::Demand => 0,
            ConnectReason::Preconnect => 1,
            ConnectReason::Predictive => 2,
            ConnectReason::Forced => 3,
        };
        self.opened[index] += 1;
        self.connections.up(now);
    }

    pub(crate) fn gone(&mut self, now: Instant, cause: Cause) {
        self.closed[cause.index()] += 1;
        self.connections.down(now);
    }

    #[inline]
    pub(crate) fn bound(&mut self, now: Instant, usage: Usage) {
        match usage {
            Usage::First => self.first_use += 1,
            Usage::Reused => self.reused += 1,
        }
        self.active.up(now);
    }

    #[inline]
    pub(crate) fn end(&mut self, ended: Ended, waited: u64) {
        self.ended[ended as usize] += 1;
        self.queue.add(waited);
    }
}
