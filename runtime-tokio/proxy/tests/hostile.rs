//! Peers that try to get something past the proxy.

mod support;

use support::config::{http, simple};
use support::socket::{field, fields};
use support::{Proxy, Upstream};

#[test]
fn content_cannot_lose_its_frame_by_a_connection_option() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    for (framing, content) in [
        ("connection: content-length\r\ncontent-length: 5\r\n", "hello"),
        ("connection: transfer-encoding\r\ntransfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let mut client = proxy.connect();
        client.send(format!("POST / HTTP/1.1\r\nhost: h\r\n{framing}\r\n{content}"));
        let mut server = upstream.accept();
        let head = server.head();
        let framed = (field(&head, "content-length"), field(&head, "transfer-encoding"));
        match framed {
            (Some("5"), None) => assert_eq!(server.exactly(5), b"hello"),
            (None, Some("chunked")) => assert_eq!(server.until("0\r\n\r\n"), "5\r\nhello\r\n0\r\n\r\n"),
            _ => panic!("content without a frame: {head}"),
        }
        server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert!(client.response().0.starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_response_cannot_lose_its_frame_by_a_connection_option() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 200 OK\r\nconnection: content-length, date, server\r\ncontent-length: 2\r\n\r\nok");
    let (head, content) = client.response();
    assert_eq!(content, "ok", "{head}");
    assert_eq!((fields(&head, "date").len(), fields(&head, "server").len()), (1, 1), "{head}");
}

#[test]
fn an_upstream_cannot_switch_protocols_unasked() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nraw");
    let (head, content) = client.response();
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    assert!(content.ends_with("reset reason: protocol error"), "{content}");
    assert!(server.is_closed());
}

#[test]
fn a_second_upgrade_field_brings_no_other_protocol_along() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).upgrades = vec!["websocket".to_owned()];
    let proxy = Proxy::start(config);
    for two in [
        "upgrade: websocket\r\nupgrade: other\r\n",
        "upgrade: h2c\r\nupgrade: other\r\n",
        "upgrade: websocket, other\r\n",
    ] {
        let mut client = proxy.connect();
        client.send(format!("GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\n{two}\r\n"));
        let (head, _) = client.response();
        assert!(head.starts_with("HTTP/1.1 403 "), "{two}{head}");
        assert!(client.is_closed());
    }
    assert!(!upstream.has_connection());
}

#[test]
fn two_frames_are_none() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let both = "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    for request in [
        format!("POST / HTTP/1.1\r\nhost: h\r\n{both}"),
        "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_owned(),
        "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: h\r\nhost: g\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: h\r\nx : y\r\n\r\n".to_owned(),
    ] {
        let mut client = proxy.connect();
        client.send(format!("{request}GET /smuggled HTTP/1.1\r\nhost: h\r\n\r\n"));
        let (head, _) = client.response();
        assert!(head.starts_with("HTTP/1.1 400 ") || head.starts_with("HTTP/1.1 501 "), "{request}: {head}");
        assert_eq!(field(&head, "connection"), Some("close"), "{head}");
        assert!(client.is_closed());
    }
    assert!(!upstream.has_connection());
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut server = upstream.accept();
    server.head();
    server.send(format!("HTTP/1.1 200 OK\r\n{both}"));
    assert!(client.response().0.starts_with("HTTP/1.1 502 "));
    assert!(server.is_closed());
}

#[test]
fn bytes_after_a_response_end_its_connection() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let mut client = proxy.connect();
    client.send("GET /one HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut server = upstream.accept();
    server.head();
    let false_one = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfalse";
    server.send(format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok{false_one}"));
    assert_eq!(client.response().1, "ok");
    client.send("GET /two HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue");
    assert_eq!(client.response().1, "true");
}

#[test]
fn a_reply_to_head_has_no_content() {
    let upstream = support::socket::nobody();
    let proxy = Proxy::start(simple(upstream));
    let mut client = proxy.connect();
    client.send("HEAD / HTTP/1.1\r\nhost: h\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 503 "));
    client.send("HEAD / HTTP/1.1\r\nhost: h\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(field(&head, "content-type"), Some("text/plain"));
}
