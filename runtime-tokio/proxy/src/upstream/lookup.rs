//! Names to addresses.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::config::model::DnsLookupFamily;

/// Looks names up.
pub(crate) trait Lookup: Clone + Send + Sync + 'static {
    /// The addresses of a name, in the resolver's order.
    fn lookup(&self, name: &Arc<str>, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The operating system's resolver (`getaddrinfo`), on a thread for blocking work: no worker ever waits
/// for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System;

impl Lookup for System {
    async fn lookup(&self, name: &Arc<str>, port: u16) -> io::Result<Vec<SocketAddr>> {
        let name = name.clone();
        let asked =
            tokio::task::spawn_blocking(move || (&*name, port).to_socket_addrs().map(Iterator::collect));
        asked.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// The address that new connections go to, of an answer.
pub(super) fn choose(answer: &[SocketAddr], family: DnsLookupFamily) -> Option<SocketAddr> {
    let v4 = || answer.iter().find(|address| address.is_ipv4()).copied();
    let v6 = || answer.iter().find(|address| address.is_ipv6()).copied();
    match family {
        DnsLookupFamily::Auto => v6().or_else(v4),
        DnsLookupFamily::V4Only => v4(),
        DnsLookupFamily::V6Only => v6(),
        DnsLookupFamily::V4Preferred => v4().or_else(v6),
        DnsLookupFamily::All => answer.first().copied(),
    }
}
