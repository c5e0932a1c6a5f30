//! Connections that are kept alive and die together, without a word: a request survives them, however
//! many there are, as long as its server takes new connections.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http::{Method, Request};
use http_body_util::BodyExt;
use pool_core::client::{Builder, Client, ConnectionInfo};
use pool_core::error::Verdict;
use pool_core::runtime::{Connect, Io, Target};
use runtime_tokio::Tokio;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server in memory: it answers when it is told to, and its connections can go dead.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    connections: usize,
    dead: BTreeSet<usize>,
    answers: bool,
    waiting: Vec<Waker>,
}

impl Server {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers what was asked, and whatever will be asked.
    fn answer(&self) {
        let mut inner = self.lock();
        inner.answers = true;
        inner.waiting.drain(..).for_each(Waker::wake);
    }

    /// From now on every connection that is open fails at a write, and not before.
    fn kill_all(&self) {
        let mut inner = self.lock();
        inner.dead = (0..inner.connections).collect();
    }
}

struct Connection {
    server: Server,
    number: usize,
    asked: bool,
}

impl Connect for Server {
    type Io = Connection;
    type Future = Ready<io::Result<Connection>>;

    fn connect(&self, _: &Target) -> Self::Future {
        let number = self.lock().connections;
        self.lock().connections += 1;
        ready(Ok(Connection { server: self.clone(), number, asked: false }))
    }
}

impl Io for Connection {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.server.lock();
        if self.asked && inner.answers && !inner.dead.contains(&self.number) {
            self.asked = false;
            into[..ANSWER.len()].copy_from_slice(ANSWER);
            return Poll::Ready(Ok(ANSWER.len()));
        }
        inner.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.server.lock().dead.contains(&self.number) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        self.asked = true;
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Fetcher = Client<Tokio, Server, http_body_util::Empty<bytes::Bytes>>;

async fn fetch(client: Fetcher, method: Method) -> Result<ConnectionInfo, pool_core::client::Error> {
    let request = Request::builder().method(method).uri("http://origin.test/");
    let request = request.body(http_body_util::Empty::new()).expect("a request of fixed parts");
    let response = client.call(request).await?;
    let info = *response.extensions().get::<ConnectionInfo>().expect("its connection");
    response.into_body().collect().await?;
    Ok(info)
}

/// A client with this many idle connections, none of which is alive.
async fn with_dead_connections(count: usize) -> (Server, Fetcher) {
    let server = Server::default();
    let client: Fetcher = Builder::new(Tokio::new(), server.clone()).build();
    let calls: Vec<_> = (0..count).map(|_| tokio::spawn(fetch(client.clone(), Method::GET))).collect();
    while server.lock().connections < count {
        tokio::task::yield_now().await;
    }
    server.answer();
    for call in calls {
        call.await.expect("no panic").expect("an answer");
    }
    let [pool] = &client.snapshot().pools[..] else { panic!("one pool") };
    assert_eq!(pool.counts.ready as usize, count);
    server.kill_all();
    (server, client)
}

#[tokio::test]
async fn get_outlives_any_number_of_dead_connections() {
    for count in [1, 2, 3, 50] {
        let (server, client) = with_dead_connections(count).await;
        let info = fetch(client, Method::GET).await.expect("an answer");
        assert_eq!(usize::from(info.replays()), count.min(2));
        assert!(!info.is_reused());
        assert_eq!(server.lock().connections, count + 1);
    }
}

#[tokio::test]
async fn post_is_not_sent_a_second_time() {
    let (server, client) = with_dead_connections(3).await;
    let error = fetch(client, Method::POST).await.expect_err("a write failed");
    assert_eq!(error.verdict(), Verdict::NoResponseByte);
    assert_eq!(server.lock().connections, 3);
}
