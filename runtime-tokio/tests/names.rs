//! Names are resolved, and every address of a name is tried.

use std::io::{Read, Write};
use std::net::TcpListener;

/// `localhost` may be `::1` first; the server listens on `127.0.0.1` only.
#[test]
#[expect(clippy::disallowed_methods, reason = "the server is a thread with a blocking socket")]
fn name_with_several_addresses_reaches_the_one_that_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("taken");
        String::from_utf8(head).expect("ASCII")
    });
    let executor =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    executor.block_on(async {
        let client = runtime_tokio::client().build();
        let request = http::Request::get(format!("http://localhost:{port}/")).body(runtime_tokio::empty());
        let response = client.call(request.expect("a request")).await.expect("a response");
        assert_eq!(response.status(), 204);
        client.close().await;
    });
    assert!(server.join().expect("the server").contains(&format!("host: localhost:{port}\r\n")));
}

/// A name that does not exist is a connect failure with the resolver's words.
#[test]
fn unknown_name_is_a_connect_failure() {
    let executor =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    executor.block_on(async {
        let client = runtime_tokio::client().retry(pool_core::exchange::RetryPolicy::NEVER).build();
        let request = http::Request::get("http://name.invalid/").body(runtime_tokio::empty());
        let error = client.call(request.expect("a request")).await.expect_err("an error");
        assert!(error.is_connect(), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "{error}");
    });
}
