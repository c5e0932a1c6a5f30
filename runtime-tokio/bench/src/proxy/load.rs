//! The load on a proxy: a closed loop over `epoll`, one connection per request in flight.
//!
//! It shares a core with the origin and must not be what holds a proxy up. So there is no runtime here,
//! one hot read buffer for all connections, and a clock read for every eighth request only.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::error::{Error, Result};
use crate::figures::{Figures, percentile};
use crate::measure::cpu;

/// Every so many requests of a connection one is timed.
const SAMPLED: u64 = 8;

/// Requests per connection before anything is measured. The same for every run, so that it falls out of
/// the difference of two.
const WARM_UP: u64 = 5;

/// A response that takes longer will not come; programs under `valgrind` are slow, not that slow.
const PATIENCE_MS: u16 = 30_000;

/// More failures than this, and the rest would fail as well.
const HOPELESS: u64 = 100;

/// What to send where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) proxy: SocketAddr,
    /// Body bytes that a response must have.
    pub(crate) body: usize,
    pub(crate) concurrency: usize,
    pub(crate) operations: u64,
    /// The proxy's process.
    pub(crate) measured: Option<u32>,
}

/// Warms the proxy up, loads it, and gives what both saw of it.
pub(crate) fn run(work: &Work) -> Result<Figures> {
    let mut load = Load::start(work)?;
    load.phase(WARM_UP * work.concurrency as u64)?;
    load.nanos.clear();

    let used = || work.measured.map(cpu::used_by_process).transpose();
    let (before, began) = (used()?, Instant::now());
    load.phase(work.operations)?;
    let (after, wall) = (used()?, began.elapsed());

    let operations = work.operations as f64;
    let mut figures = Figures::default();
    if let (Some(before), Some(after)) = (before, after) {
        figures.set("cpu_us", after.saturating_sub(before).as_secs_f64() * 1e6 / operations);
    }
    figures.set("rps", operations / wall.as_secs_f64());
    figures.set("wall_s", wall.as_secs_f64());
    figures.set("errors", load.errors as f64);
    figures.set("p50_us", percentile(&mut load.nanos, 0.50) / 1000.0);
    figures.set("p99_us", percentile(&mut load.nanos, 0.99) / 1000.0);
    Ok(figures)
}

struct Load {
    epoll: Epoll,
    lanes: Vec<Lane>,
    scratch: Vec<u8>,
    request: Vec<u8>,
    work: Work,
    nanos: Vec<u64>,
    errors: u64,
}

/// One connection, and how far its response has come.
struct Lane {
    stream: TcpStream,
    response: Response,
    turn: u64,
    began: Option<Instant>,
}

impl Load {
    fn start(work: &Work) -> Result<Self> {
        let request = format!(
            "GET /{} HTTP/1.1\r\nhost: {}\r\nuser-agent: pool-bench\r\naccept: */*\r\n\r\n",
            work.body, work.proxy
        );
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut lanes = Vec::with_capacity(work.concurrency);
        for index in 0..work.concurrency {
            lanes.push(Lane::open(work.proxy, &epoll, index)?);
        }
        Ok(Self {
            epoll,
            lanes,
            scratch: vec![0; 64 * 1024],
            request: request.into_bytes(),
            work: *work,
            nanos: Vec::with_capacity((work.operations / SAMPLED) as usize + 2 * work.concurrency),
            errors: 0,
        })
    }

    /// `operations` requests over all connections; ends when the last response has.
    fn phase(&mut self, operations: u64) -> Result<()> {
        let mut sent = operations.min(self.lanes.len() as u64);
        let mut finished = 0;
        for lane in self.lanes.iter_mut().take(sent as usize) {
            lane.send(&self.request)?;
        }
        let mut events = vec![EpollEvent::empty(); self.lanes.len()];
        while finished < operations {
            let ready = self.epoll.wait(&mut events, PATIENCE_MS)?;
            if ready == 0 {
                return Err(Error::new(format!("{} answers never came", sent - finished)));
            }
            for event in &events[..ready] {
                if !self.answered(event.data() as usize)? {
                    continue;
                }
                finished += 1;
                if sent < operations {
                    sent += 1;
                    self.lanes[event.data() as usize].send(&self.request)?;
                }
            }
        }
        Ok(())
    }

