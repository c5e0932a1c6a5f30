//! Content of requests and responses.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use http::{Response, StatusCode};

use super::super::content::Content;
use super::super::turns::Gate;
use super::ServerHarness;
use super::lab::{Answer, Asked, Io, Reply, Setup, read, reply, reply_with, serve};
use crate::server::Incoming;

/// More than the buffers of two sockets and everything between them hold.
const MUCH: usize = 64 * 1024 * 1024;
/// What may be on the way when the other side does not read: above all the kernel's buffers.
const ON_THE_WAY: u64 = 24 * 1024 * 1024;

async fn echo<H: ServerHarness>(request: Asked<H>) -> Answer<H> {
    Ok(Response::new(Reply::Echo(request.into_body())))
}

/// Each chunk is answered before the next is sent: nothing is gathered.
pub fn content_is_echoed_as_it_comes<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), echo::<H>, async |site| {
        site.visit(|visitor| {
            for _ in 0..2 {
                visitor.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
                let head = visitor.head();
                assert_eq!(head.field("transfer-encoding"), Some("chunked"));
                for word in ["one", "two", "six"] {
                    visitor.write(format!("3\r\n{word}\r\n"));
                    assert_eq!(visitor.session.take(8), format!("3\r\n{word}\r\n").as_bytes());
                }
                visitor.write("0\r\n\r\n");
                assert_eq!(visitor.session.take(5), b"0\r\n\r\n");
            }
        })
        .await;
        assert_eq!(site.handle.snapshot().accepted, 1);
    });
}

/// A length stays a length, and trailers cross.
pub fn length_and_trailers_arrive<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), echo::<H>, async |site| {
        site.visit(|visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
            let head = visitor.head();
            assert_eq!(head.field("content-length"), Some("5"));
            visitor.write("lo");
            assert_eq!(visitor.session.take(5), b"hello");
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            visitor.write("2\r\nhi\r\n0\r\nSum: 7\r\n\r\n");
            let response = visitor.response();
            assert_eq!(response.body, b"hi");
            assert_eq!(response.trailers.to_ascii_lowercase(), "sum: 7");
        })
        .await;
        assert_eq!(site.handle.snapshot().accepted, 1);
    });
}

/// The client's writes stall until the service reads; then all of it arrives.
pub fn service_that_does_not_read_stops_the_client<H: ServerHarness>() {
    let stalled = Gate::default();
    let reads = stalled.clone();
    let host = move |request: Asked<H>| {
        let reads = reads.clone();
        async move {
            reads.opened().await;
            let content = read(&mut request.into_body()).await?;
            reply::<H>(content.len().to_string())
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(move |visitor| {
            visitor.write(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n"));
            // Opens the gate when writing stalls; if it never does, the service never reads.
            visitor.session.write_much(MUCH, &stalled);
            assert!(stalled.is_open());
            assert_eq!(visitor.response().body, MUCH.to_string().as_bytes());
        })
        .await;
    });
}

/// A response body is asked for no more than the client takes.
pub fn client_that_does_not_read_stops_the_service<H: ServerHarness>() {
    let chunk = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    let taken = Arc::new(Mutex::new(None));
    let told = taken.clone();
    let host = move |request: Asked<H>| {
        let (chunk, told) = (chunk.clone(), told.clone());
        async move {
            if request.uri().path() == "/small" {
                return reply::<H>("small");
            }
            let mut content = Content::of_length(MUCH as u64);
            for _ in 0..MUCH / chunk.len() {
                content = content.then(chunk.clone());
            }
            *told.lock().expect("no panic under it") = Some(content.taken());
            reply_with::<H>(StatusCode::OK, content)
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let may_read = Gate::default();
        let reads = may_read.clone();
        let slow = site.begin_visit(move |visitor| {
            visitor.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = visitor.head();
            assert_eq!(head.field("content-length"), Some(MUCH.to_string().as_str()));
            reads.wait();
            assert_eq!(visitor.session.skip(MUCH), MUCH);
        });
        site.until(|counts| counts.requests == 1).await;
        // Others are served meanwhile, and their exchanges are the clock by which it stands still.
        let mut last = None;
        loop {
            site.visit(|visitor| {
                for _ in 0..50 {
                    visitor.get("/small");
                }
            })
            .await;
            let so_far =
                taken.lock().expect("no panic under it").as_ref().map(|taken| taken.load(Ordering::SeqCst));
            if so_far.is_some_and(|bytes| bytes > 0) && so_far == last {
                break;
            }
            last = so_far;
        }
        let on_the_way = last.unwrap_or_default();
        assert!(on_the_way < ON_THE_WAY, "{on_the_way} bytes taken for a client that does not read");
        may_read.open();
        slow.done().await;
    });
}

/// HEAD, 204 and 304; the next response begins right behind the head.
pub fn responses_without_content_leave_the_connection<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        match request.uri().path() {
            "/204" => reply_with::<H>(StatusCode::NO_CONTENT, Content::empty()),
            "/304" => reply_with::<H>(StatusCode::NOT_MODIFIED, Content::empty()),
            _ => reply::<H>("four"),
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(visitor.head().field("content-length"), Some("4"));
            for status in ["204", "304"] {
                visitor.write(format!("GET /{status} HTTP/1.1\r\nHost: a\r\n\r\n"));
                let head = visitor.head();
                assert!(head.line().contains(status), "{}", head.head);
                assert_eq!((head.field("content-length"), head.field("transfer-encoding")), (None, None));
            }
            assert_eq!(visitor.get("/").body, b"four");
        })
        .await;
        assert_eq!(site.handle.snapshot().accepted, 1);
    });
}

/// Content of unknown length towards HTTP/1.0 ends with the connection.
pub fn http10_gets_content_until_the_close<H: ServerHarness>() {
    let host = |_: Asked<H>| async move {
        reply_with::<H>(StatusCode::OK, Content::stream().then("one ").then_yield().then("two"))
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
            let head = visitor.head();
            assert_eq!(head.field("connection"), Some("close"));
            assert_eq!((head.field("content-length"), head.field("transfer-encoding")), (None, None));
            assert_eq!(visitor.session.take(7), b"one two");
            visitor.session.expect_fin();
        })
        .await;
    });
}

/// The body travels: the case's own task reads it while the service waits.
pub fn content_may_be_read_by_another_task<H: ServerHarness>() {
    let (there, done) = (Gate::default(), Gate::default());
    let handed: Arc<Mutex<Option<Incoming<Io<H>>>>> = Arc::default();
    let (gives, given, finished) = (handed.clone(), there.clone(), done.clone());
    let host = move |request: Asked<H>| {
        *gives.lock().expect("no panic under it") = Some(request.into_body());
        given.open();
        let finished = finished.clone();
        async move {
            finished.opened().await;
            reply::<H>("read")
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        const LENGTH: usize = 4 * 1024 * 1024;
        let visit = site.begin_visit(|visitor| {
            visitor.write(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n"));
            visitor.write(vec![b'x'; LENGTH]);
            assert_eq!(visitor.response().body, b"read");
            assert_eq!(visitor.get("/again").body, b"read");
        });
        there.opened().await;
        let incoming = handed.lock().expect("no panic under it").take();
        let content = read(&mut incoming.expect("a body")).await.expect("all of it");
        assert_eq!(content.len(), LENGTH);
        done.open();
        visit.done().await;
    });
}
