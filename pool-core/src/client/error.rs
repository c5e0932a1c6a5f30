//! Why a call failed, and whether it is safe to make it again.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::{PoolFailure, Verdict};
use crate::exchange::RetryDenied;
use crate::wire::h1;

/// A boxed error of the caller's own request body.
pub type BodyError = Box<dyn StdError + Send + Sync>;

/// A call that did not get its answer.
///
/// [`Error::verdict`] says how far the request had come; [`Verdict::is_safe`] whether sending it
/// again can do no harm. The client has already used the replays and retries that its policy allows.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    verdict: Verdict,
    /// What the transport said, where a connection attempt failed.
    cause: Option<Arc<io::Error>>,
    retries: u8,
    denied: Option<RetryDenied>,
}

/// What went wrong, by whose fault it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request names no origin that this client can reach.
    Origin(OriginFault),
    /// The client was closed.
    Closed,
    /// The cluster has no host to choose (Envoy: `no healthy upstream`, `UH`).
    NoHost,
    /// No pool may be made: `max_connection_pools` has no room. Envoy answers as if there were no host
    /// (`UH`), and counts `upstream_cx_pool_overflow`.
    NoPool,
    /// The pool gave the request back: a breaker, a connect failure, a queue timeout.
    Pool(PoolFailure),
    /// The connection broke while the exchange was on it.
    Connection(io::Error),
    /// The peer broke the protocol, exceeded a limit, or closed in the middle.
    Protocol(h1::Error),
    /// The request cannot be sent as it is.
    Request(h1::SendError),
    /// The caller's request body failed.
    RequestBody(BodyError),
    /// The pool ordered the connection to be closed: drain deadline, abort.
    ClosedByPool,
}

/// What is wrong with the origin of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OriginFault {
    /// The URI is not absolute: it has no scheme or no host.
    NotAbsolute,
    /// The scheme is neither `http` nor one for which a feature is on.
    Scheme,
    /// The port is above 65535.
    Port,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, verdict: Verdict) -> Self {
        Self { kind, verdict, cause: None, retries: 0, denied: None }
    }

    pub(crate) fn caused_by(mut self, cause: Option<Arc<io::Error>>) -> Self {
        self.cause = cause;
        self
    }

    pub(crate) fn after(mut self, retries: u8, denied: Option<RetryDenied>) -> Self {
        (self.retries, self.denied) = (retries, denied);
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// How far the request had come.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the transport said, where a connection attempt failed.
    #[must_use]
    pub fn transport(&self) -> Option<&io::Error> {
        self.cause.as_deref()
    }

    /// How often a host had been chosen again before this failure; more than 0: it was a retry that failed.
    #[must_use]
    pub fn retries(&self) -> u8 {
        self.retries
    }

    /// Why this failure was not retried, where the policy names such failures (Envoy's flags `URX`, `UO`).
    #[must_use]
    pub fn retry_denied(&self) -> Option<RetryDenied> {
        self.denied
    }

    /// Whether the peer ended the connection before its response was complete: Envoy's `connection
    /// termination`, flag `UC`.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        matches!(self.kind, ErrorKind::Connection(_) | ErrorKind::Protocol(h1::Error::Eof(_)))
    }

    /// Whether the peer broke the protocol or a limit on what it may send: Envoy's `protocol error`, flag
    /// `UPE`.
    #[must_use]
    pub fn is_protocol_error(&self) -> bool {
        matches!(self.kind, ErrorKind::Protocol(h1::Error::Peer(_) | h1::Error::Limit(_)))
    }

    /// Whether a connection could not be had: Envoy's `connect-failure`.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Pool(
                PoolFailure::ConnectTimeout
                    | PoolFailure::LocalConnectionFailure
                    | PoolFailure::RemoteConnectionFailure
            )
        )
    }

    /// Whether a circuit breaker refused it: Envoy's `overflow`, flag `UO`. Not where a pool could not be
    /// made ([`ErrorKind::NoPool`]).
    #[must_use]
    pub fn is_overflow(&self) -> bool {
        matches!(self.kind, ErrorKind::Pool(PoolFailure::Overflow))
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(OriginFault::NotAbsolute) => f.write_str("the request's URI has no scheme or host"),
            Self::Origin(OriginFault::Scheme) => f.write_str("the request's URI scheme is not supported"),
            Self::Origin(OriginFault::Port) => f.write_str("the request's URI has a port above 65535"),
            Self::Closed => f.write_str("the client was closed"),
            Self::NoHost => f.write_str("the cluster has no host"),
            Self::NoPool => f.write_str("no connection: too many pools"),
            Self::Pool(failure) => write!(f, "no connection: {failure}"),
            Self::Connection(error) => write!(f, "connection broke: {error}"),
            Self::Protocol(error) => write!(f, "{error}"),
            Self::Request(error) => write!(f, "request cannot be sent: {error}"),
            Self::RequestBody(error) => write!(f, "request body failed: {error}"),
            Self::ClosedByPool => f.write_str("the pool closed the connection"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(cause) = &self.cause {
            write!(f, " ({cause})")?;
        }
        write!(f, "; request: {}", self.verdict)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        if let Some(cause) = &self.cause {
            return Some(&**cause);
        }
        match &self.kind {
            ErrorKind::Origin(_)
            | ErrorKind::Closed
            | ErrorKind::NoHost
            | ErrorKind::NoPool
            | ErrorKind::ClosedByPool => None,
            ErrorKind::Pool(failure) => Some(failure),
            ErrorKind::Connection(error) => Some(error),
            ErrorKind::Protocol(error) => Some(error),
            ErrorKind::Request(error) => Some(error),
            ErrorKind::RequestBody(error) => Some(&**error),
        }
    }
}
