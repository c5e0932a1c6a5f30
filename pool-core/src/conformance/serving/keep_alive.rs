//! How long a connection lives, and for how many requests.

use super::super::content::Content;
use super::super::lab::{get, millis};
use super::super::turns::{Gate, yield_now};
use super::ServerHarness;
use super::lab::{Asked, Room, Setup, reply, serve, tell_path};
use crate::client::{Builder as ClientBuilder, Client, ConnectionInfo};
use crate::server::PeerAddr;

/// Two requests, one connection; the service learns who asks.
pub fn requests_share_a_connection<H: ServerHarness>() {
    let host = |request: Asked<H>| async move {
        let peer = request.extensions().get::<PeerAddr>().expect("every request tells its peer").0;
        assert_eq!(request.body().peer_addr(), peer);
        assert!(peer.ip().is_loopback());
        reply::<H>(request.uri().path().to_owned())
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            for path in ["/a", "/b"] {
                let response = visitor.get(path);
                assert_eq!(response.line(), "HTTP/1.1 200 OK");
                assert_eq!(response.body, path.as_bytes());
                assert_eq!(response.field("connection"), None);
            }
        })
        .await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.accepted, counts.requests, counts.failures), (1, 2, 0));
    });
}

/// Requests in one segment: answered in order, and never two at a time.
pub fn pipelined_requests_are_answered_one_at_a_time<H: ServerHarness>() {
    let room = Room::default();
    let watched = room.clone();
    let host = move |request: Asked<H>| {
        let room = room.clone();
        async move {
            let _inside = room.enter();
            yield_now().await;
            reply::<H>(request.uri().path().to_owned())
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            let paths: Vec<String> = (0..300).map(|n| format!("/{n}")).collect();
            let requests: String =
                paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
            visitor.write(requests);
            for path in paths {
                assert_eq!(visitor.response().body, path.as_bytes());
            }
        })
        .await;
        assert_eq!(site.handle.snapshot().requests, 300);
        assert_eq!(watched.most(), 1);
    });
}

/// `Connection: close` from the client.
pub fn connection_close_is_honoured<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), tell_path::<H>, async |site| {
        site.visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            visitor.expect_last("200");
        })
        .await;
    });
}

/// HTTP/1.0 closes unless it asks for keep-alive.
pub fn http10_lives_on_only_if_asked<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), tell_path::<H>, async |site| {
        site.visit(|visitor| {
            visitor.write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
            let response = visitor.response();
            assert_eq!(response.field("connection"), Some("keep-alive"));
            assert_eq!(response.body, b"/a");
            visitor.write("GET /b HTTP/1.0\r\n\r\n");
            visitor.expect_last("200");
        })
        .await;
    });
}

/// The last response says so.
pub fn max_requests_per_connection_announces_the_close<H: ServerHarness>() {
    let setup = Setup::with(|server| server.max_requests_per_connection(2));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        site.visit(|visitor| {
            assert_eq!(visitor.get("/a").field("connection"), None);
            visitor.write("GET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(visitor.expect_last("200").body, b"/b");
        })
        .await;
        assert_eq!(site.handle.snapshot().requests, 2);
    });
}

/// Without a request the connection ends.
pub fn idle_timeout_closes<H: ServerHarness>() {
    let setup = Setup::with(|server| server.idle_timeout(millis(40)));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        let began = site.now();
        site.visit(|visitor| visitor.session.expect_fin()).await;
        assert!(site.now().since(began) >= millis(40));
        assert_eq!(site.handle.snapshot().timeouts, 1);
    });
}

/// An exchange that takes longer than the timeout is not cut, and the time runs from its end.
pub fn idle_timeout_starts_with_the_last_response<H: ServerHarness>() {
    let gate = Gate::default();
    let waits = gate.clone();
    let setup = Setup::with(|server| server.idle_timeout(millis(40)));
    let host = move |_: Asked<H>| {
        let waits = waits.clone();
        async move {
            waits.opened().await;
            reply::<H>("late")
        }
    };
    serve::<H, _>(setup, host, async |site| {
        let answered = Gate::default();
        let seen = answered.clone();
        let visit = site.begin_visit(move |visitor| {
            assert_eq!(visitor.get("/").body, b"late");
            seen.open();
            visitor.session.expect_fin();
        });
        site.until(|counts| counts.requests == 1).await;
        site.pause(millis(80)).await;
        assert_eq!(site.handle.snapshot().timeouts, 0);
        let began = site.now();
        gate.open();
        visit.done().await;
        assert!(answered.is_open());
        assert!(site.now().since(began) >= millis(40));
        assert_eq!(site.handle.snapshot().timeouts, 1);
    });
}

