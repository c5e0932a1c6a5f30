//! How long an exchange may take.

use std::sync::{Arc, Mutex};

use http::StatusCode;

use super::super::content::Content;
use super::super::lab::millis;
use super::super::turns::Gate;
use super::ServerHarness;
use super::lab::{Answer, Asked, Io, Room, Setup, read, reply, reply_with, serve};
use crate::server::Control;

const SHORT: u64 = 40;

/// Reads the content; `/silent` never answers, `/stalls` begins an answer.
async fn host<H: ServerHarness>(request: Asked<H>) -> Answer<H> {
    match request.uri().path() {
        "/silent" => std::future::pending().await,
        "/stalls" => reply_with::<H>(StatusCode::OK, Content::stream().then("one").then_stuck()),
        _ => {
            let content = read(&mut request.into_body()).await?;
            reply::<H>(content)
        }
    }
}

/// Whoever stops in the middle of a request is told; what it sent of a head counts too.
pub fn stream_idle_timeout_answers_an_incomplete_request_408<H: ServerHarness>() {
    let setup = Setup::with(|server| server.stream_idle_timeout(millis(SHORT)));
    serve::<H, _>(setup, host::<H>, async |site| {
        for part in ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfour", "GET / HTTP/1.1\r\nHo"] {
            let began = site.now();
            site.visit(move |visitor| {
                visitor.write(part);
                assert_eq!(visitor.expect_last("408").body, b"stream timeout");
            })
            .await;
            assert!(site.now().since(began) >= millis(SHORT));
        }
        let counts = site.handle.snapshot();
        assert_eq!((counts.stream_idle_timeouts, counts.requests, counts.completed), (2, 1, 1));
    });
}

/// The service's silence is not the client's fault: 504, and the connection lives on.
pub fn stream_idle_timeout_answers_for_a_silent_service_504<H: ServerHarness>() {
    let room = Room::default();
    let busy = room.clone();
    let setup = Setup::with(|server| server.stream_idle_timeout(millis(SHORT)));
    let host = move |request: Asked<H>| {
        let inside = busy.enter();
        async move {
            let _inside = inside;
            host::<H>(request).await
        }
    };
    serve::<H, _>(setup, host, async |site| {
        site.visit(|visitor| {
            for _ in 0..2 {
                let response = visitor.get("/silent");
                assert_eq!(response.line(), "HTTP/1.1 504 Gateway Timeout");
                assert_eq!((response.field("connection"), &*response.body), (None, &b"stream timeout"[..]));
                visitor.write("HEAD /silent HTTP/1.1\r\nHost: a\r\n\r\n");
                assert!(visitor.head().line().contains("504"));
                assert!(visitor.get("/").line().contains("200"));
            }
        })
        .await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.accepted, counts.stream_idle_timeouts, room.inside()), (1, 4, 0));
    });
}

/// There is no second response: the client sees that the first one has no end.
pub fn stream_idle_timeout_cuts_a_response_that_stalls<H: ServerHarness>() {
    let setup = Setup::with(|server| server.stream_idle_timeout(millis(SHORT)));
    serve::<H, _>(setup, host::<H>, async |site| {
        site.visit(|visitor| {
            visitor.write("GET /stalls HTTP/1.1\r\nHost: a\r\n\r\n");
            visitor.head();
            assert_eq!(visitor.session.take(100), b"3\r\none\r\n");
        })
        .await;
        site.until(|counts| counts.active == 0).await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.stream_idle_timeouts, counts.tx_reset), (1, 1));
        assert_eq!((counts.destroyed_local, counts.destroyed_local_busy), (1, 1));
    });
}

/// Content in either direction is a sign of life.
pub fn exchange_that_goes_on_is_not_idle<H: ServerHarness>() {
    let timeout = millis(600);
    let setup = Setup::with(move |server| server.stream_idle_timeout(timeout));
    let gates: Arc<[Gate; 8]> = Arc::default();
    let opens = gates.clone();
    let host = move |request: Asked<H>| {
        let mut content = Content::stream();
        for gate in &gates[4..] {
            content = content.then_wait(gate).then("x");
        }
        async move {
            read(&mut request.into_body()).await?;
            reply_with::<H>(StatusCode::OK, content)
        }
    };
    serve::<H, _>(setup, host, async |site| {
        let waits = opens.clone();
        let visit = site.begin_visit(move |visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
            for gate in &waits[..4] {
                gate.wait();
                visitor.write("x");
            }
            assert_eq!(visitor.response().body, b"xxxx");
        });
        for gate in &*opens {
            site.pause(timeout / 4).await;
            gate.open();
        }
        visit.done().await;
        assert_eq!(site.handle.snapshot().stream_idle_timeouts, 0);
    });
}

