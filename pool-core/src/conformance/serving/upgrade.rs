//! Connections that leave HTTP.

use std::future::poll_fn;
use std::io::IoSlice;
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Response, StatusCode};

use super::super::content::Content;
use super::super::turns::Gate;
use super::ServerHarness;
use super::lab::{Answer, Asked, Io, Reply, Setup, serve};
use crate::runtime::Io as _;
use crate::server::{NotUpgraded, Upgrade, Upgraded};

const OFFER: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// Where the service leaves an upgrade for the case.
struct Desk<H: ServerHarness> {
    left: Arc<Mutex<Option<Upgrade<Io<H>>>>>,
    there: Gate,
}

impl<H: ServerHarness> Clone for Desk<H> {
    fn clone(&self) -> Self {
        Self { left: self.left.clone(), there: self.there.clone() }
    }
}

impl<H: ServerHarness> Desk<H> {
    fn new() -> Self {
        Self { left: Arc::default(), there: Gate::default() }
    }

    /// Leaves what the client offered, and answers with `status`.
    fn answer(&self, request: &Asked<H>, status: StatusCode) -> Answer<H> {
        *self.left.lock().expect("no panic under it") = request.body().upgrade();
        assert!(request.body().upgrade().is_none(), "there is only one");
        self.there.open();
        let mut response = Response::new(Reply::Content(Content::empty()));
        *response.status_mut() = status;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert("upgrade", HeaderValue::from_static("echo"));
        }
        Ok(response)
    }

    async fn take(&self) -> Upgrade<Io<H>> {
        self.there.opened().await;
        self.left.lock().expect("no panic under it").take().expect("an upgrade was offered")
    }
}

/// Sends everything back until the client ends.
async fn echo<I: crate::runtime::Io>(stream: &mut Upgraded<I>) {
    let mut buffer = [0; 1024];
    loop {
        let n = poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await.expect("bytes");
        if n == 0 {
            return;
        }
        let mut sent = 0;
        while sent < n {
            let slice = buffer.get(sent..n).unwrap_or_default();
            sent += poll_fn(|cx| stream.poll_write_vectored(cx, &[IoSlice::new(slice)])).await.expect("room");
        }
    }
}

/// 101; what the client sent ahead is there.
pub fn upgraded_connection_carries_bytes_both_ways<H: ServerHarness>() {
    let desk = Desk::<H>::new();
    let service = desk.clone();
    let host = move |request: Asked<H>| {
        let answer = service.answer(&request, StatusCode::SWITCHING_PROTOCOLS);
        async move { answer }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let visit = site.begin_visit(|visitor| {
            visitor.write(format!("{OFFER}early"));
            let head = visitor.head();
            assert_eq!(head.line(), "HTTP/1.1 101 Switching Protocols");
            assert_eq!(head.field("upgrade"), Some("echo"));
            assert_eq!(visitor.session.take(5), b"early");
            visitor.write("late");
            assert_eq!(visitor.session.take(4), b"late");
            visitor.session.finish();
            visitor.session.expect_fin();
        });
        let mut stream = desk.take().await.await.expect("an upgraded connection");
        echo(&mut stream).await;
        assert_eq!(site.handle.snapshot().active, 1, "a tunnel is a connection");
        drop(stream);
        visit.done().await;
    });
}

/// CONNECT and 200.
pub fn connect_makes_a_tunnel<H: ServerHarness>() {
    let desk = Desk::<H>::new();
    let service = desk.clone();
    let host = move |request: Asked<H>| {
        let answer = service.answer(&request, StatusCode::OK);
        async move { answer }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let visit = site.begin_visit(|visitor| {
            visitor.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
            let head = visitor.head();
            assert_eq!((head.field("content-length"), head.field("connection")), (None, None));
            visitor.write("ping");
            assert_eq!(visitor.session.take(4), b"ping");
            visitor.session.finish();
        });
        let mut stream = desk.take().await.await.expect("a tunnel");
        echo(&mut stream).await;
        drop(stream);
        visit.done().await;
    });
}

/// The service answers 200 to an offer of an upgrade: HTTP goes on.
pub fn declined_upgrade_is_an_ordinary_exchange<H: ServerHarness>() {
    let desk = Desk::<H>::new();
    let service = desk.clone();
    let host = move |request: Asked<H>| {
        let answer = service.answer(&request, StatusCode::OK);
        async move { answer }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            for _ in 0..2 {
                visitor.write(OFFER);
                assert_eq!(visitor.response().line(), "HTTP/1.1 200 OK");
            }
        })
        .await;
        assert_eq!(desk.take().await.await.err(), Some(NotUpgraded));
        assert_eq!(site.handle.snapshot().accepted, 1);
    });
}

/// 101 without anybody to take the connection.
pub fn unclaimed_upgrade_is_closed<H: ServerHarness>() {
    let desk = Desk::<H>::new();
    let service = desk.clone();
    let host = move |request: Asked<H>| {
        let answer = service.answer(&request, StatusCode::SWITCHING_PROTOCOLS);
        service.left.lock().expect("no panic under it").take();
        async move { answer }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            visitor.write(OFFER);
            assert_eq!(visitor.head().line(), "HTTP/1.1 101 Switching Protocols");
            visitor.session.expect_fin();
        })
        .await;
        site.until(|counts| counts.active == 0).await;
    });
}