/// A request moves the end of the idle time, although the timer is not touched for it.
pub fn requests_move_the_idle_timeout<H: ServerHarness>() {
    let timeout = millis(400);
    let setup = Setup::with(move |server| server.idle_timeout(timeout));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        let (first, goes_on) = (Gate::default(), Gate::default());
        let (tells, waits) = (first.clone(), goes_on.clone());
        let visit = site.begin_visit(move |visitor| {
            visitor.get("/first");
            tells.open();
            waits.wait();
            visitor.get("/second");
            visitor.session.expect_fin();
        });
        first.opened().await;
        site.pause(timeout / 3).await;
        let began = site.now();
        goes_on.open();
        visit.done().await;
        assert!(site.now().since(began) >= timeout, "the time ran from the first request");
        assert_eq!(site.handle.snapshot().timeouts, 1);
    });
}

/// Whoever sends only a part of a head is told that it took too long.
pub fn slow_head_is_answered_408<H: ServerHarness>() {
    let setup = Setup::with(|server| server.request_headers_timeout(millis(40)));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        let began = site.now();
        site.visit(|visitor| {
            visitor.get("/in-time");
            visitor.write("GET / HTTP/1.1\r\nHo");
            visitor.expect_last("408");
        })
        .await;
        assert!(site.now().since(began) >= millis(40));
        let counts = site.handle.snapshot();
        assert_eq!((counts.requests, counts.timeouts), (1, 1));
    });
}

/// An idle connection is closed at its age.
pub fn max_connection_duration_ends_idle_connections<H: ServerHarness>() {
    let setup = Setup::with(|server| server.max_connection_duration(millis(60)));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        let began = site.now();
        site.visit(|visitor| {
            visitor.get("/");
            visitor.session.expect_fin();
        })
        .await;
        assert!(site.now().since(began) >= millis(60));
    });
}

/// A busy one finishes its exchange, whose response announces the close.
pub fn max_connection_duration_lets_an_exchange_finish<H: ServerHarness>() {
    let gate = Gate::default();
    let waits = gate.clone();
    let setup = Setup::with(|server| server.max_connection_duration(millis(30)));
    let host = move |_: Asked<H>| {
        let waits = waits.clone();
        async move {
            waits.opened().await;
            reply::<H>("late")
        }
    };
    serve::<H, _>(setup, host, async |site| {
        let visit = site.begin_visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(visitor.expect_last("200").body, b"late");
        });
        site.until(|counts| counts.requests == 1).await;
        site.pause(millis(60)).await;
        gate.open();
        visit.done().await;
    });
}

/// A connection over the limit is served when another one ends.
pub fn connection_limit_keeps_others_waiting<H: ServerHarness>() {
    let setup = Setup::with(|server| server.max_connections(1));
    serve::<H, _>(setup, tell_path::<H>, async |site| {
        let first_may_go = Gate::default();
        let (wait, second_is_there) = (first_may_go.clone(), Gate::default());
        let there = second_is_there.clone();
        let first = site.begin_visit(move |visitor| {
            visitor.get("/first");
            let mut second = visitor.another();
            second.write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
            there.open();
            wait.wait();
            visitor.get("/first-again");
            assert!(!second.session.has_input(), "served although the limit is 1");
            // Only now there is room.
            visitor.session.finish();
            assert_eq!(second.response().body, b"/second");
        });
        second_is_there.opened().await;
        assert_eq!((site.handle.snapshot().accepted, site.handle.snapshot().active), (1, 1));
        first_may_go.open();
        first.done().await;
        assert_eq!(site.handle.snapshot().accepted, 2);
    });
}

/// Requests through the pools of this crate.
pub fn the_crates_own_client_is_served<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), tell_path::<H>, async |site| {
        let client: Client<_, _, Content> =
            ClientBuilder::new(site.runtime.clone(), site.connector.clone()).build();
        let mut connections = Vec::new();
        for path in ["/a", "/b", "/c"] {
            let request = get(&format!("http://{}{path}", site.address));
            let response = client.call(request).await.expect("a response");
            connections.push(response.extensions().get::<ConnectionInfo>().map(ConnectionInfo::id));
            assert_eq!(response.status(), 200);
        }
        connections.dedup();
        assert_eq!(connections.len(), 1, "one connection serves all three");
        client.close().await;
        site.until(|counts| counts.active == 0).await;
    });
}
