//! Calls to clusters that are made again: after what, how often, and how many at a time.

use std::future::Future;
use std::pin::pin;

use http::Request;

use super::Harness;
use super::clusters::{POLICY, call, origin_form};
use super::connect::closed_port;
use super::content::Content;
use super::lab::run;
use super::peer::{OK, Peer};
use super::turns::poll_once;
use crate::client::{CallPolicy, Cluster, Host};
use crate::exchange::{RetryDenied, RetryOn, RetryPolicy};
use crate::limits::{Priority, Resource, Thresholds};

fn retrying(max_retries: u8, retry_on: RetryOn) -> CallPolicy {
    CallPolicy { retry: RetryPolicy { max_retries, retry_on, ..RetryPolicy::DEFAULT }, ..POLICY }
}

fn a_post() -> Request<Content> {
    let request = Request::post("/").header("host", "service.test").body(Content::full("content"));
    request.expect("a request")
}

/// When all retries are used up the error says so, with what the transport said last.
pub fn exhausted_retries_are_told<H: Harness>() {
    run::<H>(async |lab| {
        let closed = closed_port();
        let cluster = Cluster::builder("c").hosts([Host::new(closed.address())]).build();
        let client = lab.client();
        for retries in [2, 0] {
            let policy = retrying(retries, RetryOn::CONNECT_FAILURE);
            let Err(error) = call::<H>(&client, &cluster, &policy, origin_form("/")).await else {
                panic!("nobody listens")
            };
            assert!(error.is_connect(), "{error}");
            assert_eq!((error.retries(), error.retry_denied()), (retries, Some(RetryDenied::Exhausted)));
            let words = error.transport().map(std::io::Error::kind);
            assert_eq!(words, Some(std::io::ErrorKind::ConnectionRefused));
        }
        let unnamed = retrying(2, RetryOn::RESET);
        let Err(error) = call::<H>(&client, &cluster, &unnamed, origin_form("/")).await else {
            panic!("nobody listens")
        };
        assert_eq!((error.retries(), error.retry_denied()), (0, None));
        let stats = cluster.stats();
        assert_eq!((stats.rq_retry, stats.rq_retry_success), (2, 0));
        assert_eq!((stats.rq_retry_limit_exceeded, stats.rq_retry_overflow), (2, 0));
        assert_eq!((stats.pools.cx_connect_fail, stats.pools.rq_pending_failure_eject), (5, 5));
        lab.finish(&client).await;
    });
}

/// A retry takes a seat for as long as it lasts; without one the failure stands.
pub fn retry_breaker_limits_retries<H: Harness>() {
    run::<H>(async |lab| {
        let closed = closed_port();
        let limits = Thresholds::default().max_retries(1);
        let cluster = Cluster::builder("c").limits(limits).hosts([Host::new(closed.address())]).build();
        let client = lab.client();
        let hour = std::time::Duration::from_secs(3600);
        let mut patient = retrying(1, RetryOn::CONNECT_FAILURE);
        (patient.retry.base_interval, patient.retry.max_interval) = (hour, hour);
        let gauge = || cluster.breaker(Priority::Default, Resource::Retries).current;
        {
            let mut backing_off = pin!(call::<H>(&client, &cluster, &patient, origin_form("/")));
            while gauge() == 0 {
                assert!(poll_once(backing_off.as_mut()).await.is_pending());
                super::turns::yield_now().await;
            }
            let policy = retrying(1, RetryOn::CONNECT_FAILURE);
            let Err(error) = call::<H>(&client, &cluster, &policy, origin_form("/")).await else {
                panic!("nobody listens")
            };
            assert_eq!((error.retries(), error.retry_denied()), (0, Some(RetryDenied::Overflow)));
            assert!(error.is_connect(), "the failure stands: {error}");
        }
        assert_eq!(gauge(), 0, "a retry that was given up gives its seat back");
        let stats = cluster.stats();
        assert_eq!((stats.rq_retry, stats.rq_retry_overflow, stats.rq_retry_limit_exceeded), (1, 1, 0));
        lab.finish(&client).await;
    });
}

