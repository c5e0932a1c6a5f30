//! The client: requests in, responses out, with the pools between (feature `client`).
//!
//! ```text
//!  Client --call--> Call --+--> Shared: pools, limits, tables (one lock, microscopic)
//!                          |        ^ facts                | actions
//!                          |        |                      v
//!                          |     Keeper: idle connections, attempts, deadlines (one task)
//!                          +--> Attempt: the bytes of one exchange, inline in the caller's task
//!                                   +--> Body, Upgraded
//! ```
//!
//! A connection is a value that moves: connecting and idle it is the keeper's, in use it is the
//! caller's, who does its I/O without any other task being involved.

mod adopted;
mod attempt;
mod body;
mod breakers;
mod builder;
mod call;
mod cluster;
mod conn;
mod debug;
mod error;
mod held;
mod host;
mod info;
mod inline;
mod keeper;
mod leash;
mod line;
mod notes;
mod options;
mod origin;
mod policy;
mod pools;
mod request_body;
mod retry_seat;
mod routing;
mod shared;
mod snapshot;
mod state;
mod stats;
mod upgrade;

pub use body::Body;
pub use breakers::Breakers;
pub use builder::Builder;
pub use call::{Answered, Call};
pub use cluster::{Cluster, ClusterBuilder};
pub use error::{BodyError, Error, ErrorKind, OriginFault};
pub use host::Host;
pub use info::{CallInfo, ConnectionInfo};
pub use keeper::Keeper;
pub use policy::{CallPolicy, HostField, Rewrite};
pub use request_body::RemakeBody;
pub use snapshot::{ConnectionSnapshot, PoolSnapshot, Snapshot, Totals};
pub use stats::{ClusterStats, Gauges, HostStats};
pub use upgrade::Upgraded;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body as HttpBody;

use crate::pool::{ConnView, DrainMode, Pool};
use crate::runtime::{Connect, Runtime, Target};
use call::Core;
use state::Life;

/// An HTTP client over one set of pools. Clones are cheap and share everything.
///
/// `R` lends time, `C` opens connections, `B` is the type of request bodies. Adapters name the usual
/// choices: `runtime_tokio::Client`, `runtime_async_std::Client`.
///
/// The background task that the client needs ends when the last clone, call and body are gone. If it
/// ends before them, because its runtime does or a connector panicked, the client is closed as by
/// [`Client::abort`].
pub struct Client<R: Runtime, C: Connect, B> {
    core: Arc<Core<R, C, B>>,
}

impl<R: Runtime, C: Connect, B> Clone for Client<R, C, B> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone() }
    }
}

impl<R, C, B> Client<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    /// What the pools look like now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = self.core.shared.runtime.now();
        self.core.shared.look(|state| Snapshot::of(now, state))
    }

    /// Sends a request to the origin that its URI names.
    ///
    /// The request's fields go out as they are, with `Host` added if it is missing and framing written
    /// by the client. Redirects, cookies and content codings are not touched.
    pub fn call(&self, request: Request<B>) -> Call<R, C, B> {
        Call::to_url(self.core.clone(), request)
    }

    /// Sends a request to a host of a cluster, chosen anew for every attempt.
    ///
    /// The request goes out as it is: of its URI only path and query, fields as they are, `Host` added
    /// only if it is missing and the URI has an authority. What [`ConnectionInfo`] tells elsewhere is told by
    /// [`Call::info`]; no extension is added to the response.
    pub fn call_cluster(&self, cluster: &Cluster, policy: &CallPolicy, request: Request<B>) -> Call<R, C, B> {
        Call::to_cluster(self.core.clone(), cluster, policy, request)
    }

    /// Hands over what was recorded since the last time; a recording that is read while it goes on
    /// wants this now and then.
    #[cfg(feature = "trace")]
    pub fn flush_recording(&self) {
        self.core.shared.flush_recording();
    }

    /// Takes connections out of service: idle ones at once, others after their exchange. Returns how
    /// many `is_unwanted` chose. Requests that wait get new ones.
    pub fn retire(&self, mut is_unwanted: impl FnMut(&Target, &ConnView) -> bool) -> usize {
        let shared = &self.core.shared;
        let connections: Vec<_> = shared.look(|state| {
            let of_pool = |(id, target)| {
                let conns = state.set.pool(id).into_iter().flat_map(Pool::connections);
                conns.map(move |conn| (id, Arc::clone(target), conn))
            };
            state.targets().flat_map(of_pool).collect()
        });
        // The caller's code runs without the lock. What ended meanwhile is not retired: its name is dead.
        let unwanted: Vec<_> =
            connections.into_iter().filter(|(_, target, conn)| is_unwanted(target, conn)).collect();
        let now = shared.runtime.now();
        shared.turn(now, |state| {
            for (pool, _, conn) in &unwanted {
                state.set.retire(now, *pool, conn.id);
            }
        });
        unwanted.len()
    }

    /// Takes no further requests and completes when every connection is gone: idle ones are closed at
    /// once, exchanges in progress and requests that wait are served to their end.
    pub async fn close(&self) {
        let now = self.core.shared.runtime.now();
        self.core.shared.turn(now, |state| {
            state.life = Life::Closing;
            let pools: Vec<_> = state.set.pools().map(|(id, _)| id).collect();
            for pool in pools {
                state.set.drain(now, pool, DrainMode::AndDelete);
            }
        });
        poll_fn(|cx| {
            if self.core.shared.look(|state| state.poll_empty(cx.waker())) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Closes everything now: waiting requests fail, exchanges in progress are cut.
    pub fn abort(&self) {
        self.core.shared.abort();
    }
}

impl<R, C, B> tower_service::Service<Request<B>> for Client<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    type Response = Response<Body<R, C, B>>;
    type Error = Error;
    type Future = Call<R, C, B>;

    /// Always ready: waiting for a connection is part of the call, bounded by the pool's breakers.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Call<R, C, B> {
        Self::call(self, request)
    }
}
