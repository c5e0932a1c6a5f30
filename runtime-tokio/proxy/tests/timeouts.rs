//! Timeouts of routes, and what of them is seen.
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

mod support;

use std::time::{Duration, Instant};

use support::config::{forwarding, http, retry, simple};
use support::{Proxy, Upstream};

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const SOON: Duration = Duration::from_millis(100);

fn starts(head: &str, status: &str) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
}

#[test]
fn a_route_times_out_before_the_response() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = Some(SOON);
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    // Twice: the timer of the connection serves every request.
    for _ in 0..2 {
        let asked = Instant::now();
        client.send(GET);
        let mut server = upstream.accept();
        server.head();
        let (head, content) = client.response();
        starts(&head, "504");
        assert_eq!(content, "upstream request timeout");
        assert!(asked.elapsed() >= SOON, "{:?}", asked.elapsed());
        assert!(server.is_closed(), "the upstream request was given up");
    }
}

#[test]
fn the_time_of_a_route_begins_when_the_request_is_complete() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = Some(SOON);
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\na");
    let mut server = upstream.accept();
    server.head();
    server.exactly(1);
    // Another request that times out meanwhile is the clock.
    let (head, _) = proxy.get("/");
    starts(&head, "504");
    let (head, _) = proxy.get("/");
    starts(&head, "504");
    client.send("b");
    server.exactly(1);
    let completed = Instant::now();
    let (head, _) = client.response();
    starts(&head, "504");
    assert!(completed.elapsed() >= SOON / 2, "not at once: {:?}", completed.elapsed());
}

#[test]
fn a_route_times_out_in_the_middle_of_the_response() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = Some(SOON);
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(GET);
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n");
    starts(&client.head(), "200");
    assert_eq!(client.read_to_end(), b"1\r\na\r\n", "no end is made up");
    assert!(server.is_closed());
}

#[test]
fn an_attempt_times_out() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    let mut policy = retry(3);
    policy.per_try_timeout = Some(SOON);
    forwarding(&mut config).retry = Some(policy);
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(GET);
    let mut server = upstream.accept();
    let head = server.head();
    assert_eq!(support::socket::field(&head, "x-envoy-expected-rq-timeout-ms"), Some("100"));
    let (head, content) = client.response();
    starts(&head, "504");
    assert_eq!(content, "upstream request timeout");
}

#[test]
fn answers_in_time_leave_no_timer_behind() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = Some(SOON);
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    let began = Instant::now();
    let mut server = None;
    // Longer than the timeout in all, each request in time.
    while began.elapsed() < 3 * SOON {
        client.send(GET);
        let server = server.get_or_insert_with(|| upstream.accept());
        server.head();
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        starts(&client.response().0, "200");
    }
}

#[test]
fn streams_that_nothing_happens_on_end() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).stream_idle_timeout = Some(SOON);
    forwarding(&mut config).timeout = None;
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(GET);
    let mut server = upstream.accept();
    server.head();
    let (head, content) = client.response();
    starts(&head, "504");
    assert_eq!(content, "stream timeout");
    assert!(server.is_closed(), "the upstream request was given up");

    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\na");
    let (head, _) = client.response();
    starts(&head, "408");
}

#[test]
fn a_route_may_have_another_idle_timeout() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).stream_idle_timeout = None;
    forwarding(&mut config).idle_timeout = Some(Some(SOON));
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(GET);
    let mut server = upstream.accept();
    server.head();
    starts(&client.response().0, "504");
}

#[test]
fn whole_requests_and_streams_have_limits() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).request_timeout = Some(SOON);
    let proxy = Proxy::start(config.clone());
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\na");
    let (head, content) = client.response();
    starts(&head, "408");
    assert_eq!(content, "request timeout");

    http(&mut config).request_timeout = None;
    http(&mut config).max_stream_duration = Some(SOON);
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(GET);
    starts(&client.response().0, "504");
}
