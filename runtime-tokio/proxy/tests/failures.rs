//! What clients are told when there is no response to pass on: status, content, fields.
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

mod support;

use std::time::Duration;

use http::StatusCode;
use pool_core::config::PoolConfig;
use pool_core::limits::{Limits, Thresholds};
use pool_proxy::config::model::{Bootstrap, PathMatch, Route, RouteAction, RouteMatch};
use support::config::{cluster, forward, forwarding, http, listener, retry, route, simple};
use support::socket::{field, nobody};
use support::{Peer, Proxy, Upstream};

const BASE: &str = "upstream connect error or disconnect/reset before headers. ";

/// What a client of this configuration gets, while `upstream` does its part.
fn answer(config: Bootstrap, request: &str, upstream: impl FnOnce()) -> (String, String) {
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(request);
    upstream();
    client.response()
}

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

fn status(head: &str) -> &str {
    head.split(' ').nth(1).expect("a status")
}

#[test]
fn no_route() {
    let mut config = simple(nobody());
    http(&mut config).routes.virtual_hosts[0].domains = vec!["other.test".to_owned()];
    let (head, content) = answer(config, GET, || {});
    assert_eq!((status(&head), content.as_str()), ("404", ""));
    assert_eq!(field(&head, "content-type"), None);
    assert_eq!(field(&head, "server"), Some("envoy"));
    assert!(field(&head, "date").is_some());
}

#[test]
fn no_host() {
    let mut config = simple(nobody());
    config.clusters[0].endpoints.clear();
    let (head, content) = answer(config, GET, || {});
    assert_eq!((status(&head), content.as_str()), ("503", "no healthy upstream"));
    assert_eq!(field(&head, "content-type"), Some("text/plain"));
}

#[test]
fn connection_refused() {
    let (head, content) = answer(simple(nobody()), GET, || {});
    let expected = format!(
        "{BASE}reset reason: remote connection failure, \
         transport failure reason: delayed connect error: Connection refused"
    );
    assert_eq!((status(&head), content), ("503", expected));
    assert_eq!(field(&head, "x-envoy-overloaded"), None);
}

#[test]
fn connection_refused_after_retries() {
    let mut config = simple(nobody());
    forwarding(&mut config).retry = Some(retry(2));
    http(&mut config).routes.virtual_hosts[0].include_attempt_count_in_response = true;
    let (head, content) = answer(config, GET, || {});
    let expected = format!("{BASE}retried and the latest reset reason: remote connection failure");
    assert!(content.starts_with(&expected), "{content}");
    assert_eq!(field(&head, "x-envoy-attempt-count"), Some("3"));
}

#[test]
fn a_retry_chooses_another_host() {
    let upstream = Upstream::bind();
    let mut config = simple(nobody());
    config.clusters = vec![cluster(&[nobody(), upstream.address()])];
    forwarding(&mut config).retry = Some(retry(1));
    let proxy = Proxy::start(config);
    for n in 0..4 {
        let mut client = proxy.connect();
        client.send(GET);
        if n == 0 {
            let mut server = upstream.accept();
            std::thread::spawn(move || {
                for _ in 0..4 {
                    server.head();
                    server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                }
            });
        }
        assert_eq!(status(&client.response().0), "200", "whichever host was first");
    }
}

#[test]
fn connect_timeout() {
    // Nobody takes connections from this queue, and when it is full none is made.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    full.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    full.listen(0).expect("a listener");
    let address = full.local_addr().expect("an address").as_socket().expect("of IP");
    let fill = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100));
    let filling: Vec<_> = (0..64).map_while(|_| fill().ok()).collect();
    assert!(filling.len() < 64, "the queue takes all");
    let mut config = simple(address);
    let pool = PoolConfig::default().to_builder().connect_timeout(Duration::from_millis(50));
    config.clusters[0].pool = pool.build().expect("valid");
    let (head, content) = answer(config, GET, || {});
    assert_eq!((status(&head), content), ("503", format!("{BASE}reset reason: connection timeout")));
}

#[test]
fn closed_before_the_response() {
    let upstream = Upstream::bind();
    for sent in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let (head, content) = answer(simple(upstream.address()), GET, || {
            let mut server = upstream.accept();
            server.head();
            server.send(sent);
        });
        assert_eq!((status(&head), content), ("503", format!("{BASE}reset reason: connection termination")));
    }
}

