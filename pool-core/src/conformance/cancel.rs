//! Callers that go away, at every moment at which they can.

use std::pin::pin;

use super::Harness;
use super::content::Content;
use super::lab::{assert_quiet, breakers, expect, fetch, get, millis, next_frame, post, run};
use super::peer::{OK, Peer};
use super::tap::Manner;
use super::turns::{join_all, poll_at_most, poll_once};
use crate::limits::Thresholds;

const LONG: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    20\r\n0123456789abcdef0123456789abcdef\r\n3\r\nend\r\n0\r\nX-Sum: 35\r\n\r\n";

/// Polls at most of one exchange.
const MOST: usize = 400;

/// Drops an exchange after 0, 1, 2... polls, until one completes. Whatever it was waiting for, the
/// gauges are zero at once and the client serves the next request.
pub fn exchange_dropped_at_every_wait_leaves_no_trace<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(LONG);
        let client = lab.client_with(Manner::Choppy, |builder| builder);
        let url = peer.url("/");
        for polls in 0.. {
            assert!(polls < MOST, "not complete after {MOST} polls");
            let content =
                Content::stream().then("first ").then_yield().then("second").then_trailer("x-a", "b");
            let outcome = poll_at_most(fetch::<H>(&client, post(&url, content)), polls).await;
            assert_quiet(&client.snapshot());
            if let Some(outcome) = outcome {
                assert_eq!(outcome.expect("a response").body.len(), 35);
                assert!(polls > 20, "only {polls} waits: the streams are not choppy");
                break;
            }
            // Retired, so that the next round meets the connect again.
            client.retire(|_, _| true);
        }
        assert_eq!(expect::<H>(&client, get(&url)).await.body.len(), 35);
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// The same on a connection that was kept: dropped before a byte was written it stays, after that it
/// is closed.
pub fn reused_exchange_dropped_at_every_wait_leaves_no_trace<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(LONG);
        let client = lab.client_with(Manner::Choppy, |builder| builder);
        let url = peer.url("/");
        for polls in 0.. {
            assert!(polls < MOST, "not complete after {MOST} polls");
            expect::<H>(&client, get(&url)).await;
            let outcome =
                poll_at_most(fetch::<H>(&client, post(&url, Content::full("content"))), polls).await;
            assert_quiet(&client.snapshot());
            if polls == 0 {
                assert_eq!(client.snapshot().totals().connections, 1, "nothing was written");
            }
            if let Some(outcome) = outcome {
                assert!(outcome.expect("a response").info.is_reused());
                break;
            }
        }
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// Dropping a response before its end closes the connection: nobody else gets the rest of it.
pub fn dropped_response_closes_its_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            session.expect_end();
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let mut response = client.call(get(&peer.url("/"))).await.expect("a head");
        assert!(next_frame::<H>(response.body_mut()).await.is_some());
        drop(response);
        assert_eq!(client.snapshot().totals().connections, 0);
        let got = expect::<H>(&client, get(&peer.url("/"))).await;
        assert_eq!((got.body.as_slice(), got.info.is_reused()), (&b"ok"[..], false));
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A connection attempt belongs to the pool: its caller goes away, and the next one gets it.
pub fn attempt_of_a_dropped_call_serves_the_next<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            assert_eq!(session.expect_request().line(), "GET /second HTTP/1.1");
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client_with(Manner::Gated, |builder| builder);
        let url = peer.url("/first");
        {
            let mut first = pin!(fetch::<H>(&client, get(&url)));
            assert!(poll_once(first.as_mut()).await.is_pending());
        }
        assert_quiet(&client.snapshot());
        lab.counters().let_connect();
        expect::<H>(&client, get(&peer.url("/second"))).await;
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A caller that goes away between being given a connection and taking it gives it on to the next.
pub fn connection_given_to_a_dropped_call_goes_to_the_next<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            assert_eq!(session.expect_request().line(), "GET /second HTTP/1.1");
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client_with(Manner::Gated, |builder| {
            builder.breakers(breakers(Thresholds::default().max_connections(1)))
        });
        let (first_url, second_url) = (peer.url("/first"), peer.url("/second"));
        let mut first = Box::pin(fetch::<H>(&client, get(&first_url)));
        let mut second = pin!(fetch::<H>(&client, get(&second_url)));
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        lab.counters().let_connect();
        // Bound to the first, which does not look.
        lab.until(&client, |snapshot| snapshot.totals().active == 1).await;
        drop(first);
        let got = second.await.expect("a response");
        assert!(!got.info.is_reused(), "nothing was sent on it before");
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A connection that was given to a caller, which goes away before it looks, after the pool ordered its
/// end: it is closed all the same.
pub fn connection_aborted_before_it_was_taken_is_closed<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| door.accept().expect_end());
        // Another thread may connect faster than one poll returns: it has to wait.
        let client = lab.client_with(Manner::Gated, |builder| builder);
        let url = peer.url("/");
        let mut call = Box::pin(fetch::<H>(&client, get(&url)));
        assert!(poll_once(call.as_mut()).await.is_pending());
        lab.counters().let_connect();
        lab.until(&client, |snapshot| snapshot.totals().active == 1).await;
        client.abort();
        drop(call);
        assert_eq!(client.snapshot().totals().connections, 0);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A call dropped while it waits to try again asks for nothing any more.
pub fn call_dropped_in_its_back_off_is_over<H: Harness>() {
    run::<H>(async |lab| {
        let config = crate::config::PoolConfig::builder(crate::config::Multiplexing::Exclusive)
            .connect_timeout(millis(5))
            .build()
            .expect("settings in range");
        let client = lab.client_with(Manner::Hanging, |builder| {
            let policy = crate::exchange::RetryPolicy {
                base_interval: PATIENCE_OF_A_BACK_OFF,
                max_interval: PATIENCE_OF_A_BACK_OFF,
                ..Default::default()
            };
            builder.pool(config).retry(policy)
        });
        {
            let mut call = pin!(fetch::<H>(&client, get("http://127.0.0.1:9/")));
            let counters = lab.share_counters();
            super::turns::beside(call.as_mut(), async {
                while counters.attempts() == 0 || counters.open() > 0 {
                    super::turns::yield_now().await;
                }
            })
            .await;
        }
        assert_quiet(&client.snapshot());
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
    });
}

/// Longer than any case runs.
const PATIENCE_OF_A_BACK_OFF: std::time::Duration = std::time::Duration::from_secs(3600);

/// Callers that go away at random, over connections that break at random: every request that is
/// waited for has one outcome, and nothing is left.
pub fn random_cancels_over_breaking_connections_leave_no_trace<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_few(LONG, 7);
        let client = lab.client_with(Manner::Choppy, |builder| {
            builder.breakers(breakers(Thresholds::default().max_connections(4)))
        });
        let url = peer.url("/");
        let callers = (0..16u64).map(|caller| {
            let (client, url) = (&client, &url);
            async move {
                let mut seed = caller;
                let mut outcomes = 0;
                for _ in 0..25 {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let polls = (seed >> 33) as usize % 120;
                    let call = fetch::<H>(client, post(url, Content::full("content")));
                    outcomes += u32::from(poll_at_most(call, polls).await.is_some());
                }
                outcomes
            }
        });
        let outcomes: u32 = join_all(callers).await.into_iter().sum();
        assert!(outcomes > 0, "every request was given up");
        assert_quiet(&client.snapshot());
        lab.finish(&client).await;
        peer.stop().await;
    });
}
