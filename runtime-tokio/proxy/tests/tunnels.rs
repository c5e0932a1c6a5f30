//! Upgrades: refused, answered, and carried.

mod support;

use std::time::Duration;

use support::config::{http, simple};
use support::socket::field;
use support::{Peer, Proxy, Upstream};

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nhost: h\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// A proxy that allows websockets, and a client and an upstream that speak through it.
fn tunnel(idle: Option<Duration>) -> (Proxy, Upstream, Peer, Peer) {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).upgrades = vec!["websocket".to_owned()];
    http(&mut config).stream_idle_timeout = idle;
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(UPGRADE);
    let mut server = upstream.accept();
    let head = server.head();
    assert_eq!(
        (field(&head, "upgrade"), field(&head, "connection")),
        (Some("WebSocket"), Some("upgrade")),
        "{head}"
    );
    // The first bytes of the other protocol come with the head.
    server.send(format!("{SWITCHED}hello"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(
        (field(&head, "upgrade"), field(&head, "connection")),
        (Some("websocket"), Some("upgrade")),
        "{head}"
    );
    assert_eq!(client.exactly(5), b"hello");
    (proxy, upstream, client, server)
}

#[test]
fn upgrades_that_are_not_configured_are_refused() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    for request in [UPGRADE, "CONNECT h:80 HTTP/1.1\r\nhost: h:80\r\n\r\n"] {
        let mut client = proxy.connect();
        client.send(format!("{request}GET / HTTP/1.1\r\nhost: smuggled\r\n\r\n"));
        let (head, content) = client.response();
        assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
        assert_eq!(content, "");
        assert_eq!(field(&head, "connection"), Some("close"));
        assert!(client.is_closed(), "what follows is not read as a request");
    }
    assert!(!upstream.has_connection());
}

#[test]
fn a_tunnel_carries_both_ways_and_each_side_may_end_first() {
    let (_proxy, _upstream, mut client, mut server) = tunnel(None);
    for _ in 0..3 {
        client.send("ping");
        assert_eq!(server.exactly(4), b"ping");
        server.send("pong!");
        assert_eq!(client.exactly(5), b"pong!");
    }
    client.finish();
    assert!(server.is_closed(), "the end of one direction is passed on");
    server.send("still here");
    assert_eq!(client.exactly(10), b"still here");
    drop(server);
    assert!(client.is_closed());

    let (_proxy, _upstream, mut client, server) = tunnel(None);
    server.finish();
    assert!(client.is_closed());
}

#[test]
fn a_tunnel_on_which_nothing_happens_ends() {
    let (_proxy, _upstream, mut client, mut server) = tunnel(Some(Duration::from_millis(200)));
    client.send("ping");
    assert_eq!(server.exactly(4), b"ping");
    assert!(client.is_closed());
    assert!(server.is_closed());
}

#[test]
fn an_upgrade_may_be_answered_with_an_ordinary_response() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).upgrades = vec!["websocket".to_owned()];
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(UPGRADE);
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 200 OK\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\nno");
    let (head, content) = client.response();
    assert_eq!((field(&head, "upgrade"), content.as_str()), (None, "no"), "{head}");
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    server.head();
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.response().1, "ok", "both connections live on");
}

#[test]
fn a_tunnel_does_not_buffer_without_bound() {
    use std::io::Write;
    let (_proxy, _upstream, mut client, mut server) = tunnel(None);
    client.stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let piece = [b'x'; 64 * 1024];
    let mut written = 0;
    while let Ok(n) = client.stream.write(&piece) {
        written += n;
        assert!(written < 64 * 1024 * 1024, "the proxy takes all");
    }
    assert_eq!(server.exactly(written).len(), written, "and all of it arrives");
}
