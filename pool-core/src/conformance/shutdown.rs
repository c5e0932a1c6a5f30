//! Ends: of a client, of its connections, of chosen ones.

use std::future::Future;
use std::pin::pin;

use super::Harness;
use super::content::Content;
use super::lab::{assert_quiet, breakers, expect, expect_error, fetch, get, next_frame, post, run};
use super::peer::{OK, Peer};
use super::tap::Manner;
use super::turns::{Gate, beside, join_all, poll_once};
use crate::client::ErrorKind;
use crate::config::{Multiplexing, PoolConfig};
use crate::error::Verdict;
use crate::exchange::RetryPolicy;
use crate::limits::Thresholds;

/// A peer that answers `requests` requests on one connection, the first one when told, and then
/// expects its end.
fn patient_peer(requests: usize) -> (Peer, Gate) {
    let answer = Gate::default();
    let may_answer = answer.clone();
    let peer = Peer::serve(move |door| {
        let mut session = door.accept();
        for _ in 0..requests {
            session.expect_request();
            may_answer.wait();
            session.write(OK);
        }
        session.expect_end();
    });
    (peer, answer)
}

/// `close()` closes idle connections at once, and the client takes nothing more.
pub fn close_ends_idle_connections<H: Harness>() {
    run::<H>(async |lab| {
        let (peer, answer) = patient_peer(1);
        answer.open();
        let client = lab.client();
        let url = peer.url("/");
        expect::<H>(&client, get(&url)).await;
        client.close().await;
        assert_eq!(lab.counters().open(), 0);
        peer.done().await;
        let error = expect_error::<H>(&client, post(&url, Content::full("x"))).await;
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error}");
        assert_eq!(error.verdict(), Verdict::NeverSent);
        lab.finish(&client).await;
    });
}

/// `close()` waits for the exchange in progress and for the one that waits behind it; new ones are
/// refused meanwhile.
pub fn close_while_busy_serves_what_was_accepted<H: Harness>() {
    run::<H>(async |lab| {
        let (peer, answer) = patient_peer(2);
        let client = lab.client_within(Thresholds::default().max_connections(1));
        let url = peer.url("/");
        let mut running = pin!(expect::<H>(&client, get(&url)));
        beside(running.as_mut(), lab.until(&client, |snapshot| snapshot.totals().active == 1)).await;
        let mut waiting = pin!(expect::<H>(&client, get(&url)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        let mut closing = pin!(client.close());
        assert!(poll_once(closing.as_mut()).await.is_pending());
        let error = expect_error::<H>(&client, get(&url)).await;
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error}");
        answer.open();
        running.await;
        waiting.await;
        closing.await;
        peer.done().await;
        lab.finish(&client).await;
    });
}

/// `close()` while a connection is being opened waits for the request that needs it.
pub fn close_while_connecting_ends_with_the_attempt<H: Harness>() {
    run::<H>(async |lab| {
        let config = PoolConfig::builder(Multiplexing::Exclusive)
            .connect_timeout(super::lab::millis(500))
            .build()
            .expect("settings in range");
        let client =
            lab.client_with(Manner::Hanging, |builder| builder.retry(RetryPolicy::NEVER).pool(config));
        let mut call = pin!(expect_error::<H>(&client, get("http://127.0.0.1:9/")));
        assert!(poll_once(call.as_mut()).await.is_pending());
        let mut closing = pin!(client.close());
        assert!(poll_once(closing.as_mut()).await.is_pending());
        let error = call.await;
        assert_eq!(error.verdict(), Verdict::NeverSent, "{error}");
        closing.await;
        lab.finish(&client).await;
    });
}

/// `abort()` cuts exchanges and fails what waits, each with its verdict.
pub fn abort_while_busy_fails_everything<H: Harness>() {
    run::<H>(async |lab| {
        let received = Gate::default();
        let tell = received.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            tell.open();
            session.expect_end();
        });
        let client = lab.client_with(Manner::Plain, |builder| {
            builder.retry(RetryPolicy::NEVER).breakers(breakers(Thresholds::default().max_connections(1)))
        });
        let url = peer.url("/");
        let mut running = pin!(expect_error::<H>(&client, get(&url)));
        beside(running.as_mut(), received.opened()).await;
        let mut waiting = pin!(expect_error::<H>(&client, get(&url)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        client.abort();
        let cut = running.await;
        assert!(matches!(cut.kind(), ErrorKind::ClosedByPool), "{cut}");
        assert_eq!(cut.verdict(), Verdict::Unknown);
        let unsent = waiting.await;
        assert_eq!(unsent.verdict(), Verdict::NeverSent, "{unsent}");
        peer.done().await;
        let refused = expect_error::<H>(&client, get(&url)).await;
        assert!(matches!(refused.kind(), ErrorKind::Closed), "{refused}");
        lab.finish(&client).await;
    });
}

/// `abort()` reaches a response body that is being read.
pub fn abort_cuts_a_response<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            session.expect_end();
        });
        let client = lab.client();
        let mut response = client.call(get(&peer.url("/"))).await.expect("a head");
        assert!(next_frame::<H>(response.body_mut()).await.is_some_and(|frame| frame.is_ok()));
        {
            let mut more = pin!(next_frame::<H>(response.body_mut()));
            assert!(poll_once(more.as_mut()).await.is_pending());
            client.abort();
            let error = more.await.expect("an error").err().expect("an error");
            assert!(matches!(error.kind(), ErrorKind::ClosedByPool), "{error}");
        }
        peer.done().await;
        drop(response);
        lab.finish(&client).await;
    });
}

