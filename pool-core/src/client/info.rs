//! What a response tells about the connection that it came on.

use std::sync::Arc;
use std::time::Duration;

use super::host::Host;
use crate::exchange::{Exchange, RetryDenied, Usage};
use crate::runtime::Addresses;
use crate::time::Instant;

/// In the extensions of every response of this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    id: u64,
    usage: Usage,
    queue_time: Duration,
    replays: u8,
    retries: u8,
}

impl ConnectionInfo {
    pub(crate) fn new(id: u64, usage: Usage, queue_time: Duration, replays: u8, retries: u8) -> Self {
        Self { id, usage, queue_time, replays, retries }
    }

    /// The connection: unique within the client, never used again.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether the connection had served a request before this one.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.usage == Usage::Reused
    }

    /// Time spent waiting for a connection, over all attempts.
    #[must_use]
    pub fn queue_time(&self) -> Duration {
        self.queue_time
    }

    /// How often the request was sent again after a failure that was known to be harmless.
    #[must_use]
    pub fn replays(&self) -> u8 {
        self.replays
    }

    /// How often the request asked again after a failed connect.
    #[must_use]
    pub fn retries(&self) -> u8 {
        self.retries
    }
}

/// The connection that carried an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub(crate) id: u64,
    pub(crate) usage: Usage,
    pub(crate) addresses: Option<Arc<Addresses>>,
}

/// What is known of a call: during it, with its response, and after its failure.
#[derive(Clone, Copy, Debug)]
pub struct CallInfo<'a> {
    number: u64,
    host: Option<&'a Arc<Host>>,
    carried: Option<&'a Carried>,
    completed_at: Option<Instant>,
    queue_time: Duration,
    replays: u8,
    retries: u8,
    denied: Option<RetryDenied>,
}

impl<'a> CallInfo<'a> {
    pub(crate) fn new(
        number: u64,
        host: Option<&'a Arc<Host>>,
        carried: Option<&'a Carried>,
        completed_at: Option<Instant>,
        exchange: &Exchange,
    ) -> Self {
        Self {
            number,
            host,
            carried,
            completed_at,
            queue_time: exchange.queue_time(),
            replays: exchange.replays(),
            retries: exchange.retries(),
            denied: exchange.retry_denied(),
        }
    }

    /// The request: unique within the client, never used again. A recording names it by this number.
    #[must_use]
    pub fn request(&self) -> u64 {
        self.number
    }

    /// The host that was chosen last; `None` for calls to URLs, and if there was none to choose.
    #[must_use]
    pub fn host(&self) -> Option<&'a Arc<Host>> {
        self.host
    }

    /// The connection that carried the last attempt that got one: unique within the client, never used
    /// again.
    #[must_use]
    pub fn connection(&self) -> Option<u64> {
        self.carried.map(|carried| carried.id)
    }

    /// Its addresses, for calls to clusters and as far as the connector tells them.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.carried.and_then(|carried| carried.addresses.as_deref()).copied().unwrap_or_default()
    }

    /// Whether that connection had served a request before this one.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.carried.is_some_and(|carried| carried.usage == Usage::Reused)
    }

    /// When the last byte of the response was read, if that was before its head was given out, as with
    /// every small response. By the clock of the client's runtime.
    #[must_use]
    pub fn completed_at(&self) -> Option<Instant> {
        self.completed_at
    }

    /// Time spent waiting for a connection, over all attempts.
    #[must_use]
    pub fn queue_time(&self) -> Duration {
        self.queue_time
    }

    /// How often the request was sent again after a failure that was known to be harmless.
    #[must_use]
    pub fn replays(&self) -> u8 {
        self.replays
    }

    /// How often a host was chosen again after a failure.
    #[must_use]
    pub fn retries(&self) -> u8 {
        self.retries
    }

    /// Why the failure that the call ended with was not retried, where the policy names such failures.
    #[must_use]
    pub fn retry_denied(&self) -> Option<RetryDenied> {
        self.denied
    }
}
