//! Every shape of message, in both directions.

use http::Method;

use super::Harness;
use super::content::Content;
use super::lab::{expect, get, next_frame, post, request, run};
use super::peer::{OK, Peer};
use super::tap::Manner;
use super::turns::Gate;

/// Interim responses are passed over; the final one is the answer.
pub fn interim_responses_are_passed_over<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 100 Continue\r\n\r\n");
            session.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n");
            session.write(b"Content-Length: 2\r\n\r\nok");
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let got = expect::<H>(&client, post(&peer.url("/"), Content::full("x"))).await;
        assert_eq!((got.status.as_u16(), got.body.as_slice()), (200, &b"ok"[..]));
        assert!(got.headers.get("link").is_none(), "fields of an interim response are not the answer's");
        assert!(expect::<H>(&client, get(&peer.url("/"))).await.info.is_reused());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// HEAD, 204 and 304 have no content whatever their fields say; the connection is kept.
pub fn responses_without_content_leave_the_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            assert_eq!(session.expect_request().line(), "HEAD / HTTP/1.1");
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
            session.expect_request();
            session.write(b"HTTP/1.1 204 No Content\r\n\r\n");
            session.expect_request();
            session.write(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n");
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let url = peer.url("/");
        let head = expect::<H>(&client, request(Method::HEAD, &url, Content::empty())).await;
        assert_eq!(head.headers["content-length"], "1000");
        for status in [204, 304] {
            let got = expect::<H>(&client, get(&url)).await;
            assert_eq!((got.status.as_u16(), got.body.len()), (status, 0));
        }
        let last = expect::<H>(&client, get(&url)).await;
        assert_eq!(last.info.id(), head.info.id());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Content of known length goes out with `Content-Length`, of unknown length chunked with trailers.
pub fn request_bodies_are_framed<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            let none = session.expect_request();
            assert_eq!((none.field("content-length"), none.field("transfer-encoding")), (None, None));
            session.write(OK);
            let known = session.expect_request();
            assert_eq!(known.field("content-length"), Some("5"));
            assert_eq!(known.body, b"known");
            session.write(OK);
            let unknown = session.expect_request();
            assert_eq!(unknown.field("transfer-encoding"), Some("chunked"));
            assert_eq!((unknown.field("content-length"), unknown.body.as_slice()), (None, &b"un-known"[..]));
            assert_eq!(unknown.trailers, "x-sum: 8");
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let url = peer.url("/");
        expect::<H>(&client, get(&url)).await;
        expect::<H>(&client, post(&url, Content::full("known"))).await;
        let content = Content::stream().then("un-").then_yield().then("known").then_trailer("x-sum", "8");
        let last = expect::<H>(&client, post(&url, content)).await;
        assert!(last.info.is_reused());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A chunked response, with extensions and trailers, however it is cut; the connection is kept.
pub fn chunked_response_with_trailers<H: Harness>() {
    run::<H>(async |lab| {
        let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
            3;a=b\r\none\r\nA\r\n0123456789\r\n0\r\nX-Sum: 13\r\n\r\n";
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(response);
            session.expect_request();
            for byte in response.chunks(1) {
                session.write(byte);
            }
            session.expect_end();
        });
        let client = lab.client();
        for reused in [false, true] {
            let got = expect::<H>(&client, get(&peer.url("/"))).await;
            assert_eq!(got.body, b"one0123456789");
            let trailers = got.trailers.expect("trailers");
            assert_eq!(trailers["x-sum"], "13");
            assert_eq!(got.info.is_reused(), reused);
        }
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A response without length ends with its connection, which is not used again.
pub fn response_until_the_end_of_the_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                let mut session = door.accept();
                session.expect_request();
                session.write(format!("{version} 200 OK\r\n\r\nuntil ").as_bytes());
                session.write(b"the end");
                session.finish();
                session.expect_end();
            }
        });
        let client = lab.client();
        for _ in 0..2 {
            let got = expect::<H>(&client, get(&peer.url("/"))).await;
            assert_eq!(got.body, b"until the end");
            assert!(!got.info.is_reused());
            assert_eq!(client.snapshot().totals().connections, 0);
        }
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// An HTTP/1.0 response without keep-alive ends its connection; with it, the connection is kept.
pub fn http10_keep_alive_is_explicit<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
            session.expect_request();
            session.write(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
            session.expect_end();
        });
        let client = lab.client();
        for reused in [false, true] {
            let got = expect::<H>(&client, get(&peer.url("/"))).await;
            assert_eq!((got.body.as_slice(), got.info.is_reused()), (&b"ok"[..], reused));
        }
        lab.until_connections(&client, 0).await;
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A head is handed out before the body is there, and pieces as they come.
pub fn response_streams_as_it_comes<H: Harness>() {
    run::<H>(async |lab| {
        let (first, second) = (Gate::default(), Gate::default());
        let (may_first, may_second) = (first.clone(), second.clone());
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
            may_first.wait();
            session.write(b"one");
            may_second.wait();
            session.write(b"two");
            session.expect_end();
        });
        let client = lab.client();
        let mut response = client.call(get(&peer.url("/"))).await.expect("a head");
        for (gate, expected) in [(first, "one"), (second, "two")] {
            gate.open();
            match next_frame::<H>(response.body_mut()).await {
                Some(Ok(super::lab::Piece::Data(data))) => assert_eq!(data, expected),
                other => panic!("no data: {}", other.is_some()),
            }
        }
        assert!(next_frame::<H>(response.body_mut()).await.is_none());
        assert_eq!(client.snapshot().totals().active, 0);
        drop(response);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The body of a small response is read with its head: the connection is back before the caller asks.
pub fn small_response_frees_its_connection_at_once<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let client = lab.client();
        let response = client.call(get(&peer.url("/"))).await.expect("a response");
        assert_eq!(client.snapshot().totals().active, 0);
        let second = expect::<H>(&client, get(&peer.url("/"))).await;
        assert!(second.info.is_reused());
        assert_eq!(super::lab::read_all::<H>(response).await.expect("a body").body, b"ok");
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// However little moves at a time, and however often a stream is not ready, messages are the same.
pub fn messages_survive_streams_that_yield<H: Harness>() {
    const SHAPES: [(&[u8], &[u8]); 5] = [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz",
            b"abcdefghijklmnopqrstuvwxyz",
        ),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ];
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            for (response, _) in SHAPES {
                assert_eq!(session.expect_request().body, b"0123456789");
                session.write(response);
            }
            session.expect_end();
        });
        let client = lab.client_with(Manner::Choppy, |builder| builder);
        for (index, (_, body)) in SHAPES.into_iter().enumerate() {
            let content = Content::stream().then("01234").then_yield().then("56789").then_trailer("x-a", "b");
            let got = expect::<H>(&client, post(&peer.url("/"), content)).await;
            assert_eq!((got.body.as_slice(), got.info.is_reused()), (body, index > 0));
        }
        lab.finish(&client).await;
        peer.done().await;
    });
}
