//! Keeps the address of a logical host up to date (Envoy: `LOGICAL_DNS`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pool_core::client::{Cluster, Host};
use tokio::sync::watch;

use super::literal;
use super::lookup::{Lookup, choose};
use crate::config::model::{Dns, Endpoint};

/// Looks a name up again and again, and gives its host the address. New connections go there; a failed
/// or empty answer leaves the address as it is.
#[derive(Debug)]
pub(crate) struct Refresh {
    cluster: Cluster,
    host: Arc<Host>,
    name: Arc<str>,
    port: u16,
    dns: Dns,
    counts: Arc<Counts>,
    asked: watch::Sender<bool>,
}

/// What has come of the look-ups.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) attempts: AtomicU64,
    pub(crate) successes: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Answers without an address of the family.
    pub(crate) empty: AtomicU64,
    /// Answers that changed nothing.
    pub(crate) unchanged: AtomicU64,
}

impl Refresh {
    /// What keeps the only host of `cluster` up to date. `None` if there is nothing to look up: an IP
    /// address is its own address.
    pub(super) fn of(cluster: &Cluster, dns: &Dns, endpoint: &Endpoint) -> Option<Self> {
        let host = cluster.hosts().into_iter().next()?;
        if let Some(address) = literal(endpoint) {
            cluster.set_address(&host, address);
            return None;
        }
        Some(Self {
            cluster: cluster.clone(),
            host,
            name: endpoint.host.as_str().into(),
            port: endpoint.port,
            dns: *dns,
            counts: Arc::default(),
            asked: watch::Sender::new(false),
        })
    }

    pub(crate) fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Tells when the first look-up is over, whatever came of it.
    pub(crate) fn first(&self) -> watch::Receiver<bool> {
        self.asked.subscribe()
    }

    /// Never ends.
    pub(crate) async fn run(self, lookup: impl Lookup, mut seed: u64) {
        let mut failures: u32 = 0;
        loop {
            let pause = if self.ask(&lookup).await {
                failures = 0;
                self.dns.refresh_rate
            } else {
                failures = failures.saturating_add(1);
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                back_off(&self.dns, failures, seed)
            };
            self.asked.send_replace(true);
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether an address was found.
    async fn ask(&self, lookup: &impl Lookup) -> bool {
        count(&self.counts.attempts);
        let answer = match lookup.lookup(&self.name, self.port).await {
            Ok(answer) => answer,
            Err(error) => {
                count(&self.counts.failures);
                tracing::warn!(cluster = %self.cluster.name(), name = %self.name, %error, "DNS resolution failed");
                return false;
            }
        };
        let Some(address) = choose(&answer, self.dns.family) else {
            count(&self.counts.empty);
            tracing::warn!(cluster = %self.cluster.name(), name = %self.name, "DNS answer without a usable address");
            return false;
        };
        count(&self.counts.successes);
        self.set(address);
        true
    }

    fn set(&self, address: SocketAddr) {
        if self.host.address() == Some(address) {
            count(&self.counts.unchanged);
            return;
        }
        tracing::debug!(cluster = %self.cluster.name(), name = %self.name, %address, "DNS address");
        self.cluster.set_address(&self.host, address);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The wait after failure number `failures` in a row: uniform in the upper half of
/// `min(base * 2^(failures - 1), max)`, so that proxies that failed together do not ask together.
fn back_off(dns: &Dns, failures: u32, drawn: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let ceiling = dns.failure_base.saturating_mul(1 << doublings).min(dns.failure_max.max(dns.failure_base));
    let half = ceiling / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    // The high bits of the generator are the good ones.
    half + Duration::from_nanos((drawn >> 16) % nanos.saturating_add(1))
}
