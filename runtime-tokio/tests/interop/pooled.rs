//! The client under judgement.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use pool_core::client::{Breakers, Totals};
use pool_core::error::Verdict;
use pool_core::exchange::RetryPolicy;
use pool_core::pool::Stats;

use crate::load::{Caller, Failure};

/// The pooled client over tokio, as a user gets it without any setting.
#[derive(Clone)]
pub(crate) struct Pooled(runtime_tokio::Client<Full<Bytes>>);

impl Pooled {
    /// Made inside the runtime that its background task is to run on.
    pub(crate) fn new() -> Self {
        Self(runtime_tokio::client().build())
    }

    /// One that asks for a connection until the server is back, so that whatever it repeats does
    /// arrive: a request that must not be repeated shows.
    pub(crate) fn patient() -> Self {
        let policy = RetryPolicy {
            max_retries: 200,
            base_interval: Duration::from_millis(10),
            max_interval: Duration::from_millis(40),
            ..RetryPolicy::default()
        };
        Self(runtime_tokio::client().retry(policy).build())
    }

    /// One that shares its circuit breakers with others.
    pub(crate) fn with(breakers: &Breakers) -> Self {
        Self(runtime_tokio::client().breakers(breakers.clone()).build())
    }

    /// Every request has had its outcome: nothing is in progress, nothing waits, and every
    /// connection can be got rid of.
    pub(crate) async fn is_at_rest(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let Totals { active, pending, connections } = self.0.snapshot().totals();
            assert_eq!((active, pending), (0, 0));
            for pool in self.0.snapshot().pools {
                assert_eq!(pool.pending_breaker.current, 0, "{pool:?}");
                assert_eq!(pool.requests_breaker.current, 0, "{pool:?}");
            }
            if connections == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{:#?}", self.0.snapshot());
            // Attempts that nobody waits for any more become idle connections before they can go.
            self.0.retire(|_, _| true);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The counters with the most stale facts and protocol errors that were seen. Looked at while the
    /// load runs, because a pool without connections is forgotten.
    pub(crate) async fn worst_stats(self, is_over: Arc<AtomicBool>) -> Stats {
        let mut worst = Stats::default();
        while !is_over.load(Ordering::Relaxed) {
            let pools = self.0.snapshot().pools.into_iter().map(|pool| pool.stats);
            worst = pools
                .chain([worst])
                .max_by_key(|s| (s.ignored_facts, s.cx_protocol_error))
                .unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        worst
    }

    /// What the circuit breakers of the only pool count: connections, waiting requests, requests.
    pub(crate) fn breakers(&self) -> Vec<[u64; 3]> {
        let pools = self.0.snapshot().pools;
        pools
            .iter()
            .map(|pool| {
                [
                    pool.connections_breaker.current,
                    pool.pending_breaker.current,
                    pool.requests_breaker.current,
                ]
            })
            .collect()
    }
}

impl Caller for Pooled {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let fail =
            |error: pool_core::client::Error| Failure { verdict: error.verdict(), what: error.to_string() };
        let (head, body) = self.0.call(request.map(Full::new)).await.map_err(fail)?.into_parts();
        let body = body.collect().await.map_err(fail)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

/// Gives up every third request, after it was polled a few times: before it was asked for, while it
/// waits, while it is being sent, in the middle of the answer.
#[derive(Clone)]
pub(crate) struct Impatient<C>(pub(crate) C);

impl<C: Caller> Caller for Impatient<C> {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let id: usize = request.headers()["x-id"].to_str().expect("text").parse().expect("a number");
        let call = self.0.call(request);
        if id % 3 != 0 {
            return call.await;
        }
        let mut polls_left = id / 3 % 5;
        let mut call = pin!(call);
        let gave_up = Failure { verdict: Verdict::Unknown, what: "given up by its caller".to_owned() };
        std::future::poll_fn(|cx| {
            let polled = if polls_left == 0 { Poll::Pending } else { call.as_mut().poll(cx) };
            polls_left = polls_left.saturating_sub(1);
            match polled {
                Poll::Pending if polls_left == 0 => Poll::Ready(Err(gave_up.clone())),
                other => other,
            }
        })
        .await
    }
}
