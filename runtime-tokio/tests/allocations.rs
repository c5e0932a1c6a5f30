//! What one request costs in allocations, on the path that nearly all requests take: a connection is
//! reused and a small answer comes in one piece.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts")]
#![expect(
    clippy::disallowed_methods,
    reason = "the server runs in a thread of its own, so that it is not counted"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use http::Request;
use http_body_util::BodyExt;
use pool_core::client::{CallPolicy, Cluster, ConnectionInfo, Host};
use runtime_tokio::Client;

/// What the adapter makes of `empty()`.
type Body = http_body_util::Either<http_body_util::Full<bytes::Bytes>, http_body_util::Empty<bytes::Bytes>>;

/// Allocations from `call` to the end of the body, at most.
const BUDGET: u64 = 6;

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is ending has no thread locals, and is not counted either.
    let _ = IS_COUNTED.try_with(|is_counted| {
        if is_counted.get() {
            COUNT.with(|count| count.set(count.get() + 1));
        }
    });
}

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
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

/// What `run` gives, and how many allocations this thread made for it.
fn counted<T>(run: impl FnOnce() -> T) -> (T, u64) {
    COUNT.with(|count| count.set(0));
    IS_COUNTED.with(|is_counted| is_counted.set(true));
    let result = run();
    IS_COUNTED.with(|is_counted| is_counted.set(false));
    (result, COUNT.with(Cell::get))
}

/// Answers every request of one connection like a file server would.
fn start_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        socket.set_nodelay(true).expect("an open socket");
        let head = "HTTP/1.1 200 OK\r\nserver: test\r\ndate: Sat, 21 Nov 2026 02:00:00 GMT\r\n\
            content-type: text/plain\r\ncontent-length: 100\r\nlast-modified: Sat, 21 Nov 2026 01:00:00 GMT\r\n\
            connection: keep-alive\r\netag: \"5f5e100\"\r\naccept-ranges: bytes\r\n\r\n";
        let answer = [head.as_bytes(), &[b'a'; 100]].concat();
        let mut buffer = [0; 4096];
        let mut filled = 0;
        while let Ok(n @ 1..) = socket.read(&mut buffer[filled..]) {
            filled += n;
            if buffer[..filled].ends_with(b"\r\n\r\n") {
                filled = 0;
                socket.write_all(&answer).expect("a client that listens");
            }
        }
    });
    address
}

async fn fetch(client: &Client, request: Request<Body>) -> (usize, bool) {
    let response = client.call(request).await.expect("an answer");
    let reused = response.extensions().get::<ConnectionInfo>().expect("its connection").is_reused();
    (read(response.into_body()).await, reused)
}

async fn fetch_from(client: &Client, cluster: &Cluster, request: Request<Body>) -> (usize, bool) {
    let mut call = client.call_cluster(cluster, &CallPolicy::default(), request);
    let response = (&mut call).await.expect("an answer");
    let reused = call.info().is_reused();
    (read(response.into_body()).await, reused)
}

async fn read(mut body: runtime_tokio::Body) -> usize {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.expect("content").into_data().expect("no trailers").len();
    }
    length
}

/// At most so many allocations from the call to the end of its body.
fn stays_within(
    budget: u64,
    fetch: impl AsyncFn(&Client, Request<Body>) -> (usize, bool),
    address: SocketAddr,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client: Client = runtime.block_on(async { runtime_tokio::client().build() });
    let request = || {
        let request = Request::get(format!("http://{address}/100")).header("accept", "*/*");
        request.body(runtime_tokio::empty()).expect("a request of fixed parts")
    };
    // Buffers grow, tables get their size, lazy statics are made.
    for _ in 0..100 {
        runtime.block_on(fetch(&client, request()));
    }
    let counts: Vec<u64> = (0..1000)
        .map(|_| {
            let request = request();
            let ((length, reused), allocations) = counted(|| runtime.block_on(fetch(&client, request)));
            assert_eq!((length, reused), (100, true));
            allocations
        })
        .collect();
    let most = counts.iter().max().expect("a thousand requests");
    println!(
        "{most} allocations per request at most, {} on average",
        counts.iter().sum::<u64>() as f64 / 1000.0
    );
    assert!(*most > 0, "nothing was counted: is the counting broken?");
    assert!(*most <= budget, "{most} allocations, {budget} are allowed");
}

#[test]
fn a_request_on_a_reused_connection_stays_within_the_budget() {
    stays_within(BUDGET, fetch, start_server());
}

/// What the response would tell by an extension is told by the call: three allocations less.
#[test]
fn a_request_to_a_cluster_stays_within_less() {
    let address = start_server();
    let cluster = Cluster::builder("files").hosts([Host::new(address)]).build();
    stays_within(BUDGET - 3, async |client, request| fetch_from(client, &cluster, request).await, address);
}
