//! Scripted peers: a listener on loopback, a thread, and a script that answers byte by byte. They go
//! on by what they received and never sleep; a socket timeout bounds every wait.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;

use super::PATIENCE;

/// A response with two bytes of content that leaves the connection open.
pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A peer whose script runs in its own thread.
pub(super) struct Peer {
    addr: SocketAddr,
    thread: Option<JoinHandle<()>>,
    end: Arc<Mutex<End>>,
    stopping: Arc<AtomicBool>,
}

#[derive(Default)]
struct End {
    over: bool,
    waker: Option<Waker>,
}

/// Marks the end of a script, also of one that panicked.
struct AtEnd(Arc<Mutex<End>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        let mut end = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        end.over = true;
        let waker = end.waker.take();
        drop(end);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The listening side of a peer, in its script.
pub(super) struct Door {
    listener: RefCell<Option<TcpListener>>,
    stopping: Arc<AtomicBool>,
}

impl Peer {
    /// Listens, and runs `script` in a thread.
    #[expect(clippy::disallowed_methods, reason = "a scripted peer is a thread with blocking sockets")]
    pub(super) fn serve(script: impl FnOnce(&Door) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let addr = listener.local_addr().expect("an address");
        let end = Arc::new(Mutex::new(End::default()));
        let at_end = AtEnd(end.clone());
        let stopping = Arc::new(AtomicBool::new(false));
        let door = Door { listener: RefCell::new(Some(listener)), stopping: stopping.clone() };
        let thread = std::thread::spawn(move || {
            let _at_end = at_end;
            script(&door);
        });
        Self { addr, thread: Some(thread), end, stopping }
    }

    /// Answers one request, and closes both its port and the connection when the second one comes.
    pub(super) fn serve_once_then_refuse() -> Self {
        Self::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            door.close();
            session.expect_request();
        })
    }

    /// Answers every request on every connection with `response`, until [`Peer::stop`].
    pub(super) fn serve_all(response: &'static [u8]) -> Self {
        Self::serve_few(response, usize::MAX)
    }

    /// The same, and closes every connection without notice after `requests` answers.
    pub(super) fn serve_few(response: &'static [u8], requests: usize) -> Self {
        Self::serve(move |door| {
            let mut sessions = Vec::new();
            while let Some(mut session) = door.accept_or_stop() {
                #[expect(clippy::disallowed_methods, reason = "one thread per connection of a peer")]
                sessions.push(std::thread::spawn(move || {
                    for _ in 0..requests {
                        if session.request().is_none() || session.try_write(response).is_err() {
                            break;
                        }
                    }
                }));
            }
            sessions.into_iter().for_each(|session| session.join().expect("a session"));
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.addr
    }

    /// `http://` and the peer's address, followed by `path`.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Waits until the script is over, and fails with it if it failed.
    pub(super) async fn done(mut self) {
        poll_fn(|cx| {
            let mut end = self.end.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if end.over {
                return Poll::Ready(());
            }
            end.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }

    /// Ends the accept loop of [`Peer::serve_all`] and waits for its connections to be closed.
    pub(super) async fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addr));
        self.done().await;
    }
}

impl Door {
    /// The next connection.
    pub(super) fn accept(&self) -> Session {
        let listener = self.listener.borrow();
        let listener = listener.as_ref().expect("the port is still open");
        let (stream, _) = listener.accept().expect("a connection");
        Session::over(stream)
    }

    /// One connection per path, each with its request read: in the order of `paths`, whatever the
    /// order in which they came.
    pub(super) fn accept_for<const N: usize>(&self, paths: [&str; N]) -> [Session; N] {
        let mut found = [const { None }; N];
        for _ in 0..N {
            let mut session = self.accept();
            let request = session.expect_request();
            let path = request.line().split(' ').nth(1).unwrap_or_default().to_owned();
            let place = paths.iter().position(|&known| known == path).expect("a known path");
            assert!(found[place].replace(session).is_none(), "{path} came twice");
        }
        found.map(|session| session.expect("every path came"))
    }

    /// From here on connections are refused.
    fn close(&self) {
        self.listener.borrow_mut().take();
    }

    /// The next connection, or `None` once the peer is to stop.
    pub(super) fn accept_or_stop(&self) -> Option<Session> {
        let session = self.accept();
        if self.stopping.load(Ordering::SeqCst) { None } else { Some(session) }
    }
}

/// One connection of a peer.
pub(super) struct Session {
    stream: TcpStream,
    /// Read beyond what was asked for.
    kept: Vec<u8>,
}

/// A request as a peer received it.
pub(super) struct Received {
    /// Request line and fields, as they came, without the empty line.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Trailer fields, as they came.
    pub(super) trailers: String,
}

