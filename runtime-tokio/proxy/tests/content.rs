//! Bodies, trailers, interim responses, and responses without content.
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

mod support;

use std::io::{Read, Write};
use std::time::Duration;

use pool_proxy::config::model::Bootstrap;
use support::config::{forwarding, http, simple};
use support::socket::{PATIENCE, field};
use support::{Peer, Proxy, Upstream};

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

/// A client and the upstream's end of its exchange, after the request's head went through.
fn between(config: Bootstrap, upstream: &Upstream, request: &str) -> (Proxy, Peer, Peer, String) {
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(request);
    let mut server = upstream.accept();
    let head = server.head();
    (proxy, client, server, head)
}

fn trailers(config: &mut Bootstrap) {
    http(config).enable_trailers = true;
    config.clusters[0].enable_trailers = true;
}

#[test]
fn request_content_is_framed_anew() {
    let upstream = Upstream::bind();
    let request = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello";
    let (_proxy, mut client, mut server, head) = between(simple(upstream.address()), &upstream, request);
    assert_eq!(field(&head, "content-length"), Some("5"));
    assert_eq!(server.exactly(5), b"hello");
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    let (head, content) = client.response();
    assert_eq!(field(&head, "content-length"), None);
    assert!(content.ends_with("0\r\n\r\n"), "{content}");

    client.send("PUT / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n");
    let head = server.head();
    assert_eq!(field(&head, "transfer-encoding"), Some("chunked"));
    assert_eq!(server.until("0\r\n\r\n"), "3\r\nabc\r\n0\r\n\r\n");
    // Framed by the end of the connection: chunked towards the client, whose connection stays.
    server.send("HTTP/1.1 200 OK\r\n\r\nto the end");
    drop(server);
    let (head, content) = client.response();
    assert_eq!(field(&head, "transfer-encoding"), Some("chunked"));
    assert_eq!(content, "a\r\nto the end\r\n0\r\n\r\n");
    client.send(GET);
    upstream.accept().head();
}

#[test]
fn content_is_passed_on_as_it_comes() {
    let upstream = Upstream::bind();
    let request = "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    let (_proxy, mut client, mut server, _) = between(simple(upstream.address()), &upstream, request);
    client.send("1\r\na\r\n");
    assert_eq!(server.until("a\r\n"), "1\r\na\r\n");
    client.send("1\r\nb\r\n");
    assert_eq!(server.until("b\r\n"), "1\r\nb\r\n");
    // The response begins before the request has ended, and both go on.
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
    client.head();
    assert_eq!(client.until("x\r\n"), "1\r\nx\r\n");
    client.send("1\r\nc\r\n0\r\n\r\n");
    assert_eq!(server.until("0\r\n\r\n"), "1\r\nc\r\n0\r\n\r\n");
    server.send("1\r\ny\r\n0\r\n\r\n");
    assert_eq!(client.until("0\r\n\r\n"), "1\r\ny\r\n0\r\n\r\n");
}

#[test]
fn trailers_pass_both_ways_where_both_sides_enable_them() {
    let both: fn(&mut Bootstrap) = trailers;
    let listener: fn(&mut Bootstrap) = |config| http(config).enable_trailers = true;
    let cluster: fn(&mut Bootstrap) = |config| config.clusters[0].enable_trailers = true;
    for (change, pass) in [(both, true), (listener, false), (cluster, false)] {
        let upstream = Upstream::bind();
        let mut config = simple(upstream.address());
        change(&mut config);
        let request =
            "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n";
        let (_proxy, mut client, mut server, _) = between(config, &upstream, request);
        let expected = if pass { "1\r\na\r\n0\r\nx-sum: 1\r\n\r\n" } else { "1\r\na\r\n0\r\n\r\n" };
        assert_eq!(server.until(expected), expected);
        server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nx-end: 2\r\n\r\n");
        client.head();
        let expected = if pass { "1\r\nb\r\n0\r\nx-end: 2\r\n\r\n" } else { "1\r\nb\r\n0\r\n\r\n" };
        assert_eq!(client.until(expected), expected);
    }
}

