//! A server that breaks the protocol in every way that is quick to write down.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is said to one request after the other, whatever it was; then the connection is closed, or,
/// after a complete answer, kept.
const ANSWERS: &[(&str, After)] = &[
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", After::Keep),
    ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ntoo short", After::Close),
    ("", After::Close),
    ("", After::Reset),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok and more than was promised", After::Keep),
    ("SSH-2.0-OpenSSH_9.2\r\n", After::Keep),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", After::Keep),
    ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", After::Keep),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", After::Keep),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe", After::Close),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", After::Keep),
    ("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", After::Keep),
    ("HTTP/1.1 999999 OK\r\n\r\n", After::Keep),
    ("HTTP/1.1 200 OK\r\ncontent-le", After::Reset),
    ("HTTP/1.1 103 Early Hints\r\n\r\n", After::Close),
    ("HTTP/1.1 101 Switching Protocols\r\nupgrade: nonsense\r\n\r\n", After::Keep),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", After::Keep),
    ("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", After::Close),
    ("HTTP/1.1 200 OK\r\n\r\nuntil the end", After::Close),
    ("\0\0\0\0", After::Close),
];

#[derive(Clone, Copy)]
enum After {
    Keep,
    Close,
    /// Closed with unread input or a zero linger: the peer gets RST.
    Reset,
}

/// Starts the server on the present runtime.
pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let next = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, next.clone()));
        }
    });
    address
}

async fn serve(mut socket: TcpStream, next: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        // Requests here are small and come in one piece.
        if socket.read(&mut buffer).await? == 0 {
            return Ok(());
        }
        let (answer, after) = ANSWERS[next.fetch_add(1, Ordering::Relaxed) % ANSWERS.len()];
        socket.write_all(answer.as_bytes()).await?;
        match after {
            After::Keep => {}
            After::Close => return Ok(()),
            After::Reset => {
                socket.set_zero_linger()?;
                return Ok(());
            }
        }
    }
}
