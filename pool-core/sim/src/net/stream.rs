//! One connection: two directions, two ends, and the fault that was drawn for it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use pool_core::runtime::Io;

use super::fabric::Inner as Net;

/// The ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Who connected.
    Client = 0,
    /// Who accepted.
    Server = 1,
}

impl End {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// How far a direction's FIN is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    No,
    Sent,
    Arrived,
}

/// What an end knows of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Open,
    /// RST has arrived.
    Reset,
    /// Its holder dropped it.
    Closed,
}

/// What befalls a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Reset,
    BlackHole,
}

struct Segment {
    data: Vec<u8>,
    has_fin: bool,
}

/// One direction, named after its sender.
struct Pipe {
    flight: VecDeque<Segment>,
    in_flight: usize,
    inbox: VecDeque<u8>,
    fin: Fin,
    /// When the sender's line is free again.
    busy_until: u64,
    last_arrival: u64,
    reader: Option<Waker>,
    writer: Option<Waker>,
    written: u64,
    fault: Option<(u64, Fault)>,
    is_dead: bool,
}

impl Pipe {
    fn new(fault: Option<(u64, Fault)>) -> Self {
        Self {
            flight: VecDeque::new(),
            in_flight: 0,
            inbox: VecDeque::new(),
            fin: Fin::No,
            busy_until: 0,
            last_arrival: 0,
            reader: None,
            writer: None,
            written: 0,
            fault,
            is_dead: false,
        }
    }
}

pub(super) struct Conn {
    net: Rc<Net>,
    number: u64,
    to: SocketAddr,
    state: RefCell<State>,
}

struct State {
    /// By sender.
    pipes: [Pipe; 2],
    standing: [Standing; 2],
}

impl Conn {
    pub(super) fn new(net: Rc<Net>, number: u64, to: SocketAddr) -> Rc<Self> {
        let faults = {
            let (mut rng, weather) = (net.rng.borrow_mut(), &net.weather);
            let mut faults = [None, None];
            let fault = if rng.permille(weather.resets) {
                Some(Fault::Reset)
            } else if rng.permille(weather.black_holes) {
                Some(Fault::BlackHole)
            } else {
                None
            };
            let at = rng.below(weather.fault_at + 1);
            faults[rng.index(2)] = fault.map(|fault| (at, fault));
            faults
        };
        let state = RefCell::new(State { pipes: faults.map(Pipe::new), standing: [Standing::Open; 2] });
        *net.served.borrow_mut().entry(to).or_default() += 1;
        Rc::new(Self { net, number, to, state })
    }

    fn say(&self, words: impl FnOnce() -> String) {
        self.net.world.say(|| format!("c{} {}", self.number, words()));
    }

    /// Puts a segment on its way.
    fn send(self: &Rc<Self>, state: &mut State, from: End, segment: Segment) {
        let pipe = &mut state.pipes[from as usize];
        let (mut rng, weather, world) = (self.net.rng.borrow_mut(), &self.net.weather, &self.net.world);
        pipe.in_flight += segment.data.len();
        let length = segment.data.len() as u64;
        pipe.flight.push_back(segment);
        if pipe.is_dead {
            return;
        }
        let takes = (length * 1_000_000_000).checked_div(weather.bandwidth).unwrap_or(0);
        pipe.busy_until = pipe.busy_until.max(world.nanos()) + takes;
        let mut arrival = pipe.busy_until + weather.delay(&mut rng);
        if rng.permille(weather.loss) {
            world.account().count("net: segment lost");
            arrival += weather.resend;
        }
        let before = arrival;
        arrival = weather.after_partitions(arrival);
        if arrival != before {
            world.account().count("net: held up by a partition");
        }
        pipe.last_arrival = pipe.last_arrival.max(arrival);
        let conn = self.clone();
        world.at(pipe.last_arrival, move || conn.deliver(from));
    }

