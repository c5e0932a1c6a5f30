//! The loopback server that every client is measured against: as little work as HTTP/1.1 keep-alive
//! allows, so that the measured client and not the origin is the bottleneck.
//!
//! `GET /<n>` answers with `n` bytes. `GET /hold/<n>` answers once `n` such requests are waiting, so
//! that `n` connections are open at once. It counts connections, prints the counts when its standard
//! input ends, and exits.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::args::Origin;
use crate::error::{Error, Result};
use crate::figures::Figures;
use crate::measure::{cpu, memory};

/// What the first line says before the address.
pub(crate) const GREETING: &str = "listening ";

/// No peer asks for more than this.
const MAX_BODY: usize = 1 << 20;

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Serves until the standard input ends.
pub(crate) fn run(origin: &Origin) -> Result<()> {
    if let Some(core) = origin.core {
        cpu::pin(core);
    }
    memory::allow_many_sockets();
    std::thread::spawn(report_at_end_of_input);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve())
}

/// Prints what was counted once nobody holds our standard input any more, and ends the process.
#[expect(clippy::exit, reason = "the server has no other end: it serves until its parent is gone")]
fn report_at_end_of_input() {
    // Whatever ends the input, an error included, means that the parent is gone.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let mut figures = Figures::default();
    figures.set("conns", CONNECTIONS.load(Relaxed) as f64);
    figures.set("cpu_s", cpu::used().as_secs_f64());
    println!("{}", figures.to_line());
    std::process::exit(0);
}

async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{GREETING}{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let shared = Rc::new(Shared {
        scratch: RefCell::new(vec![0; 32 * 1024]),
        answers: RefCell::new(HashMap::new()),
        held: Cell::new(0),
        release: Notify::new(),
    });
    loop {
        let (stream, _) = listener.accept().await?;
        CONNECTIONS.fetch_add(1, Relaxed);
        stream.set_nodelay(true)?;
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            // A client that breaks off is the client's business; its own error count tells.
            let _ = connection(stream, &shared).await;
        });
    }
}

struct Shared {
    /// One hot read buffer for all connections.
    scratch: RefCell<Vec<u8>>,
    answers: RefCell<HashMap<usize, Rc<[u8]>>>,
    held: Cell<usize>,
    release: Notify,
}

impl Shared {
    fn answer(&self, body: usize) -> Rc<[u8]> {
        let mut answers = self.answers.borrow_mut();
        let make = || {
            let mut bytes = format!(
                "HTTP/1.1 200 OK\r\nserver: origin\r\ndate: Sat, 21 Nov 2026 00:00:00 GMT\r\n\
                 content-type: application/octet-stream\r\ncontent-length: {body}\r\n\r\n"
            )
            .into_bytes();
            bytes.resize(bytes.len() + body, b'x');
            bytes.into()
        };
        Rc::clone(answers.entry(body).or_insert_with(make))
    }

    /// Waits until `wanted` requests are held.
    async fn hold(&self, wanted: usize) {
        let released = self.release.notified();
        self.held.set(self.held.get() + 1);
        if self.held.get() >= wanted {
            self.held.set(0);
            self.release.notify_waiters();
        } else {
            released.await;
        }
    }
}

async fn connection(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    // The start of a request whose end has not arrived; normally empty.
    let mut rest = Vec::new();
    loop {
        stream.readable().await?;
        let request = {
            let mut scratch = shared.scratch.borrow_mut();
            match stream.try_read(&mut scratch) {
                Ok(0) => return Ok(()),
                Ok(read) => take_request(&mut rest, &scratch[..read])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
        };
        let Some(request) = request else { continue };
        if let Some(wanted) = request.hold {
            shared.hold(wanted).await;
        }
        let answer = shared.answer(request.body);
        let written = match stream.try_write(&answer) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error.into()),
        };
        if written < answer.len() {
            stream.write_all(&answer[written..]).await?;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    body: usize,
    hold: Option<usize>,
}

/// Takes one request without a body off the wire; `None` while its end has not arrived.
fn take_request(rest: &mut Vec<u8>, new: &[u8]) -> Result<Option<Request>> {
    if rest.is_empty() && new.ends_with(b"\r\n\r\n") {
        return parse(new).map(Some);
    }
    rest.extend_from_slice(new);
    if !rest.ends_with(b"\r\n\r\n") {
        return Ok(None);
    }
    let request = parse(rest)?;
    rest.clear();
    Ok(Some(request))
}

fn parse(head: &[u8]) -> Result<Request> {
    let unknown = || Error::new("a request that no peer should send");
    let path = head.strip_prefix(b"GET /").ok_or_else(unknown)?;
    let end = path.iter().position(|byte| *byte == b' ').ok_or_else(unknown)?;
    let path = std::str::from_utf8(&path[..end])?;
    let request = match path.strip_prefix("hold/") {
        Some(wanted) => Request { body: 100, hold: Some(wanted.parse()?) },
        None => Request { body: path.parse()?, hold: None },
    };
    if request.body > MAX_BODY { Err(unknown()) } else { Ok(request) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pieces: &[&str]) -> Vec<std::result::Result<Option<Request>, String>> {
        let mut rest = Vec::new();
        let take =
            |piece: &&str| take_request(&mut rest, piece.as_bytes()).map_err(|error| error.to_string());
        pieces.iter().map(take).collect()
    }

    #[test]
    fn requests_arrive_whole_or_in_pieces() {
        let hundred = || Ok(Some(Request { body: 100, hold: None }));
        assert_eq!(taken(&["GET /100 HTTP/1.1\r\nhost: x\r\n\r\n"]), [hundred()]);
        let pieces = ["GET /1", "00 HTTP/1.1\r\n\r", "\n", "GET /100 HTTP/1.1\r\n\r\n"];
        assert_eq!(taken(&pieces), [Ok(None), Ok(None), hundred(), hundred()]);
        let held = Request { body: 100, hold: Some(7) };
        assert_eq!(taken(&["GET /hold/7 HTTP/1.1\r\n\r\n"]), [Ok(Some(held))]);
    }

    #[test]
    fn other_requests_end_the_connection() {
        for odd in ["POST /1 HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n", "GET /9999999 HTTP/1.1\r\n\r\n"] {
            assert!(taken(&[odd])[0].is_err(), "{odd}");
        }
    }
}
