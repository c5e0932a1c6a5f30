//! How one call to a cluster is treated.

use super::options::REPLAY_LIMIT;
use crate::exchange::RetryPolicy;
use crate::limits::Priority;

/// What a caller decides for each call to a [`Cluster`](super::Cluster) (Envoy: parts of a route).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPolicy {
    /// How often the request is sent again, and after what. Default: two replays after a safe verdict,
    /// two retries after a failed connect.
    pub retry: RetryPolicy,
    /// Whose limits and pools. Default: [`Priority::Default`].
    pub priority: Priority,
    /// Bytes of the request body that are kept, so that it can be sent again. Default 64 KiB.
    pub replay_limit: usize,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self { retry: RetryPolicy::default(), priority: Priority::Default, replay_limit: REPLAY_LIMIT }
    }
}