#[test]
fn not_http() {
    let upstream = Upstream::bind();
    for sent in
        ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"]
    {
        let (head, content) = answer(simple(upstream.address()), GET, || {
            let mut server = upstream.accept();
            server.head();
            server.send(sent);
        });
        assert_eq!((status(&head), content), ("502", format!("{BASE}reset reason: protocol error")));
    }
}

#[test]
fn breakers_overflow() {
    for (thresholds, name) in [
        (Thresholds::default().max_requests(1), "max_requests"),
        (Thresholds::default().max_connections(1).max_pending_requests(0), "max_pending_requests"),
    ] {
        let upstream = Upstream::bind();
        let mut config = simple(upstream.address());
        config.clusters[0].limits = Limits::both(thresholds);
        let proxy = Proxy::start(config);
        // What the only seat is for. With `max_pending_requests: 0` it may not wait for a connection.
        let mut first = proxy.connect();
        first.send(GET);
        if name == "max_requests" {
            let mut server = upstream.accept();
            server.head();
            let (head, content) = proxy.get("/");
            assert_overflow(&head, &content, name);
            server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            assert_eq!(status(&first.response().0), "200");
        } else {
            let (head, content) = first.response();
            assert_overflow(&head, &content, name);
        }
    }
}

fn assert_overflow(head: &str, content: &str, name: &str) {
    assert_eq!((status(head), content), ("503", format!("{BASE}reset reason: overflow").as_str()), "{name}");
    assert_eq!(field(head, "x-envoy-overloaded"), Some("true"), "{name}");
}

#[test]
fn pools_overflow_is_no_host() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    config.clusters[0].limits = Limits::both(Thresholds::default().max_connection_pools(0));
    let (head, content) = answer(config, GET, || {});
    assert_eq!((status(&head), content.as_str()), ("503", "no healthy upstream"));
}

#[test]
fn a_local_reply_to_head_has_no_content() {
    let proxy = Proxy::start(simple(nobody()));
    let mut client = proxy.connect();
    client.send("HEAD / HTTP/1.1\r\nhost: h\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\n\r\n");
    let head = client.head();
    assert_eq!(status(&head), "503");
    assert!(field(&head, "content-length").expect("told").parse::<u32>().expect("a number") > 0);
    assert_eq!(status(&client.head()), "503", "the next response follows at once");
}

#[test]
fn direct_responses() {
    let direct = |prefix: &str, status, body: &str| Route {
        name: String::new(),
        matches: RouteMatch { path: PathMatch::Prefix(prefix.to_owned()), case_sensitive: true },
        action: RouteAction::Direct { status, body: body.to_owned() },
    };
    let mut config = simple(nobody());
    config.listeners = vec![listener(vec![
        direct("/teapot", StatusCode::IM_A_TEAPOT, "short and stout"),
        direct("/empty", StatusCode::NO_CONTENT, ""),
        route("/", forward(0)),
    ])];
    let proxy = Proxy::start(config);
    let (head, content) = proxy.get("/teapot/x");
    assert_eq!((status(&head), content.as_str()), ("418", "short and stout"));
    assert_eq!(field(&head, "content-type"), Some("text/plain"));
    let (head, content) = proxy.get("/empty");
    assert_eq!((status(&head), content.as_str()), ("204", ""));
    assert_eq!(field(&head, "content-length"), None);
}

#[test]
fn http_10_is_refused_or_served_as_configured() {
    let refused = answer(simple(nobody()), "GET / HTTP/1.0\r\nhost: h\r\n\r\n", || {});
    assert_eq!(status(&refused.0), "426");

    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).accept_http_10 = true;
    let (head, _) = answer(config.clone(), "GET / HTTP/1.0\r\n\r\n", || {});
    assert_eq!(status(&head), "400", "no host");

    http(&mut config).default_host_for_http_10 = Some(http::HeaderValue::from_static("default.test"));
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let mut server: Peer = upstream.accept();
    let asked = server.head();
    assert!(asked.starts_with("GET / HTTP/1.1\r\n"), "{asked}");
    assert_eq!(field(&asked, "host"), Some("default.test"));
    // Without a length: towards HTTP/1.0 the end of the connection is the end of the content.
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let head = client.head();
    assert_eq!(field(&head, "transfer-encoding"), None, "{head}");
    assert_eq!(client.read_to_end(), b"abc");
}
