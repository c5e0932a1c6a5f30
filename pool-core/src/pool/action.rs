//! What a pool answers and orders, and why: every decision carries a reason (design decision P11).

use crate::error::PoolFailure;
use crate::id::{ConnId, Token, WaiterId};

/// Whether a request may be sent before the handshake is complete (RFC 8470).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum EarlyData {
    /// It may be replayed by the network without harm (Envoy: safe methods, not retried after 425).
    Safe,
    /// It waits for the handshake.
    #[default]
    Unsafe,
}

/// A request as the pool sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The caller's name for it, handed back with the outcome.
    pub token: Token,
    /// Whether it may go out as early data.
    pub early_data: EarlyData,
}

impl Request {
    /// A request that waits for the handshake.
    #[must_use]
    pub const fn new(token: Token) -> Self {
        Self { token, early_data: EarlyData::Unsafe }
    }

    /// The same request, allowed in early data.
    #[must_use]
    pub const fn early_data_safe(self) -> Self {
        Self { early_data: EarlyData::Safe, ..self }
    }
}

/// The immediate answer to a request. `Bound` and `Failed` are final outcomes (Envoy returns no
/// cancel handle then); `Queued` is followed by exactly one of [`Action::Bind`] and
/// [`Action::Fail`], unless the request is cancelled first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It has a connection.
    Bound(Bound),
    /// It waits.
    Queued(Queued),
    /// It failed.
    Failed(Failed),
}

/// A request got a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The connection that is to carry it.
    pub conn: ConnId,
    /// Why now, why this one.
    pub reason: BindReason,
    /// Whether the connection carried a stream before; only then can the peer have closed it while
    /// it was idle.
    pub usage: Usage,
}

/// A request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Queued {
    /// The name under which it can be cancelled.
    pub waiter: WaiterId,
    /// What it waits for.
    pub reason: QueueReason,
}

/// A request failed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failed {
    /// The outcome.
    pub failure: PoolFailure,
    /// What exactly happened.
    pub reason: FailReason,
}

/// Whether a connection has carried a stream before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Usage {
    /// No: this is its first stream.
    First,
    /// Yes.
    Reused,
}

/// An order of the pool. `Close` orders come before `Connect` orders, also across facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Open a connection. Answer with `handle_connect_started`, then `handle_connected` or
    /// `handle_closed`.
    Connect {
        /// Its name from now on.
        conn: ConnId,
        /// Why.
        reason: ConnectReason,
    },
    /// Close the connection and whatever runs on it; then report `handle_closed`. The pool has
    /// already dropped its streams.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// A queued request has a connection. If facts were handed in since, the connection may be gone
    /// by now; the request was then never sent.
    Bind {
        /// The queued request; the name is dead now.
        waiter: WaiterId,
        /// The caller's name for it.
        token: Token,
        /// The connection that is to carry it.
        conn: ConnId,
        /// Why now.
        reason: BindReason,
        /// Whether the connection carried a stream before.
        usage: Usage,
    },
    /// A queued request failed.
    Fail {
        /// The queued request; the name is dead now.
        waiter: WaiterId,
        /// The caller's name for it.
        token: Token,
        /// The outcome.
        failure: PoolFailure,
        /// What exactly happened.
        reason: FailReason,
    },
    /// Tell the peer that no new streams will come (GOAWAY, RFC 9113 6.8); the connection drains.
    NotifyGoAway {
        /// Which.
        conn: ConnId,
    },
    /// No connection and no queued request is left: the owner may forget the pool.
    Idle,
}

/// Why a request got this connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindReason {
    /// It was ready when the request came: the one that became ready last.
    MostRecentlyUsed,
    /// Its handshake is not complete, and the request may go out as early data.
    EarlyData,
    /// It has just been connected.
    Connected,
    /// One of its streams ended.
    StreamEnded,
    /// It has settled after its last stream.
    Settled,
    /// The peer raised its stream limit.
    CapacityRaised,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueReason {
    /// A connection that is being opened.
    Connecting,
    /// A connection that settles after its last stream.
    Settling,
    /// A stream to end: no more connections may be opened (`max_connections`).
    ConnectionLimit,
    /// A stream to end, or a stream limit to be raised; nothing is to be opened.
    Busy,
    /// A handshake to complete: the request may not go out as early data.
    Handshake,
}

