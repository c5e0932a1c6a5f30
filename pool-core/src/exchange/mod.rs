//! One request's life over its attempts: choose, queue, bind, stream; replay it or fail it.
//!
//! ```text
//! Choosing -> Queued -> Bound(attempt) -> Streaming -> Done
//!                 ^         |                 |
//!                 +-- replay+-----------------+--> Backoff --> Choosing
//! ```
//!
//! The machine moves no bytes and reads no clock. Whoever drives a request (the client, the proxy, a
//! hand-written loop) tells it what happened and does what the returned [`Next`] says, so the rules
//! of who may replay what are written once:
//!
//! * Failed while queued: done, verdict [`Verdict::NeverSent`]; only the [`RetryPolicy`] queues it
//!   again, after a back-off.
//! * Failed while bound with a safe verdict and a replayable body: back to the head of the same
//!   pool's queue, at most [`RetryPolicy::max_replays`] times, keeping its queue deadline.
//! * Bound and failed otherwise: a host is chosen again, after a back-off, if the policy names the
//!   failure and the body can be sent again.
//! * Anything else fails, with the verdict in the error.

mod retry;
#[cfg(test)]
mod tests;

pub use retry::{RetryOn, RetryPolicy};

use core::time::Duration;

use crate::error::{PoolFailure, Verdict};
use crate::time::Instant;

/// Whether the request's method may be repeated without asking (RFC 9110 9.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repeatable {
    /// GET, HEAD, OPTIONS, TRACE, PUT, DELETE.
    Idempotent,
    /// Everything else, extension methods included.
    NotIdempotent,
}

impl From<&http::Method> for Repeatable {
    fn from(method: &http::Method) -> Self {
        if method.is_idempotent() { Self::Idempotent } else { Self::NotIdempotent }
    }
}

/// Whether the request's body can be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyReplay {
    /// Nothing of it was read yet, or what was read is kept, or it can be made again.
    Possible,
    /// A part of it is gone.
    Spent,
}

/// How much of the request had left when an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Progress {
    /// Not one byte was handed to the transport.
    NothingSent,
    /// At least one byte of the request may have reached the peer.
    RequestSent,
    /// At least one byte of a response arrived.
    ResponseStarted,
}

impl Progress {
    /// Every stage, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::NothingSent, Self::RequestSent, Self::ResponseStarted];
}

/// Whether the connection had served an exchange before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// This is its first exchange.
    Fresh,
    /// It was kept alive; the peer may have been closing it.
    Reused,
}

/// Why a failure that the policy names was not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryDenied {
    /// [`RetryPolicy::max_retries`] were made (Envoy: `upstream_rq_retry_limit_exceeded`, flag `URX`).
    Exhausted,
    /// The `max_retries` breaker has no room (Envoy: `upstream_rq_retry_overflow`, flag `UO`).
    Overflow,
}

/// What the driver does after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Next {
    /// Put it back at the head of the same pool's queue (`Pool::requeue`), with the queue deadline
    /// that it already had.
    Requeue {
        /// When the request's time in the queue is over; `None`: no limit.
        deadline: Option<Instant>,
    },
    /// Choose a host and ask its pool again at this instant.
    RetryAt(Instant),
    /// Give the failure to the caller; the verdict tells whether a repeat would be safe.
    Fail(Verdict),
}

/// Where the request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No pool was asked yet, or a retry is due.
    Choosing,
    /// In a pool's queue since the instant.
    Queued {
        /// When it was queued for the first time in this attempt.
        since: Instant,
    },
    /// A connection is its own; no response byte yet.
    Bound {
        /// Fresh or kept alive.
        usage: Usage,
    },
    /// A response is arriving.
    Streaming,
    /// Waiting before a retry.
    Backoff {
        /// When to go on.
        until: Instant,
    },
    /// An outcome was given; nothing follows.
    Done,
}

/// The machine. One per request; `Copy`-sized and free of allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exchange {
    state: State,
    repeatable: Repeatable,
    policy: RetryPolicy,
    replays: u8,
    retries: u8,
    queue_time: Duration,
    queue_deadline: Option<Instant>,
    /// The worst that is known of attempts that were repeated.
    verdict: Verdict,
    denied: Option<RetryDenied>,
    seed: u64,
}

