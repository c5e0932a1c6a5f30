//! Back-pressure in both directions, and exchanges whose two directions overlap.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Harness;
use super::content::Content;
use super::lab::{Piece, expect, fetch, get, next_frame, post, read_all, run};
use super::peer::{OK, Peer};
use super::turns::Gate;

/// More than the socket buffers of both sides ever hold.
const MUCH: usize = 64 * 1024 * 1024;
const CHUNK: usize = 16 * 1024;

/// A body of [`MUCH`] bytes that costs no memory.
fn much() -> Content {
    let open = Gate::default();
    open.open();
    much_after(&open)
}

/// The same, once the gate is open.
fn much_after(gate: &Gate) -> Content {
    let chunk = Bytes::from_static(&[b'x'; CHUNK]);
    let content = Content::of_length(MUCH as u64).then_wait(gate);
    (0..MUCH / CHUNK).fold(content, |content, _| content.then(chunk.clone()))
}

/// A peer that does not read stops the request body: the client holds 128 KiB of it at most.
pub fn peer_that_does_not_read_stops_the_request_body<H: Harness>() {
    run::<H>(async |lab| {
        let read = Gate::default();
        let may_read = read.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.head().expect("a head");
            may_read.wait();
            assert_eq!(session.skip(MUCH), MUCH);
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let content = much();
        let taken = content.taken();
        let mut call = pin!(expect::<H>(&client, post(&peer.url("/"), content)));
        let mut most = 0;
        poll_fn(|cx| {
            let mut poll = call.as_mut().poll(cx);
            if lab.counters().stalls() > 0 && !read.is_open() {
                // Polls that nothing asked for take no more than others.
                for _ in 0..50 {
                    assert!(poll.is_pending());
                    poll = call.as_mut().poll(cx);
                }
                read.open();
            }
            most = most.max(taken.load(Ordering::SeqCst).saturating_sub(lab.counters().written()));
            poll
        })
        .await;
        assert!(read.is_open(), "the socket took everything at once");
        assert!(most <= 128 * 1024, "held {most} bytes");
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Chunks larger than what a connection holds of a body go out like small ones, also when the socket
/// takes only parts of them.
pub fn large_chunks_go_out_in_parts<H: Harness>() {
    const LARGE: usize = 8 * 1024 * 1024;
    run::<H>(async |lab| {
        let read = Gate::default();
        let may_read = read.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.head().expect("a head");
            may_read.wait();
            assert_eq!(session.skip(4 * LARGE), 4 * LARGE);
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let chunk = Bytes::from(vec![b'x'; LARGE]);
        let content = Content::of_length(4 * LARGE as u64);
        let content = (0..4).fold(content, |content, _| content.then(chunk.clone()));
        let mut call = pin!(expect::<H>(&client, post(&peer.url("/"), content)));
        poll_fn(|cx| {
            let poll = call.as_mut().poll(cx);
            if lab.counters().stalls() > 0 {
                read.open();
            }
            poll
        })
        .await;
        assert!(read.is_open(), "the socket took everything at once");
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A caller that does not read stops the peer: the client takes 256 KiB at most from the socket.
pub fn caller_that_does_not_read_stops_the_peer<H: Harness>() {
    run::<H>(async |lab| {
        let stalled = Gate::default();
        let saw = stalled.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n").as_bytes());
            session.write_much(MUCH, &saw);
            session.expect_end();
        });
        let client = lab.client();
        let mut response = client.call(get(&peer.url("/"))).await.expect("a head");
        let Some(Ok(Piece::Data(first))) = next_frame::<H>(response.body_mut()).await else {
            panic!("no data");
        };
        stalled.opened().await;
        assert!(lab.counters().read() <= 256 * 1024, "took {} bytes", lab.counters().read());
        let mut total = first.len();
        while let Some(frame) = next_frame::<H>(response.body_mut()).await {
            if let Piece::Data(data) = frame.expect("data") {
                total += data.len();
            }
        }
        assert_eq!(total, MUCH);
        drop(response);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A response before the end of the request is handed out; the connection cannot be used again.
pub fn early_response_ends_the_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.head().expect("a head");
            session.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch");
            session.drain();
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let content = Content::stream().then("part").then_stuck();
        let got = expect::<H>(&client, post(&peer.url("/"), content)).await;
        assert_eq!((got.status.as_u16(), got.body.as_slice()), (413, &b"much"[..]));
        lab.until_connections(&client, 0).await;
        assert!(!expect::<H>(&client, get(&peer.url("/"))).await.info.is_reused());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The same while the peer reads nothing at all and the client's socket is full.
pub fn early_response_reaches_a_client_that_cannot_write<H: Harness>() {
    run::<H>(async |lab| {
        let answer = Gate::default();
        let may_answer = answer.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.head().expect("a head");
            may_answer.wait();
            session.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch");
            session.drain();
        });
        let client = lab.client();
        let mut call = pin!(expect::<H>(&client, post(&peer.url("/"), much())));
        let got = poll_fn(|cx| {
            let poll = call.as_mut().poll(cx);
            if lab.counters().stalls() > 0 {
                answer.open();
            }
            poll
        })
        .await;
        assert_eq!((got.status.as_u16(), got.body.as_slice()), (413, &b"much"[..]));
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A peer that answers, closes and leaves the rest of the request unread: whatever the transport
/// makes of it, there is one outcome, and nothing is left.
pub fn early_response_with_a_reset_has_one_outcome<H: Harness>() {
    run::<H>(async |lab| {
        let answer = Gate::default();
        let may_answer = answer.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.head().expect("a head");
            may_answer.wait();
            session.write_and_reset(
                b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch",
            );
        });
        let client = lab.client();
        let mut call = pin!(fetch::<H>(&client, post(&peer.url("/"), much())));
        let outcome = poll_fn(|cx| {
            let poll = call.as_mut().poll(cx);
            if lab.counters().stalls() > 0 {
                answer.open();
            }
            poll
        })
        .await;
        match outcome {
            Ok(got) => assert_eq!((got.status.as_u16(), got.body.as_slice()), (413, &b"much"[..])),
            Err(error) => assert_eq!(error.verdict(), crate::error::Verdict::Unknown, "{error}"),
        }
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Polling the response body drives what is left of the request body.
pub fn reading_the_response_sends_the_rest_of_the_request<H: Harness>() {
    run::<H>(async |lab| {
        let rest = Gate::default();
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.head().expect("a head");
            assert_eq!(session.take(3), b"one");
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none");
            assert_eq!(session.take(3), b"two");
            session.write(b"two");
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let content = Content::of_length(6).then("one").then_wait(&rest).then("two");
        let response = client.call(post(&peer.url("/"), content)).await.expect("a head");
        rest.open();
        let got = read_all::<H>(response).await.expect("a body");
        assert_eq!(got.body, b"onetwo");
        assert!(expect::<H>(&client, get(&peer.url("/"))).await.info.is_reused());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A caller that holds a response without reading it does not stop its request: the background task
/// sends the rest.
pub fn unread_response_does_not_stop_the_request<H: Harness>() {
    run::<H>(async |lab| {
        let (rest, received) = (Gate::default(), Gate::default());
        let tell = received.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.head().expect("a head");
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
            assert_eq!(session.skip(MUCH), MUCH);
            tell.open();
            session.write(b"ok");
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let response = {
            let content = much_after(&rest);
            client.call(post(&peer.url("/"), content)).await.expect("a head")
        };
        rest.open();
        received.opened().await;
        assert_eq!(read_all::<H>(response).await.expect("a body").body, b"ok");
        assert!(expect::<H>(&client, get(&peer.url("/"))).await.info.is_reused());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The background task that drives such an exchange reads no more ahead than a caller would.
pub fn unread_response_stops_the_peer_also_in_the_background<H: Harness>() {
    run::<H>(async |lab| {
        let stalled = Gate::default();
        let saw = stalled.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.head().expect("a head");
            session.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n").as_bytes());
            session.write_much(MUCH, &saw);
            session.drain();
        });
        let client = lab.client();
        let content = Content::stream().then("part").then_stuck();
        let response = client.call(post(&peer.url("/"), content)).await.expect("a head");
        stalled.opened().await;
        assert!(lab.counters().read() <= 256 * 1024, "took {} bytes", lab.counters().read());
        let got = read_all::<H>(response).await.expect("a body");
        assert_eq!(got.body.len(), MUCH);
        lab.until_connections(&client, 0).await;
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Dropping a response whose request is not finished ends both at once.
pub fn dropped_response_gives_up_the_request<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.head().expect("a head");
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
            session.drain();
        });
        let client = lab.client();
        let content = Content::stream().then("part").then_stuck();
        let response = client.call(post(&peer.url("/"), content)).await.expect("a head");
        assert_eq!(client.snapshot().totals().active, 1);
        drop(response);
        lab.until_connections(&client, 0).await;
        peer.done().await;
        lab.finish(&client).await;
    });
}

/// The caller's body fails after the response began: the response ends with the caller's error.
pub fn request_body_that_fails_late_breaks_the_response<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.head().expect("a head");
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            session.drain();
        });
        let client = lab.client();
        let fail = Gate::default();
        let content = Content::stream().then("part").then_wait(&fail).then_fail();
        let response = client.call(post(&peer.url("/"), content)).await.expect("a head");
        fail.open();
        let error = read_all::<H>(response).await.expect_err("the body failed");
        assert!(matches!(error.kind(), crate::client::ErrorKind::RequestBody(_)), "{error}");
        lab.finish(&client).await;
        peer.done().await;
    });
}
