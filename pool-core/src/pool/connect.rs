//! Opening connections: who may, how many, what becomes of an attempt.

use super::action::{BindReason, CloseReason, ConnectReason, HostHealth};
use super::slots::{Cold, Heard, NEVER, NONE};
use super::state::{Handshake, Phase, State};
use super::{FailReason, Flavour, IdleReport, Life, Pool};
use crate::config::{
    Admission, FailQueue, Jitter, MAX_STREAMS_PER_CONNECTION, Multiplexing, Ratio, split_mix,
};
use crate::id::ConnId;
use crate::limits::{Ledger, Need, Resource};
use crate::report::ClosedBy;
use crate::time::Instant;

/// How many connections one trigger opens at most: the largest preconnect ratio.
const PER_TRIGGER: u8 = 3;

/// Streams that a peer is expected to allow before it said so (RFC 9113 6.5.2 recommends that it
/// allows no fewer).
const EXPECTED_STREAMS: u32 = 100;

/// How a connection seat is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// As any trigger does; a pool that already waits does not ask again.
    Fresh,
    /// The ledger has called.
    Woken,
    /// This pool has just given a seat back, which may have been kept for itself.
    Released,
}

/// What became of the wish for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Creation {
    /// As many as wanted, or as one trigger may, were opened.
    Created,
    /// One was opened without a seat.
    Forced,
    /// A limit refused.
    Refused,
    /// None is wanted.
    NotWanted,
}

/// What is drawn from the seed for a connection.
#[derive(Clone, Copy)]
enum Draw {
    Requests,
    Idle,
    Age,
}

