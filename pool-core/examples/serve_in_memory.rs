//! What one request costs in the server face and nothing else: a client in memory, no reactor, a
//! clock that is the system's.
//!
//! ```text
//! cargo build --release -p pool-core --features server --example serve_in_memory
//! valgrind --tool=callgrind target/release/examples/serve_in_memory get 1000
//! ```
//!
//! Cases: `get` (answered in the poll that read it), `later` (the service is pending once, as a proxy
//! is), `post` (100 bytes, echoed), `watched` (as `later`, with somebody who asks for the report).
//! Instructions per request are the difference of two runs, by the difference of their counts.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts")]
#![expect(clippy::disallowed_methods, reason = "this stands in for an adapter, which reads the clock")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, SERVER};
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pool_core::runtime::{Accept, Io, Runtime, Spawn};
use pool_core::server::{Builder, Control, Incoming, service_fn};
use pool_core::time::Instant;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Spawned = Pin<Box<dyn Future<Output = ()>>>;

/// Tasks that were spawned, and a clock.
#[derive(Clone)]
struct Local {
    began: std::time::Instant,
    tasks: Rc<RefCell<Vec<Spawned>>>,
    sleeps: Rc<Cell<u64>>,
}

impl Runtime for Local {
    type Sleep = std::future::Pending<()>;

    fn now(&self) -> Instant {
        Instant::ZERO + self.began.elapsed()
    }

    fn sleep(&self, _at: Instant) -> Self::Sleep {
        self.sleeps.set(self.sleeps.get() + 1);
        std::future::pending()
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Local {
    fn spawn(&self, future: F) {
        self.tasks.borrow_mut().push(Box::pin(future));
    }
}

/// One connection, and then none.
struct Door(Option<Client>);

impl Accept for Door {
    type Io = Client;

    fn poll_accept(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<(Client, SocketAddr)>> {
        match self.0.take() {
            Some(client) => Poll::Ready(Ok((client, (Ipv4Addr::LOCALHOST, 1).into()))),
            None => Poll::Pending,
        }
    }
}

/// Sends the same request again whenever it has got something.
struct Client {
    request: &'static [u8],
    /// Requests to send, and whether the last one was answered.
    left: u64,
    waits: Wait,
    received: Rc<Cell<u64>>,
    /// Set when the connection is gone.
    gone: Rc<Cell<bool>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.gone.set(true);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Response,
    /// As if the reactor were asked in between: the next request is there in the next poll.
    NextPoll,
    Nothing,
}

impl Io for Client {
    fn poll_read(&mut self, _cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.waits {
            Wait::Response => return Poll::Pending,
            Wait::NextPoll => {
                self.waits = Wait::Nothing;
                return Poll::Pending;
            }
            Wait::Nothing => {}
        }
        if self.left == 0 {
            return Poll::Ready(Ok(0));
        }
        self.left -= 1;
        self.waits = Wait::Response;
        into[..self.request.len()].copy_from_slice(self.request);
        Poll::Ready(Ok(self.request.len()))
    }

    fn poll_write_vectored(
        &mut self,
        _cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = bufs.iter().map(|buf| buf.len()).sum();
        self.received.set(self.received.get() + n as u64);
        self.waits = Wait::NextPoll;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A response body: a part that is all there, or the request's.
enum Reply {
    Full(Option<Bytes>, Option<Control<Client>>),
    Echo(Incoming<Client>),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Full(bytes, _) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Echo(incoming) => Pin::new(incoming).poll_frame(cx).map_err(io::Error::other),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Echo(incoming) => incoming.size_hint(),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Self::Full(_, Some(control)) = self {
            assert!(control.report().is_some());
        }
    }
}

const GET: &[u8] = b"GET /some/path?and=query HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/8.5.0\r\n\
    Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nX-Request-Id: 3f2b8c1e-6f0a-4b7e-9d59-0c2f1a7e8d11\r\n\r\n";
const POST: &[u8] =
    b"POST /some/path HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
    Content-Type: text/plain\r\nContent-Length: 100\r\n\r\n\
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

async fn answer(
    request: Request<Incoming<Client>>,
    case: &'static str,
) -> Result<Response<Reply>, Infallible> {
    let control = (case == "watched").then(|| request.body().control());
    if case == "later" || case == "watched" {
        let mut first = true;
        poll_fn(|_| if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }).await;
    }
    let body = match case {
        "post" => Reply::Echo(request.into_body()),
        _ => Reply::Full(Some(Bytes::from_static(&[b'a'; 100])), control),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("test"));
    headers.insert(DATE, HeaderValue::from_static("Sat, 21 Nov 2026 02:00:00 GMT"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = match arguments.next().as_deref() {
        Some("later") => "later",
        Some("post") => "post",
        Some("watched") => "watched",
        _ => "get",
    };
    let requests: u64 = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(1000);
    let runtime = Local { began: std::time::Instant::now(), tasks: Rc::default(), sleeps: Rc::default() };
    let received = Rc::new(Cell::new(0));
    let request = if case == "post" { POST } else { GET };
    let gone = Rc::new(Cell::new(false));
    let client = Client {
        request,
        left: requests,
        waits: Wait::Nothing,
        received: received.clone(),
        gone: gone.clone(),
    };
    let builder =
        Builder::new(runtime.clone()).without_peer_extension().idle_timeout(Duration::from_secs(3600));
    let handle = builder.serve(Door(Some(client)), service_fn(move |request| answer(request, case)));
    let mut cx = Context::from_waker(Waker::noop());
    let mut tasks = std::mem::take(&mut *runtime.tasks.borrow_mut());
    // The one that accepts.
    assert!(tasks.iter_mut().all(|task| task.as_mut().poll(&mut cx).is_pending()));
    let mut connection = runtime.tasks.borrow_mut().pop().expect("a connection was accepted");
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut polls = 0;
    while !gone.get() {
        let _ = connection.as_mut().poll(&mut cx);
        polls += 1;
    }
    assert_eq!(handle.snapshot().requests, requests);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    println!(
        "{case}: {requests} requests, {polls} polls, {} bytes, {allocations} allocations, {} sleeps",
        received.get(),
        runtime.sleeps.get(),
    );
}
