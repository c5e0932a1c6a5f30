//! Two hosts on loopback, on a thread of their own.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pool_core::server::{ServerHandle, service_fn};
use runtime_tokio::{Incoming, Listener, Tokio};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How many requests a connection may carry: the response to the last one says `Connection: close`.
pub(super) const REQUESTS_PER_CONNECTION: u64 = 100;
/// The path of requests that take [`SLOW`].
pub(super) const SLOW_PATH: &str = "/slow";
const SLOW: Duration = Duration::from_millis(40);
/// Everybody's content.
pub(super) const BODY: &[u8] = &[b'.'; 100];
/// How long connections in progress are waited for at the end.
const GRACE: Duration = Duration::from_secs(1);

/// What the second host is told.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Close the listening socket and cut all connections.
    Leave,
    /// Listen again.
    Return,
}

/// What the hosts counted, both together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: u64,
    pub(super) requests: u64,
}

impl Counts {
    fn add(&mut self, server: &ServerHandle<Tokio>) {
        let snapshot = server.snapshot();
        self.connections += snapshot.accepted;
        self.requests += snapshot.requests;
    }
}

/// The upstream, from outside. Dropping it ends it.
pub(super) struct Upstream {
    pub(super) addresses: [SocketAddr; 2],
    orders: Orders,
    thread: JoinHandle<io::Result<Counts>>,
}

/// Tells the second host what to do.
#[derive(Clone)]
pub(super) struct Orders(UnboundedSender<Order>);

impl Orders {
    pub(super) fn leave(&self) {
        // Nobody listens any more only if the thread died, which `end` tells.
        let _ = self.0.send(Order::Leave);
    }

    pub(super) fn come_back(&self) {
        let _ = self.0.send(Order::Return);
    }
}

impl Upstream {
    pub(super) fn start() -> io::Result<Self> {
        let places = [Place::new()?, Place::new()?];
        let addresses = [places[0].address, places[1].address];
        let listeners = [places[0].listen()?, places[1].listen()?];
        let (orders, receiver) = unbounded_channel();
        let thread = std::thread::Builder::new().name("upstream".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let [_, second] = places;
            runtime.block_on(serve(listeners, &second, receiver))
        })?;
        Ok(Self { addresses, orders: Orders(orders), thread })
    }

    pub(super) fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Ends both hosts. Every other [`Orders`] must be gone.
    pub(super) fn end(self) -> io::Result<Counts> {
        drop(self.orders);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the upstream died")))
    }
}

/// An address that stays ours while nobody listens on it: a socket is bound to it, so that the system
/// gives the port to nobody else, and refuses connections.
struct Place {
    address: SocketAddr,
    _holder: Socket,
}

impl Place {
    fn new() -> io::Result<Self> {
        let holder = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = holder.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        // Elsewhere than on Unix two sockets cannot share an address: there the port is only unlikely to
        // be taken meanwhile.
        #[cfg(not(unix))]
        let holder = {
            drop(holder);
            Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?
        };
        Ok(Self { address, _holder: holder })
    }

    fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.address)?;
        socket.listen(1024)?;
        Ok(socket.into())
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

async fn serve(
    listeners: [TcpListener; 2],
    place: &Place,
    mut orders: UnboundedReceiver<Order>,
) -> io::Result<Counts> {
    let turns = Arc::new(AtomicU64::new(0));
    let mut counts = Counts::default();
    let [first, second] = listeners;
    let first = open(first, &turns)?;
    let mut second = Some(open(second, &turns)?);
    while let Some(order) = orders.recv().await {
        match (order, &second) {
            (Order::Leave, Some(server)) => {
                server.shutdown(Duration::ZERO).await;
                counts.add(server);
                second = None;
            }
            (Order::Return, None) => second = Some(open(place.listen()?, &turns)?),
            (Order::Leave, None) | (Order::Return, Some(_)) => {}
        }
    }
    for server in [Some(first), second].into_iter().flatten() {
        server.shutdown(GRACE).await;
        counts.add(&server);
    }
    Ok(counts)
}

/// One host: answers after 1 to 8 ms, in turn.
fn open(listener: TcpListener, turns: &Arc<AtomicU64>) -> io::Result<ServerHandle<Tokio>> {
    let turns = turns.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        let is_slow = request.uri().path() == SLOW_PATH;
        let thinks = if is_slow { SLOW } else { Duration::from_millis(1 + turn * 5 % 8) };
        async move {
            tokio::time::sleep(thinks).await;
            Ok::<_, Infallible>(http::Response::new(runtime_tokio::full(BODY)))
        }
    });
    let server = runtime_tokio::server().max_requests_per_connection(REQUESTS_PER_CONNECTION);
    Ok(server.serve(Listener::from_std(listener)?, service))
}
