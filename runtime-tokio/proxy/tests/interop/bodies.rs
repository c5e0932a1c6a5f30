//! Large bodies pass in bounded memory, unchanged, and a side that does not read stops the other one.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::PATIENCE;
use crate::proxy::{Config, Proxy};
use crate::socket::{Message, Peer, origin};
use crate::{number, turn};

const BLOCK: usize = 64 * 1024;

/// Most that the proxy may grow while a body passes, in KiB.
const GROWTH: usize = 16 * 1024;

/// Most that the proxy may hold of a body that nobody reads.
const HELD: usize = 1024 * 1024;

/// A body whose every block is different: block `n` begins with its number.
fn block(n: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    for (at, eight) in block.chunks_exact_mut(8).enumerate().step_by(512) {
        eight.copy_from_slice(&((n << 16) + at).to_le_bytes());
    }
    block
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
}

impl Framing {
    fn fields(self, blocks: usize) -> String {
        match self {
            Self::Length => format!("Content-Length: {}\r\n", blocks * BLOCK),
            Self::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        }
    }

    fn of(head: &str) -> Self {
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            Self::Chunked
        } else {
            Self::Length
        }
    }
}

/// Writes a body, counting the bytes of it that the socket has taken.
fn write(peer: &mut Peer, framing: Framing, blocks: usize, taken: &AtomicUsize) -> std::io::Result<()> {
    for n in 0..blocks {
        let block = block(n);
        if framing == Framing::Chunked {
            peer.stream.write_all(format!("{BLOCK:x}\r\n").as_bytes())?;
        }
        let mut left = &block[..];
        while !left.is_empty() {
            let wrote = peer.stream.write(left)?;
            taken.fetch_add(wrote, Ordering::Relaxed);
            left = &left[wrote..];
        }
        if framing == Framing::Chunked {
            peer.stream.write_all(b"\r\n")?;
        }
    }
    if framing == Framing::Chunked {
        peer.stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}

/// Reads a body that must be that of [`write`].
fn read(peer: &mut Peer, framing: Framing, blocks: usize) {
    let (mut n, mut rest) = (0, Vec::new());
    let mut check = |some: Vec<u8>| {
        rest.extend_from_slice(&some);
        while rest.len() >= BLOCK {
            let later = rest.split_off(BLOCK);
            assert!(rest == block(n), "block {n} is another");
            rest = later;
            n += 1;
        }
    };
    if framing == Framing::Chunked {
        loop {
            let size = usize::from_str_radix(&peer.line(), 16).expect("a chunk size");
            if size == 0 {
                break;
            }
            check(peer.exactly(size));
            assert_eq!(peer.line(), "");
        }
        assert_eq!(peer.line(), "");
    } else {
        for _ in 0..blocks {
            check(peer.exactly(BLOCK));
        }
    }
    assert_eq!((n, rest.len()), (blocks, 0), "all of it");
}

/// GET gives a body as large as the path says, PUT reads one and says `ok`. Paths: `/FRAMING/BLOCKS`.
fn bodies_origin(taken: Arc<AtomicUsize>) -> SocketAddr {
    origin(move |mut peer| {
        while let Some(head) = peer.head() {
            let blocks: usize = head.split(['/', ' ']).nth(3).and_then(|n| n.parse().ok()).expect("blocks");
            if head.starts_with("PUT") {
                read(&mut peer, Framing::of(&head), blocks);
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            } else {
                let framing = if head.contains("/chunked/") { Framing::Chunked } else { Framing::Length };
                peer.send(format!("HTTP/1.1 200 OK\r\n{}\r\n", framing.fields(blocks)));
                write(&mut peer, framing, blocks, &taken).expect("the client reads all");
            }
        }
    })
}

const fn path(framing: Framing) -> &'static str {
    match framing {
        Framing::Length => "length",
        Framing::Chunked => "chunked",
    }
}

fn get(peer: &mut Peer, framing: Framing, blocks: usize) {
    peer.send(format!("GET /{}/{blocks} HTTP/1.1\r\nHost: test\r\n\r\n", path(framing)));
    let head = peer.head().expect("a response");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(Framing::of(&head), framing);
}

fn put_head(framing: Framing, blocks: usize) -> String {
    format!("PUT /{}/{blocks} HTTP/1.1\r\nHost: test\r\n{}\r\n", path(framing), framing.fields(blocks))
}

fn blocks() -> usize {
    number("POOL_PROXY_BODY_MIB", 32) * (1024 * 1024 / BLOCK)
}

/// Runs `pass` for both framings on one connection, and compares the proxy's peak memory before and after.
fn in_bounded_memory(what: &str, pass: impl Fn(&mut Peer, Framing, usize)) {
    let _turn = turn();
    let proxy = Config::new(bodies_origin(Arc::default())).start();
    let mut peer = Peer::connect(proxy.address);
    // Code is paged in, pools and buffers exist.
    pass(&mut peer, Framing::Length, 1);
    pass(&mut peer, Framing::Chunked, 1);
    let before = proxy.process.peak_memory();
    let began = Instant::now();
    for framing in [Framing::Length, Framing::Chunked] {
        pass(&mut peer, framing, blocks());
    }
    let took = began.elapsed();
    if let (Some(before), Some(after)) = (before, proxy.process.peak_memory()) {
        let mib = blocks() * BLOCK / 1024 / 1024;
        eprintln!("{what}: twice {mib} MiB in {took:?}, peak memory {before} KiB, then {after} KiB");
        assert!(after - before < GROWTH, "from {before} to {after} KiB");
    }
    assert_eq!(proxy.cluster("upstream_cx_total"), 1, "all on one connection");
    proxy.terminate();
}

