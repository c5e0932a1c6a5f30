//! Sockets and names.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pool_core::runtime::{Accept, Addresses, Connect, Io, Resolve, Target};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinHandle;

/// Opens TCP connections to resolved addresses, with `TCP_NODELAY`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

/// A TCP connection attempt.
pub struct TcpConnect(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>);

impl std::fmt::Debug for TcpConnect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpConnect").finish_non_exhaustive()
    }
}

impl Connect for Tcp {
    type Io = Stream<TcpStream>;
    type Future = TcpConnect;

    fn connect(&self, to: &Target) -> TcpConnect {
        let address = to.socket_address();
        TcpConnect(Box::pin(async move {
            let stream = TcpStream::connect(address?).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        }))
    }

    fn addresses(&self, of: &Self::Io) -> Addresses {
        Addresses { local: of.0.local_addr().ok(), peer: of.0.peer_addr().ok() }
    }
}

impl Future for TcpConnect {
    type Output = io::Result<Stream<TcpStream>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_ok(Stream)
    }
}

/// Accepts TCP connections, with `TCP_NODELAY`. Made with [`Listener::bind`], or from a listener of
/// tokio or of the standard library that was set up elsewhere.
#[derive(Debug)]
pub struct Listener(pub TcpListener);

impl Listener {
    /// Listens on an address; port 0 is any free one, which [`Listener::local_addr`] tells.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self)
    }

    /// Listens with a socket that was set up elsewhere (`SO_REUSEPORT`, a backlog, inherited), which
    /// is made non-blocking. Call it within a tokio runtime, as [`TcpListener::from_std`].
    ///
    /// # Errors
    /// What the operating system said.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self)
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Accept for Listener {
    type Io = Stream<TcpStream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream<TcpStream>, SocketAddr)>> {
        let (stream, peer) = ready!(self.0.poll_accept(cx))?;
        // Fails only for a connection that is gone, which its first read tells.
        let _ = stream.set_nodelay(true);
        Poll::Ready(Ok((Stream(stream), peer)))
    }
}

/// Any tokio byte stream as the core's.
#[derive(Debug)]
pub struct Stream<T>(pub T);

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Io for Stream<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match bufs {
            [one] => Pin::new(&mut self.0).poll_write(cx, one),
            several => Pin::new(&mut self.0).poll_write_vectored(cx, several),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Names resolved by the operating system (`getaddrinfo`), off the event loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names;

/// A name look-up in progress.
#[derive(Debug)]
pub struct Lookup(JoinHandle<io::Result<Vec<SocketAddr>>>);

impl Resolve for Names {
    type Future = Lookup;

    fn resolve(&self, host: &str, port: u16) -> Lookup {
        let host = host.to_owned();
        Lookup(tokio::task::spawn_blocking(move || {
            use std::net::ToSocketAddrs;
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
        }))
    }
}

impl Future for Lookup {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|joined| joined.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}