    /// The first segment of a direction arrives.
    fn deliver(self: &Rc<Self>, from: End) {
        let to = from.other();
        let mut state = self.state.borrow_mut();
        let standing = state.standing[to as usize];
        let pipe = &mut state.pipes[from as usize];
        let Some(segment) = pipe.flight.pop_front() else { return };
        pipe.in_flight -= segment.data.len();
        let Segment { data, has_fin } = segment;
        match standing {
            Standing::Reset => {}
            Standing::Closed if data.is_empty() => {}
            Standing::Closed => {
                self.say(|| format!("{} bytes for the {} that is gone", data.len(), to.name()));
                self.send_reset(&state, from);
            }
            Standing::Open => {
                pipe.inbox.extend(&data);
                if has_fin {
                    pipe.fin = Fin::Arrived;
                }
                let reader = pipe.reader.take();
                drop(state);
                self.say(|| {
                    format!("{} got {} bytes{}", to.name(), data.len(), if has_fin { " and FIN" } else { "" })
                });
                if let Some(reader) = reader {
                    reader.wake();
                }
            }
        }
    }

    /// RST sets out towards an end.
    fn send_reset(self: &Rc<Self>, state: &State, to: End) {
        let pipe = &state.pipes[to.other() as usize];
        if pipe.is_dead {
            return;
        }
        let (mut rng, weather, world) = (self.net.rng.borrow_mut(), &self.net.weather, &self.net.world);
        let mut arrival = world.nanos() + weather.delay(&mut rng);
        if !rng.permille(weather.reset_overtakes) {
            arrival = arrival.max(pipe.last_arrival);
        }
        let destroys = rng.permille(weather.reset_destroys);
        let conn = self.clone();
        world.at(weather.after_partitions(arrival), move || conn.reset(to, destroys));
    }

    /// RST sets out towards both ends, and nothing behind it.
    fn tear(self: &Rc<Self>, state: &mut State, from: End) {
        self.send_reset(state, from.other());
        self.send_reset(state, from);
        for pipe in &mut state.pipes {
            pipe.is_dead = true;
        }
    }

    /// RST arrives.
    fn reset(&self, at: End, destroys: bool) {
        let mut state = self.state.borrow_mut();
        if state.standing[at as usize] != Standing::Open {
            return;
        }
        state.standing[at as usize] = Standing::Reset;
        let incoming = &mut state.pipes[at.other() as usize];
        if destroys {
            incoming.inbox.clear();
        }
        let reader = incoming.reader.take();
        let writer = state.pipes[at as usize].writer.take();
        drop(state);
        self.say(|| format!("{} got RST", at.name()));
        self.net.world.account().count("net: reset");
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }

    fn send_fin(self: &Rc<Self>, state: &mut State, from: End) {
        let rides = self.net.rng.borrow_mut().permille(self.net.weather.fin_with_data);
        let pipe = &mut state.pipes[from as usize];
        if pipe.fin != Fin::No {
            return;
        }
        pipe.fin = Fin::Sent;
        if pipe.is_dead {
            return;
        }
        self.say(|| format!("{} sends FIN", from.name()));
        match pipe.flight.back_mut() {
            Some(last) if rides => {
                self.net.world.account().count("net: FIN with data");
                last.has_fin = true;
            }
            Some(_) | None => self.send(state, from, Segment { data: Vec::new(), has_fin: true }),
        }
    }

    fn close(self: &Rc<Self>, end: End) {
        let mut state = self.state.borrow_mut();
        let before = std::mem::replace(&mut state.standing[end as usize], Standing::Closed);
        let incoming = &mut state.pipes[end.other() as usize];
        let has_unread = !incoming.inbox.is_empty();
        incoming.inbox = VecDeque::new();
        incoming.reader = None;
        state.pipes[end as usize].writer = None;
        self.say(|| format!("{} closes", end.name()));
        if before == Standing::Open {
            if has_unread {
                self.net.world.account().count("net: closed with unread bytes");
                self.send_reset(&state, end.other());
            } else {
                self.send_fin(&mut state, end);
            }
        }
        drop(state);
        self.net.open_ends.set(self.net.open_ends.get() - 1);
        if end == End::Server {
            if let Some(count) = self.net.served.borrow_mut().get_mut(&self.to) {
                *count -= 1;
            }
        }
    }
}

/// An end of a connection: the seam [`Io`]. Dropping it closes that end.
pub struct Stream {
    conn: Rc<Conn>,
    end: End,
}

impl Stream {
    pub(super) fn new(conn: Rc<Conn>, end: End) -> Self {
        conn.net.open_ends.set(conn.net.open_ends.get() + 1);
        Self { conn, end }
    }

