//! What the server answers by itself.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use super::super::lab::millis;
use super::ServerHarness;
use super::lab::{Answer, Asked, Setup, serve, tell_path};
use crate::server::{Known, LocalReply, Reason};
use crate::wire::h1::{Error as WireError, Limits, Violation};

/// Status and text are Envoy's.
pub fn local_replies_say_what_is_wrong<H: ServerHarness>() {
    let limits = Limits { max_head_bytes: 400, ..Limits::default() };
    let setup = Setup::with(move |server| server.h1_limits(limits).request_headers_timeout(millis(40)));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        site.visit(|visitor| {
            let long = format!("GET / HTTP/1.1\r\nHost: a\r\nLong: {}\r\n\r\n", "x".repeat(400));
            for (request, status, text) in [
                ("GET / HTTP/1.1\r\n\r\n", "400", "Bad Request"),
                (&*long, "431", "Request Header Fields Too Large"),
                ("GET / HTTP/1.1\r\nHo", "408", "request header timeout"),
            ] {
                let mut visitor = visitor.another();
                visitor.write(request);
                let response = visitor.expect_last(status);
                assert_eq!(response.field("content-type"), Some("text/plain"));
                assert_eq!(response.body, text.as_bytes());
            }
        })
        .await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.refused, counts.headers_timeouts, counts.requests), (2, 1, 0));
    });
}

/// For those who do not serve it.
pub fn http10_can_be_refused<H: ServerHarness>() {
    let setup = Setup::with(|server| server.accept_http_10(false));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        site.visit(|visitor| {
            assert_eq!(visitor.get("/new").body, b"/new");
            visitor.write("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /more HTTP/1.0\r\n\r\n");
            assert!(visitor.expect_last("426").body.is_empty());
        })
        .await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.http10_refused, counts.requests, counts.completed), (1, 2, 2));
    });
}

/// Whoever set the server up sees these requests, and has the last word on the response.
pub fn local_replies_can_be_seen_and_changed<H: ServerHarness>() {
    type Seen = Vec<(Reason, Known, Option<String>)>;
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let notes = seen.clone();
    let hook = move |reply: &LocalReply<'_>, response: &mut Response<Bytes>| {
        assert!(reply.peer.ip().is_loopback());
        let path = reply.request.map(|request| request.uri().path().to_owned());
        notes.lock().expect("no panic under it").push((reply.reason, reply.known, path));
        response.headers_mut().insert("server", HeaderValue::from_static("hooked"));
        if reply.reason == Reason::Service {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            *response.body_mut() = Bytes::from_static(b"sorry");
        }
    };
    let setup = Setup::with(move |server| {
        server.accept_http_10(false).request_headers_timeout(millis(40)).on_local_reply(hook)
    });
    let host = |_: Asked<H>| async move { Answer::<H>::Err("broken".into()) };
    serve::<H, _>(setup, host, async |site| {
        site.visit(|visitor| {
            for (request, status, text) in [
                ("GET / HTTP/1.1\r\n\r\n", "400", "Bad Request"),
                ("GET / HTTP/1.1\r\nHo", "408", "request header timeout"),
                ("GET /old HTTP/1.0\r\n\r\n", "426", ""),
                ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "502", "sorry"),
            ] {
                let mut visitor = visitor.another();
                visitor.write(request);
                let response = visitor.expect_last(status);
                assert_eq!((response.field("server"), &*response.body), (Some("hooked"), text.as_bytes()));
            }
        })
        .await;
        let seen = seen.lock().expect("no panic under it");
        let protocol = Reason::Protocol(WireError::Peer(Violation::Host));
        assert_eq!(
            *seen,
            [
                (protocol, Known::Here, None),
                (Reason::HeadersTimeout, Known::Here, None),
                (Reason::Http10, Known::Here, Some("/old".to_owned())),
                (Reason::Service, Known::ToService, None),
            ]
        );
    });
}

/// A change that cannot be sent is left out.
pub fn local_reply_that_was_spoilt_is_sent_plainly<H: ServerHarness>() {
    let spoil = |_: &LocalReply<'_>, response: &mut Response<Bytes>| {
        response.headers_mut().insert("content-length", HeaderValue::from_static("9999"));
    };
    let setup = Setup::with(move |server| server.on_local_reply(spoil));
    let host = |_: Asked<H>| async move { Answer::<H>::Err("broken".into()) };
    serve::<H, _>(setup, host, async |site| {
        site.visit(|visitor| {
            let mut other = visitor.another();
            other.write("GET / HTTP/1.1\r\n\r\n");
            assert!(other.expect_last("400").body.is_empty());
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(visitor.expect_last("500").body.is_empty());
        })
        .await;
    });
}
