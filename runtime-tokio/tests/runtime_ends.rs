//! A client outlives the runtime of its background task: nobody waits for what cannot come.
#![expect(clippy::disallowed_methods, reason = "a peer or a case on a thread of its own")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use pool_core::client::ErrorKind;

/// A request body whose end never comes.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        Poll::Pending
    }
}

type Client = runtime_tokio::Client<Endless>;

/// A client whose background task runs elsewhere, and the runtime that it runs on.
fn client_elsewhere() -> (Client, tokio::runtime::Runtime) {
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let client = {
        let _within = elsewhere.enter();
        runtime_tokio::client().build()
    };
    (client, elsewhere)
}

fn here(case: impl AsyncFnOnce()) {
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    here.block_on(async { tokio::time::timeout(Duration::from_secs(30), case()).await }).expect("no hang");
}

fn post(to: SocketAddr) -> http::Request<Endless> {
    http::Request::post(format!("http://{to}/")).body(Endless).expect("a request")
}

/// Answers a request head with `answer` and keeps the connection.
fn peer(answer: &'static [u8]) -> (SocketAddr, std::thread::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            head.push(byte[0]);
        }
        stream.write_all(answer).expect("written");
        stream
    });
    (address, thread)
}

#[test]
fn calls_fail_at_once_when_the_runtime_is_gone() {
    let (client, elsewhere) = client_elsewhere();
    let (address, thread) = peer(b"");
    here(async || {
        let running = client.call(post(address));
        let ended = async {
            let peer = tokio::task::spawn_blocking(|| thread.join()).await.expect("joined").expect("a peer");
            elsewhere.shutdown_background();
            peer
        };
        let (outcome, _peer) = tokio::join!(running, ended);
        assert!(outcome.is_err(), "nobody answered");
        let error = client.call(post(address)).await.expect_err("nobody connects");
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error}");
        client.close().await;
        assert_eq!(client.snapshot().totals(), pool_core::client::Totals::default());
    });
}

#[test]
fn response_that_the_background_task_reads_breaks_with_it() {
    let (client, elsewhere) = client_elsewhere();
    let (address, thread) = peer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    here(async || {
        let mut response = client.call(post(address)).await.expect("an early response");
        let _peer = thread.join().expect("a peer");
        let first = response.body_mut().frame().await.expect("a frame").expect("content");
        assert_eq!(first.into_data().expect("content"), "half");
        elsewhere.shutdown_background();
        assert!(response.body_mut().frame().await.expect("an outcome").is_err());
        drop(response);
        assert_eq!(client.snapshot().totals(), pool_core::client::Totals::default());
    });
}
