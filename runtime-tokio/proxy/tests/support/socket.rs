//! Sockets that wait for what they expect, and not for ever.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything here takes; only a failing test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An upstream.
pub(crate) struct Upstream {
    address: SocketAddr,
    accepted: Receiver<TcpStream>,
}

impl Upstream {
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, accepted) = channel();
        // Ends with the process, or with the next connection after the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { address, accepted }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> Peer {
        Peer::new(self.accepted.recv_timeout(PATIENCE).expect("a connection"))
    }

    /// The next connection, if there is one before long.
    pub(crate) fn accept_another(&self) -> Option<Peer> {
        self.accepted.recv_timeout(PATIENCE).ok().map(Peer::new)
    }

    /// Whether another connection was made until now.
    pub(crate) fn has_connection(&self) -> bool {
        self.accepted.try_recv().is_ok()
    }
}

/// An address that nobody listens on.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

/// One end of a connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// Read and not yet asked for.
    pub(crate) rest: Vec<u8>,
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("a connection"))
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nonblocking(false).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, rest: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("written");
    }

    /// Reads once; what came, nothing at the end.
    fn fill(&mut self) -> usize {
        let mut buffer = vec![0; 64 * 1024];
        let n = match self.stream.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("read: {error}; so far {:?}", String::from_utf8_lossy(&self.rest)),
        };
        self.rest.extend_from_slice(&buffer[..n]);
        n
    }

    /// A head, its empty line included.
    pub(crate) fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.rest.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.rest.split_off(end + 4);
                let head = std::mem::replace(&mut self.rest, rest);
                return String::from_utf8(head).expect("text");
            }
            let n = self.fill();
            assert!(n > 0, "closed; so far {:?}", String::from_utf8_lossy(&self.rest));
        }
    }

    /// Whether a head comes before the end; it is taken.
    pub(crate) fn has_head(&mut self) -> bool {
        while !self.rest.windows(4).any(|window| window == b"\r\n\r\n") {
            if self.fill() == 0 {
                return false;
            }
        }
        self.head();
        true
    }

    /// So many bytes.
    pub(crate) fn exactly(&mut self, n: usize) -> Vec<u8> {
        while self.rest.len() < n {
            let read = self.fill();
            assert!(read > 0, "closed after {} of {n}", self.rest.len());
        }
        let rest = self.rest.split_off(n);
        std::mem::replace(&mut self.rest, rest)
    }

    /// All until this text, included.
    pub(crate) fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end.as_bytes()) {
                let rest = self.rest.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.rest, rest)).expect("text");
            }
            let n = self.fill();
            assert!(n > 0, "closed; so far {:?}", String::from_utf8_lossy(&self.rest));
        }
    }

    /// All until the other side closes or resets.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill() > 0 {}
        std::mem::take(&mut self.rest)
    }

    /// A response with its content, by `Content-Length` or chunks.
    pub(crate) fn response(&mut self) -> (String, String) {
        let head = self.head();
        let content = if head.contains("transfer-encoding: chunked\r\n") {
            self.until("0\r\n\r\n")
        } else {
            let length = field(&head, "content-length").map_or(0, |length| length.parse().expect("a number"));
            String::from_utf8(self.exactly(length)).expect("text")
        };
        (head, content)
    }

    /// The other side has closed, and nothing came before.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.rest.is_empty() && self.fill() == 0
    }

    /// No more will be sent.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a socket");
    }

    /// Closes with a reset, as a process that dies with unread input does.
    pub(crate) fn reset(self) {
        drop(self);
    }
}

/// The value of a field.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").skip(1);
    lines.find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The values of all fields of this name.
pub(crate) fn fields<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.split("\r\n").skip(1);
    let named =
        lines.filter_map(|line| line.split_once(':')).filter(|(found, _)| found.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.trim()).collect()
}
