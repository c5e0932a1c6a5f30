//! What a scenario sets before its first step.

use core::time::Duration;
use std::sync::Arc;

use pool_core::config::{FailQueue, Jitter, Multiplexing, PoolConfig, PoolConfigBuilder, Ratio};
use pool_core::limits::{Local, Resource, Thresholds};

use crate::harness::World;

/// A pool's settings, the ledger's limits, and what the driver knows about the origin.
#[derive(Clone)]
pub(crate) struct Setup {
    config: PoolConfigBuilder,
    thresholds: Thresholds,
    initial_limits: Vec<u32>,
}

impl Setup {
    fn of(multiplexing: Multiplexing) -> Self {
        Self {
            config: PoolConfig::builder(multiplexing),
            thresholds: Thresholds::default(),
            initial_limits: Vec::new(),
        }
    }

    /// HTTP/1.1 and TCP: one stream at a time, and a settle pass after it.
    pub(crate) fn exclusive() -> Self {
        Self::of(Multiplexing::Exclusive)
    }

    /// HTTP/2 with our own default of concurrent streams.
    pub(crate) fn multiplexed() -> Self {
        Self::of(Multiplexing::STREAMS)
    }

    /// Connections of `max` concurrent streams that never settle.
    pub(crate) fn streams(max: u32) -> Self {
        Self::multiplexed().max_concurrent_streams(max)
    }

    fn config(self, change: impl FnOnce(PoolConfigBuilder) -> PoolConfigBuilder) -> Self {
        Self { config: change(self.config), ..self }
    }

    fn limit(self, resource: Resource, max: u32) -> Self {
        Self { thresholds: self.thresholds.with(resource, max), ..self }
    }

    pub(crate) fn max_connections(self, max: u32) -> Self {
        self.limit(Resource::Connections, max)
    }

    pub(crate) fn max_pending(self, max: u32) -> Self {
        self.limit(Resource::Pending, max)
    }

    pub(crate) fn max_requests(self, max: u32) -> Self {
        self.limit(Resource::Requests, max)
    }

    pub(crate) fn max_connections_per_host(self, max: u32) -> Self {
        Self { thresholds: self.thresholds.max_connections_per_host(max), ..self }
    }

    pub(crate) fn max_concurrent_streams(self, max_concurrent_streams: u32) -> Self {
        self.config(|c| c.multiplexing(Multiplexing::Streams { max_concurrent_streams }))
    }

    pub(crate) fn max_requests_per_connection(self, max: u32) -> Self {
        self.config(|c| c.max_requests_per_connection(Some(max)))
    }

    /// `per_upstream_preconnect_ratio` in thousandths.
    pub(crate) fn ratio(self, thousandths: u32) -> Self {
        self.config(|c| c.per_upstream_preconnect_ratio(Ratio::from_thousandths(thousandths)))
    }

    pub(crate) fn idle_timeout_ms(self, ms: u64) -> Self {
        self.config(|c| c.idle_timeout(Some(Duration::from_millis(ms))))
    }

    pub(crate) fn no_idle_timeout(self) -> Self {
        self.config(|c| c.idle_timeout(None))
    }

    pub(crate) fn max_connection_duration_ms(self, ms: u64) -> Self {
        self.config(|c| c.max_connection_duration(Some(Duration::from_millis(ms))))
    }

    pub(crate) fn max_connection_duration_jitter(self, percent: u8) -> Self {
        self.config(|c| c.max_connection_duration_jitter(Jitter::percent(percent)))
    }

    pub(crate) fn drain_timeout_ms(self, ms: u64) -> Self {
        self.config(|c| c.drain_timeout(Some(Duration::from_millis(ms))))
    }

    pub(crate) fn pending_timeout_ms(self, ms: u64) -> Self {
        self.config(|c| c.pending_timeout(Some(Duration::from_millis(ms))))
    }

    pub(crate) fn strict_limits(self) -> Self {
        self.config(|c| c.strict_limits(true))
    }

    pub(crate) fn enforce_max_requests(self, enforce: bool) -> Self {
        self.config(|c| c.enforce_max_requests(enforce))
    }

    pub(crate) fn fail_unservable_only(self) -> Self {
        self.config(|c| c.on_connect_failure(FailQueue::Unservable))
    }

    pub(crate) fn early_data(self) -> Self {
        self.config(|c| c.early_data(pool_core::config::EarlyDataSupport::On))
    }

    /// What the driver answers to the connect orders, in order: the limit learned for the origin.
    pub(crate) fn initial_limits<const N: usize>(self, limits: [u32; N]) -> Self {
        Self { initial_limits: limits.to_vec(), ..self }
    }

    /// One pool.
    pub(crate) fn start(&self) -> World {
        self.start_pools(1)
    }

    /// Two pools of two hosts on one ledger.
    pub(crate) fn start_two(&self) -> World {
        self.start_pools(2)
    }

    pub(crate) fn start_pools(&self, pools: usize) -> World {
        let config: Arc<PoolConfig> = self.config.clone().build().expect("a scenario's settings are valid");
        World::new(&config, Local::new(self.thresholds), self.initial_limits.clone(), pools)
    }
}
