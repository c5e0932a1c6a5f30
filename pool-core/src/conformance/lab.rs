//! One case's surroundings: clients over the harness's runtime, requests in one line, and the check
//! that nothing is left over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as _;

use super::content::Content;
use super::tap::{Counters, Manner, Tap};
use super::turns::{either, yield_now};
use super::{Harness, PATIENCE};
use crate::client::{Body, Breakers, Builder, Client, ConnectionInfo, Error, Snapshot};
use crate::config::{Multiplexing, PoolConfig, PoolConfigBuilder};
use crate::limits::{Limits, Thresholds};
use crate::runtime::Runtime;

pub(super) type LabConnector<H> = Tap<<H as Harness>::Connector>;
pub(super) type LabClient<H> = Client<<H as Harness>::Runtime, LabConnector<H>, Content>;
pub(super) type LabBody<H> = Body<<H as Harness>::Runtime, LabConnector<H>, Content>;
type LabBuilder<H> = Builder<<H as Harness>::Runtime, LabConnector<H>>;

/// What a case works with.
pub(super) struct Lab<H: Harness> {
    runtime: H::Runtime,
    connector: H::Connector,
    counters: Arc<Counters>,
}

/// Runs one case inside the harness's runtime, and fails it if it takes too long.
pub(super) fn run<H: Harness>(case: impl AsyncFnOnce(&Lab<H>)) {
    H::run(|runtime, connector| async move {
        let limit = runtime.clone();
        let lab = Lab { runtime, connector, counters: Arc::default() };
        // The watchdog goes first: a case that its wake-up helps along hangs without it.
        either(case(&lab), async {
            limit.sleep(limit.now() + PATIENCE * 3).await;
            panic!("the case hangs");
        })
        .await;
    });
}

/// A response with its content.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) info: ConnectionInfo,
}

impl<H: Harness> Lab<H> {
    /// A client with defaults.
    pub(super) fn client(&self) -> LabClient<H> {
        self.client_with(Manner::Plain, |builder| builder)
    }

    /// A client whose pools are set up by `pool`.
    pub(super) fn client_of(
        &self,
        pool: impl FnOnce(PoolConfigBuilder) -> PoolConfigBuilder,
    ) -> LabClient<H> {
        let config = pool(PoolConfig::builder(Multiplexing::Exclusive)).build().expect("settings in range");
        self.client_with(Manner::Plain, |builder| builder.pool(config))
    }

    /// A client under breakers.
    pub(super) fn client_within(&self, thresholds: Thresholds) -> LabClient<H> {
        self.client_with(Manner::Plain, |builder| builder.breakers(breakers(thresholds)))
    }

    pub(super) fn client_with(
        &self,
        manner: Manner,
        build: impl FnOnce(LabBuilder<H>) -> LabBuilder<H>,
    ) -> LabClient<H> {
        let tap = Tap::new(self.connector.clone(), manner, self.counters.clone());
        build(Builder::new(self.runtime.clone(), tap).seed(7)).build()
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn share_counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Time since the runtime's epoch.
    pub(super) fn now(&self) -> crate::time::Instant {
        self.runtime.now()
    }

    /// Lets the other tasks run until the pools look as they should.
    pub(super) async fn until(&self, client: &LabClient<H>, seen: impl Fn(&Snapshot) -> bool) {
        while !seen(&client.snapshot()) {
            yield_now().await;
        }
    }

    /// Lets the other tasks run until `count` connections are left.
    pub(super) async fn until_connections(&self, client: &LabClient<H>, count: u64) {
        self.until(client, |snapshot| snapshot.totals().connections == count).await;
    }

    /// Lets the other tasks run until every socket and attempt was dropped.
    pub(super) async fn until_sockets_are_gone(&self) {
        while self.counters.open() > 0 {
            yield_now().await;
        }
    }

    /// Nothing is in progress, every gauge says so, and nothing is left once the client is closed.
    pub(super) async fn finish(&self, client: &LabClient<H>) {
        assert_quiet(&client.snapshot());
        client.close().await;
        let left = client.snapshot();
        assert_eq!(left.totals(), crate::client::Totals::default(), "after close");
        assert!(left.pools.is_empty(), "after close: {left:?}");
        // An attempt that is being polled by the background task at this moment is dropped behind it.
        self.until_sockets_are_gone().await;
    }
}

/// No exchange, no waiter, and breakers that agree.
#[track_caller]
pub(super) fn assert_quiet(snapshot: &Snapshot) {
    let totals = snapshot.totals();
    assert_eq!((totals.active, totals.pending), (0, 0), "{snapshot:?}");
    for pool in &snapshot.pools {
        assert_eq!(pool.pending_breaker.current, 0, "{pool:?}");
        assert_eq!(pool.requests_breaker.current, 0, "{pool:?}");
        assert!(pool.waiters.is_empty(), "{pool:?}");
        assert_eq!(pool.stats.ignored_facts, 0, "facts that the pool did not expect: {pool:?}");
    }
}

pub(super) fn breakers(thresholds: Thresholds) -> Breakers {
    Breakers::new(Limits::both(thresholds))
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn request(method: Method, url: &str, content: Content) -> Request<Content> {
    Request::builder().method(method).uri(url).body(content).expect("a request")
}

pub(super) fn get(url: &str) -> Request<Content> {
    request(Method::GET, url, Content::empty())
}

pub(super) fn post(url: &str, content: Content) -> Request<Content> {
    request(Method::POST, url, content)
}

/// Calls, and reads all of the response.
pub(super) async fn fetch<H: Harness>(
    client: &LabClient<H>,
    request: Request<Content>,
) -> Result<Got, Error> {
    read_all::<H>(client.call(request).await?).await
}

/// As [`fetch`], for calls that have to succeed.
pub(super) async fn expect<H: Harness>(client: &LabClient<H>, request: Request<Content>) -> Got {
    match fetch::<H>(client, request).await {
        Ok(got) => got,
        Err(error) => panic!("the call failed: {error}"),
    }
}

/// As [`fetch`], for calls that have to fail.
pub(super) async fn expect_error<H: Harness>(client: &LabClient<H>, request: Request<Content>) -> Error {
    match fetch::<H>(client, request).await {
        Ok(got) => panic!("the call succeeded: {got:?}"),
        Err(error) => error,
    }
}

/// The connection that a response came on.
pub(super) fn info_of<B>(response: &Response<B>) -> ConnectionInfo {
    *response.extensions().get::<ConnectionInfo>().expect("every response tells its connection")
}

/// Reads all of a response.
pub(super) async fn read_all<H: Harness>(response: Response<LabBody<H>>) -> Result<Got, Error> {
    let info = info_of(&response);
    let (head, mut content) = response.into_parts();
    let (mut body, mut trailers) = (Vec::new(), None);
    while let Some(frame) = next_frame::<H>(&mut content).await {
        match frame? {
            Piece::Data(data) => body.extend_from_slice(&data),
            Piece::Trailers(fields) => trailers = Some(fields),
        }
    }
    assert!(content.is_end_stream(), "a body that was read says so");
    Ok(Got { status: head.status, headers: head.headers, body, trailers, info })
}

pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// The next piece of a response body.
pub(super) async fn next_frame<H: Harness>(body: &mut LabBody<H>) -> Option<Result<Piece, Error>> {
    let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await?;
    Some(frame.map(|frame| match frame.into_data() {
        Ok(data) => Piece::Data(data),
        Err(frame) => Piece::Trailers(frame.into_trailers().unwrap_or_default()),
    }))
}
