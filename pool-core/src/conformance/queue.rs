//! Requests that wait: in order, within limits, and not for ever.

use std::pin::pin;

use super::Harness;
use super::content::Content;
use super::lab::{assert_quiet, breakers, expect, expect_error, fetch, get, millis, post, run};
use super::peer::{OK, Peer};
use super::tap::Manner;
use super::turns::{Gate, beside, join_all, poll_once};
use crate::client::ErrorKind;
use crate::config::{Multiplexing, PoolConfig};
use crate::error::{PoolFailure, Verdict};
use crate::limits::Thresholds;

const REQUESTS: usize = 1000;

fn one_connection() -> Thresholds {
    Thresholds::default().max_connections(1)
}

/// A thousand requests on one connection are all answered, in the order in which they came.
pub fn thousand_waiters_share_one_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            for number in 0..REQUESTS {
                assert_eq!(session.expect_request().line(), format!("GET /{number} HTTP/1.1"));
                session.write(OK);
            }
            session.expect_end();
        });
        let client = lab.client_within(one_connection());
        let urls: Vec<_> = (0..REQUESTS).map(|number| peer.url(&format!("/{number}"))).collect();
        let all = join_all(urls.iter().map(|url| expect::<H>(&client, get(url)))).await;
        assert_eq!(all.len(), REQUESTS);
        assert!(all.iter().all(|got| got.body == b"ok" && got.info.id() == all[0].info.id()));
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The connection that a thousand requests wait for breaks every hundred exchanges: each request has
/// exactly one outcome, and repeatable ones succeed.
pub fn waiters_survive_connections_that_break<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut answered = 0;
            while answered < REQUESTS {
                let mut session = door.accept();
                for _ in 0..100.min(REQUESTS - answered) {
                    session.expect_request();
                    session.write(OK);
                    answered += 1;
                }
                // The next request, if one came already, gets no answer.
            }
        });
        let client = lab.client_within(one_connection());
        let url = peer.url("/");
        let all = join_all((0..REQUESTS).map(|_| fetch::<H>(&client, get(&url)))).await;
        let failed: Vec<_> = all.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(failed.is_empty(), "{} failed, first: {}", failed.len(), failed[0]);
        peer.done().await;
        lab.finish(&client).await;
    });
}

