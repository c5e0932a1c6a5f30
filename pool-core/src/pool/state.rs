//! The six states of a connection, as in Envoy.
//!
//! ```text
//!                         0-RTT keys                   handshake complete
//!         +--------------------------> EarlyData ------------------------------+
//!         |                              |   ^                                 |
//!         |                    no stream |   | a stream is free                |
//!         |                      is free v   |                                 v
//!  Connect order                  Busy(Handshaking) ------------------> Ready or Busy(Connected)
//!  Connecting ---------------------------------------------------------------> |
//!         |                       handshake complete                           |
//!         |                                                                    |
//!         |         +------------ last free stream taken ------------+         |
//!         |         |                                                v         |
//!         |    Ready(Open) <------ a stream is free ------- Busy(Connected) <--+
//!         |         ^                                           |
//!         |         |  settled                  stream complete |  (only one stream at a time)
//!         |         +------------- Ready(Settling) <------------+
//!         |
//!         |    EarlyData, Ready, Busy  -- GOAWAY, age, last request, drain ... --> Draining
//!         v                                                                          |
//!      Closed  <----- failure, timeout, order to close; last stream ended -----------+
//! ```
//!
//! `Closed` means that the pool has given the connection up and waits for its socket to be gone; the
//! name dies with the `Closed` report. Nothing ever leaves `Draining` but to `Closed`.

use super::action::CloseReason;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Transport or handshake are not up (Envoy: `Connecting`).
    Connecting,
    /// The handshake is not complete; requests that are safe as early data may be bound
    /// (`ReadyForEarlyData`).
    EarlyData,
    /// The handshake is complete and at least one stream is free (`Ready`).
    Ready(Phase),
    /// No stream is free (`Busy`).
    Busy(Handshake),
    /// Takes no more streams; closes when its last one has ended (`Draining`).
    Draining(DrainCause),
    /// Ordered to close; its socket is not yet known to be gone (`Closed`).
    Closed(CloseReason),
}

/// Whether a ready connection may be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Yes.
    Open,
    /// Not before its remaining input was looked at (design decision P3).
    Settling,
}

/// Whether a busy connection's handshake is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Handshake {
    /// No: its streams are early data.
    Pending,
    /// Yes.
    Complete,
}

/// What made a connection drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DrainCause {
    /// The peer sent GOAWAY.
    GoAway,
    /// The peer asked for the connection to end, other streams being in progress.
    CloseNotified,
    /// An exchange on it was final by its nature, other streams being in progress.
    FinalExchange,
    /// It carries its last stream (`max_requests_per_connection`).
    MaxRequests,
    /// It is too old (`max_connection_duration`).
    MaxAge,
    /// A wish to drain the pool.
    Drained,
    /// The host became unhealthy.
    HostUnhealthy,
    /// A wish to retire this connection.
    Retired,
    /// It stopped answering (design decision P10).
    Suspect,
}

impl DrainCause {
    /// The reason of the `Close` order that ends the drain.
    #[must_use]
    pub const fn close_reason(self) -> CloseReason {
        match self {
            Self::GoAway => CloseReason::GoAway,
            Self::CloseNotified => CloseReason::CloseNotified,
            Self::FinalExchange => CloseReason::FinalExchange,
            Self::MaxRequests => CloseReason::MaxRequests,
            Self::MaxAge => CloseReason::MaxAge,
            Self::Drained => CloseReason::Drained,
            Self::HostUnhealthy => CloseReason::HostUnhealthy,
            Self::Retired => CloseReason::Retired,
            Self::Suspect => CloseReason::Suspect,
        }
    }
}