#[test]
fn responses_without_content() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let mut client = proxy.connect();
    client.send("HEAD / HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n");
    assert_eq!(field(&client.head(), "content-length"), Some("1234"));

    client.send("HEAD / HTTP/1.1\r\nhost: h\r\n\r\n");
    server.head();
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    let head = client.head();
    assert_eq!((field(&head, "content-length"), field(&head, "connection")), (None, None), "{head}");

    client.send(GET);
    server.head();
    server.send("HTTP/1.1 204 No Content\r\n\r\n");
    let head = client.head();
    assert_eq!((field(&head, "content-length"), field(&head, "transfer-encoding")), (None, None));

    client.send(GET);
    server.head();
    server.send("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\netag: \"e\"\r\n\r\n");
    let head = client.head();
    assert_eq!((field(&head, "content-length"), field(&head, "etag")), (Some("99"), Some("\"e\"")));

    client.send(GET);
    server.head();
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.response().1, "ok", "the same connections served all");
}

#[test]
fn interim_responses_are_relayed_but_100_only_where_configured() {
    for proxied in [false, true] {
        let upstream = Upstream::bind();
        let mut config = simple(upstream.address());
        http(&mut config).proxy_100_continue = proxied;
        let request = "POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
        let (_proxy, mut client, mut server, head) = between(config, &upstream, request);
        assert_eq!(field(&head, "expect"), proxied.then_some("100-continue"));
        server.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\n");
        if proxied {
            let hints = client.head();
            assert!(hints.starts_with("HTTP/1.1 103 "), "{hints}");
            server.send("HTTP/1.1 100 Continue\r\n\r\n");
            assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
        } else {
            // The proxy's own, as soon as it takes the content.
            let mut heads = [client.head(), client.head()];
            heads.sort();
            assert_eq!(heads[0], "HTTP/1.1 100 Continue\r\n\r\n");
            assert_eq!(field(&heads[1], "link"), Some("</a>"));
            assert_eq!(field(&heads[1], "x-hop"), None);
            assert_eq!(field(&heads[1], "connection"), None);
            server.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        client.send("ok");
        assert_eq!(server.exactly(2), b"ok");
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert!(client.head().starts_with("HTTP/1.1 200 "), "an unsolicited 100 goes nowhere");
    }
}

#[test]
fn an_unsolicited_100_and_an_uncalled_switch_do_not_pass() {
    let upstream = Upstream::bind();
    let (_proxy, mut client, mut server, _) = between(simple(upstream.address()), &upstream, GET);
    server.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 502 "));
}

#[test]
fn an_early_response_reaches_a_client_that_still_sends() {
    let upstream = Upstream::bind();
    let request = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\nfirst";
    let (_proxy, mut client, mut server, _) = between(simple(upstream.address()), &upstream, request);
    assert_eq!(server.exactly(5), b"first");
    server.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\nconnection: close\r\n\r\nlots");
    let (head, content) = client.response();
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(content, "lots");
    assert_eq!(field(&head, "connection"), Some("close"), "what follows is no request");
    assert!(client.is_closed());
}

/// How much a sender can write before nobody takes any more.
fn written_until_stuck(peer: &mut Peer, piece: &[u8], most: usize) -> usize {
    peer.stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let mut written = 0;
    while written < most {
        match peer.stream.write(piece) {
            Ok(n) => written += n,
            Err(_) => break,
        }
    }
    peer.stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    written
}

/// More than the kernel buffers of two connections over loopback and the proxy take.
const ALL: usize = 64 * 1024 * 1024;

#[test]
fn a_client_that_does_not_read_stops_the_upstream() {
    let upstream = Upstream::bind();
    let (_proxy, mut client, mut server, _) = between(simple(upstream.address()), &upstream, GET);
    server.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {ALL}\r\n\r\n"));
    let piece = vec![b'x'; 64 * 1024];
    let written = written_until_stuck(&mut server, &piece, ALL);
    assert!(written < ALL / 2, "took {written} of {ALL} bytes for a client that reads none");
    let writer = std::thread::spawn(move || {
        let mut left = ALL - written;
        while left > 0 {
            let n = left.min(piece.len());
            server.send(&piece[..n]);
            left -= n;
        }
        server
    });
    client.head();
    assert_eq!(count(&mut client, ALL), ALL);
    writer.join().expect("all written");
}

#[test]
fn an_upstream_that_does_not_read_stops_the_client() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = None;
    let request = format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {ALL}\r\n\r\n");
    let (_proxy, mut client, mut server, _) = between(config, &upstream, &request);
    let piece = vec![b'x'; 64 * 1024];
    let written = written_until_stuck(&mut client, &piece, ALL);
    assert!(written < ALL / 2, "took {written} of {ALL} bytes for an upstream that reads none");
    let reader = std::thread::spawn(move || {
        assert_eq!(count(&mut server, ALL), ALL);
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        server
    });
    let mut left = ALL - written;
    while left > 0 {
        let n = left.min(piece.len());
        client.send(&piece[..n]);
        left -= n;
    }
    assert!(client.head().starts_with("HTTP/1.1 200 "));
    reader.join().expect("all read");
}

