//! The least proxy that works: tokio, `httparse`, keep-alive on both sides, a free list. No policy, no
//! limits, no timeouts; requests without a body, responses with a length; heads pass as they came.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;

use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::error::{Error, Result};

/// More than any head with its body's first part.
const SCRATCH: usize = 64 * 1024;

/// Serves for ever, on this thread.
pub(super) fn run(listen: SocketAddr, origin: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(listen, origin))
}

struct Shared {
    origin: SocketAddr,
    /// One hot read buffer for all connections.
    scratch: RefCell<Vec<u8>>,
    free: RefCell<Vec<TcpStream>>,
}

async fn serve(listen: SocketAddr, origin: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let scratch = RefCell::new(vec![0; SCRATCH]);
    let shared = Rc::new(Shared { origin, scratch, free: RefCell::new(Vec::new()) });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            // The load counts what went wrong.
            let _ = connection(stream, &shared).await;
        });
    }
}

async fn connection(mut client: TcpStream, shared: &Shared) -> Result<()> {
    // The start of a head whose end has not arrived; normally empty.
    let mut rest = Vec::new();
    loop {
        let mut upstream = loop {
            let read = shared.read(&mut client).await?;
            if read == 0 {
                return Ok(());
            }
            {
                let scratch = shared.scratch.borrow();
                let new = &scratch[..read];
                let free = || shared.free.borrow_mut().pop();
                if let Some(free) = (rest.is_empty() && is_request(new)?).then(free).flatten() {
                    write_now(&free, new)?;
                    break free;
                }
                rest.extend_from_slice(new);
            }
            if is_request(&rest)? {
                let upstream = shared.upstream().await?;
                write_now(&upstream, &rest)?;
                rest.clear();
                break upstream;
            }
        };
        response(&mut upstream, &mut client, shared).await?;
        shared.free.borrow_mut().push(upstream);
    }
}

impl Shared {
    /// Reads into the scratch buffer; the bytes stay until the calling task waits for something.
    async fn read(&self, stream: &mut TcpStream) -> Result<usize> {
        let read = |context: &mut Context<'_>| {
            let mut scratch = self.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            let done = Pin::new(&mut *stream).poll_read(context, &mut buffer);
            done.map_ok(|()| buffer.filled().len())
        };
        Ok(poll_fn(read).await?)
    }

    async fn upstream(&self) -> Result<TcpStream> {
        let free = self.free.borrow_mut().pop();
        if let Some(free) = free {
            return Ok(free);
        }
        let fresh = TcpStream::connect(self.origin).await?;
        fresh.set_nodelay(true)?;
        Ok(fresh)
    }
}

/// Passes one response on.
async fn response(upstream: &mut TcpStream, client: &mut TcpStream, shared: &Shared) -> Result<()> {
    let mut head = Vec::new();
    let mut missing = None;
    while missing != Some(0) {
        let read = shared.read(upstream).await?;
        if read == 0 {
            return Err(Error::new("the origin closed the connection"));
        }
        // What the client's socket had no room for.
        let unwritten = {
            let scratch = shared.scratch.borrow();
            let new = &scratch[..read];
            missing = match missing {
                Some(missing) => Some(usize::checked_sub(missing, read).ok_or_else(too_long)?),
                None if head.is_empty() => after_head(new)?,
                None => {
                    head.extend_from_slice(new);
                    after_head(&head)?
                }
            };
            if missing.is_none() && head.is_empty() {
                head.extend_from_slice(new);
            }
            let written = match client.try_write(new) {
                Ok(written) => written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error.into()),
            };
            if written == read { Vec::new() } else { new[written..].to_vec() }
        };
        if !unwritten.is_empty() {
            client.write_all(&unwritten).await?;
        }
    }
    Ok(())
}

/// Writes a request's head to a connection on which nothing is on its way: there is room.
fn write_now(stream: &TcpStream, head: &[u8]) -> Result<()> {
    let written = stream.try_write(head)?;
    if written == head.len() { Ok(()) } else { Err(Error::new("a socket buffer without room")) }
}

/// Whether the bytes are one whole request.
fn is_request(bytes: &[u8]) -> Result<bool> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes)? {
        httparse::Status::Complete(head) if head == bytes.len() => Ok(true),
        httparse::Status::Complete(_) => Err(Error::new("a request with a body, or a second one behind it")),
        httparse::Status::Partial => Ok(false),
    }
}

/// Body bytes that are still to come after these; `None` while the head is incomplete.
fn after_head(bytes: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: Option<usize> =
        length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    let length = length.ok_or_else(|| Error::new("a response without a length"))?;
    (head + length).checked_sub(bytes.len()).map(Some).ok_or_else(too_long)
}

fn too_long() -> Error {
    Error::new("more than a response")
}