#[test]
fn large_responses_pass_in_bounded_memory() {
    in_bounded_memory("responses", |peer, framing, blocks| {
        get(peer, framing, blocks);
        read(peer, framing, blocks);
    });
}

#[test]
fn large_requests_pass_in_bounded_memory() {
    in_bounded_memory("requests", |peer, framing, blocks| {
        peer.send(put_head(framing, blocks));
        write(peer, framing, blocks, &AtomicUsize::new(0)).expect("the proxy reads all");
        assert_eq!(peer.message().map(|answer| answer.status), Some(200));
    });
}

/// Bytes that the kernel holds in connections with this port at one end, both directions (Linux).
fn held_by_the_kernel(port: u16) -> Option<usize> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let queued = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_ours = |at: usize| {
            let found = fields.get(at).and_then(|field| field.split_once(':'));
            found.and_then(|(_, found)| u16::from_str_radix(found, 16).ok()) == Some(port)
        };
        // A listening socket counts connections, not bytes.
        if fields.get(3) == Some(&"0A") || !(is_ours(1) || is_ours(2)) {
            return 0;
        }
        let (sent, received) = fields[4].split_once(':').unwrap_or_default();
        let hexadecimal = |text: &str| usize::from_str_radix(text, 16).unwrap_or(0);
        hexadecimal(sent) + hexadecimal(received)
    };
    Some(table.lines().skip(1).map(queued).sum())
}

/// Waits until no more bytes were taken for half a second, and gives how many were.
fn when_still(taken: &AtomicUsize) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let (mut last, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_millis(500) || last == 0 {
        let now = taken.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(Instant::now() < deadline, "still flowing after {last} bytes");
        thread::sleep(Duration::from_millis(5));
    }
    last
}

/// Of `taken` bytes that nobody has read, what is in no socket is in the proxy.
fn assert_stopped(taken: usize, all: usize, proxy: &Proxy, upstream: SocketAddr) {
    assert!(taken < all, "all {all} bytes were taken though nobody reads");
    let kernel = [proxy.address, upstream].map(|address| held_by_the_kernel(address.port()));
    let [Some(downstream), Some(upstream)] = kernel else { return };
    let held = taken.saturating_sub(downstream + upstream);
    eprintln!("nobody reads: {taken} taken, {downstream} and {upstream} in sockets, {held} in the proxy");
    assert!(downstream > 0 && upstream > 0, "{downstream} {upstream}");
    assert!(held < HELD, "{held} bytes held by the proxy");
}

/// More than four sockets can ever hold.
const STALLED_BLOCKS: usize = 128 * 1024 * 1024 / BLOCK;

#[test]
fn a_client_that_does_not_read_stops_the_upstream() {
    let _turn = turn();
    for framing in [Framing::Length, Framing::Chunked] {
        let taken = Arc::new(AtomicUsize::new(0));
        let upstream = bodies_origin(taken.clone());
        let proxy = Config::new(upstream).start();
        let mut peer = Peer::connect(proxy.address);
        peer.send(format!("GET /{}/{STALLED_BLOCKS} HTTP/1.1\r\nHost: test\r\n\r\n", path(framing)));
        let stopped = when_still(&taken);
        assert_stopped(stopped, STALLED_BLOCKS * BLOCK, &proxy, upstream);
        // It goes on where it stopped.
        assert!(peer.head().is_some_and(|head| head.starts_with("HTTP/1.1 200")));
        read(&mut peer, framing, STALLED_BLOCKS);
        proxy.terminate();
    }
}

#[test]
fn an_upstream_that_does_not_read_stops_the_client() {
    let _turn = turn();
    for framing in [Framing::Length, Framing::Chunked] {
        // Reads the head only, until it is told.
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let told = Arc::new(std::sync::Mutex::new(told));
        let upstream = origin(move |mut peer| {
            if peer.head().is_some() && told.lock().expect("alive").recv().is_ok() {
                read(&mut peer, framing, STALLED_BLOCKS);
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                peer.head();
            }
        });
        let proxy = Config::new(upstream).start();
        let mut peer = Peer::connect(proxy.address);
        peer.send(put_head(framing, STALLED_BLOCKS));
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let uploading = thread::spawn(move || {
            write(&mut peer, framing, STALLED_BLOCKS, &count).expect("the proxy reads all in the end");
            peer
        });
        let stopped = when_still(&taken);
        assert_stopped(stopped, STALLED_BLOCKS * BLOCK, &proxy, upstream);
        tell.send(()).expect("the upstream waits");
        let mut peer = uploading.join().expect("the upload");
        let answer: Option<Message> = peer.message();
        assert_eq!(answer.map(|answer| answer.status), Some(200));
        proxy.terminate();
    }
}
