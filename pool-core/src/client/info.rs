//! What a response tells about the connection that it came on.

use std::time::Duration;

use crate::exchange::Usage;

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