/// With `reset` named, a request whose connection breaks goes to another host, content and all. The seat
/// of the retry is given back with the response.
pub fn reset_goes_to_another_host<H: Harness>() {
    run::<H>(async |lab| {
        let breaks = Peer::serve(|door| {
            let mut session = door.accept();
            assert_eq!(session.expect_request().body, b"content");
        });
        let serves = Peer::serve(|door| {
            let mut session = door.accept();
            for _ in 0..2 {
                assert_eq!(session.expect_request().body, b"content");
                session.write(OK);
            }
            session.expect_end();
        });
        let hosts = [Host::new(breaks.address()), Host::new(serves.address())];
        let cluster = Cluster::builder("c").hosts(hosts).build();
        let client = lab.client();
        // By its second turn the first host may no longer listen.
        let policy = retrying(1, RetryOn::RESET.union(RetryOn::CONNECT_FAILURE));
        let mut retries = 0;
        for _ in 0..2 {
            let mut call = client.call_cluster(&cluster, &policy, a_post());
            let response = (&mut call).await.expect("a response");
            assert_eq!(call.info().host().and_then(|host| host.address()), Some(serves.address()));
            retries += call.info().retries();
            assert_eq!(cluster.breaker(Priority::Default, Resource::Retries).current, 0);
            drop(response);
        }
        assert!(retries > 0, "the hosts take turns");
        let (stats, retries) = (cluster.stats(), u64::from(retries));
        assert_eq!((stats.rq_retry, stats.rq_retry_success), (retries, retries));
        lab.finish(&client).await;
        breaks.done().await;
        serves.done().await;
    });
}

/// Without it the caller is told: the peer may have acted on the request.
pub fn reset_is_not_retried_unasked<H: Harness>() {
    run::<H>(async |lab| {
        let breaks = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
        });
        let cluster = Cluster::builder("c").hosts([Host::new(breaks.address())]).build();
        let client = lab.client();
        let Err(error) = call::<H>(&client, &cluster, &POLICY, a_post()).await else { panic!("it breaks") };
        assert!(error.is_cut_off() && !error.is_connect() && !error.is_protocol_error(), "{error}");
        assert_eq!((error.retries(), error.retry_denied()), (0, None));
        lab.finish(&client).await;
        breaks.done().await;
    });
}

/// A body beyond the policy's limit cannot be sent again, and one within it is replayed to the same host
/// before any retry.
pub fn replay_limit_is_the_policys<H: Harness>() {
    async fn twice<H: Harness, F: Future<Output = ()>>(
        lab: &super::lab::Lab<H>,
        replay_limit: usize,
        expected: impl FnOnce(Result<super::clusters::Got, crate::client::Error>) -> F,
    ) {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_request();
            drop(session);
            while let Some(mut session) = door.accept_or_stop() {
                if session.request().is_some() {
                    session.write(OK);
                    session.expect_end();
                }
            }
        });
        let cluster = Cluster::builder("c").hosts([Host::new(peer.address())]).build();
        let client = lab.client();
        let policy = CallPolicy { replay_limit, ..POLICY };
        let put = || {
            let request = Request::put("/").header("host", "service.test");
            request.body(Content::full("content")).expect("a request")
        };
        call::<H>(&client, &cluster, &policy, put()).await.expect("a response");
        expected(call::<H>(&client, &cluster, &policy, put()).await).await;
        assert_eq!(cluster.stats().rq_retry, 0);
        lab.finish(&client).await;
        peer.stop().await;
    }
    run::<H>(async |lab| {
        twice(lab, 7, async |got: Result<_, _>| assert!(got.is_ok())).await;
        twice(lab, 6, async |got: Result<_, _>| assert!(got.is_err())).await;
    });
}