/// Half of the waiting requests are given up: the others are served, and nothing is left.
pub fn waiters_that_give_up_leave_no_trace<H: Harness>() {
    run::<H>(async |lab| {
        let begin = Gate::default();
        let may_begin = begin.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            may_begin.wait();
            for _ in 0..51 {
                session.expect_request();
                session.write(OK);
            }
            session.expect_end();
        });
        let client = lab.client_within(one_connection());
        let url = peer.url("/");
        let mut waiting: Vec<_> = (0..101).map(|_| Some(Box::pin(fetch::<H>(&client, get(&url))))).collect();
        for call in waiting.iter_mut().flatten() {
            assert!(poll_once(call.as_mut()).await.is_pending());
        }
        lab.until(&client, |snapshot| snapshot.pools[0].counts.connecting == 0).await;
        for call in waiting.iter_mut().skip(1).step_by(2) {
            *call = None;
        }
        begin.open();
        let all = join_all(waiting.into_iter().flatten()).await;
        assert_eq!(all.iter().filter(|outcome| outcome.is_ok()).count(), 51);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Over `max_pending_requests` a request fails at once, typed, and nothing was sent.
pub fn pending_overflow_fails_at_once<H: Harness>() {
    run::<H>(async |lab| {
        let answer = Gate::default();
        let may_answer = answer.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            may_answer.wait();
            session.write(OK);
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client_within(one_connection().max_pending_requests(1));
        let url = peer.url("/");
        let mut first = pin!(expect::<H>(&client, get(&url)));
        beside(first.as_mut(), lab.until(&client, |snapshot| snapshot.totals().active == 1)).await;
        let mut second = pin!(expect::<H>(&client, get(&url)));
        assert!(poll_once(second.as_mut()).await.is_pending());
        let error = beside(first.as_mut(), expect_error::<H>(&client, post(&url, Content::full("x")))).await;
        assert!(matches!(error.kind(), ErrorKind::Pool(PoolFailure::Overflow)), "{error}");
        assert!(error.is_overflow() && !error.is_connect());
        assert_eq!(error.verdict(), Verdict::NeverSent);
        answer.open();
        first.await;
        second.await;
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Over `max_requests` a request fails when it would be bound.
pub fn request_overflow_fails<H: Harness>() {
    run::<H>(async |lab| {
        let answer = Gate::default();
        let may_answer = answer.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            may_answer.wait();
            session.write(OK);
            while door.accept_or_stop().is_some() {}
        });
        let client = lab.client_within(Thresholds::default().max_requests(1));
        let url = peer.url("/");
        let mut first = pin!(expect::<H>(&client, get(&url)));
        beside(first.as_mut(), lab.until(&client, |snapshot| snapshot.totals().active == 1)).await;
        let error = beside(first.as_mut(), expect_error::<H>(&client, get(&url))).await;
        assert!(error.is_overflow(), "{error}");
        assert_eq!(error.verdict(), Verdict::NeverSent);
        answer.open();
        first.await;
        assert_quiet(&client.snapshot());
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// A request that waits for longer than `pending_timeout` fails. What it waits for is a seat that
/// another client under the same breakers holds.
pub fn pending_timeout_fails_the_waiter<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let url = peer.url("/");
        let shared = breakers(one_connection());
        let holder = lab.client_with(Manner::Plain, |builder| builder.breakers(shared.clone()));
        expect::<H>(&holder, get(&url)).await;
        let pool = PoolConfig::builder(Multiplexing::Exclusive)
            .strict_limits(true)
            .pending_timeout(Some(millis(40)))
            .build()
            .expect("settings in range");
        let client = lab.client_with(Manner::Plain, |builder| builder.pool(pool).breakers(shared));
        let before = lab.now();
        let error = expect_error::<H>(&client, get(&url)).await;
        assert!(matches!(error.kind(), ErrorKind::Pool(PoolFailure::PendingTimeout)), "{error}");
        assert_eq!(error.verdict(), Verdict::NeverSent);
        assert!(lab.now().since(before) >= millis(40), "gave up before its time");
        assert_quiet(&client.snapshot());
        lab.finish(&holder).await;
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// A seat that one client frees goes to the request that waits for it in another client under the same
/// breakers, without any other event there.
pub fn freed_seat_goes_to_another_client<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let url = peer.url("/");
        let shared = breakers(one_connection());
        let pool = PoolConfig::builder(Multiplexing::Exclusive).strict_limits(true).build();
        let pool = pool.expect("settings in range");
        let holder = lab.client_with(Manner::Plain, |builder| builder.breakers(shared.clone()));
        expect::<H>(&holder, get(&url)).await;
        let client = lab.client_with(Manner::Plain, |builder| builder.pool(pool).breakers(shared));
        let mut waiting = pin!(expect::<H>(&client, get(&url)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        assert_eq!(holder.retire(|_, _| true), 1);
        assert_eq!(waiting.await.body, b"ok");
        lab.finish(&client).await;
        lab.finish(&holder).await;
        peer.stop().await;
    });
}

/// A response tells how long its request waited for a connection.
pub fn queue_time_is_told<H: Harness>() {
    run::<H>(async |lab| {
        let answer = Gate::default();
        let may_answer = answer.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            may_answer.wait();
            session.write(OK);
            session.expect_request();
            session.write(OK);
        });
        let client = lab.client_within(one_connection());
        let url = peer.url("/");
        let mut first = pin!(expect::<H>(&client, get(&url)));
        beside(first.as_mut(), lab.until(&client, |snapshot| snapshot.totals().active == 1)).await;
        let mut second = pin!(expect::<H>(&client, get(&url)));
        assert!(poll_once(second.as_mut()).await.is_pending());
        let waited_from = lab.now();
        lab.until(&client, |snapshot| snapshot.pools[0].waiters.iter().any(|waited| *waited >= millis(20)))
            .await;
        let waited = lab.now().since(waited_from);
        answer.open();
        first.await;
        let got = second.await;
        assert!(got.info.queue_time() >= waited, "{:?} < {waited:?}", got.info.queue_time());
        peer.done().await;
        lab.until_connections(&client, 0).await;
        lab.finish(&client).await;
    });
}
