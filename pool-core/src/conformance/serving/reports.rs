//! What the service learns of the end of an exchange.

use std::sync::{Arc, Mutex};

use http::StatusCode;

use super::super::content::Content;
use super::super::lab::millis;
use super::super::turns::{Gate, yield_now};
use super::ServerHarness;
use super::lab::{Asked, Io, Setup, read, reply, serve};
use super::watcher::{Reports, Watcher, guarded};
use crate::server::{Outcome, Reason};
use crate::wire::h1::{Error as WireError, Violation};

/// What was received and sent, and that it was all.
pub fn report_tells_of_a_complete_exchange<H: ServerHarness>() {
    let reports = Reports::default();
    let kept = reports.clone();
    let host = move |request: Asked<H>| {
        let watcher = kept.watcher(request.body());
        async move {
            let is_empty = request.uri().path() == "/204";
            let content = read(&mut request.into_body()).await?;
            assert!(watcher.look().is_none(), "a report of what is in progress");
            let mut response = guarded::<H>(Content::full(content), watcher)?;
            if is_empty {
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            Ok(response)
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
        const NONE: &str = "HEAD /204 HTTP/1.1\r\nHost: a\r\n\r\n";
        let began = site.now();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let sizes = heads.clone();
        site.visit(move |visitor| {
            visitor.write(format!("{HEAD}hello{NONE}"));
            let first = visitor.response();
            assert_eq!(first.body, b"hello");
            let second = visitor.head();
            let lengths = [first, second].map(|response| response.head.len() as u64 + 4);
            *sizes.lock().expect("no panic under it") = lengths.to_vec();
        })
        .await;
        reports.until(2).await;
        let heads = heads.lock().expect("no panic under it").clone();
        let all = reports.take();
        assert_eq!(all.len(), 2);
        for (report, (head, content, status, sent)) in
            all.iter().zip([(HEAD, 5, StatusCode::OK, heads[0]), (NONE, 0, StatusCode::NO_CONTENT, heads[1])])
        {
            assert_eq!((report.outcome, report.status), (Outcome::Complete, Some(status)));
            assert_eq!((report.received.head, report.received.content), (head.len() as u64, content));
            assert_eq!((report.sent.head, report.sent.content), (sent, content));
            assert!((began..=site.now()).contains(&report.ended));
        }
        let counts = site.handle.snapshot();
        assert_eq!((counts.completed, counts.requests_active), (2, 0));
        site.until(|counts| counts.active == 0).await;
        let counts = site.handle.snapshot();
        assert_eq!(counts.rx_bytes, (HEAD.len() + 5 + NONE.len()) as u64);
        assert_eq!(counts.tx_bytes, heads.iter().sum::<u64>() + 5);
        assert_eq!((counts.destroyed_remote, counts.destroyed_local, counts.destroyed_busy), (1, 0, 0));
        assert_eq!(counts.length_ms.count(), 1);
    });
}

/// The client leaves, before a response and in the middle of one.
pub fn report_tells_that_the_client_has_gone<H: ServerHarness>() {
    let reports = Reports::default();
    let kept = reports.clone();
    let host = move |request: Asked<H>| {
        let watcher = kept.watcher(request.body());
        async move {
            if request.uri().path() == "/silent" {
                std::future::pending::<()>().await;
            }
            guarded::<H>(Content::stream().then("one").then_stuck(), watcher)
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let leave = Gate::default();
        let may_leave = leave.clone();
        let visit = site.begin_visit(move |visitor| {
            visitor.write("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
            may_leave.wait();
        });
        site.until(|counts| counts.requests == 1).await;
        leave.open();
        visit.done().await;
        site.visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            visitor.head();
            assert_eq!(visitor.session.take(8), b"3\r\none\r\n");
        })
        .await;
        site.until(|counts| counts.active == 0).await;
        let all = reports.take();
        let told: Vec<_> = all.iter().map(|report| (report.outcome, report.status)).collect();
        let gone = Outcome::ClientGone;
        assert_eq!(told, [(gone, None), (gone, Some(StatusCode::OK))]);
        assert_eq!(all.iter().map(|report| report.sent.content).collect::<Vec<_>>(), [0, 3]);
        let counts = site.handle.snapshot();
        assert_eq!((counts.rx_reset, counts.destroyed_remote_busy), (2, 2));
    });
}

