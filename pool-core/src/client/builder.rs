//! How a client is configured.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use super::adopted::Nursery;
use super::call::Core;
use super::options::{Options, REPLAY_LIMIT};
use super::shared::Shared;
use super::{Breakers, Client, Keeper};
use crate::config::PoolConfig;
use crate::exchange::RetryPolicy;
use crate::runtime::{Connect, Runtime, Spawn};
use crate::wire::h1::Limits as H1Limits;

/// Collects settings and builds a [`Client`].
pub struct Builder<R, C> {
    runtime: R,
    connector: C,
    options: Options,
}

impl<R: Runtime, C: Connect> Builder<R, C> {
    /// Defaults: Envoy's pool settings and breakers, two replays, two connect retries.
    pub fn new(runtime: R, connector: C) -> Self {
        // Jitter and the key table's hash want a number that nobody outside can guess. The machines
        // take it as an argument; this is where one is drawn.
        let seed = RandomState::new().build_hasher().finish();
        let options = Options {
            pool: Arc::new(PoolConfig::default()),
            breakers: Breakers::default(),
            h1: H1Limits::default(),
            retry: RetryPolicy::default(),
            replay_limit: REPLAY_LIMIT,
            seed,
            #[cfg(feature = "trace")]
            recording: None,
        };
        Self { runtime, connector, options }
    }

    /// Settings of every pool: timeouts, lifetimes, queue. Default: Envoy's.
    #[must_use]
    pub fn pool(mut self, config: Arc<PoolConfig>) -> Self {
        self.options.pool = config;
        self
    }

    /// Circuit breakers per origin, possibly shared with other clients. Default: Envoy's thresholds
    /// (1024 connections, 1024 pending requests, 1024 requests), for this client alone.
    #[must_use]
    pub fn breakers(mut self, breakers: Breakers) -> Self {
        self.options.breakers = breakers;
        self
    }

    /// How often and when requests are sent again. Default: two replays after a safe verdict, two
    /// retries after a failed connect.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = policy;
        self
    }

    /// Bytes of a request body that are kept, so that it can be sent again. Default 64 KiB; larger
    /// bodies are replayed only with a [`RemakeBody`](super::RemakeBody).
    #[must_use]
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        self.options.replay_limit = bytes;
        self
    }

    /// Limits on HTTP/1 heads. Default: Envoy's.
    #[must_use]
    pub fn h1_limits(mut self, limits: H1Limits) -> Self {
        self.options.h1 = limits;
        self
    }

    /// Seeds jitter and hashing; for tests that want the same run twice.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// Records everything that goes into the pools. The recording's header has the client's seed, so this
    /// sets it as well.
    #[cfg(feature = "trace")]
    #[must_use]
    pub fn record(mut self, header: &crate::trace::Header) -> (Self, crate::trace::Recording) {
        let recording = crate::trace::Recording::new(header);
        self.options.seed = header.seed;
        self.options.recording = Some(recording.clone());
        (self, recording)
    }

    /// Builds the client and starts its background task.
    pub fn build<B>(self) -> Client<R, C, B>
    where
        R: Spawn<Keeper<R, C, B>>,
    {
        let Self { runtime, connector, options } = self;
        let shared = Arc::new(Shared::new(runtime, connector, options));
        let nursery = Arc::new(Nursery::new(shared.ready.clone()));
        shared.runtime.spawn(Keeper::new(&shared, nursery.clone()));
        Client { core: Arc::new(Core { shared, nursery }) }
    }
}