/// Why a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectReason {
    /// Queued requests need it.
    Demand,
    /// `per_upstream_preconnect_ratio` asks for a spare.
    Preconnect,
    /// The owner expects a request (`predictive_preconnect_ratio`).
    Predictive,
    /// Queued requests need it and nothing else could serve them: opened without a seat.
    Forced,
}

/// Why a connection is closed by the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloseReason {
    /// `connect_timeout` expired.
    ConnectTimeout,
    /// `idle_timeout` expired.
    IdleTimeout,
    /// `max_connection_duration` expired, and its last stream has ended.
    MaxAge,
    /// It has carried `max_requests_per_connection` streams, and the last one has ended.
    MaxRequests,
    /// The peer sent GOAWAY, and its last stream has ended.
    GoAway,
    /// The peer asked for it with its last response (`Connection: close`, HTTP/1.0).
    CloseNotified,
    /// Its last exchange was final by its nature.
    FinalExchange,
    /// The response was complete before the request (HTTP/1 cannot continue).
    RequestUnfinished,
    /// Its exchange was reset (HTTP/1 cannot continue).
    StreamReset,
    /// Bytes came that nobody asked for.
    ProtocolError,
    /// A wish to drain, and its last stream has ended.
    Drained,
    /// The host became unhealthy, and its last stream has ended.
    HostUnhealthy,
    /// A wish to retire this connection, and its last stream has ended.
    Retired,
    /// It stopped answering, and its last stream has ended.
    Suspect,
    /// `drain_timeout` expired with streams in progress.
    DrainTimeout,
    /// A cancelled request left more attempts than needed.
    Excess,
    /// The pool is being torn down.
    Aborted,
}

/// What exactly made a request fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailReason {
    /// `max_pending_requests`.
    PendingLimit,
    /// `max_requests`.
    RequestLimit,
    /// `connect_timeout` of an attempt.
    ConnectTimeout,
    /// An attempt was given up on our side.
    ConnectFailedLocally,
    /// An attempt was refused or broken by the peer.
    ConnectFailedRemotely,
    /// `pending_timeout`, or the deadline that the request brought with it.
    PendingTimeout,
    /// The pool is being deleted and has no connection that could still serve.
    Deleted,
    /// The pool is being torn down.
    Aborted,
}

impl FailReason {
    /// The outcome that callers see.
    #[must_use]
    pub const fn failure(self) -> PoolFailure {
        match self {
            Self::PendingLimit | Self::RequestLimit => PoolFailure::Overflow,
            Self::ConnectTimeout => PoolFailure::ConnectTimeout,
            Self::ConnectFailedRemotely => PoolFailure::RemoteConnectionFailure,
            Self::PendingTimeout => PoolFailure::PendingTimeout,
            Self::ConnectFailedLocally | Self::Deleted | Self::Aborted => PoolFailure::LocalConnectionFailure,
        }
    }
}

/// Why the pool wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WakeReason {
    /// Actions wait to be drained.
    Actions,
    /// Connections settle: feed their remaining input, then call `handle_settled`.
    Settle,
    /// `connect_timeout`.
    ConnectTimeout,
    /// `idle_timeout`.
    IdleTimeout,
    /// `max_connection_duration`.
    MaxAge,
    /// `drain_timeout`.
    DrainTimeout,
    /// `pending_timeout`, or the deadline that a request brought with it.
    PendingTimeout,
}

/// What a cancelled request leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum CancelPolicy {
    /// Attempts go on and become spares (Envoy's HTTP router).
    #[default]
    Default,
    /// At most one attempt that is no longer needed is closed (Envoy's TCP proxy).
    CloseExcess,
}

/// How a pool is emptied (Envoy's `DrainBehavior`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DrainMode {
    /// Present connections take no new streams and close after their last one; the pool stays
    /// usable. `DrainExistingConnections`.
    Existing,
    /// The same, and peers that understand GOAWAY get one. `NotifyPeerAndDrainExisting` (#45322).
    NotifyPeerAndExisting,
    /// No new requests; what is queued is served by what exists; then [`Action::Idle`].
    /// `DrainAndDelete`.
    AndDelete,
}

/// The health of the pool's host, as far as a pool cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum HostHealth {
    /// Preconnect as configured.
    #[default]
    Healthy,
    /// No connections ahead of need.
    Degraded,
    /// The same, and on entry everything present drains.
    Unhealthy,
}
