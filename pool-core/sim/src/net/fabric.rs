//! A network in memory: listeners, connections that take time, and everything that can happen to them.
//!
//! It behaves as TCP does for programs: bytes arrive in order or not at all, loss is delay, a FIN ends
//! one direction, closing with unread bytes and bytes for a closed end are answered with RST, and what
//! is neither read nor on the way is bounded by a window.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use pool_core::runtime::{Accept, Connect, Resolve, Target};

use super::rng::Rng;
use super::stream::{Conn, End, Stream};
use super::weather::Weather;
use super::world::{Sleep, World};

/// All hosts and what is between them.
#[derive(Clone)]
pub struct Net(Rc<Inner>);

pub(super) struct Inner {
    pub(super) world: World,
    pub(super) rng: RefCell<Rng>,
    pub(super) weather: Weather,
    listeners: RefCell<BTreeMap<SocketAddr, Queue>>,
    names: RefCell<BTreeMap<String, Vec<SocketAddr>>>,
    connections: Cell<u64>,
    /// Ends that somebody holds.
    pub(super) open_ends: Cell<usize>,
    /// Connections to an address whose server end is open.
    pub(super) served: RefCell<BTreeMap<SocketAddr, usize>>,
}

/// Connections that were not accepted yet.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Stream, SocketAddr)>,
    acceptor: Option<Waker>,
}

impl Net {
    /// A network of this seed in which `weather` rules.
    #[must_use]
    pub fn new(world: World, seed: u64, weather: Weather) -> Self {
        Self(Rc::new(Inner {
            world,
            rng: RefCell::new(Rng::new(seed).fork(2)),
            weather,
            listeners: RefCell::default(),
            names: RefCell::default(),
            connections: Cell::new(0),
            open_ends: Cell::new(0),
            served: RefCell::default(),
        }))
    }

    /// The world that it is in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// Ends of connections that somebody holds.
    #[must_use]
    pub fn open_ends(&self) -> usize {
        self.0.open_ends.get()
    }

    /// Connections to `address` whose server end is open.
    #[must_use]
    pub fn served(&self, address: SocketAddr) -> usize {
        self.0.served.borrow().get(&address).copied().unwrap_or(0)
    }

    /// Whether somebody listens.
    #[must_use]
    pub fn is_listening(&self, address: SocketAddr) -> bool {
        self.0.listeners.borrow().contains_key(&address)
    }

    /// Gives a name its addresses.
    pub fn name(&self, name: &str, addresses: Vec<SocketAddr>) {
        self.0.names.borrow_mut().insert(name.to_owned(), addresses);
    }

    /// Listens; the address must be free.
    #[must_use]
    pub fn listen(&self, address: SocketAddr) -> Listener {
        let before = self.0.listeners.borrow_mut().insert(address, Queue::default());
        assert!(before.is_none(), "{address} is in use");
        self.0.world.say(|| format!("listen {address}"));
        Listener { net: self.clone(), address }
    }

    /// Connects, with whatever the weather does to that.
    #[must_use]
    pub fn dial(&self, to: SocketAddr) -> Dialing {
        let number = self.0.connections.get() + 1;
        self.0.connections.set(number);
        let Inner { world, weather, .. } = &*self.0;
        let slot = Rc::new(RefCell::new(Slot::Waiting(None)));
        world.say(|| format!("c{number} connect to {to}"));
        let (vanishes, refused, there, back) = {
            let mut rng = self.0.rng.borrow_mut();
            let vanishes = rng.permille(weather.syn_vanishes);
            let refused = rng.permille(weather.refuses);
            let there = weather.delay(&mut rng);
            (vanishes, refused, there, weather.delay(&mut rng))
        };
        let arrival = weather.after_partitions(world.nanos() + there);
        if vanishes {
            world.account().count("net: connect lost");
            world.say(|| format!("c{number} SYN lost"));
        } else {
            let (net, slot) = (self.clone(), slot.clone());
            world.at(arrival, move || net.knock(number, to, refused, back, slot));
        }
        Dialing { slot }
    }

