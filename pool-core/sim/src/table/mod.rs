//! The transition table of a connection as data: every state, every fact, every case.
//!
//! The table says what the machine of `pool_core::pool` is meant to do; [`stage`] puts a real pool
//! into each state by facts alone and looks at what it does; [`page`] draws the table. A test holds
//! all three together, so that neither the code nor the page can move alone.
//!
//! # Reading order
//!
//! The words below, [`cells`] (the table), [`stage`], [`check`](mod@check), [`page`].

pub mod cells;
pub mod check;
pub mod page;
pub mod stage;

use pool_core::pool::{CloseReason, Handshake, Phase, State};
use pool_core::report::StreamEnd;

/// A state of a connection, without what its variants carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the states of `pool_core::pool::State`")]
pub enum Name {
    Connecting,
    EarlyData,
    BusyEarly,
    Ready,
    Settling,
    Busy,
    Draining,
    Closed,
}

impl Name {
    /// Every state, in the order of a connection's life.
    pub const ALL: [Self; 8] = [
        Self::Connecting,
        Self::EarlyData,
        Self::BusyEarly,
        Self::Ready,
        Self::Settling,
        Self::Busy,
        Self::Draining,
        Self::Closed,
    ];

    /// The name of a state.
    #[must_use]
    pub const fn of(state: State) -> Self {
        match state {
            State::Connecting => Self::Connecting,
            State::EarlyData => Self::EarlyData,
            State::Ready(Phase::Open) => Self::Ready,
            State::Ready(Phase::Settling) => Self::Settling,
            State::Busy(Handshake::Pending) => Self::BusyEarly,
            State::Busy(Handshake::Complete) => Self::Busy,
            State::Draining(_) => Self::Draining,
            State::Closed(_) => Self::Closed,
        }
    }
}

/// What can happen to a connection: facts about it, wishes about its pool, expired timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "facts and wishes of the pool, and its timers")]
pub enum Fact {
    ConnectStarted,
    EarlyDataReady,
    Connected,
    StreamEnded(StreamEnd),
    Settled,
    BindRefused,
    LimitRaised,
    LimitZero,
    GoAway,
    Suspect,
    ProtocolError,
    Closed,
    Request,
    SafeRequest,
    LastRequest,
    CancelExcess,
    Retire,
    Drain,
    DrainAndNotify,
    DrainAndDelete,
    Abort,
    Unhealthy,
    Degraded,
    SlotFreed,
    ConnectTimeout,
    IdleTimeout,
    MaxAge,
    DrainTimeout,
    PendingTimeout,
}

impl Fact {
    /// Every fact, in the order in which the table lists them.
    pub const ALL: [Self; 35] = [
        Self::ConnectStarted,
        Self::EarlyDataReady,
        Self::Connected,
        Self::Request,
        Self::SafeRequest,
        Self::LastRequest,
        Self::CancelExcess,
        Self::StreamEnded(StreamEnd::Complete),
        Self::StreamEnded(StreamEnd::CloseNotified),
        Self::StreamEnded(StreamEnd::Final),
        Self::StreamEnded(StreamEnd::RequestUnfinished),
        Self::StreamEnded(StreamEnd::LocalReset),
        Self::StreamEnded(StreamEnd::RemoteReset),
        Self::StreamEnded(StreamEnd::RemoteRefused),
        Self::Settled,
        Self::BindRefused,
        Self::LimitRaised,
        Self::LimitZero,
        Self::GoAway,
        Self::Suspect,
        Self::ProtocolError,
        Self::Closed,
        Self::SlotFreed,
        Self::Unhealthy,
        Self::Degraded,
        Self::Retire,
        Self::Drain,
        Self::DrainAndNotify,
        Self::DrainAndDelete,
        Self::Abort,
        Self::ConnectTimeout,
        Self::IdleTimeout,
        Self::MaxAge,
        Self::DrainTimeout,
        Self::PendingTimeout,
    ];
}

/// A condition on the case in which a fact comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum If {
    /// The connection carries one stream at a time (HTTP/1.1).
    Exclusive,
    /// It carries many (HTTP/2, HTTP/3).
    Streams,
    /// No stream is in progress on it.
    Unused,
    /// At least one is.
    Used,
    /// Exactly one is.
    OneLeft,
    /// More than one is.
    MoreLeft,
    /// Of the streams that it may carry at a time, one is free.
    OneFree,
    /// More than one is.
    MoreFree,
    /// Its handshake is not complete.
    Early,
    /// It is.
    Up,
    /// A request waits in the queue.
    Waited,
    /// None does.
    Unwaited,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// It stays what it is.
    Same,
    /// It stays what it is; the fact makes no sense now and is counted as ignored.
    Ignored,
    /// It is now this.
    Become(Name),
    /// The pool orders it to close for this reason: [`Name::Closed`] until its socket is gone.
    Close(CloseReason),
    /// Its socket is gone; its name is dead.
    Gone,
}

/// What happens beside the connection's own change of state. About waiting requests, if there are
/// any, but for [`Also::Binds`] and [`Also::Queues`] of a request that has just come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Also {
    /// A request is bound to the connection.
    Binds,
    /// The request has to wait.
    Queues,
    /// The queue fails.
    Fails,
    /// Another connection is opened for those who wait.
    Opens,
    /// GOAWAY is to be sent to the peer.
    Notifies,
}

/// One case of a cell: under these conditions, this happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// All of them hold. Of the rows of a cell exactly one fits any case.
    pub when: &'static [If],
    /// What becomes of the connection.
    pub to: To,
    /// What else happens, in ascending order.
    pub also: &'static [Also],
}
