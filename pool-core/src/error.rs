//! Why a request did not get an answer, and whether it is safe to send it again.

use core::fmt;

/// Why a pool gave a request back without binding it (Envoy's `PoolFailureReason`, plus our own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PoolFailure {
    /// A circuit breaker had no room: `max_pending_requests` while queueing, `max_requests` while
    /// binding. Envoy: `Overflow`, response flag `UO`.
    Overflow,
    /// The connect timeout of the connection that would have served it expired. Envoy: `Timeout`.
    ConnectTimeout,
    /// A connection attempt was given up on our side, or the pool was torn down.
    /// Envoy: `LocalConnectionFailure`.
    LocalConnectionFailure,
    /// The peer refused or broke a connection attempt. Envoy: `RemoteConnectionFailure`.
    RemoteConnectionFailure,
    /// The request stayed in the queue for longer than the pool's `pending_timeout`.
    /// Ours; Envoy has no limit on queue time (#9606).
    PendingTimeout,
}

impl fmt::Display for PoolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overflow => "overflow",
            Self::ConnectTimeout => "connection timeout",
            Self::LocalConnectionFailure => "local connection failure",
            Self::RemoteConnectionFailure => "remote connection failure",
            Self::PendingTimeout => "pending request timeout",
        })
    }
}

impl core::error::Error for PoolFailure {}

/// How far a failed attempt had come, as far as replaying the request is concerned.
///
/// RFC 9110 9.2.2 lets a client repeat an idempotent request; anything else may be repeated only if
/// the first attempt is known to have had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// No byte of the request left this process. Safe to repeat.
    NeverSent,
    /// The peer says that it did not process it (HTTP/2 `REFUSED_STREAM`, RFC 9113 8.7). Safe.
    Refused,
    /// Its stream id is above the last id of a GOAWAY (RFC 9113 6.8). Safe.
    AboveGoAway,
    /// A reused connection ended before the first byte of a response: most likely the peer closed
    /// it while idle (RFC 9112 9.3.1). Safe for idempotent methods.
    NoResponseByte,
    /// The peer may have acted on it. Not safe.
    Unknown,
}

impl Verdict {
    /// Every verdict, in the order of declaration.
    pub const ALL: [Self; 5] =
        [Self::NeverSent, Self::Refused, Self::AboveGoAway, Self::NoResponseByte, Self::Unknown];

    /// Whether a request may be sent again after this verdict without a retry policy's consent.
    #[must_use]
    pub const fn is_safe(self, idempotent: bool) -> bool {
        match self {
            Self::NeverSent | Self::Refused | Self::AboveGoAway => true,
            Self::NoResponseByte => idempotent,
            Self::Unknown => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverSent => "never sent",
            Self::Refused => "refused by the peer before processing",
            Self::AboveGoAway => "above the last stream of a GOAWAY",
            Self::NoResponseByte => "no response byte on a reused connection",
            Self::Unknown => "may have been processed",
        })
    }
}
