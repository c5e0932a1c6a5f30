//! The seams that an adapter fills: clock, sleep, spawn, sockets, names.
//!
//! None of the traits asks for `Send`. Whether a client may move between threads is decided where
//! its futures are used: all types involved being `Send` makes them `Send`, and a single-threaded
//! executor needs none of it.
//!
//! | seam | lends | tokio | async-std and smol |
//! |---|---|---|---|
//! | [`Runtime`] | clock and sleep | `tokio::time` | `async_io::Timer` |
//! | [`Spawn`] | one background task per client, one per connection of a server | `tokio::spawn` | the executor's spawn |
//! | [`Connect`] | byte streams | `TcpStream` | `TcpStream` |
//! | [`Resolve`] | names to addresses | `lookup_host` | `ToSocketAddrs` |
//! | [`Accept`] | connections that come in | `TcpListener` | `TcpListener` |

mod resolved;
pub(crate) mod worker;

pub use resolved::{Resolved, ResolvedConnect};

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

pub use crate::cluster::Scheme;
use crate::time::Instant;

/// A clock and a way to wait for it.
pub trait Runtime: Clone + 'static {
    /// Completes at or shortly after the instant it was made for.
    type Sleep: Future<Output = ()>;

    /// The time since this runtime value's epoch; never goes back.
    fn now(&self) -> Instant;

    /// A future that completes at `at`; at once if `at` has passed.
    fn sleep(&self, at: Instant) -> Self::Sleep;
}

/// Runs a future in the background until it is done or the runtime ends.
///
/// Generic over the future, so that a multi-threaded runtime can ask for `F: Send` and a
/// single-threaded one need not.
pub trait Spawn<F> {
    /// Starts it. A client calls this once, when it is built; a server once for its listener and once
    /// per connection.
    fn spawn(&self, future: F);
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The URI scheme, which says whether the bytes are wrapped in TLS.
    pub scheme: Scheme,
    /// Host name or IP literal without brackets, in lower case.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
    /// The address to use, once the name was resolved.
    pub address: Option<SocketAddr>,
}

impl Target {
    /// Host and port, for people.
    #[cfg(feature = "client")]
    pub(crate) fn label(&self) -> String {
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        format!("{open}{}{close}:{}", self.host, self.port)
    }

    /// The socket address: the resolved one, or an IP literal's.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if the host is a name that nobody resolved.
    pub fn socket_address(&self) -> io::Result<SocketAddr> {
        if let Some(address) = self.address {
            return Ok(address);
        }
        match self.host.parse() {
            Ok(ip) => Ok(SocketAddr::new(ip, self.port)),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("host name {:?} was not resolved before connecting", self.host),
            )),
        }
    }
}

/// Opens byte streams.
pub trait Connect: Clone + 'static {
    /// An open stream.
    type Io: Io;
    /// Completes when the stream is open or has failed; dropping it gives the attempt up.
    type Future: Future<Output = io::Result<Self::Io>>;

    /// Starts an attempt. Timeouts are the pool's business; the future need not have one.
    fn connect(&self, to: &Target) -> Self::Future;

    /// The addresses of an open stream, for people and logs; asked for once per connection to a host of a
    /// named cluster. Unknown unless a connector tells them.
    fn addresses(&self, _of: &Self::Io) -> Addresses {
        Addresses::default()
    }
}

/// Where a stream begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// Of this side.
    pub local: Option<SocketAddr>,
    /// Of the peer.
    pub peer: Option<SocketAddr>,
}

/// A byte stream, polled.
///
/// The contract of wakers is that of `Future::poll`: after `Pending` the most recent waker of that
/// direction is woken when a call may make progress. Reading and writing are independent.
pub trait Io: 'static {
    /// Reads what is there into `into`, which is a hot scratch buffer shared by all connections of a
    /// thread: nothing may be kept in it between calls. `Ok(0)` is the end of the stream.
    ///
    /// # Errors
    /// The transport's error; the stream is unusable afterwards.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from the front of `bufs`, as much as fits; never returns `Ok(0)` for non-empty input
    /// unless the stream takes no more bytes.
    ///
    /// # Errors
    /// The transport's error; the stream is unusable afterwards.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Pushes bytes that the stream itself buffers; a plain socket has none.
    ///
    /// # Errors
    /// The transport's error.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the write direction (TCP: FIN). Dropping the stream closes both directions.
    ///
    /// # Errors
    /// The transport's error.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Takes connections in.
pub trait Accept: 'static {
    /// A connection.
    type Io: Io;

    /// The next connection and the address of its peer. After `Pending` the most recent waker is woken
    /// when a call may make progress.
    ///
    /// # Errors
    /// What the operating system said. The listener stays usable: the next call tries again. Errors
    /// that concern one connection only (it was gone before it was taken) may be told or passed over.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, SocketAddr)>>;
}

/// Turns host names into addresses.
pub trait Resolve: Clone + 'static {
    /// Completes with addresses in order of preference, at least one.
    type Future: Future<Output = io::Result<Vec<SocketAddr>>>;

    /// Starts a look-up. IP literals never come here.
    fn resolve(&self, host: &str, port: u16) -> Self::Future;
}