impl Exchange {
    /// A request that was just made. `seed` feeds the back-off jitter.
    #[must_use]
    pub fn new(repeatable: Repeatable, policy: RetryPolicy, seed: u64) -> Self {
        Self {
            state: State::Choosing,
            repeatable,
            policy,
            replays: 0,
            retries: 0,
            queue_time: Duration::ZERO,
            queue_deadline: None,
            verdict: Verdict::NeverSent,
            denied: None,
            seed,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The time spent in queues so far, over all attempts.
    #[must_use]
    pub fn queue_time(&self) -> Duration {
        self.queue_time
    }

    /// How often it was sent again after a safe verdict.
    #[must_use]
    pub fn replays(&self) -> u8 {
        self.replays
    }

    /// How often it was retried by policy.
    #[must_use]
    pub fn retries(&self) -> u8 {
        self.retries
    }

    /// When its time in the queue is over, if there is a limit.
    #[must_use]
    pub fn queue_deadline(&self) -> Option<Instant> {
        self.queue_deadline
    }

    /// How far the attempts that were repeated had come, the worst of them: what a failure without a
    /// further attempt says about the request.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why the failure that it ended with was not retried, where the policy names such failures.
    #[must_use]
    pub fn retry_denied(&self) -> Option<RetryDenied> {
        self.denied
    }

    /// Whether it may still be sent again after it was bound: a body that is read from now on has to
    /// be kept.
    #[must_use]
    pub fn may_replay(&self) -> bool {
        match self.state {
            State::Choosing | State::Queued { .. } | State::Bound { .. } | State::Backoff { .. } => {
                self.may_replay_again()
                    || self.policy.retry_on.has_any(RetryOn::OF_BOUND)
                        && self.retries < self.policy.max_retries
            }
            State::Streaming | State::Done => false,
        }
    }

    /// Whether the policy allows one more sending after a safe verdict.
    #[must_use]
    pub fn may_replay_again(&self) -> bool {
        self.replays < self.policy.max_replays
    }

    /// A pool queued it; `deadline` is when the pool's queue gives it up.
    pub fn handle_queued(&mut self, now: Instant, deadline: Option<Instant>) {
        self.state = State::Queued { since: now };
        self.queue_deadline = deadline;
    }

    /// A connection was bound to it.
    pub fn handle_bound(&mut self, now: Instant, usage: Usage) {
        if let State::Queued { since } = self.state {
            self.queue_time += now.since(since);
        }
        self.state = State::Bound { usage };
    }

    /// The pool gave it back unbound.
    pub fn handle_pool_failure(&mut self, now: Instant, failure: PoolFailure) -> Next {
        if let State::Queued { since } = self.state {
            self.queue_time += now.since(since);
        }
        let condition = match failure {
            PoolFailure::ConnectTimeout
            | PoolFailure::LocalConnectionFailure
            | PoolFailure::RemoteConnectionFailure => RetryOn::CONNECT_FAILURE,
            // Envoy never retries an overflow: a retry would feed the overload that caused it.
            PoolFailure::Overflow | PoolFailure::PendingTimeout => RetryOn::NOTHING,
        };
        self.retry_or_fail(now, condition)
    }

    fn retry_or_fail(&mut self, now: Instant, condition: RetryOn) -> Next {
        if !self.policy.retry_on.has_any(condition) {
            self.state = State::Done;
            return Next::Fail(self.verdict);
        }
        if self.retries >= self.policy.max_retries {
            self.denied = Some(RetryDenied::Exhausted);
            self.state = State::Done;
            return Next::Fail(self.verdict);
        }
        self.retries += 1;
        let until = now + self.policy.back_off(self.retries, self.seed);
        self.state = State::Backoff { until };
        self.queue_deadline = None;
        Next::RetryAt(until)
    }

    /// The breaker of retries has no room for the one that was just announced: the failure stands.
    pub fn handle_retry_refused(&mut self) -> Next {
        if let State::Backoff { .. } = self.state {
            self.retries -= 1;
            self.denied = Some(RetryDenied::Overflow);
            self.state = State::Done;
        }
        Next::Fail(self.verdict)
    }

    /// The back-off is over; the driver chooses again.
    pub fn handle_back_off_over(&mut self) {
        self.state = State::Choosing;
    }

    /// The first byte of a response arrived: from here on the request is never repeated.
    pub fn handle_response_started(&mut self) {
        self.state = State::Streaming;
    }

    /// The bound connection failed. `evidence` is a verdict that the peer itself gave (refused, above
    /// GOAWAY), if there is one.
    pub fn handle_attempt_failed(
        &mut self,
        now: Instant,
        progress: Progress,
        evidence: Option<Verdict>,
        body: BodyReplay,
    ) -> Next {
        let (usage, progress, retry_on) = match self.state {
            State::Bound { usage } => (usage, progress, RetryOn::RESET),
            // A response that has begun is the caller's.
            State::Streaming => (Usage::Fresh, Progress::ResponseStarted, RetryOn::NOTHING),
            State::Choosing | State::Queued { .. } | State::Backoff { .. } => {
                (Usage::Fresh, progress, RetryOn::RESET)
            }
            State::Done => return Next::Fail(self.verdict),
        };
        let verdict = match progress {
            Progress::NothingSent | Progress::RequestSent => {
                evidence.unwrap_or_else(|| verdict(progress, usage))
            }
            // A peer that has answered has processed it, whatever else it says.
            Progress::ResponseStarted => Verdict::Unknown,
        };
        let safe = verdict.is_safe(self.repeatable == Repeatable::Idempotent);
        self.verdict = self.verdict.max(verdict);
        if safe && body == BodyReplay::Possible && self.replays < self.policy.max_replays {
            self.replays += 1;
            self.state = State::Choosing;
            return Next::Requeue { deadline: self.queue_deadline };
        }
        let refused = if verdict == Verdict::Refused { RetryOn::REFUSED_STREAM } else { RetryOn::NOTHING };
        let unsent = match progress {
            Progress::NothingSent => RetryOn::RESET_BEFORE_REQUEST,
            Progress::RequestSent | Progress::ResponseStarted => RetryOn::NOTHING,
        };
        match body {
            BodyReplay::Possible => self.retry_or_fail(now, retry_on.union(refused).union(unsent)),
            BodyReplay::Spent => {
                self.state = State::Done;
                Next::Fail(self.verdict)
            }
        }
    }

    /// The exchange ended well, or the caller gave it up.
    pub fn handle_done(&mut self) {
        self.state = State::Done;
    }
}

/// What a failure says about the request, from how far it had come.
#[must_use]
pub fn verdict(progress: Progress, usage: Usage) -> Verdict {
    match (progress, usage) {
        (Progress::NothingSent, _) => Verdict::NeverSent,
        (Progress::RequestSent, Usage::Reused) => Verdict::NoResponseByte,
        (Progress::RequestSent, Usage::Fresh) | (Progress::ResponseStarted, _) => Verdict::Unknown,
    }
}