/// `abort()` reaches an exchange that the background task drives, although nobody reads its response.
pub fn abort_cuts_an_exchange_in_the_background<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.head().expect("a head");
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            session.drain();
        });
        let client = lab.client();
        let content = Content::stream().then("part").then_stuck();
        let mut response = client.call(post(&peer.url("/"), content)).await.expect("a head");
        assert_eq!(client.snapshot().totals().active, 1);
        client.abort();
        lab.until_sockets_are_gone().await;
        peer.done().await;
        let mut last = None;
        while let Some(frame) = next_frame::<H>(response.body_mut()).await {
            last = Some(frame);
        }
        let error = last.expect("a frame").err().expect("an error at the end");
        assert!(matches!(error.kind(), ErrorKind::ClosedByPool), "{error}");
        drop(response);
        lab.finish(&client).await;
    });
}

/// `retire` closes the idle connections that its predicate chooses, and only those.
pub fn retire_closes_chosen_idle_connections<H: Harness>() {
    run::<H>(async |lab| {
        let (unwanted, wanted) = (Peer::serve_all(OK), Peer::serve_all(OK));
        let client = lab.client();
        let urls = [unwanted.url("/"), wanted.url("/")];
        for url in &urls {
            expect::<H>(&client, get(url)).await;
        }
        let port = urls[0].trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
        let chosen = client.retire(|target, _| target.port.to_string() == port);
        assert_eq!((chosen, client.snapshot().totals().connections), (1, 1));
        assert!(!expect::<H>(&client, get(&urls[0])).await.info.is_reused());
        assert!(expect::<H>(&client, get(&urls[1])).await.info.is_reused());
        lab.finish(&client).await;
        unwanted.stop().await;
        wanted.stop().await;
    });
}

/// `retire` lets the exchange on a busy connection finish.
pub fn retire_lets_busy_connections_finish<H: Harness>() {
    run::<H>(async |lab| {
        let (peer, answer) = patient_peer(1);
        let client = lab.client();
        let url = peer.url("/");
        let mut running = pin!(expect::<H>(&client, get(&url)));
        beside(running.as_mut(), lab.until(&client, |snapshot| snapshot.totals().active == 1)).await;
        assert_eq!(client.retire(|_, conn| conn.active == 1), 1);
        assert_eq!(client.snapshot().totals().connections, 1);
        answer.open();
        assert_eq!(running.await.body, b"ok");
        assert_eq!(client.snapshot().totals().connections, 0);
        peer.done().await;
        lab.finish(&client).await;
    });
}

/// A call outlives the last handle to its client; with it the connections go.
pub fn call_outlives_the_client<H: Harness>() {
    run::<H>(async |lab| {
        let (peer, answer) = patient_peer(1);
        answer.open();
        let client = lab.client();
        let call = client.call(get(&peer.url("/")));
        drop(client);
        let response = call.await.expect("a response");
        assert_eq!(super::lab::read_all::<H>(response).await.expect("a body").body, b"ok");
        // Nothing holds the client now: the peer sees the end of its connection.
        peer.done().await;
        lab.until_sockets_are_gone().await;
    });
}

/// A peer that is restarted: what was in flight fails or is replayed, everything later is served.
pub fn upstream_that_dies_gives_every_request_one_outcome<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut sessions: Vec<_> = (0..16).map(|_| door.accept()).collect();
            for session in &mut sessions {
                session.expect_request();
            }
            for session in sessions.iter_mut().take(8) {
                session.write(OK);
            }
            drop(sessions);
            while let Some(mut session) = door.accept_or_stop() {
                if session.request().is_some() {
                    session.write(OK);
                }
            }
        });
        let client = lab.client();
        let url = peer.url("/");
        let all = join_all((0..16).map(|_| fetch::<H>(&client, get(&url)))).await;
        assert_eq!(all.iter().filter(|outcome| outcome.is_ok()).count(), 8);
        assert_quiet(&client.snapshot());
        lab.until_connections(&client, 0).await;
        assert_eq!(expect::<H>(&client, get(&url)).await.body, b"ok");
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// The future of `close()` may be dropped; a second one completes.
pub fn close_can_be_given_up_and_asked_again<H: Harness>() {
    run::<H>(async |lab| {
        let (peer, answer) = patient_peer(1);
        let client = lab.client();
        let url = peer.url("/");
        let mut running = Box::pin(expect::<H>(&client, get(&url)));
        beside(running.as_mut(), lab.until(&client, |snapshot| snapshot.totals().active == 1)).await;
        {
            let closing = pin!(client.close());
            assert!(poll_once(closing as std::pin::Pin<&mut dyn Future<Output = ()>>).await.is_pending());
        }
        answer.open();
        running.await;
        client.close().await;
        peer.done().await;
        lab.finish(&client).await;
    });
}
