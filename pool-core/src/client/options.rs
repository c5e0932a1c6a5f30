//! What a client is built with.

use std::sync::Arc;

use super::breakers::Breakers;
use crate::config::PoolConfig;
use crate::exchange::RetryPolicy;
use crate::wire::h1::Limits;

/// Request body bytes kept for a replay.
pub(crate) const REPLAY_LIMIT: usize = 64 * 1024;

pub(crate) struct Options {
    pub(crate) pool: Arc<PoolConfig>,
    pub(crate) breakers: Breakers,
    pub(crate) h1: Limits,
    pub(crate) retry: RetryPolicy,
    pub(crate) replay_limit: usize,
    pub(crate) seed: u64,
    #[cfg(feature = "trace")]
    pub(crate) recording: Option<crate::trace::Recording>,
}