/// Reads this much content and forgets it.
fn count(peer: &mut Peer, most: usize) -> usize {
    let mut buffer = vec![0; 256 * 1024];
    let mut read = std::mem::take(&mut peer.rest).len();
    while read < most {
        match peer.stream.read(&mut buffer).expect("content") {
            0 => break,
            n => read += n,
        }
    }
    read
}

/// Physical memory of this process, which the proxy runs in.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = pages.split(' ').nth(1).expect("resident").parse().expect("a number");
    pages * 4096
}

/// Sends `size` bytes each way at the same time.
fn carry_both_ways(size: usize) {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = None;
    let request = format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {size}\r\n\r\n");
    let (_proxy, mut client, mut server, _) = between(config, &upstream, &request);
    let piece = vec![b'x'; 256 * 1024];
    let twin = |peer: &Peer| Peer { stream: peer.stream.try_clone().expect("a socket"), rest: Vec::new() };
    let (mut upload, mut download) = (twin(&client), twin(&server));
    let pieces = size / piece.len();
    let write = move |peer: &mut Peer, pieces: usize| {
        for _ in 0..pieces {
            peer.send(&piece);
        }
    };
    let uploading = std::thread::spawn({
        let write = write.clone();
        move || write(&mut upload, pieces)
    });
    let (all_came, came) = std::sync::mpsc::channel();
    let downloading = std::thread::spawn(move || {
        download.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n"));
        write(&mut download, pieces - 1);
        // A response that is complete before the request ends the exchange, and the upload with it.
        came.recv().expect("the upload came");
        write(&mut download, 1);
    });
    let receiving = std::thread::spawn(move || {
        assert_eq!(count(&mut server, size), size);
        all_came.send(()).expect("somebody waits");
        server
    });
    client.head();
    assert_eq!(count(&mut client, size), size);
    uploading.join().expect("sent");
    downloading.join().expect("sent");
    receiving.join().expect("received");
}

#[test]
fn large_bodies_stream_both_ways_at_once() {
    carry_both_ways(64 * 1024 * 1024);
}

#[test]
#[ignore = "a gibibyte each way: for release builds"]
fn a_gibibyte_each_way_takes_no_memory() {
    carry_both_ways(16 * 1024 * 1024);
    let before = resident();
    carry_both_ways(1024 * 1024 * 1024);
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 * 1024 * 1024, "grew by {grown} bytes");
}
