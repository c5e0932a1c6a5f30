//! Sockets and names.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use async_std::task::JoinHandle;
use futures_io::{AsyncRead, AsyncWrite};
use pool_core::runtime::{Accept, Addresses, Connect, Io, Resolve, Target};

/// Opens TCP connections to resolved addresses, with `TCP_NODELAY`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

/// A TCP connection attempt.
pub struct TcpConnect(Pin<Box<dyn Future<Output = io::Result<Async<TcpStream>>> + Send>>);

impl std::fmt::Debug for TcpConnect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpConnect").finish_non_exhaustive()
    }
}

impl Connect for Tcp {
    type Io = Socket;
    type Future = TcpConnect;

    fn connect(&self, to: &Target) -> TcpConnect {
        let address = to.socket_address();
        TcpConnect(Box::pin(async move {
            let stream = Async::<TcpStream>::connect(address?).await?;
            stream.get_ref().set_nodelay(true)?;
            Ok(stream)
        }))
    }

    fn addresses(&self, of: &Socket) -> Addresses {
        let stream = of.0.get_ref();
        Addresses { local: stream.local_addr().ok(), peer: stream.peer_addr().ok() }
    }
}

impl Future for TcpConnect {
    type Output = io::Result<Socket>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_ok(Socket)
    }
}

/// A TCP connection. `Async<TcpStream>` on its own would not half-close: its `poll_close` only flushes.
#[derive(Debug)]
pub struct Socket(Async<TcpStream>);

impl Io for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
    }
}

/// Accepts TCP connections, with `TCP_NODELAY`. Made with [`Listener::bind`], or from a listener that
/// was set up elsewhere.
#[derive(Debug)]
pub struct Listener(pub Async<TcpListener>);

impl Listener {
    /// Listens on an address; port 0 is any free one, which [`Listener::local_addr`] tells. Names are
    /// resolved by the operating system, within this call.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Async::new(TcpListener::bind(address)?).map(Self)
    }

    /// Listens with a socket that was set up elsewhere (`SO_REUSEPORT`, a backlog, inherited), which
    /// is made non-blocking.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn from_std(listener: TcpListener) -> io::Result<Self> {
        Async::new(listener).map(Self)
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

impl Accept for Listener {
    type Io = Socket;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, SocketAddr)>> {
        loop {
            match self.0.get_ref().accept() {
                Ok((stream, peer)) => {
                    // Fails only for a connection that is gone, which its first read tells.
                    let _ = stream.set_nodelay(true);
                    return Poll::Ready(Ok((Socket(Async::new(stream)?), peer)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_readable(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Any `futures-io` byte stream as the core's. What ends its write direction is its `poll_close`.
#[derive(Debug)]
pub struct Stream<T>(pub T);

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Io for Stream<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, into)
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
        Pin::new(&mut self.0).poll_close(cx)
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
        Lookup(async_std::task::spawn_blocking(move || {
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
        }))
    }
}

impl Future for Lookup {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}
