//! Connections and processes: what ends with what, and what does not.
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

mod support;

use std::io::Write;
use std::sync::mpsc::channel;

use pool_core::limits::{Limits, Thresholds};
use pool_proxy::config::model::{Discovery, Dns, DnsLookupFamily};
use std::time::Duration;
use support::config::simple;
use support::socket::{PATIENCE, field};
use support::{Peer, Proxy, Upstream};

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn asked(proxy: &Proxy, upstream: &Upstream) -> (Peer, Peer) {
    let mut client = proxy.connect();
    client.send(GET);
    let mut server = upstream.accept();
    server.head();
    (client, server)
}

#[test]
fn the_end_of_one_connection_is_not_that_of_the_other() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let (mut client, mut server) = asked(&proxy, &upstream);
    server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    let (head, _) = client.response();
    assert_eq!(field(&head, "connection"), None, "the upstream's `close` is its own");
    assert!(server.is_closed(), "and is obeyed");

    client.send("GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    let mut server = upstream.accept();
    assert_eq!(field(&server.head(), "connection"), None, "the client's `close` is its own");
    server.send(OK);
    let (head, _) = client.response();
    assert_eq!(field(&head, "connection"), Some("close"));
    assert!(client.is_closed());

    let mut client = proxy.connect();
    client.send(GET);
    server.head();
    server.send(OK);
    assert_eq!(client.response().1, "ok", "the upstream connection has lived on");
}

#[test]
fn a_client_that_leaves_ends_its_upstream_request() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let (client, mut server) = asked(&proxy, &upstream);
    drop(client);
    assert!(server.is_closed(), "before the response");

    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nhalf");
    let mut server = upstream.accept();
    server.head();
    server.exactly(4);
    drop(client);
    assert!(server.is_closed(), "in the middle of the request");

    let (mut client, mut server) = asked(&proxy, &upstream);
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\nsome");
    client.head();
    drop(client);
    let piece = [0; 64 * 1024];
    let mut sent = 0;
    while let Ok(n) = server.stream.write(&piece) {
        sent += n;
        assert!(sent < 64 * 1024 * 1024, "in the middle of the response");
    }
}

#[test]
fn a_response_that_breaks_off_is_cut() {
    let upstream = Upstream::bind();
    for (head, part) in [
        ("content-length: 10", "half"),
        ("transfer-encoding: chunked", "4\r\nhalf\r\n"),
        ("transfer-encoding: chunked", "4\r\nhalf\r\nzz\r\n"),
    ] {
        let proxy = Proxy::start(simple(upstream.address()));
        let (mut client, mut server) = asked(&proxy, &upstream);
        server.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{part}"));
        if head.starts_with("content") || part.ends_with("zz\r\n") {
            drop(server);
        } else {
            // The client has a part of it already when it breaks off.
            client.until(part);
            drop(server);
            assert!(client.is_closed());
            continue;
        }
        let got = String::from_utf8(client.read_to_end()).expect("text");
        assert!(!got.ends_with("0\r\n\r\n"), "no end is made up: {got:?}");
        assert!(!got.contains("zz"), "and no fault is passed on: {got:?}");
    }
}

#[test]
fn workers_share_the_limit_exactly() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    config.clusters[0].limits = Limits::both(Thresholds::default().max_requests(3));
    let proxy = Proxy::with_workers(config, 2);
    // The system spreads connections over the workers; eight go to both with near certainty.
    let mut clients: Vec<Peer> = (0..8).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    // Those above the limit are answered while those below it wait for the upstream.
    let (sender, answered) = channel();
    for mut client in clients {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let (head, _) = client.response();
            // Nobody listens if the test has failed.
            let _ = sender.send(head[9..12].to_owned());
        });
    }
    // A request that is refused when its connection is there leaves that idle.
    let (sender, arrived) = channel();
    std::thread::spawn(move || {
        while let Some(mut server) = upstream.accept_another() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                if server.has_head() {
                    let _ = sender.send(server);
                }
            });
        }
    });
    for _ in 0..5 {
        assert_eq!(answered.recv_timeout(PATIENCE).expect("an answer"), "503");
    }
    for _ in 0..3 {
        arrived.recv_timeout(PATIENCE).expect("a request").send(OK);
        assert_eq!(answered.recv_timeout(PATIENCE).expect("an answer"), "200");
    }
}

#[test]
fn a_graceful_stop_serves_what_is_there_and_takes_no_more() {
    let upstream = Upstream::bind();
    let proxy = Proxy::with_workers(simple(upstream.address()), 2);
    let address = proxy.address();
    let mut idle = proxy.connect();
    idle.send(GET);
    let mut server = upstream.accept();
    server.head();
    server.send(OK);
    idle.response();
    let busy: Vec<(Peer, Peer)> = (0..4).map(|_| asked_again(&proxy, &upstream, &mut server)).collect();

    proxy.running().stop();
    assert!(idle.is_closed(), "nothing is in progress on it");
    while std::net::TcpStream::connect(address).is_ok() {}
    for (mut client, mut server) in busy {
        server.send(OK);
        let (head, content) = client.response();
        assert_eq!((field(&head, "connection"), content.as_str()), (Some("close"), "ok"));
        assert!(client.is_closed());
    }
    proxy.wait();
}

#[test]
fn a_graceful_stop_loses_nobody_who_was_let_in() {
    let upstream = Upstream::bind();
    let proxy = Proxy::with_workers(simple(upstream.address()), 2);
    std::thread::spawn(move || {
        while let Some(mut server) = upstream.accept_another() {
            std::thread::spawn(move || {
                while server.has_head() {
                    server.send(OK);
                }
            });
        }
    });
    let mut clients: Vec<Peer> = (0..200).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    proxy.running().stop();
    for client in &mut clients {
        assert_eq!(client.response().1, "ok");
    }
    proxy.wait();
}

/// Another request in progress; the connection that is idle upstream serves the first of them.
fn asked_again(proxy: &Proxy, upstream: &Upstream, idle: &mut Peer) -> (Peer, Peer) {
    let mut client = proxy.connect();
    client.send(GET);
    idle.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
    let mut byte = [0];
    if idle.stream.peek(&mut byte).is_ok_and(|n| n > 0) {
        idle.head();
        let twin = idle.stream.try_clone().expect("a socket");
        twin.set_read_timeout(Some(PATIENCE)).expect("a socket");
        return (client, Peer { stream: twin, rest: Vec::new() });
    }
    let mut server = upstream.accept();
    server.head();
    (client, server)
}

#[test]
fn a_second_stop_cuts() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let (mut client, _server) = asked(&proxy, &upstream);
    proxy.running().stop();
    proxy.running().stop();
    assert!(client.is_closed());
    proxy.wait();
}

#[test]
fn names_are_looked_up_before_anything_is_served() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    config.clusters[0].discovery = Discovery::LogicalDns(Dns {
        family: DnsLookupFamily::V4Only,
        refresh_rate: Duration::from_secs(5),
        failure_base: Duration::from_secs(5),
        failure_max: Duration::from_secs(5),
    });
    config.clusters[0].endpoints[0].host = "localhost".to_owned();
    let proxy = Proxy::start(config.clone());
    let (mut client, mut server) = asked(&proxy, &upstream);
    server.send(OK);
    assert_eq!(client.response().1, "ok");

    // RFC 6761 6.4: never resolves. The proxy starts all the same.
    config.clusters[0].endpoints[0].host = "name.invalid".to_owned();
    let proxy = Proxy::start(config);
    let (head, content) = proxy.get("/");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(content, "no healthy upstream");
}
