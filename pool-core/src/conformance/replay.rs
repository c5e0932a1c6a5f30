//! Who is sent twice, and who is not (RFC 9110 9.2.2, RFC 9112 9.3.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;

use super::Harness;
use super::content::Content;
use super::lab::{expect, expect_error, get, post, request, run};
use super::peer::{OK, Peer};
use super::tap::Manner;
use crate::client::{ErrorKind, RemakeBody};
use crate::error::Verdict;
use crate::exchange::RetryPolicy;

/// How a peer ends a connection on which a request is waiting for its answer.
#[derive(Clone, Copy)]
enum Ending {
    /// The request was read: FIN.
    Close,
    /// The request was not read: RST.
    Reset,
}

/// Answers one request, ends the connection at the second one, and answers whatever comes on the
/// next connection.
fn stale(ending: Ending, again: impl FnOnce(super::peer::Received) + Send + 'static) -> Peer {
    Peer::serve(move |door| {
        let mut session = door.accept();
        session.expect_request();
        session.write(OK);
        match ending {
            Ending::Close => {
                session.expect_request();
                drop(session);
            }
            Ending::Reset => session.reset_with_unread_bytes(),
        }
        let mut session = door.accept();
        again(session.expect_request());
        session.write(OK);
        session.expect_end();
    })
}

/// A GET on a connection that the peer was closing is sent again on a new one.
pub fn idempotent_request_on_a_stale_connection_is_replayed<H: Harness>() {
    for ending in [Ending::Close, Ending::Reset] {
        run::<H>(async |lab| {
            let peer = stale(ending, |again| assert_eq!(again.line(), "GET /second HTTP/1.1"));
            let client = lab.client();
            expect::<H>(&client, get(&peer.url("/first"))).await;
            let got = expect::<H>(&client, get(&peer.url("/second"))).await;
            assert_eq!((got.info.replays(), got.info.is_reused()), (1, false));
            assert_eq!(lab.counters().attempts(), 2);
            lab.finish(&client).await;
            peer.done().await;
        });
    }
}

/// A POST on the same connection is not: the caller is told how far it had come.
pub fn unrepeatable_request_on_a_stale_connection_is_not_replayed<H: Harness>() {
    for ending in [Ending::Close, Ending::Reset] {
        run::<H>(async |lab| {
            let peer = stale(ending, |again| assert_eq!(again.line(), "GET /third HTTP/1.1"));
            let client = lab.client();
            expect::<H>(&client, get(&peer.url("/first"))).await;
            let error = expect_error::<H>(&client, post(&peer.url("/second"), Content::full("x"))).await;
            assert!(matches!(error.kind(), ErrorKind::Connection(_) | ErrorKind::Protocol(_)), "{error}");
            assert_eq!(error.verdict(), Verdict::NoResponseByte);
            assert!(!error.verdict().is_safe(false));
            let got = expect::<H>(&client, get(&peer.url("/third"))).await;
            assert_eq!(got.info.replays(), 0);
            lab.finish(&client).await;
            peer.done().await;
        });
    }
}

/// On a first use the same failure says nothing about the request: not even a GET is repeated.
pub fn failure_on_a_fresh_connection_is_not_replayed<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
        });
        let client = lab.client();
        let error = expect_error::<H>(&client, get(&peer.url("/"))).await;
        assert_eq!(error.verdict(), Verdict::Unknown, "{error}");
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A response that has begun is never repeated.
pub fn broken_response_is_not_replayed<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_request();
            session.write(b"HTTP/1.1 2");
        });
        let client = lab.client();
        expect::<H>(&client, get(&peer.url("/"))).await;
        let error = expect_error::<H>(&client, get(&peer.url("/"))).await;
        assert_eq!(error.verdict(), Verdict::Unknown, "{error}");
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// `max_replays: 0` turns replays off.
pub fn replays_can_be_turned_off<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_request();
        });
        let client = lab.client_with(Manner::Plain, |builder| builder.retry(RetryPolicy::NEVER));
        expect::<H>(&client, get(&peer.url("/"))).await;
        let error = expect_error::<H>(&client, get(&peer.url("/"))).await;
        assert_eq!(error.verdict(), Verdict::NoResponseByte, "{error}");
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A body within the limit is kept and sent again, trailers included.
pub fn kept_body_is_replayed<H: Harness>() {
    run::<H>(async |lab| {
        let peer = stale(Ending::Close, |again| {
            assert_eq!(again.body, b"onetwo");
            assert_eq!(again.trailers, "x-sum: 6");
        });
        let client = lab.client();
        expect::<H>(&client, get(&peer.url("/"))).await;
        let content = Content::stream().then("one").then_yield().then("two").then_trailer("x-sum", "6");
        let got = expect::<H>(&client, request(Method::PUT, &peer.url("/"), content)).await;
        assert_eq!(got.info.replays(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A body beyond the limit is gone: its request fails although its method could be repeated.
pub fn body_beyond_the_replay_limit_is_not_replayed<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_request();
        });
        let client = lab.client_with(Manner::Plain, |builder| builder.replay_limit(4));
        expect::<H>(&client, get(&peer.url("/"))).await;
        let content = Content::full("12345");
        let error = expect_error::<H>(&client, request(Method::PUT, &peer.url("/"), content)).await;
        assert_eq!(error.verdict(), Verdict::NoResponseByte, "{error}");
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// With a [`RemakeBody`] it is made again.
pub fn remade_body_is_replayed<H: Harness>() {
    run::<H>(async |lab| {
        let peer = stale(Ending::Close, |again| assert_eq!(again.body, b"12345"));
        let client = lab.client_with(Manner::Plain, |builder| builder.replay_limit(4));
        expect::<H>(&client, get(&peer.url("/"))).await;
        let made = Arc::new(AtomicU64::new(0));
        let count = made.clone();
        let mut put = request(Method::PUT, &peer.url("/"), Content::full("12345"));
        put.extensions_mut().insert(RemakeBody::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Content::full("12345")
        }));
        let got = expect::<H>(&client, put).await;
        assert_eq!((got.info.replays(), made.load(Ordering::SeqCst)), (1, 1));
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A replay that finds nobody listening keeps the verdict of the attempt that was sent.
pub fn verdict_of_a_sent_attempt_survives_a_failed_replay<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_once_then_refuse();
        let client = lab.client();
        expect::<H>(&client, get(&peer.url("/"))).await;
        let error = expect_error::<H>(&client, get(&peer.url("/"))).await;
        assert!(error.is_connect(), "{error}");
        assert_eq!(error.verdict(), Verdict::NoResponseByte, "the first attempt was sent");
        lab.finish(&client).await;
        peer.done().await;
    });
}
