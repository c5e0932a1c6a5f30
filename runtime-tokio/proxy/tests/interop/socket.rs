//! Raw HTTP/1.1 ends of connections, and an origin that does what a test says.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::process::PATIENCE;

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// Read and not yet asked for.
    rest: Vec<u8>,
}

/// A response or a request: its first line and fields as text, and its content.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// 0 for a request.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) content: Vec<u8>,
}

impl Message {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Peer {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("a connection"))
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, rest: Vec::new() }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("written");
    }

    /// Says that nothing more comes.
    pub(crate) fn finish(&self) {
        // The other side may be gone.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Up to and with an empty line; `None` at an end before the first byte.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.rest.drain(..end + 4).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            if self.read() == 0 {
                assert!(self.rest.is_empty(), "torn: {:?}", String::from_utf8_lossy(&self.rest));
                return None;
            }
        }
    }

    /// One read, its number of bytes; 0 also if the connection was reset.
    #[track_caller]
    fn read(&mut self) -> usize {
        let mut some = [0; 64 * 1024];
        let read = match self.stream.read(&mut some) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&self.rest)),
        };
        self.rest.extend_from_slice(&some[..read]);
        read
    }

    /// What is there already or comes next; empty at the end.
    #[track_caller]
    pub(crate) fn some(&mut self) -> Vec<u8> {
        if self.rest.is_empty() {
            self.read();
        }
        std::mem::take(&mut self.rest)
    }

    #[track_caller]
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.rest.len() < length {
            assert_ne!(self.read(), 0, "the end after {} of {length} bytes", self.rest.len());
        }
        let rest = self.rest.split_off(length);
        std::mem::replace(&mut self.rest, rest)
    }

    /// All until the end.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while self.read() > 0 {}
        std::mem::take(&mut self.rest)
    }

    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.rest.windows(2).position(|two| two == b"\r\n") {
                let line = self.rest.drain(..end + 2).collect::<Vec<_>>();
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            assert_ne!(self.read(), 0, "the end within a line");
        }
    }

    /// A whole message, framed as its head says; `None` at an end before its first byte.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Option<Message> {
        let head = self.head()?;
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok()).unwrap_or(0);
        let mut message = Message { status, head, content: Vec::new() };
        if message.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = usize::from_str_radix(self.line().trim(), 16).expect("a chunk size");
                if size == 0 {
                    break;
                }
                message.content.extend(self.exactly(size));
                assert_eq!(self.line(), "", "the end of a chunk");
            }
            loop {
                let trailer = self.line();
                if trailer.is_empty() {
                    break;
                }
                message.head.push_str(&format!("{trailer}\r\n"));
            }
        } else if let Some(length) = message.field("content-length") {
            let length = length.parse().expect("a length");
            message.content = self.exactly(length);
        } else if status >= 200 && status != 204 && status != 304 {
            message.content = self.read_to_end();
        }
        Some(message)
    }

    /// Sends a request without content and reads the response.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, path: &str) -> Message {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.message().expect("a response")
    }
}

/// An address that nobody listens on.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

/// Serves every connection by `serve`, each on a thread, until the process ends.
pub(crate) fn origin(serve: impl Fn(Peer) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(Peer::new(stream)));
        }
    });
    address
}

/// An origin that answers every request with `200` and `ok`.
pub(crate) fn friendly_origin() -> SocketAddr {
    origin(|mut peer| {
        while peer.message().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    })
}