    /// A SYN arrived.
    fn knock(&self, number: u64, to: SocketAddr, refused: bool, back: u64, slot: Rc<RefCell<Slot>>) {
        let Inner { world, weather, .. } = &*self.0;
        let reply_at = weather.after_partitions(world.nanos() + back);
        let full = |queue: &Queue| queue.waiting.len() >= weather.backlog;
        let is_open = self.0.listeners.borrow().get(&to).is_some_and(|queue| !full(queue));
        if refused || !is_open {
            world.account().count("net: connect refused");
            world.say(|| format!("c{number} refused by {to}"));
            world.at(reply_at, move || settle(&slot, Err(io::ErrorKind::ConnectionRefused.into())));
            return;
        }
        let conn = Conn::new(self.0.clone(), number, to);
        let server = Stream::new(conn.clone(), End::Server);
        let waker = {
            let mut listeners = self.0.listeners.borrow_mut();
            listeners.get_mut(&to).and_then(|queue| {
                queue.waiting.push_back((server, peer_address(number)));
                queue.acceptor.take()
            })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        world.account().count("net: connected");
        // Nobody may be waiting for it any more: then this end is closed at once.
        let client = Stream::new(conn, End::Client);
        world.at(reply_at, move || settle(&slot, Ok(client)));
    }
}

/// The address of the client end of a connection: one of its own.
fn peer_address(number: u64) -> SocketAddr {
    let host = Ipv4Addr::from(0x0A00_0000 + (number / 50_000) as u32);
    SocketAddr::new(IpAddr::V4(host), 10_000 + (number % 50_000) as u16)
}

enum Slot {
    Waiting(Option<Waker>),
    Settled(io::Result<Stream>),
    Abandoned,
}

fn settle(slot: &RefCell<Slot>, result: io::Result<Stream>) {
    let before = {
        let mut slot = slot.borrow_mut();
        if matches!(*slot, Slot::Abandoned) {
            // The result is dropped below, outside the borrow.
            None
        } else {
            Some(std::mem::replace(&mut *slot, Slot::Settled(result)))
        }
    };
    if let Some(Slot::Waiting(Some(waker))) = before {
        waker.wake();
    }
}

/// An attempt to connect.
pub struct Dialing {
    slot: Rc<RefCell<Slot>>,
}

impl Future for Dialing {
    type Output = io::Result<Stream>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let mut slot = self.slot.borrow_mut();
        match std::mem::replace(&mut *slot, Slot::Abandoned) {
            Slot::Settled(result) => Poll::Ready(result),
            Slot::Waiting(_) => {
                *slot = Slot::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            Slot::Abandoned => Poll::Pending,
        }
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.slot.borrow_mut(), Slot::Abandoned);
        drop(before);
    }
}

/// The listening side of an address. Dropping it closes the port and what waits at it.
pub struct Listener {
    net: Net,
    address: SocketAddr,
}

impl Accept for Listener {
    type Io = Stream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, SocketAddr)>> {
        let inner = &self.net.0;
        let fails = inner.rng.borrow_mut().permille(inner.weather.accept_fails);
        let mut listeners = inner.listeners.borrow_mut();
        let Some(queue) = listeners.get_mut(&self.address) else { return Poll::Pending };
        if queue.waiting.is_empty() {
            queue.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if fails {
            inner.world.account().count("net: accept failed");
            // Out of descriptors, or the connection was gone.
            let kind = if inner.rng.borrow_mut().permille(500) {
                io::ErrorKind::ConnectionAborted
            } else {
                io::ErrorKind::Other
            };
            return Poll::Ready(Err(kind.into()));
        }
        match queue.waiting.pop_front() {
            Some(taken) => Poll::Ready(Ok(taken)),
            None => Poll::Pending,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let queue = self.net.0.listeners.borrow_mut().remove(&self.address);
        self.net.0.world.say(|| format!("close the port {}", self.address));
        drop(queue);
    }
}

/// Opens connections to addresses: the seam [`Connect`].
#[derive(Clone)]
pub struct Dialer(pub Net);

impl Connect for Dialer {
    type Io = Stream;
    type Future = Dialing;

    fn connect(&self, to: &Target) -> Dialing {
        match to.socket_address() {
            Ok(address) => self.0.dial(address),
            Err(error) => Dialing { slot: Rc::new(RefCell::new(Slot::Settled(Err(error)))) },
        }
    }
}

/// Looks names up: the seam [`Resolve`].
#[derive(Clone)]
pub struct Names(pub Net);

/// A look-up.
pub struct Lookup {
    wait: Sleep,
    answer: Option<io::Result<Vec<SocketAddr>>>,
}

impl Resolve for Names {
    type Future = Lookup;

    fn resolve(&self, host: &str, _port: u16) -> Lookup {
        let inner = &self.0.0;
        let known = inner.names.borrow().get(host).cloned();
        let mut rng = inner.rng.borrow_mut();
        let fails = rng.permille(inner.weather.lookup_fails);
        let took = std::time::Duration::from_nanos(inner.weather.delay(&mut rng));
        let answer = match known {
            Some(addresses) if !fails => Ok(addresses),
            Some(_) | None => {
                inner.world.account().count("net: name not found");
                Err(io::ErrorKind::NotFound.into())
            }
        };
        Lookup { wait: inner.world.pause(took), answer: Some(answer) }
    }
}

impl Future for Lookup {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(Pin::new(&mut self.wait).poll(cx));
        self.answer.take().map_or(Poll::Pending, Poll::Ready)
    }
}
