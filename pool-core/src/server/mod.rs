//! The server: requests out of sockets, responses back (feature `server`).
//!
//! ```text
//!   Accept --> acceptor task --+--> connection task: Socket <-> wire::h1::Server
//!                              |         |  Request<Incoming>      ^  Response<B>
//!                              |         v                         |
//!                              |    service (a clone per connection)
//!                              +--> connection task ...
//!   ServerHandle ------------------> shutdown, snapshot
//! ```
//!
//! HTTP/1.1 and 1.0 over any [`Accept`]; one task per connection, no task per request. The service is
//! a [`tower_service::Service`] or a function ([`service_fn`]). Bodies are streamed with back-pressure
//! both ways: a client that does not read stops the response body, a service that does not read stops
//! the client. What is between holds 64 KiB of response and one chunk of request, and nothing while
//! idle.
//!
//! | setting | default | source |
//! |---|---|---|
//! | [`idle_timeout`](Builder::idle_timeout) | 1 h | Envoy |
//! | [`request_headers_timeout`](Builder::request_headers_timeout) | off | Envoy |
//! | [`stream_idle_timeout`](Builder::stream_idle_timeout) | 5 min | Envoy |
//! | [`request_timeout`](Builder::request_timeout) | off | Envoy |
//! | [`max_stream_duration`](Builder::max_stream_duration) | off | Envoy |
//! | [`max_requests_per_connection`](Builder::max_requests_per_connection) | none | Envoy |
//! | [`max_connection_duration`](Builder::max_connection_duration) | none | Envoy, as with `http1_safe_max_connection_duration` |
//! | [`max_connections`](Builder::max_connections) | none | Envoy: `max_active_downstream_connections` |
//! | [`delayed_close_timeout`](Builder::delayed_close_timeout) | 1 s | Envoy; closes as RFC 9112 9.6 |
//! | [`accept_http_10`](Builder::accept_http_10) | yes | Envoy: no |
//!
//! All of an exchange that is not request and response is in [`Control`]: interim responses, its own
//! time limits, how it ended.
//!
//! How a connection ends: after the response that says `close`, after a timeout, or with
//! [`ServerHandle::shutdown`]. A request that breaks the protocol gets the status of
//! [`crate::wire::h1::Error::status`] and the end of the connection; one that the service fails to
//! answer gets 500 and the same. [`Builder::on_local_reply`] has a say in these responses, and
//! [`Control::report`] tells how an exchange ended.

mod acceptor;
mod answer;
mod builder;
mod closing;
mod connection;
mod control;
mod counters;
mod ending;
mod handle;
mod house;
mod incoming;
mod link;
mod local_reply;
mod options;
mod pace;
mod report;
mod service;
mod snapshot;
mod socket;
mod tally;
mod timeouts;
mod timer;
mod upgrade;

pub use builder::Builder;
pub use control::Control;
pub use handle::ServerHandle;
pub use incoming::{Incoming, IncomingError, PeerAddr};
pub use local_reply::{Known, LocalReply};
pub use report::{Outcome, Reason, Report, Volume};
pub use service::{BoxError, HttpService, ServiceFn, service_fn};
pub use snapshot::Snapshot;
pub use upgrade::{NotUpgraded, Upgrade, Upgraded};

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::runtime::{Accept, Runtime};
use acceptor::Acceptor;
use connection::Connection;

/// The futures that [`Spawn`](crate::runtime::Spawn) gets from a server: the one that accepts, and one
/// per connection. Nobody else makes or polls one.
pub struct Task<R: Runtime, L: Accept, S: HttpService<L::Io>>(Work<R, L, S>);

impl<R: Runtime, L: Accept, S: HttpService<L::Io>> std::fmt::Debug for Task<R, L, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

#[expect(clippy::large_enum_variant, reason = "moved once, into its task; nearly all are connections")]
enum Work<R: Runtime, L: Accept, S: HttpService<L::Io>> {
    Accept(Acceptor<R, L, S>),
    Serve(Connection<R, L::Io, S>),
}

impl<R: Runtime, L: Accept, S: HttpService<L::Io>> Task<R, L, S> {
    fn accept(acceptor: Acceptor<R, L, S>) -> Self {
        Self(Work::Accept(acceptor))
    }

    fn serve(connection: Connection<R, L::Io, S>) -> Self {
        Self(Work::Serve(connection))
    }
}

// Nothing in here is pinned in place.
impl<R: Runtime, L: Accept, S: HttpService<L::Io>> Unpin for Task<R, L, S> {}

impl<R: Runtime, L: Accept, S: HttpService<L::Io>> Future for Task<R, L, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Work::Accept(acceptor) => acceptor.poll(cx),
            Work::Serve(connection) => Pin::new(connection).poll(cx),
        }
    }
}