/// Bytes that keep coming do not help; once the request is there the service has all the time.
pub fn request_timeout_bounds_the_whole_request<H: ServerHarness>() {
    let timeout = millis(60);
    let gate = Gate::default();
    let waits = gate.clone();
    let setup = Setup::with(move |server| server.request_timeout(timeout));
    let host = move |request: Asked<H>| {
        let waits = waits.clone();
        async move {
            let content = read(&mut request.into_body()).await?;
            waits.opened().await;
            reply::<H>(content)
        }
    };
    serve::<H, _>(setup, host, async |site| {
        site.visit(|visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            while !visitor.session.has_input() {
                if visitor.session.try_write(b"1\r\nx\r\n").is_err() {
                    break;
                }
                std::thread::yield_now();
            }
            assert!(visitor.response().line().contains("408"));
        })
        .await;
        assert_eq!(site.handle.snapshot().request_timeouts, 1);
        let visit = site.begin_visit(|visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour");
            assert_eq!(visitor.response().body, b"four");
        });
        site.until(|counts| counts.requests == 2).await;
        site.pause(timeout * 2).await;
        gate.open();
        visit.done().await;
        assert_eq!(site.handle.snapshot().request_timeouts, 1);
    });
}

/// From the request's first byte to the response's last, whatever happens meanwhile.
pub fn max_stream_duration_ends_an_exchange<H: ServerHarness>() {
    let setup = Setup::with(|server| server.max_stream_duration(millis(SHORT)));
    serve::<H, _>(setup, host::<H>, async |site| {
        site.visit(|visitor| {
            let response = visitor.get("/silent");
            assert_eq!(response.line(), "HTTP/1.1 504 Gateway Timeout");
            assert_eq!(response.body, b"downstream duration timeout");
            let mut other = visitor.another();
            other.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfour");
            assert_eq!(other.expect_last("408").body, b"downstream duration timeout");
            visitor.write("GET /stalls HTTP/1.1\r\nHost: a\r\n\r\n");
            visitor.head();
            assert_eq!(visitor.session.take(100), b"3\r\none\r\n");
        })
        .await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.max_stream_durations, counts.accepted, counts.tx_reset), (3, 2, 1));
    });
}

/// For one exchange: longer, none, or shorter, also while the service only waits.
pub fn service_may_set_the_limits_of_its_exchange<H: ServerHarness>() {
    let (gate, there) = (Gate::default(), Gate::default());
    let (waits, tells) = (gate.clone(), there.clone());
    let handed: Arc<Mutex<Option<Control<Io<H>>>>> = Arc::default();
    let gives = handed.clone();
    let setup = Setup::with(|server| server.stream_idle_timeout(millis(SHORT)));
    let host = move |request: Asked<H>| {
        let (waits, tells, gives) = (waits.clone(), tells.clone(), gives.clone());
        async move {
            let control = request.body().control();
            match request.uri().path() {
                "/patient" => {
                    control.set_idle_timeout(None);
                    waits.opened().await;
                }
                "/short" => {
                    control.set_idle_timeout(None);
                    control.set_max_duration(millis(SHORT));
                    std::future::pending::<()>().await;
                }
                "/later" => {
                    control.set_idle_timeout(None);
                    *gives.lock().expect("no panic under it") = Some(control);
                    tells.open();
                    std::future::pending::<()>().await;
                }
                _ => {}
            }
            reply::<H>("done")
        }
    };
    serve::<H, _>(setup, host, async |site| {
        let visit = site.begin_visit(|visitor| {
            assert_eq!(visitor.get("/patient").body, b"done");
            assert_eq!(visitor.get("/short").body, b"downstream duration timeout");
            assert_eq!(visitor.get("/later").body, b"stream timeout");
            assert_eq!(visitor.get("/").body, b"done");
        });
        site.until(|counts| counts.requests == 1).await;
        site.pause(millis(SHORT * 2)).await;
        gate.open();
        there.opened().await;
        let control = handed.lock().expect("no panic under it").take().expect("a control");
        control.set_idle_timeout(millis(SHORT));
        visit.done().await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.stream_idle_timeouts, counts.max_stream_durations), (1, 1));
    });
}

/// Also where the response is all there at once, and only the client keeps it from going out.
pub fn service_may_set_the_limits_of_a_response_that_is_all_there<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        request.body().control().set_idle_timeout(millis(SHORT));
        // More than sockets hold.
        reply::<H>(vec![b'x'; 32 << 20])
    };
    serve::<H, _>(Setup::with(|server| server.stream_idle_timeout(None)), host, async |site| {
        let gate = Gate::default();
        let stays = gate.clone();
        let visit = site.begin_visit(move |visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            visitor.head();
            stays.wait();
        });
        site.until(|counts| counts.stream_idle_timeouts == 1).await;
        gate.open();
        visit.done().await;
    });
}
