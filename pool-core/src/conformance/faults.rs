//! Peers that break off or break the rules.

use super::Harness;
use super::content::Content;
use super::lab::{expect, expect_error, get, next_frame, post, read_all, run};
use super::peer::{OK, Peer};
use crate::client::ErrorKind;
use crate::error::Verdict;
use crate::wire::h1::{EofAt, Error as WireError};

/// What a peer did wrong, and what of it the caller is told.
struct Malformed {
    response: &'static str,
    why: &'static str,
}

const MALFORMED: [Malformed; 14] = [
    Malformed { response: "SSH-2.0-OpenSSH_9.9\r\n\r\n", why: "no HTTP" },
    Malformed { response: "HTTP/2.0 200 OK\r\n\r\n", why: "version" },
    Malformed { response: "HTTP/1.1 20 OK\r\n\r\n", why: "status of two digits" },
    Malformed { response: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", why: "bare LF" },
    Malformed { response: "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", why: "space in a name" },
    Malformed { response: "HTTP/1.1 200 OK\r\nName : x\r\n\r\n", why: "space before the colon" },
    Malformed { response: "HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n\r\n", why: "fold" },
    Malformed { response: "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", why: "length" },
    Malformed { response: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", why: "negative length" },
    Malformed {
        response: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        why: "two lengths",
    },
    Malformed {
        response: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        why: "length and coding",
    },
    Malformed { response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", why: "chunk size" },
    Malformed {
        response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok??0\r\n\r\n",
        why: "end of a chunk",
    },
    Malformed { response: "HTTP/1.1 101 Switching Protocols\r\n\r\n", why: "switch that nobody asked for" },
];

/// Every malformed response is the peer's fault by type; its connection is closed and not used again.
pub fn malformed_responses_are_refused<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            for case in &MALFORMED {
                let mut session = door.accept();
                session.expect_request();
                session.write(case.response.as_bytes());
                session.expect_end();
            }
        });
        let client = lab.client();
        for Malformed { why, .. } in &MALFORMED {
            let error = expect_error::<H>(&client, post(&peer.url("/"), Content::full("x"))).await;
            assert!(matches!(error.kind(), ErrorKind::Protocol(WireError::Peer(_))), "{why}: {error}");
            assert_eq!(error.verdict(), Verdict::Unknown, "{why}");
            assert_eq!(lab.counters().open(), 0, "{why}");
        }
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A head without end is refused at the limit.
pub fn endless_head_is_refused<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 200 OK\r\n");
            while session.try_write(b"X-Filler: 0123456789012345678901234567890123456789\r\n").is_ok() {}
        });
        let client = lab.client();
        let error = expect_error::<H>(&client, get(&peer.url("/"))).await;
        assert!(matches!(error.kind(), ErrorKind::Protocol(WireError::Limit(_))), "{error}");
        assert!(lab.counters().read() < 256 * 1024, "read {}", lab.counters().read());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The peer closes in the middle of a head.
pub fn close_within_the_head<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 200 OK\r\nContent-");
        });
        let client = lab.client();
        let error = expect_error::<H>(&client, get(&peer.url("/"))).await;
        assert!(matches!(error.kind(), ErrorKind::Protocol(WireError::Eof(EofAt::Head))), "{error}");
        assert_eq!(error.verdict(), Verdict::Unknown);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The peer resets in the middle of a head.
pub fn reset_within_the_head<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.write_and_reset(b"HTTP/1.1 200 OK\r\nContent-");
        });
        let client = lab.client();
        expect::<H>(&client, get(&peer.url("/"))).await;
        let error = expect_error::<H>(&client, post(&peer.url("/"), Content::full("x"))).await;
        assert!(
            matches!(error.kind(), ErrorKind::Connection(_) | ErrorKind::Protocol(WireError::Eof(_))),
            "{error}"
        );
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A body shorter than its head says is an error, after the bytes that came.
pub fn truncated_body_is_an_error<H: Harness>() {
    for response in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"[..],
        &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"[..],
        &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf"[..],
    ] {
        run::<H>(async |lab| {
            let peer = Peer::serve(move |door| {
                let mut session = door.accept();
                session.expect_request();
                session.write(response);
            });
            let client = lab.client();
            let mut response = client.call(get(&peer.url("/"))).await.expect("a head");
            let (mut body, mut fault) = (Vec::new(), None);
            while let Some(frame) = next_frame::<H>(response.body_mut()).await {
                match frame {
                    Ok(super::lab::Piece::Data(data)) => body.extend_from_slice(&data),
                    Ok(super::lab::Piece::Trailers(_)) => panic!("no trailers were sent"),
                    Err(error) => fault = Some(error),
                }
            }
            let error = fault.expect("an error");
            assert_eq!(body, b"half");
            assert!(matches!(error.kind(), ErrorKind::Protocol(WireError::Eof(EofAt::Body))), "{error}");
            assert_eq!(error.verdict(), Verdict::Unknown);
            drop(response);
            lab.finish(&client).await;
            peer.done().await;
        });
    }
}

/// The peer resets in the middle of a body.
pub fn reset_within_the_body<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.write_and_reset(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf");
        });
        let client = lab.client();
        expect::<H>(&client, get(&peer.url("/"))).await;
        let outcome = match client.call(post(&peer.url("/"), Content::full("x"))).await {
            Ok(response) => read_all::<H>(response).await,
            Err(error) => Err(error),
        };
        let error = outcome.expect_err("an error");
        assert!(
            matches!(error.kind(), ErrorKind::Connection(_) | ErrorKind::Protocol(WireError::Eof(_))),
            "{error}"
        );
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The caller's own body fails: the connection is closed, and the error is the caller's.
pub fn failing_request_body_is_the_callers_fault<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            assert!(session.request().is_none(), "the end of the request must not come");
        });
        let client = lab.client();
        let content = Content::stream().then("begin").then_yield().then_fail();
        let error = expect_error::<H>(&client, post(&peer.url("/"), content)).await;
        assert!(matches!(error.kind(), ErrorKind::RequestBody(_)), "{error}");
        assert_eq!(error.verdict(), Verdict::Unknown);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A body that is longer or shorter than it said is refused; the peer never takes it for complete.
pub fn request_body_of_the_wrong_length_is_refused<H: Harness>() {
    for (said, given) in [(10, "short"), (3, "long")] {
        run::<H>(async |lab| {
            let peer = Peer::serve(move |door| {
                let mut session = door.accept();
                assert!(session.drain_body_shorter_than(said), "{said} bytes of {given:?}");
            });
            let client = lab.client();
            let content = Content::of_length(said as u64).then_yield().then(given);
            let error = expect_error::<H>(&client, post(&peer.url("/"), content)).await;
            assert!(matches!(error.kind(), ErrorKind::Request(_)), "{error}");
            lab.finish(&client).await;
            peer.done().await;
        });
    }
}
