//! How a server is configured and started.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::acceptor::Acceptor;
use super::house::House;
use super::local_reply::{Hook, LocalReply};
use super::options::{Http10, Options, PeerIn};
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
    /// last response went out. Does not run once a byte of a request has come. Default 1 h.
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

    /// Ends an exchange of which nothing has gone either way for so long: no head, no content, no byte
    /// that the client took. Answered with 408 while the request is incomplete and with 504 when it is
    /// complete; in the middle of a response the connection is cut.
    /// [`Control::set_idle_timeout`](super::Control::set_idle_timeout) changes it for one exchange.
    /// Default 5 min.
    #[must_use]
    pub fn stream_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.stream_idle_timeout = positive(timeout);
        self
    }

    /// How long a whole request may take, from its first byte, before it is answered with 408. Does
    /// not run any more once a response has begun. Default off.
    #[must_use]
    pub fn request_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.request_timeout = positive(timeout);
        self
    }

    /// How long an exchange may take, from the first byte of the request to the last of the response.
    /// Then as with [`stream_idle_timeout`](Self::stream_idle_timeout).
    /// [`Control::set_max_duration`](super::Control::set_max_duration) changes it for one exchange.
    /// Default off.
    #[must_use]
    pub fn max_stream_duration(mut self, duration: impl Into<Option<Duration>>) -> Self {
        self.options.max_stream_duration = positive(duration);
        self
    }

    /// Whether HTTP/1.0 is served; otherwise its requests are answered with 426. Default `true`, other
    /// than in Envoy.
    #[must_use]
    pub fn accept_http_10(mut self, accept: bool) -> Self {
        self.options.http10 = if accept { Http10::Served } else { Http10::Refused };
        self
    }

    /// Calls `hook` whenever the server answers a request by itself: it may look at the request that
    /// failed and change the response (status, fields such as `Server` and `Date`, content), which has
    /// Envoy's status and text until then. Framing and `Connection` are the server's.
    #[must_use]
    pub fn on_local_reply(
        mut self,
        hook: impl Fn(&LocalReply<'_>, &mut Response<Bytes>) + Send + Sync + 'static,
    ) -> Self {
        self.options.hook = Some(Hook::new(hook));
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
