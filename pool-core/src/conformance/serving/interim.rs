//! Interim responses (RFC 9110 15.2), 100 above all.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use http::{HeaderMap, StatusCode};
use http_body::Body as _;

use super::super::content::Content;
use super::super::turns::{Gate, yield_now};
use super::ServerHarness;
use super::lab::{Asked, Io, Setup, read, reply, reply_with, serve};
use crate::server::{Control, Incoming};

const EXPECTS: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

/// The client waits for 100, and gets it when the service wants the content.
pub fn continue_is_sent_when_the_body_is_asked_for<H: ServerHarness>() {
    let asked = Gate::default();
    let asks = asked.clone();
    let host = move |request: Asked<H>| {
        let asks = asks.clone();
        async move {
            asks.opened().await;
            let content = read(&mut request.into_body()).await?;
            reply::<H>(content)
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let visit = site.begin_visit(|visitor| {
            visitor.write(EXPECTS);
            assert_eq!(visitor.head().line(), "HTTP/1.1 100 Continue");
            visitor.write("hello");
            let response = visitor.response();
            assert_eq!((response.line(), response.body.as_slice()), ("HTTP/1.1 200 OK", &b"hello"[..]));
            assert!(!visitor.session.has_input());
        });
        site.until(|counts| counts.requests == 1).await;
        asked.open();
        visit.done().await;
    });
}

/// A final response instead of 100 ends the connection: nobody knows whether the content will come.
pub fn continue_is_not_sent_for_a_body_that_nobody_wants<H: ServerHarness>() {
    let host = |_: Asked<H>| async move { reply_with::<H>(StatusCode::EXPECTATION_FAILED, Content::empty()) };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write(EXPECTS);
            visitor.expect_last("417");
        })
        .await;
    });
}

/// 103 before the final response; left out for HTTP/1.0.
pub fn interim_responses_are_sent_on_request<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        let mut hints = HeaderMap::new();
        hints.insert("link", http::HeaderValue::from_static("</a.css>"));
        request.body().send_interim(StatusCode::EARLY_HINTS, hints);
        // One is sent while the service works, the other together with the response.
        yield_now().await;
        request.body().send_interim(StatusCode::PROCESSING, HeaderMap::new());
        reply::<H>("done")
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let hints = visitor.head();
            assert_eq!(hints.line(), "HTTP/1.1 103 Early Hints");
            assert_eq!(hints.field("link"), Some("</a.css>"));
            assert_eq!(visitor.head().line(), "HTTP/1.1 102 Processing");
            assert_eq!(visitor.response().body, b"done");
            visitor.write("GET / HTTP/1.0\r\n\r\n");
            assert_eq!(visitor.expect_last("200").body, b"done");
        })
        .await;
    });
}

/// Whoever reads the content does not ask the client for it: the service does, when it likes.
pub fn continue_can_be_left_to_the_service<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        let mut body = request.into_body();
        let control = body.control();
        control.withhold_continue();
        // The content is waited for; a turn later it would have been asked for.
        poll_fn(|cx| {
            assert!(Pin::new(&mut body).poll_frame(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        yield_now().await;
        control.send_interim(StatusCode::EARLY_HINTS, HeaderMap::new());
        yield_now().await;
        control.send_interim(StatusCode::CONTINUE, HeaderMap::new());
        let content = read(&mut body).await?;
        reply::<H>(content)
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            for _ in 0..2 {
                visitor.write(EXPECTS);
                assert_eq!(visitor.head().line(), "HTTP/1.1 103 Early Hints");
                assert_eq!(visitor.head().line(), "HTTP/1.1 100 Continue");
                visitor.write("hello");
                assert_eq!(visitor.response().body, b"hello");
                assert!(!visitor.session.has_input());
            }
        })
        .await;
        assert_eq!(site.handle.snapshot().accepted, 1);
    });
}

/// Nobody sends 100: content that comes unasked is served as ever, and a final response without it
/// ends the connection.
pub fn withheld_continue_is_never_sent<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        let path = request.uri().path().to_owned();
        let mut body = request.into_body();
        body.control().withhold_continue();
        if path == "/refuse" {
            return reply_with::<H>(StatusCode::EXPECTATION_FAILED, Content::empty());
        }
        let content = read(&mut body).await?;
        reply::<H>(content)
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write(EXPECTS);
            visitor.write("hello");
            let response = visitor.response();
            assert_eq!((response.line(), response.field("connection")), ("HTTP/1.1 200 OK", None));
            visitor.write(EXPECTS.replace(" / ", " /refuse "));
            visitor.expect_last("417");
        })
        .await;
    });
}

/// The service waits, the content is read by one task, and interim responses come from it too; what
/// comes late belongs to no other exchange.
pub fn interim_responses_are_sent_from_beside<H: ServerHarness>() {
    type Handed<I> = Arc<Mutex<Option<(Control<I>, Incoming<I>)>>>;
    let (there, done) = (Gate::default(), Gate::default());
    let handed: Handed<Io<H>> = Arc::default();
    let (gives, given, finished) = (handed.clone(), there.clone(), done.clone());
    let host = move |request: Asked<H>| {
        let body = request.into_body();
        *gives.lock().expect("no panic under it") = Some((body.control(), body));
        given.open();
        let finished = finished.clone();
        async move {
            finished.opened().await;
            reply::<H>("read")
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let (over, goes_on) = (Gate::default(), Gate::default());
        let (tells, waits) = (over.clone(), goes_on.clone());
        let visit = site.begin_visit(move |visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
            assert_eq!(visitor.head().line(), "HTTP/1.1 103 Early Hints");
            visitor.write("hello");
            assert_eq!(visitor.response().body, b"read");
            tells.open();
            waits.wait();
            assert_eq!(visitor.get("/again").body, b"read");
        });
        there.opened().await;
        let (control, mut body) =
            handed.lock().expect("no panic under it").take().expect("a request was handed over");
        control.clone().send_interim(StatusCode::EARLY_HINTS, HeaderMap::new());
        assert_eq!(read(&mut body).await.expect("all of it"), b"hello");
        done.open();
        over.opened().await;
        control.send_interim(StatusCode::PROCESSING, HeaderMap::new());
        goes_on.open();
        visit.done().await;
    });
}
