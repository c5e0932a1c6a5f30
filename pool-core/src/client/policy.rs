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
    /// What every attempt changes in the fields of the request. Default: nothing.
    pub rewrite: Rewrite,
}

/// What every attempt at a request changes in its fields, once its host is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// What `Host` says.
    pub host: HostField,
    /// A field, named in lower case, that says which attempt this is, from 1 (Envoy:
    /// `x-envoy-attempt-count`). Replays count.
    pub count: Option<&'static str>,
}

/// What `Host` says in a request to a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostField {
    /// What the caller gave.
    #[default]
    AsGiven,
    /// The name of the chosen host, if it has one (Envoy: `auto_host_rewrite`).
    OfHost,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            priority: Priority::Default,
            replay_limit: REPLAY_LIMIT,
            rewrite: Rewrite::default(),
        }
    }
}
