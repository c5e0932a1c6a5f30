//! THE machine: one pool of connections for one (worker, host, priority, key).
//!
//! (bodies follow; signatures are final)
#![expect(
    unused_variables,
    clippy::unimplemented,
    clippy::needless_pass_by_ref_mut,
    reason = "bodies follow"
)]
#![allow(missing_docs, reason = "bodies follow")]

mod action;
mod state;
mod stats;

use std::sync::Arc;

pub use action::{
    Action, Answer, BindReason, Bound, CancelPolicy, CloseReason, ConnectReason, DrainMode, EarlyData,
    FailReason, Failed, HostHealth, QueueReason, Queued, Request, Usage, WakeReason,
};
pub use state::{DrainCause, Handshake, Phase, State};
pub use stats::{HISTOGRAM_BUCKETS, Histogram, Stats};

use crate::config::{PoolConfig, Ratio};
use crate::id::{ConnId, Token, WaiterId};
use crate::limits::{Claimant, Ledger, Resource};
use crate::report::{ClosedBy, StreamEnd};
use crate::time::{Deadline, Instant};

/// Envoy's (A, P, C).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Triple {
    pub active: u64,
    pub pending: u64,
    pub capacity: i64,
}

/// Connections by state; `ready` includes settling ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    pub connecting: u32,
    pub early_data: u32,
    pub ready: u32,
    pub settling: u32,
    pub busy: u32,
    pub draining: u32,
    pub closing: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seating {
    Seated,
    Forced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnView {
    pub id: ConnId,
    pub state: State,
    pub opened_at: Instant,
    pub connected_at: Option<Instant>,
    pub active: u32,
    pub unused: i64,
    pub remaining: u32,
    pub limit: u32,
    pub usage: Usage,
    pub seating: Seating,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaiterView {
    pub id: WaiterId,
    pub token: Token,
    pub early_data: EarlyData,
    pub queued_at: Instant,
    pub deadline: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Canonical(Vec<u64>);

#[derive(Debug)]
pub struct Pool;

impl Pool {
    pub fn new(config: Arc<PoolConfig>, who: Claimant, seed: u64) -> Self {
        unimplemented!()
    }

    // questions
    pub fn config(&self) -> &PoolConfig {
        unimplemented!()
    }
    pub fn claimant(&self) -> Claimant {
        unimplemented!()
    }
    /// No connection (closing ones included) and nothing queued.
    pub fn is_idle(&self) -> bool {
        unimplemented!()
    }
    /// A stream in progress or a request queued (Envoy's hasActiveConnections).
    pub fn has_active_connections(&self) -> bool {
        unimplemented!()
    }
    pub fn triple(&self) -> Triple {
        unimplemented!()
    }
    /// Unused capacity of connections whose handshake is not complete.
    pub fn connecting_capacity(&self) -> i64 {
        unimplemented!()
    }
    pub fn counts(&self) -> Counts {
        unimplemented!()
    }
    /// By value: a snapshot.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }
    pub fn connections(&self) -> impl Iterator<Item = ConnView> + '_ {
        core::iter::empty()
    }
    pub fn connection(&self, conn: ConnId) -> Option<ConnView> {
        unimplemented!()
    }
    pub fn waiters(&self) -> impl Iterator<Item = WaiterView> + '_ {
        core::iter::empty()
    }
    pub fn health(&self) -> HostHealth {
        unimplemented!()
    }
    pub fn deadline(&self) -> Deadline<WakeReason> {
        unimplemented!()
    }
    pub fn canonical(&self, now: Instant) -> Canonical {
        unimplemented!()
    }
    /// Recomputes every total from scratch; the first difference.
    pub fn audit(&self) -> Result<(), &'static str> {
        unimplemented!()
    }
    /// A copy, only together with a copy of the ledger (search, model).
    pub fn fork(&self) -> Self {
        unimplemented!()
    }

    // facts
    pub fn handle_connect_started(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        initial_limit: Option<u32>,
    ) {
    }
    pub fn handle_early_data_ready(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {}
    pub fn handle_connected(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        limit: Option<u32>,
    ) {
    }
    pub fn handle_stream_ended(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        end: StreamEnd,
    ) {
    }
    pub fn handle_bind_refused(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId, limit: u32) {}
    pub fn handle_settled(&mut self, now: Instant, ledger: &mut impl Ledger) {}
    pub fn handle_capacity_changed(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        conn: ConnId,
        limit: u32,
    ) {
    }
    pub fn handle_go_away(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {}
    pub fn handle_protocol_error(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {}
    pub fn handle_suspect(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {}
    pub fn handle_closed(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId, by: ClosedBy) {}
    pub fn handle_timeout(&mut self, now: Instant, ledger: &mut impl Ledger) {}
    pub fn handle_slot_freed(&mut self, now: Instant, ledger: &mut impl Ledger, resource: Resource) {}
    pub fn handle_host_health(&mut self, now: Instant, ledger: &mut impl Ledger, health: HostHealth) {}

    // wishes
    pub fn request(&mut self, now: Instant, ledger: &mut impl Ledger, request: Request) -> Answer {
        unimplemented!()
    }
    pub fn requeue(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        request: Request,
        deadline: Option<Instant>,
    ) -> Answer {
        unimplemented!()
    }
    /// `true` if the request was still queued (no outcome will come).
    pub fn cancel(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        waiter: WaiterId,
        policy: CancelPolicy,
    ) -> bool {
        unimplemented!()
    }
    pub fn drain(&mut self, now: Instant, ledger: &mut impl Ledger, mode: DrainMode) {}
    pub fn retire(&mut self, now: Instant, ledger: &mut impl Ledger, conn: ConnId) {}
    pub fn maybe_preconnect(&mut self, now: Instant, ledger: &mut impl Ledger, ratio: Ratio) -> bool {
        unimplemented!()
    }
    pub fn abort(&mut self, now: Instant, ledger: &mut impl Ledger) {}

    // results
    pub fn poll_action(&mut self) -> Option<Action> {
        unimplemented!()
    }
}
