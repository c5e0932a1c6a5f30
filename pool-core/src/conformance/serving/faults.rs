//! Clients, services and listeners that fail.

use http::StatusCode;

use super::super::content::Content;
use super::super::lab::millis;
use super::super::turns::{Gate, yield_now};
use super::ServerHarness;
use super::lab::{Answer, Asked, Room, Setup, read, reply, reply_with, serve, tell_path};
use crate::wire::h1::Limits;

/// The right status, and the end of the connection: nothing behind the bad request is read.
pub fn malformed_requests_are_refused<H: ServerHarness>() {
    let limits = Limits { max_head_bytes: 400, ..Limits::default() };
    let setup = Setup::with(move |server| server.h1_limits(limits));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nLong: {}\r\n\r\n", "x".repeat(400));
        let bad: [(String, &str); 6] = [
            ("GET / HTTP/1.1\r\n\r\n".into(), "400"),
            ("GET / HTTP/1.1\nHost: a\n\n".into(), "400"),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                    .into(),
                "400",
            ),
            (long, "431"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".into(), "501"),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(), "505"),
        ];
        let count = bad.len() as u64;
        site.visit(move |visitor| {
            for (request, status) in bad {
                let mut visitor = visitor.another();
                assert_eq!(visitor.get("/good").body, b"/good");
                visitor.write(format!("{request}GET /never HTTP/1.1\r\nHost: a\r\n\r\n"));
                visitor.expect_last(status);
            }
        })
        .await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.requests, counts.refused), (count, count));
    });
}

/// The service that reads learns of it, and the client is told 400.
pub fn malformed_content_is_an_error_for_its_reader<H: ServerHarness>() {
    let reading = Room::default();
    let readers = reading.clone();
    let host = move |request: Asked<H>| {
        let inside = readers.enter();
        async move {
            let _inside = inside;
            let content = read(&mut request.into_body()).await?;
            reply::<H>(content)
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n");
            visitor.expect_last("400");
        })
        .await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.refused, counts.failures, reading.inside()), (1, 0, 0));
    });
}

/// The service's error is not the client's business beyond the status.
pub fn service_error_is_500<H: ServerHarness>() {
    let host = |_: Asked<H>| async move { Answer::<H>::Err("broken".into()) };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(visitor.expect_last("500").body.is_empty());
        })
        .await;
        assert_eq!(site.handle.snapshot().failures, 1);
    });
}

/// 204 with content; 101 that nobody offered.
pub fn response_that_cannot_be_sent_is_500<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        let status = if request.uri().path() == "/204" {
            StatusCode::NO_CONTENT
        } else {
            StatusCode::SWITCHING_PROTOCOLS
        };
        reply_with::<H>(status, Content::full("content"))
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            for path in ["/204", "/101"] {
                let mut visitor = visitor.another();
                visitor.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
                visitor.expect_last("500");
            }
        })
        .await;
        assert_eq!(site.handle.snapshot().failures, 2);
    });
}

/// A client is never told that a broken response was complete.
pub fn response_shorter_than_announced_breaks_off<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        let content = match request.uri().path() {
            "/short" => Content::of_length(10).then("four"),
            _ => Content::stream().then("four").then_yield().then_fail(),
        };
        reply_with::<H>(StatusCode::OK, content)
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            let mut short = visitor.another();
            short.write("GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(short.session.request().is_none(), "complete");
            visitor.write("GET /failing HTTP/1.1\r\nHost: a\r\n\r\n");
            visitor.head();
            assert_eq!(visitor.session.take(100), b"4\r\nfour\r\n", "no end of the chunks");
        })
        .await;
        assert_eq!(site.handle.snapshot().failures, 2);
    });
}

/// The client closes while the service works: the service's future is dropped.
pub fn client_that_leaves_takes_its_request_along<H: ServerHarness>() {
    leaves_with::<H>("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

/// The same, after all of the content was read.
pub fn client_that_leaves_after_its_content_takes_its_request_along<H: ServerHarness>() {
    leaves_with::<H>("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    leaves_with::<H>(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
}

fn leaves_with<H: ServerHarness>(request: &'static str) {
    let room = Room::default();
    let busy = room.clone();
    let host = move |request: Asked<H>| {
        let busy = busy.clone();
        async move {
            read(&mut request.into_body()).await?;
            let _inside = busy.enter();
            std::future::pending::<Answer<H>>().await
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let leave = Gate::default();
        let may_leave = leave.clone();
        let visit = site.begin_visit(move |visitor| {
            visitor.write(request);
            may_leave.wait();
        });
        while room.inside() == 0 {
            yield_now().await;
        }
        leave.open();
        visit.done().await;
        while room.inside() > 0 {
            yield_now().await;
        }
        site.until(|counts| counts.active == 0).await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.rx_reset, counts.destroyed_remote_busy), (1, 1));
    });
}

/// After an error the listener is left alone for 10 ms, then 20, then 40; then it serves.
pub fn listener_errors_are_not_spun_on<H: ServerHarness>() {
    serve::<H, _>(Setup::with_failures(3), tell_path::<H>, async |site| {
        let began = site.now();
        site.visit(|visitor| assert_eq!(visitor.get("/late").body, b"/late")).await;
        assert!(site.now().since(began) >= millis(60), "no pause between the attempts");
        assert_eq!(site.handle.snapshot().accept_errors, 3);
    });
}