impl Received {
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The value of a field, by its name in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Session {
    /// The client's end of a connection to a server under test.
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, kept: Vec::new() }
    }

    /// Writes until nothing is taken for a while, or the connection breaks; `false` if all `n` bytes
    /// were taken.
    pub(super) fn is_stopped_within(&mut self, n: usize) -> bool {
        let a_while = std::time::Duration::from_millis(100);
        self.stream.set_write_timeout(Some(a_while)).expect("a write timeout");
        let chunk = [b'x'; 16 * 1024];
        let mut left = n;
        while left > 0 {
            match self.stream.write(&chunk[..left.min(chunk.len())]) {
                Ok(written) => left -= written,
                Err(_) => return true,
            }
        }
        false
    }

    /// Whether bytes have come, now.
    pub(super) fn has_input(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let seen = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        !self.kept.is_empty() || seen.is_ok()
    }

    /// Waits for bytes and leaves them.
    pub(super) fn wait_for_input(&self) {
        self.stream.peek(&mut [0]).expect("bytes");
    }

    /// Waits for the other side's FIN with nothing in front of it; RST is an error.
    #[track_caller]
    pub(super) fn expect_fin(&mut self) {
        assert!(self.kept.is_empty(), "more bytes: {:?}", String::from_utf8_lossy(&self.kept));
        match self.stream.read(&mut [0; 64]) {
            Ok(0) => {}
            Ok(n) => panic!("{n} more bytes"),
            Err(error) => panic!("no FIN but {error}"),
        }
    }

    /// More bytes; `false` at the end.
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                self.kept.extend_from_slice(&chunk[..n]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("peer waits for bytes: {error}"),
        }
    }

    fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.kept.windows(mark.len()).position(|window| window == mark) {
                let rest = self.kept.split_off(at + mark.len());
                let mut found = std::mem::replace(&mut self.kept, rest);
                found.truncate(at);
                return Some(found);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Exactly `n` bytes, or fewer at the end.
    pub(super) fn take(&mut self, n: usize) -> Vec<u8> {
        while self.kept.len() < n && self.fill() {}
        let rest = self.kept.split_off(n.min(self.kept.len()));
        std::mem::replace(&mut self.kept, rest)
    }

    /// A request's head; `None` if the client closed.
    pub(super) fn head(&mut self) -> Option<Received> {
        let head = String::from_utf8(self.until(b"\r\n\r\n")?).expect("a head of ASCII");
        Some(Received { head, body: Vec::new(), trailers: String::new() })
    }

    /// A whole request; `None` if the client closed before its end.
    pub(super) fn request(&mut self) -> Option<Received> {
        let mut request = self.head()?;
        if request.field("transfer-encoding").is_some() {
            loop {
                let line = String::from_utf8(self.until(b"\r\n")?).expect("a chunk line of ASCII");
                let size = usize::from_str_radix(&line, 16).expect("a chunk size");
                if size == 0 {
                    break;
                }
                request.body.extend(self.take(size));
                let end = self.take(2);
                if end.len() < 2 {
                    return None;
                }
                assert_eq!(end, b"\r\n", "the end of a chunk");
            }
            loop {
                let line = String::from_utf8(self.until(b"\r\n")?).expect("a trailer field");
                if line.is_empty() {
                    break;
                }
                request.trailers.push_str(&line);
            }
        } else if let Some(length) = request.field("content-length") {
            let length: usize = length.parse().expect("a length");
            request.body = self.take(length);
            if request.body.len() < length {
                return None;
            }
        }
        Some(request)
    }

    /// A request that has to come.
    #[track_caller]
    pub(super) fn expect_request(&mut self) -> Received {
        self.request().expect("a request")
    }

    pub(super) fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    #[track_caller]
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("the client takes a response");
    }

    /// FIN.
    pub(super) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a half-close");
    }

    /// Waits for bytes, leaves them unread and closes: the kernel then sends RST, not FIN.
    pub(super) fn reset_with_unread_bytes(self) {
        let waiting = self.stream.peek(&mut [0]).expect("bytes to leave unread");
        assert_eq!(waiting, 1, "bytes to leave unread");
    }

    /// Reads and forgets `n` bytes, or fewer at the end; how many that were.
    pub(super) fn skip(&mut self, n: usize) -> usize {
        let mut total = self.kept.len();
        self.kept.clear();
        while total < n && self.fill() {
            total += self.kept.len();
            self.kept.clear();
        }
        total
    }

    /// Writes `n` bytes and opens `stalled` once the client has not taken any for a while.
    pub(super) fn write_much(&mut self, n: usize, stalled: &super::turns::Gate) {
        let chunk = [b'x'; 16 * 1024];
        let a_while = std::time::Duration::from_millis(100);
        self.stream.set_write_timeout(Some(a_while)).expect("a write timeout");
        let mut left = n;
        while left > 0 {
            match self.stream.write(&chunk[..left.min(chunk.len())]) {
                Ok(written) => left -= written,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    assert!(!stalled.is_open(), "the client stopped reading");
                    stalled.open();
                    self.stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
                }
                Err(error) => panic!("{left} of {n} bytes left: {error}"),
            }
        }
    }

    /// Waits for a request, leaves it unread, writes `bytes` and closes: RST behind `bytes`.
    pub(super) fn write_and_reset(mut self, bytes: &[u8]) {
        let waiting = self.stream.peek(&mut [0]).expect("bytes to leave unread");
        assert_eq!(waiting, 1, "bytes to leave unread");
        self.write(bytes);
    }

    /// Reads a head and what follows until the client closes; whether that was less than `length`.
    pub(super) fn drain_body_shorter_than(&mut self, length: usize) -> bool {
        self.head().is_none() || self.drain() < length
    }

    /// Waits for the client's FIN or RST; more bytes are an error.
    #[track_caller]
    pub(super) fn expect_end(&mut self) {
        assert!(!self.fill(), "the client sent {:?}", String::from_utf8_lossy(&self.kept));
    }

    /// Reads and forgets until the client closes; how many bytes that were.
    pub(super) fn drain(&mut self) -> usize {
        let mut total = self.kept.len();
        loop {
            self.kept.clear();
            if !self.fill() {
                return total;
            }
            total += self.kept.len();
        }
    }
}
