//! A server that answers every request, and can be told to be bad at it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// How it serves from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mood {
    /// How long a response takes.
    pub(crate) service_time: Duration,
    /// Every so many responses of a connection, one says `Connection: close`; 0 is never.
    pub(crate) close_every: u32,
    /// Every so many responses, one is 503; 0 is never.
    pub(crate) unavailable_every: u32,
}

/// A server on a loopback address. It serves while it is kept.
pub(crate) struct Server {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Starts on an address, or on a free port of loopback.
    pub(crate) fn start(address: Option<SocketAddr>, mood: Mood) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // A restarted server gets its port back.
        socket.set_reuseaddr(true)?;
        socket.bind(address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))))?;
        let listener = socket.listen(64)?;
        let address = listener.local_addr()?;
        let mood = Arc::new(Mutex::new(mood));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&mood)));
        Ok(Self { address, mood, tasks })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how it serves.
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Ends it in the middle of whatever it is doing.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn accept(listener: TcpListener, mood: Arc<Mutex<Mood>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&mood)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, mood: Arc<Mutex<Mood>>) {
    let mut buffer = Vec::new();
    for number in 1u32.. {
        // Requests have no body, so their end is the empty line.
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        buffer.drain(..end);
        let mood = *mood.lock().unwrap_or_else(PoisonError::into_inner);
        if !mood.service_time.is_zero() {
            // From half to one and a half of it, in turn.
            tokio::time::sleep(mood.service_time * (8 + number * 5 % 17) / 16).await;
        }
        let every = |every: u32| every > 0 && number % every == 0;
        let status = if every(mood.unavailable_every) { "503 Service Unavailable" } else { "200 OK" };
        let close = every(mood.close_every);
        let connection = if close { "connection: close\r\n" } else { "" };
        let response = format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n{connection}\r\nhello");
        if stream.write_all(response.as_bytes()).await.is_err() || close {
            return;
        }
    }
}
