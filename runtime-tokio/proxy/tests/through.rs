//! Requests and responses through the proxy.

mod support;

use support::config::simple;
use support::socket::field;
use support::{Proxy, Upstream};

#[test]
fn a_request_goes_through_and_its_response_comes_back() {
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    let mut client = proxy.connect();
    let mut server = None;
    for n in 0..3 {
        client.send(format!("GET /path?q={n} HTTP/1.1\r\nhost: example.test\r\nx-mine: 1\r\n\r\n"));
        let server = server.get_or_insert_with(|| upstream.accept());
        let head = server.head();
        assert!(head.starts_with(&format!("GET /path?q={n} HTTP/1.1\r\n")), "{head}");
        assert_eq!(field(&head, "host"), Some("example.test"));
        assert_eq!(field(&head, "x-mine"), Some("1"));
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-its: 2\r\n\r\nhello");
        let (head, content) = client.response();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(field(&head, "x-its"), Some("2"));
        assert_eq!(content, "hello");
    }
    assert!(!upstream.has_connection(), "one connection served all");
}
