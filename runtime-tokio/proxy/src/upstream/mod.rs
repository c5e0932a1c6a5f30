//! The clusters of the configuration, as all workers share them.

mod dns;
mod lookup;
#[cfg(test)]
mod tests;

pub(crate) use dns::{Counts, Refresh};
pub(crate) use lookup::System;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pool_core::client::{Cluster, Host};
use pool_core::wire::h1;

use crate::config::model::{self, Discovery, Endpoint};

/// A cluster that was made, and what keeps it up to date.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) cluster: Cluster,
    /// Looks its name up, if it has one.
    pub(crate) refresh: Option<Refresh>,
}

/// Makes a cluster of its configuration.
pub(crate) fn make(config: &model::Cluster) -> Made {
    let hosts = match config.discovery {
        Discovery::Static => config.endpoints.iter().filter_map(fixed).collect(),
        Discovery::LogicalDns(_) => config.endpoints.iter().take(1).map(logical).collect::<Vec<_>>(),
    };
    let kibibytes = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX).saturating_mul(1024);
    let h1 = h1::Limits {
        max_head_bytes: kibibytes(config.max_response_headers_kb),
        max_headers: usize::try_from(config.max_headers_count).unwrap_or(usize::MAX),
        ..h1::Limits::default()
    };
    let cluster = Cluster::builder(config.name.as_str())
        .pool(config.pool.clone())
        .limits(config.limits)
        .h1_limits(h1)
        .hosts(hosts)
        .build();
    let refresh = match (&config.discovery, config.endpoints.first()) {
        (Discovery::LogicalDns(dns), Some(endpoint)) => Refresh::of(&cluster, dns, endpoint),
        (Discovery::LogicalDns(_) | Discovery::Static, _) => None,
    };
    Made { cluster, refresh }
}

/// A host at an address.
fn fixed(endpoint: &Endpoint) -> Option<Host> {
    let address = literal(endpoint)?;
    let host = Host::new(address).weight(endpoint.weight);
    Some(if endpoint.hostname.is_empty() { host } else { host.hostname(endpoint.hostname.as_str()) })
}

/// A host that is known by name.
fn logical(endpoint: &Endpoint) -> Host {
    let name: Arc<str> = match endpoint.hostname.as_str() {
        "" => endpoint.host.as_str().into(),
        name => name.into(),
    };
    Host::logical(name).weight(endpoint.weight)
}

/// The address of an endpoint that is given by address.
fn literal(endpoint: &Endpoint) -> Option<SocketAddr> {
    let host = endpoint.host.trim_start_matches('[').trim_end_matches(']');
    let ip: IpAddr = host.parse().ok()?;
    Some(SocketAddr::new(ip, endpoint.port))
}