/// The server ends exchanges: it answers by itself, breaks a response off, is shut down.
pub fn report_tells_why_the_server_ended_it<H: ServerHarness>() {
    let reports = Reports::default();
    let kept = reports.clone();
    let setup = Setup::with(|server| server.stream_idle_timeout(millis(40)));
    let host = move |request: Asked<H>| {
        let watcher = kept.watcher(request.body());
        async move {
            match request.uri().path() {
                "/bad" => {
                    let mut body = request.into_body();
                    let _ = read(&mut body).await;
                    std::future::pending::<()>().await;
                }
                "/204" => {
                    let mut response = guarded::<H>(Content::full("content"), watcher)?;
                    *response.status_mut() = StatusCode::NO_CONTENT;
                    return Ok(response);
                }
                "/stalls" => return guarded::<H>(Content::stream().then("one").then_stuck(), watcher),
                "/fails" => {
                    return guarded::<H>(Content::stream().then("one").then_yield().then_fail(), watcher);
                }
                _ => std::future::pending::<()>().await,
            }
            guarded::<H>(Content::empty(), watcher)
        }
    };
    serve::<H, _>(setup, host, async |site| {
        for (count, path) in (1..).zip(["/silent", "/204", "/stalls", "/fails"]) {
            site.visit(move |visitor| {
                visitor.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
                visitor.head();
                if path == "/silent" {
                    // Otherwise it would live on.
                    visitor.session.finish();
                }
                visitor.session.drain();
            })
            .await;
            reports.until(count).await;
        }
        site.visit(|visitor| {
            visitor.write("POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n");
            visitor.expect_last("400");
        })
        .await;
        reports.until(5).await;
        let all: Vec<_> = reports.take().iter().map(|report| (report.outcome, report.status)).collect();
        let bad = Reason::Protocol(WireError::Peer(Violation::ChunkSize));
        assert_eq!(
            all,
            [
                (Outcome::Stopped(Reason::StreamIdleTimeout), Some(StatusCode::GATEWAY_TIMEOUT)),
                (Outcome::Stopped(Reason::Service), Some(StatusCode::INTERNAL_SERVER_ERROR)),
                (Outcome::Stopped(Reason::StreamIdleTimeout), Some(StatusCode::OK)),
                (Outcome::Stopped(Reason::Service), Some(StatusCode::OK)),
                (Outcome::Stopped(bad), Some(StatusCode::BAD_REQUEST)),
            ]
        );
    });
}

/// A shutdown that runs into its deadline; a connection that is handed over.
pub fn report_tells_of_cuts_and_upgrades<H: ServerHarness>() {
    let reports = Reports::default();
    let kept = reports.clone();
    let host = move |request: Asked<H>| {
        let watcher = kept.watcher(request.body());
        async move {
            if request.method() != http::Method::CONNECT {
                std::future::pending::<()>().await;
            }
            guarded::<H>(Content::empty(), watcher)
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
            visitor.head();
            visitor.session.expect_end();
        })
        .await;
        let visit = site.begin_visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            visitor.session.expect_end();
        });
        site.until(|counts| counts.requests == 2).await;
        assert_eq!(site.handle.shutdown(millis(30)).await, 1);
        visit.done().await;
        let all: Vec<_> = reports.take().iter().map(|report| (report.outcome, report.status)).collect();
        assert_eq!(all, [(Outcome::Upgraded, Some(StatusCode::OK)), (Outcome::Cut, None)]);
        let counts = site.handle.snapshot();
        assert_eq!((counts.upgrades, counts.upgrades_active, counts.destroyed_local_busy), (1, 0, 1));
        assert_eq!(counts.destroyed, 2);
    });
}

/// Another exchange on the connection is nobody else's business.
pub fn report_is_gone_with_the_next_exchange<H: ServerHarness>() {
    let reports = Reports::default();
    let kept = reports.clone();
    let first: Arc<Mutex<Option<Watcher<Io<H>>>>> = Arc::default();
    let (keeps, asks) = (first.clone(), first.clone());
    let host = move |request: Asked<H>| {
        if request.uri().path() == "/first" {
            *keeps.lock().expect("no panic under it") = Some(kept.watcher(request.body()));
        } else {
            let first = asks.lock().expect("no panic under it");
            assert!(first.as_ref().is_some_and(|first| first.look().is_none()));
        }
        async move {
            yield_now().await;
            reply::<H>("done")
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.get("/first");
            visitor.get("/second");
        })
        .await;
        drop(first.lock().expect("no panic under it").take());
        assert_eq!(reports.take().len(), 0);
    });
}
