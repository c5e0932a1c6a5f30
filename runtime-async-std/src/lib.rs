//! Runs [`pool_core`]'s HTTP connection pools on async-std, and on every executor that shares its
//! reactor, `async-io`: smol above all.
//!
//! async-std is discontinued upstream (RUSTSEC-2025-0052). It is here because the same sockets and
//! timers serve smol: see [`client_on`].
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = runtime_async_std::client().build();
//! let response = client.call(http::Request::get("http://127.0.0.1:8080/").body(runtime_async_std::empty())?).await?;
//! # Ok(()) }
//! ```
//!
//! And a server:
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{convert::Infallible, time::Duration};
//! use pool_core::server::service_fn;
//! use runtime_async_std::{Incoming, Listener};
//!
//! let service = service_fn(|_request: http::Request<Incoming>| async {
//!     Ok::<_, Infallible>(http::Response::new(runtime_async_std::full("hello")))
//! });
//! let handle = runtime_async_std::server().serve(Listener::bind("127.0.0.1:8080")?, service);
//! handle.shutdown(Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod net;
mod time;

pub use net::{Listener, Names, Socket, Stream, Tcp, TcpConnect};
pub use time::{AsyncIo, AsyncStd, Task};

use bytes::Bytes;
use http_body_util::{Either, Empty, Full};
use pool_core::client::Builder;
use pool_core::runtime::Resolved;

/// Names resolved by the operating system, TCP connections, addresses tried in turn.
pub type Connector<S = AsyncStd> = Resolved<AsyncIo<S>, Names, Tcp>;
/// A client on async-std, by request body type.
pub type Client<B = Either<Full<Bytes>, Empty<Bytes>>> =
    pool_core::client::Client<AsyncIo<AsyncStd>, Connector, B>;
/// A response body on async-std.
pub type Body<B = Either<Full<Bytes>, Empty<Bytes>>> =
    pool_core::client::Body<AsyncIo<AsyncStd>, Connector, B>;

/// Begins a client with the system's name resolution and TCP, on async-std's executor.
#[must_use]
pub fn client() -> Builder<AsyncIo<AsyncStd>, Connector> {
    client_on(AsyncStd)
}

/// Begins a client on another executor: `client_on(|task| smol::spawn(task).detach())`.
#[must_use]
pub fn client_on<S: Clone + 'static>(spawner: S) -> Builder<AsyncIo<S>, Connector<S>> {
    let runtime = AsyncIo::new(spawner);
    Builder::new(runtime.clone(), Resolved::new(runtime, Names, Tcp))
}

/// The body of a request to a server on async-std and smol.
pub type Incoming = pool_core::server::Incoming<Socket>;

/// Begins a server on async-std's executor; give it a [`Listener`] and a service.
#[must_use]
pub fn server() -> pool_core::server::Builder<AsyncIo<AsyncStd>> {
    server_on(AsyncStd)
}

/// Begins a server on another executor: `server_on(|task| smol::spawn(task).detach())`.
#[must_use]
pub fn server_on<S: Clone + 'static>(spawner: S) -> pool_core::server::Builder<AsyncIo<S>> {
    pool_core::server::Builder::new(AsyncIo::new(spawner))
}

/// A body without content.
#[must_use]
pub fn empty() -> Either<Full<Bytes>, Empty<Bytes>> {
    Either::Right(Empty::new())
}

/// A body that is all there.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Either<Full<Bytes>, Empty<Bytes>> {
    Either::Left(Full::new(bytes.into()))
}

/// The README's examples are compiled by the tests.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../README.md")]
    struct Adapter;
}
