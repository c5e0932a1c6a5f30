//! What `/clusters` says of a host after requests of every fate.
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use pool_proxy::config::model::{Admin, Bootstrap};
use support::config::{cluster, forwarding, retry, simple};
use support::socket::nobody;
use support::{Peer, Proxy, Upstream};

fn with_admin(mut config: Bootstrap) -> Bootstrap {
    config.admin = Some(Admin { address: SocketAddr::from(([127, 0, 0, 1], 0)), access_log: Vec::new() });
    config
}

/// `rq_success`, `rq_error`, `rq_timeout` and `rq_total` of a host, from the admin port.
fn results(proxy: &Proxy, host: SocketAddr) -> [u64; 4] {
    let mut admin = Peer::connect(proxy.running().admin_address().expect("an admin port"));
    admin.send("GET /clusters HTTP/1.1\r\nhost: admin\r\n\r\n");
    let (_, text) = admin.response();
    ["rq_success", "rq_error", "rq_timeout", "rq_total"].map(|name| {
        let start = format!("::{host}::{name}::");
        let value = text.lines().find_map(|line| line.split_once(&start));
        value.unwrap_or_else(|| panic!("{start} in {text}")).1.parse().expect("a number")
    })
}

#[test]
fn a_response_is_a_success_or_an_error_and_no_response_is_an_error() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(with_admin(simple(upstream.address())));
    let mut client = proxy.connect();
    let get = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    client.send(get);
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    client.response();
    assert_eq!(results(&proxy, upstream.address()), [1, 0, 0, 1]);

    client.send(get);
    server.head();
    server.send("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
    client.response();
    assert_eq!(results(&proxy, upstream.address()), [1, 1, 0, 2]);

    // Not repeated: it might have been acted on.
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n");
    server.head();
    drop(server);
    client.response();
    assert_eq!(results(&proxy, upstream.address()), [1, 2, 0, 3]);
}

#[test]
fn a_timeout_is_both_a_timeout_and_an_error() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = Some(Duration::from_millis(50));
    let proxy = Proxy::start(with_admin(config));
    let (head, _) = proxy.get("/");
    assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
    assert_eq!(results(&proxy, upstream.address()), [0, 1, 1, 1]);
}

#[test]
fn every_attempt_that_could_not_connect_is_an_error_of_its_host() {
    let (upstream, away) = (Upstream::bind(), nobody());
    let mut config = simple(away);
    config.clusters = vec![cluster(&[away, upstream.address()])];
    forwarding(&mut config).retry = Some(retry(1));
    let proxy = Proxy::start(with_admin(config));
    let mut server = None;
    // Round robin: at least one of two goes to the host that is away first, and then to the other.
    for _ in 0..2 {
        let mut client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
        let server = server.get_or_insert_with(|| upstream.accept());
        server.head();
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        client.response();
    }
    let [success, error, ..] = results(&proxy, away);
    assert_eq!((success, error > 0), (0, true));
    assert_eq!(results(&proxy, upstream.address()), [2, 0, 0, 2]);
}