impl Pool {
    /// The transport is being opened: the answer to [`Action::Connect`](super::Action::Connect).
    /// `initial_limit` is the number of concurrent streams that this origin allowed last time; it
    /// replaces the expectation of 100 until the peer has spoken. Zero is no knowledge.
    pub fn handle_connect_started(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        initial_limit: Option<u32>,
    ) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        match state {
            State::Connecting => {}
            State::EarlyData | State::Ready(_) | State::Busy(_) | State::Draining(_) | State::Closed(_) => {
                return self.ignore();
            }
        }
        let Some(limit) = initial_limit.filter(|limit| *limit > 0) else { return };
        let limit = self.allowed(limit);
        self.change(index, |hot| hot.limit = limit);
        if !self.cold.queue.is_empty() {
            // Part of the trigger that opened it: had the limit been known, it would have opened more.
            self.create_within(now, ledger, Attempt::Fresh, self.cold.budget);
        }
    }

    /// Early data may be sent on the connection (0-RTT keys are there); the handshake goes on.
    pub fn handle_early_data_ready(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        match state {
            State::Connecting if self.early_data_supported() => {}
            State::Connecting
            | State::EarlyData
            | State::Ready(_)
            | State::Busy(_)
            | State::Draining(_)
            | State::Closed(_) => return self.ignore(),
        }
        self.change(index, |hot| {
            let free = hot.unused() > 0;
            hot.state = Some(if free { State::EarlyData } else { State::Busy(Handshake::Pending) });
        });
        self.serve_early(now, ledger);
        // It may have got its last stream and drain by now.
        self.replace(now, ledger);
        self.finish(now, ledger);
    }

    /// Transport and handshake are up. `limit` is the number of concurrent streams that the peer
    /// allows, if it has said so.
    pub fn handle_connected(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        limit: Option<u32>,
    ) {
        let Some((index, state)) = self.slots.find(conn) else { return self.ignore() };
        if self.slots.cold(index).connected_at != NEVER {
            return self.ignore();
        }
        match state {
            State::Closed(_) | State::Ready(_) | State::Busy(Handshake::Complete) => return self.ignore(),
            State::Connecting | State::EarlyData | State::Busy(Handshake::Pending) => {
                self.start_life(now, index);
                let limit = limit.map(|limit| self.allowed(limit));
                self.change(index, |hot| {
                    hot.limit = limit.unwrap_or(hot.limit);
                    hot.idle_since = now;
                    let free = hot.unused() > 0;
                    hot.state =
                        Some(if free { State::Ready(Phase::Open) } else { State::Busy(Handshake::Complete) });
                });
            }
            // It stays what it is; only its handshake can no longer fail.
            State::Draining(_) => self.start_life(now, index),
        }
        self.arm(now, index);
        if self.slots.ready.len > 0 {
            self.serve(now, ledger, BindReason::Connected);
            if !self.cold.queue.is_empty() {
                self.create(now, ledger, Attempt::Fresh);
            }
        }
        self.finish(now, ledger);
    }

    /// Opens at most one connection if, with one more request to come, `ratio` asks for it
    /// (`predictive_preconnect_ratio`); answers whether it did. [`Ratio::OFF`] never does.
    pub fn maybe_preconnect(&mut self, now: Instant, ledger: &mut impl Ledger, ratio: Ratio) -> bool {
        let wanted = match self.health {
            HostHealth::Healthy => ratio != Ratio::OFF && self.load().wants(ratio, 1),
            HostHealth::Degraded | HostHealth::Unhealthy => false,
        };
        wanted
            && self.life == Life::Open
            && self.create_one(now, ledger, Attempt::Fresh, ConnectReason::Predictive) == Creation::Created
    }

    /// Whether a request or a spare asks for one more connection.
    #[inline]
    pub(super) fn should_create(&self) -> bool {
        match self.health {
            HostHealth::Healthy if self.cold.ratio == Ratio::ONE => {
                i64::from(self.cold.queue.len()) > self.capacity
            }
            HostHealth::Healthy => self.load().wants(self.cold.ratio, 0),
            HostHealth::Degraded | HostHealth::Unhealthy => self.load().needs(),
        }
    }

    /// The creation loop: as many as are wanted, at most three, until one is refused.
    pub(super) fn create(&mut self, now: Instant, ledger: &mut impl Ledger, attempt: Attempt) -> Creation {
        self.create_within(now, ledger, attempt, PER_TRIGGER)
    }

    fn create_within(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        attempt: Attempt,
        budget: u8,
    ) -> Creation {
        if self.life == Life::Deleting || !self.should_create() {
            return Creation::NotWanted;
        }
        let mut attempt = attempt;
        self.cold.budget = budget;
        while self.cold.budget > 0 && self.should_create() {
            self.cold.budget -= 1;
            let reason = if self.load().needs() { ConnectReason::Demand } else { ConnectReason::Preconnect };
            match self.create_one(now, ledger, attempt, reason) {
                Creation::Created => attempt = Attempt::Fresh,
                stop @ (Creation::Forced | Creation::Refused | Creation::NotWanted) => return stop,
            }
        }
        Creation::Created
    }

    fn create_one(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        attempt: Attempt,
        reason: ConnectReason,
    ) -> Creation {
        let waiting = self.awaits_seat();
        let ask = match attempt {
            Attempt::Fresh => !waiting,
            Attempt::Woken | Attempt::Released => true,
        };
        if ask {
            match ledger.try_take(Resource::Connections, self.who()) {
                Ok(seat) => {
                    self.seats.put(seat);
                    self.stop_waiting(ledger);
                    self.open(now, reason);
                    return Creation::Created;
                }
                Err(_) if waiting && attempt == Attempt::Released => {}
                Err(_) => self.cold.stats.cx_overflow += 1,
            }
        }
        if self.cold.queue.is_empty() {
            return Creation::Refused;
        }
        let alone = self.slots.serving() == 0 && self.cold.forced == NONE;
        match self.cold.config.admission() {
            Admission::ForceOne if alone => {
                self.cold.forced = self.open(now, ConnectReason::Forced);
                self.wait_for(ledger, Need::Forced);
                Creation::Forced
            }
            Admission::ForceOne | Admission::Strict => {
                if ask {
                    self.wait_for(ledger, Need::Queue);
                }
                Creation::Refused
            }
        }
    }

    fn open(&mut self, now: Instant, reason: ConnectReason) -> u32 {
        self.cold.idle = IdleReport::Due;
        self.cold.stats.cx_total += 1;
        self.cold.serial += 1;
        let config = &self.cold.config;
        let (limit, unlimited) = match config.multiplexing() {
            Multiplexing::Exclusive => (1, u32::MAX),
            Multiplexing::Streams { max_concurrent_streams } => {
                (max_concurrent_streams.min(EXPECTED_STREAMS), MAX_STREAMS_PER_CONNECTION)
            }
        };
        let remaining = match config.max_requests_per_connection() {
            None => unlimited,
            Some(max) => {
                let max = u64::from(max.min(unlimited));
                let drawn = self.jitter(config.max_requests_jitter(), Draw::Requests, max);
                u32::try_from(drawn).unwrap_or(unlimited).max(1)
            }
        };
        let idle_for = match config.idle_timeout() {
            None => u64::MAX,
            Some(idle) => self.jitter(config.idle_jitter(), Draw::Idle, Instant::ZERO.after(idle).as_nanos()),
        };
        // Drawn now as well: later, the newest connection is another one.
        let age_for = match config.max_connection_duration() {
            None => u64::MAX,
            Some(age) => {
                let jitter = config.max_connection_duration_jitter();
                self.jitter(jitter, Draw::Age, Instant::ZERO.after(age).as_nanos())
            }
        };
        let index = self.slots.insert(
            limit,
            remaining,
            Cold {
                opened_at: now,
                connected_at: NEVER,
                age_at: Instant::from_nanos(age_for),
                drain_at: NEVER,
                idle_for,
                lost: 0,
                heard: Heard::Nothing,
                prev: NONE,
            },
        );
        let generation = self.cold.generation;
        self.change(index, |hot| {
            hot.generation = hot.generation.max(generation);
            hot.state = Some(State::Connecting);
        });
        self.arm(now, index);
        self.emit_connect(self.slots.id(index), reason);
        index
    }

    /// The handshake is complete: age starts to count.
    fn start_life(&mut self, now: Instant, index: u32) {
        let cold = self.slots.cold_mut(index);
        cold.connected_at = now;
        cold.age_at = now.after(cold.age_at.since(Instant::ZERO));
        let took = now.since(cold.opened_at);
        self.cold.stats.cx_connect_ms.record(took);
    }

    /// What our own ceiling leaves of a limit.
    pub(super) fn allowed(&self, limit: u32) -> u32 {
        match self.cold.config.multiplexing() {
            Multiplexing::Exclusive => limit.min(1),
            Multiplexing::Streams { max_concurrent_streams } => limit.min(max_concurrent_streams),
        }
    }

    /// `length` less what the newest connection draws of its jitter.
    fn jitter(&self, jitter: Jitter, what: Draw, length: u64) -> u64 {
        let salt = match what {
            Draw::Requests => 1,
            Draw::Idle => 2,
            Draw::Age => 3,
        };
        let word = split_mix(self.cold.seed ^ split_mix(self.cold.serial.wrapping_mul(4).wrapping_add(salt)));
        jitter.shorten(length, (word >> 32) as u32)
    }

    /// `connect_timeout` expired.
    pub(super) fn connect_timed_out(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32) {
        self.cold.stats.cx_connect_timeout += 1;
        self.cold.stats.cx_connect_fail += 1;
        let drained = matches!(self.slots[index].state, Some(State::Draining(_)));
        self.order_close(now, ledger, index, CloseReason::ConnectTimeout, 0);
        if !drained {
            self.fail_queue(ledger, FailReason::ConnectTimeout);
        }
        self.create(now, ledger, Attempt::Fresh);
    }

    /// The attempt was closed by somebody else before its handshake was complete. Its seat is free
    /// and its name dead before the queue hears of it, so that what the queue does next meets the
    /// world as it is.
    pub(super) fn attempt_failed(&mut self, ledger: &mut impl Ledger, by: ClosedBy) {
        self.fail_queue(
            ledger,
            match by {
                ClosedBy::Local => FailReason::ConnectFailedLocally,
                ClosedBy::Remote => FailReason::ConnectFailedRemotely,
            },
        );
    }

    fn fail_queue(&mut self, ledger: &mut impl Ledger, reason: FailReason) {
        let keep = match self.cold.config.on_connect_failure() {
            FailQueue::All => 0,
            FailQueue::Unservable => self.places(),
        };
        self.cold.stats.rq_pending_failure_eject += self.purge(ledger, reason, keep);
    }

    /// How many queued requests the connections that are there can take. Not the sum of capacities:
    /// streams beyond one connection's lowered limit take no place away on another.
    fn places(&self) -> u32 {
        let shares = self.slots.live_slots().map(|(index, _)| self.slots[index].share().capacity.max(0));
        u32::try_from(shares.sum::<i64>()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_multiplexed(&self) -> bool {
        match self.flavour {
            Flavour::Exclusive => false,
            Flavour::Streams => true,
        }
    }
}
