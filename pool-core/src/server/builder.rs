//! How a server is configured and started.

use std::sync::Arc;
use std::time::Duration;

use super::acceptor::Acceptor;
use super::house::House;
use super::options::{Options, PeerIn};
use super::{HttpService, ServerHandle, Task};
use crate::runtime::{Accept, Runtime, Spawn};
use crate::wire::h1::Limits as H1Limits;

/// Collects settings and starts a server. Where a time can be turned off, `None` or zero does it.
#[derive(Clone, Debug)]
pub struct Builder<R> {
    runtime: R,
    options: Options,
}

impl<R: Runtime> Builder<R> {
    /// Defaults: Envoy's.
    pub fn new(runtime: R) -> Self {
        Self { runtime, options: Options::default() }
    }

    /// Closes a connection that has had no request for so long: since it was accepted, or since the
    /// last response went out. A head that is still incomplete then is answered with 408. Default
    /// 1 h.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.idle_timeout = positive(timeout);
        self
    }

    /// How long a head may take from its first byte, before it is answered with 408. Default off.
    #[must_use]
    pub fn request_headers_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.request_headers_timeout = positive(timeout);
        self
    }

    /// Requests per connection; the response to the last one says `Connection: close`. 1 means no
    /// keep-alive. Default none; 0 is none.
    #[must_use]
    pub fn max_requests_per_connection(mut self, requests: impl Into<Option<u64>>) -> Self {
        self.options.max_requests_per_connection = requests.into().filter(|requests| *requests > 0);
        self
    }

    /// How long after having been accepted a connection takes further requests. An idle one is closed
    /// then, a busy one after its current exchange. Default none.
    #[must_use]
    pub fn max_connection_duration(mut self, duration: impl Into<Option<Duration>>) -> Self {
        self.options.max_connection_duration = positive(duration);
        self
    }

    /// Connections at a time, tunnels included. While there are as many, none is accepted: more wait
    /// in the queue of the listener. Default none; 0 is none.
    #[must_use]
    pub fn max_connections(mut self, connections: impl Into<Option<usize>>) -> Self {
        let limit = connections.into().filter(|connections| *connections > 0);
        self.options.max_connections = limit.unwrap_or(usize::MAX);
        self
    }

    /// How long a closing connection is given: to take what was written, from the last progress, and
    /// then to close on its side, while what it still sends is discarded (RFC 9112 9.6). Default
    /// 1 s. Off: what was written is flushed without a limit, and the connection closed at once.
    #[must_use]
    pub fn delayed_close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.delayed_close_timeout = positive(timeout);
        self
    }

    /// Limits on HTTP/1 heads, trailers and chunks. Default: Envoy's.
    #[must_use]
    pub fn h1_limits(mut self, limits: H1Limits) -> Self {
        self.options.h1 = limits;
        self
    }

    /// Leaves [`PeerAddr`](super::PeerAddr) out of the extensions of requests, which saves three
    /// allocations per request; [`Incoming::peer_addr`](super::Incoming::peer_addr) has it anyway.
    #[must_use]
    pub fn without_peer_extension(mut self) -> Self {
        self.options.peer = PeerIn::Body;
        self
    }

    /// Starts serving what `listener` accepts. Every connection gets a clone of `service`.
    pub fn serve<L, S>(self, listener: L, service: S) -> ServerHandle<R>
    where
        L: Accept,
        S: HttpService<L::Io>,
        R: Spawn<Task<R, L, S>>,
    {
        let Self { runtime, options } = self;
        let house = Arc::new(House::new(options));
        let spawn = |runtime: &R, task| runtime.spawn(task);
        let acceptor = Acceptor::new(house.clone(), runtime.clone(), listener, service, spawn);
        runtime.spawn(Task::accept(acceptor));
        ServerHandle::new(runtime, house)
    }
}

fn positive(duration: impl Into<Option<Duration>>) -> Option<Duration> {
    duration.into().filter(|duration| !duration.is_zero())
}