    /// The number of the connection in this run.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.conn.number
    }

    /// Ends the connection with RST in both directions.
    pub fn abort(&self) {
        self.conn.tear(&mut self.conn.state.borrow_mut(), self.end);
    }

    fn stutters(&self, cx: &Context<'_>) -> bool {
        let stutters = self.conn.net.rng.borrow_mut().permille(self.conn.net.weather.stutters);
        if stutters {
            cx.waker().wake_by_ref();
        }
        stutters
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.conn.close(self.end);
    }
}

impl Io for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.stutters(cx) {
            return Poll::Pending;
        }
        let mut state = self.conn.state.borrow_mut();
        let standing = state.standing[self.end as usize];
        let pipe = &mut state.pipes[self.end.other() as usize];
        if pipe.inbox.is_empty() {
            if standing == Standing::Reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if pipe.fin == Fin::Arrived {
                return Poll::Ready(Ok(0));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut n = into.len().min(pipe.inbox.len());
        {
            let mut rng = self.conn.net.rng.borrow_mut();
            if n > 1 && rng.permille(self.conn.net.weather.short_reads) {
                n = rng.within(1, n as u64) as usize;
            }
        }
        for (to, from) in into.iter_mut().zip(pipe.inbox.drain(..n)) {
            *to = from;
        }
        let writer = pipe.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.stutters(cx) {
            return Poll::Pending;
        }
        let (conn, net) = (&self.conn, &self.conn.net);
        let mut state = conn.state.borrow_mut();
        if state.standing[self.end as usize] == Standing::Reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let pipe = &mut state.pipes[self.end as usize];
        if pipe.fin != Fin::No {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let offered: usize = bufs.iter().map(|buf| buf.len()).sum();
        if offered == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = net.weather.window.saturating_sub(pipe.in_flight + pipe.inbox.len());
        if room == 0 {
            net.world.account().count("net: write blocked");
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut n = offered.min(room);
        {
            let mut rng = net.rng.borrow_mut();
            if n > 1 && rng.permille(net.weather.short_writes) {
                n = rng.within(1, n as u64) as usize;
            }
        }
        let hit = pipe.fault.filter(|(at, _)| *at <= pipe.written + n as u64);
        let mut data: Vec<u8> = Vec::with_capacity(n);
        for buf in bufs {
            data.extend_from_slice(&buf[..buf.len().min(n - data.len())]);
        }
        conn.say(|| format!("{} writes {n} bytes {}", self.end.name(), excerpt(&data)));
        // What lies behind the byte of the fault never gets there.
        let passes = hit.map_or(n, |(at, _)| at.saturating_sub(pipe.written) as usize);
        pipe.written += n as u64;
        let mut at = 0;
        while at < passes {
            let (low, high) = net.weather.segment;
            let length = net.rng.borrow_mut().within(low, high) as usize;
            let end = (at + length.max(1)).min(passes);
            conn.send(&mut state, self.end, Segment { data: data[at..end].to_vec(), has_fin: false });
            at = end;
        }
        if let Some((at, fault)) = hit {
            state.pipes[self.end as usize].fault = None;
            conn.say(|| format!("fault at byte {at} from the {}: {fault:?}", self.end.name()));
            match fault {
                Fault::Reset => {
                    net.world.account().count("net: reset at a byte");
                    conn.tear(&mut state, self.end);
                }
                Fault::BlackHole => {
                    net.world.account().count("net: black hole");
                    let pipe = &mut state.pipes[self.end as usize];
                    pipe.is_dead = true;
                    pipe.in_flight += n - passes;
                }
            }
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.conn.state.borrow_mut();
        if state.standing[self.end as usize] == Standing::Reset {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        self.conn.net.world.account().count("net: half-close");
        self.conn.send_fin(&mut state, self.end);
        Poll::Ready(Ok(()))
    }
}

/// The beginning of some bytes, readable.
fn excerpt(data: &[u8]) -> String {
    const SHOWN: usize = 48;
    let shown = data[..data.len().min(SHOWN)].escape_ascii().to_string();
    if data.len() > SHOWN { format!("\"{shown}\"...") } else { format!("\"{shown}\"") }
}
