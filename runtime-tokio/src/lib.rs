//! Runs [`pool_core`]'s HTTP connection pools on tokio: sockets, clock, names and background tasks
//! are lent from here, everything else is the core's.
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = runtime_tokio::client().build();
//! let response = client.call(http::Request::get("http://127.0.0.1:8080/").body(runtime_tokio::empty())?).await?;
//! # Ok(()) }
//! ```
//!
//! And a server:
//!
//! ```
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{convert::Infallible, time::Duration};
//! use pool_core::server::service_fn;
//! use runtime_tokio::{Incoming, Listener};
//!
//! let service = service_fn(|_request: http::Request<Incoming>| async {
//!     Ok::<_, Infallible>(http::Response::new(runtime_tokio::full("hello")))
//! });
//! let handle = runtime_tokio::server().serve(Listener::bind("127.0.0.1:8080").await?, service);
//! handle.shutdown(Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "hyper")]
mod hyper;
mod net;
mod time;

#[cfg(feature = "hyper")]
pub use hyper::{HyperConnect, HyperIo};
pub use net::{Listener, Names, Stream, Tcp, TcpConnect};
pub use time::Tokio;

use bytes::Bytes;
use http_body_util::{Either, Empty, Full};
use pool_core::client::Builder;
use pool_core::runtime::Resolved;

/// Names resolved by the operating system, TCP connections, addresses tried in turn.
pub type Connector = Resolved<Tokio, Names, Tcp>;
/// A client on tokio, by request body type.
pub type Client<B = Either<Full<Bytes>, Empty<Bytes>>> = pool_core::client::Client<Tokio, Connector, B>;
/// A response body on tokio.
pub type Body<B = Either<Full<Bytes>, Empty<Bytes>>> = pool_core::client::Body<Tokio, Connector, B>;

/// Begins a client with the system's name resolution and TCP. Build it within a tokio runtime.
#[must_use]
pub fn client() -> Builder<Tokio, Connector> {
    let runtime = Tokio::new();
    Builder::new(runtime.clone(), Resolved::new(runtime, Names, Tcp))
}

/// The body of a request to a server on tokio.
pub type Incoming = pool_core::server::Incoming<Stream<tokio::net::TcpStream>>;

/// Begins a server; give it a [`Listener`] and a service.
#[must_use]
pub fn server() -> pool_core::server::Builder<Tokio> {
    pool_core::server::Builder::new(Tokio::new())
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

/// The examples of the READMEs are compiled by the tests, and run where they need no server.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../../README.md")]
    struct Workspace;
    #[doc = include_str!("../README.md")]
    struct Adapter;
}