    /// Reads what came on one connection; whether its request is over, for better or worse.
    fn answered(&mut self, index: usize) -> Result<bool> {
        let lane = &mut self.lanes[index];
        let outcome = match lane.stream.read(&mut self.scratch) {
            Ok(0) => Err(Error::new("the proxy closed the connection")),
            Ok(read) => lane.response.take(&self.scratch[..read], self.work.body),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(false) => Ok(false),
            Ok(true) => {
                self.nanos.extend(lane.began.take().map(|began| began.elapsed().as_nanos() as u64));
                Ok(true)
            }
            Err(error) => {
                if self.errors == 0 {
                    eprintln!("pool-bench: a request failed: {error}");
                }
                self.errors += 1;
                if self.errors > HOPELESS {
                    return Err(error);
                }
                // Closing the old connection takes it off the epoll.
                self.lanes[index] = Lane::open(self.work.proxy, &self.epoll, index)?;
                Ok(true)
            }
        }
    }
}

impl Lane {
    fn open(proxy: SocketAddr, epoll: &Epoll, index: usize) -> Result<Self> {
        let stream = TcpStream::connect(proxy)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        Ok(Self { stream, response: Response::default(), turn: 0, began: None })
    }

    fn send(&mut self, request: &[u8]) -> Result<()> {
        self.began = (self.turn % SAMPLED == 0).then(Instant::now);
        self.turn += 1;
        // A closed connection shows when the answer is read.
        match self.stream.write(request) {
            Ok(written) if written < request.len() => Err(Error::new("a socket buffer without room")),
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// How far a response has come.
#[derive(Debug, Default)]
struct Response {
    /// The start of a head whose end has not arrived; normally empty.
    head: Vec<u8>,
    /// Body bytes to come, once the head is there.
    missing: usize,
}

impl Response {
    /// Takes the next bytes; whether they end the response.
    ///
    /// # Errors
    /// For anything but 200 with `body` bytes.
    fn take(&mut self, new: &[u8], body: usize) -> Result<bool> {
        if self.missing > 0 {
            self.missing = self.missing.checked_sub(new.len()).ok_or_else(Self::too_long)?;
            return Ok(self.missing == 0);
        }
        let read = if self.head.is_empty() {
            let Some(head) = head_of(new, body)? else {
                self.head.extend_from_slice(new);
                return Ok(false);
            };
            new.len() - head
        } else {
            self.head.extend_from_slice(new);
            let Some(head) = head_of(&self.head, body)? else { return Ok(false) };
            let read = self.head.len() - head;
            self.head.clear();
            read
        };
        self.missing = body.checked_sub(read).ok_or_else(Self::too_long)?;
        Ok(self.missing == 0)
    }

    fn too_long() -> Error {
        Error::new("more than a response")
    }
}

/// Length of a head that announces 200 and `body` bytes; `None` while it is incomplete.
fn head_of(bytes: &[u8], body: usize) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    if response.code != Some(200) {
        return Err(Error::new(format!("status {:?}", response.code)));
    }
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: Option<usize> =
        length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    if length == Some(body) {
        Ok(Some(head))
    } else {
        Err(Error::new(format!("content-length {length:?} instead of {body}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pieces: &[&str]) -> Vec<std::result::Result<bool, String>> {
        let mut response = Response::default();
        let take = |piece: &&str| response.take(piece.as_bytes(), 4).map_err(|error| error.to_string());
        pieces.iter().map(take).collect()
    }

    #[test]
    fn responses_arrive_whole_or_in_pieces() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(taken(&[whole, whole]), [Ok(true), Ok(true)]);
        let pieces = ["HTTP/1.1 200 OK\r\nconte", "nt-length: 4\r\n\r\n", "bo", "dy", whole];
        assert_eq!(taken(&pieces), [Ok(false), Ok(false), Ok(false), Ok(true), Ok(true)]);
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        let refused = |text: &str| taken(&[text]).remove(0).unwrap_err();
        assert_eq!(refused("HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\n"), "status Some(503)");
        let length = refused("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(length, "content-length Some(5) instead of 4");
        let length = refused("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(length, "content-length None instead of 4");
        assert_eq!(refused("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbodyX"), "more than a response");
    }
}
