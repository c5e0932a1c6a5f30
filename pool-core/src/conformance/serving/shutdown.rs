//! The end of a server.

use std::future::poll_fn;
use std::pin::pin;

use super::super::PATIENCE;
use super::super::lab::millis;
use super::super::turns::{Gate, beside, yield_now};
use super::ServerHarness;
use super::lab::{Answer, Asked, Setup, reply, serve, tell_path};
use crate::runtime::Io as _;

/// Keep-alive without a request in progress: FIN, and the shutdown completes.
pub fn idle_connections_close_at_once<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), tell_path::<H>, async |site| {
        let served = Gate::default();
        let was_served = served.clone();
        let visit = site.begin_visit(move |visitor| {
            let mut silent = visitor.another();
            visitor.get("/a");
            was_served.open();
            visitor.session.expect_fin();
            silent.session.expect_fin();
        });
        served.opened().await;
        site.until(|counts| counts.active == 2).await;
        assert_eq!(site.handle.shutdown(PATIENCE).await, 0);
        assert_eq!(site.handle.snapshot().active, 0);
        visit.done().await;
    });
}

/// An exchange in progress is finished; its response announces the close.
pub fn busy_connections_answer_and_close<H: ServerHarness>() {
    let gate = Gate::default();
    let waits = gate.clone();
    let host = move |_: Asked<H>| {
        let waits = waits.clone();
        async move {
            waits.opened().await;
            reply::<H>("done")
        }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let visit = site.begin_visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(visitor.expect_last("200").body, b"done");
        });
        site.until(|counts| counts.requests == 1).await;
        let mut shutdown = pin!(site.handle.shutdown(PATIENCE));
        beside(shutdown.as_mut(), async {
            for _ in 0..100 {
                yield_now().await;
            }
        })
        .await;
        gate.open();
        assert_eq!(shutdown.await, 0);
        visit.done().await;
    });
}

/// A head of which a part had arrived is a request in progress.
pub fn request_on_its_way_is_answered<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), tell_path::<H>, async |site| {
        let (begun, goes_on) = (Gate::default(), Gate::default());
        let (tells, waits) = (begun.clone(), goes_on.clone());
        let visit = site.begin_visit(move |visitor| {
            visitor.write("GET /late HTTP/1.1\r\nHo");
            // Another exchange: behind it the server has seen the bytes before.
            visitor.another().get("/other");
            tells.open();
            waits.wait();
            visitor.write("st: a\r\n\r\n");
            assert_eq!(visitor.expect_last("200").body, b"/late");
        });
        begun.opened().await;
        let mut shutdown = pin!(site.handle.shutdown(PATIENCE));
        beside(shutdown.as_mut(), async {
            for _ in 0..100 {
                yield_now().await;
            }
        })
        .await;
        goes_on.open();
        assert_eq!(shutdown.await, 0);
        visit.done().await;
    });
}

/// What has not ended by itself is cut, and counted.
pub fn deadline_cuts_what_is_left<H: ServerHarness>() {
    let host = |_: Asked<H>| async move { std::future::pending::<Answer<H>>().await };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let visit = site.begin_visit(|visitor| {
            visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            visitor.session.expect_end();
        });
        site.until(|counts| counts.requests == 1).await;
        let began = site.now();
        assert_eq!(site.handle.shutdown(millis(30)).await, 1);
        assert!(site.now().since(began) >= millis(30));
        visit.done().await;
    });
}

/// A tunnel is left alone until the deadline, and fails then.
pub fn deadline_cuts_tunnels<H: ServerHarness>() {
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (left, there) = (slot.clone(), Gate::default());
    let tells = there.clone();
    let host = move |request: Asked<H>| {
        *left.lock().expect("no panic under it") = request.body().upgrade();
        tells.open();
        async move { reply::<H>(bytes::Bytes::new()) }
    };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        let visit = site.begin_visit(|visitor| {
            visitor.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
            visitor.head();
            visitor.session.expect_end();
        });
        there.opened().await;
        let upgrade = slot.lock().expect("no panic under it").take().expect("an upgrade");
        let mut stream = upgrade.await.expect("a tunnel");
        let mut shutdown = pin!(site.handle.shutdown(millis(30)));
        let read = beside(shutdown.as_mut(), async {
            let read = poll_fn(|cx| stream.poll_read(cx, &mut [0])).await;
            drop(stream);
            read
        })
        .await;
        assert_eq!(read.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionAborted));
        assert_eq!(shutdown.await, 1);
        visit.done().await;
    });
}

/// Connections that the system has completed are the server's, also those that it has not taken yet: a
/// client that was let in is answered.
pub fn connections_in_the_queue_are_served<H: ServerHarness>() {
    const GET: &str = "GET /queued HTTP/1.1\r\nHost: a\r\n\r\n";
    serve::<H, _>(Setup::defaults(), tell_path::<H>, async |site| {
        let (there, waits) = (Gate::default(), Gate::default());
        let (tells, begin) = (there.clone(), waits.clone());
        let visit = site.begin_visit(move |visitor| {
            begin.wait();
            let mut queued: Vec<_> = (0..40).map(|_| visitor.another()).collect();
            queued.iter_mut().for_each(|client| client.write(GET));
            tells.open();
            for client in &mut queued {
                // On another thread it may have been answered before the shutdown began.
                assert_eq!(client.response().body, b"/queued");
                client.session.expect_fin();
            }
        });
        site.until(|counts| counts.active == 1).await;
        waits.open();
        // Not awaited on purpose: where this thread is the only one, nothing is accepted meanwhile.
        there.wait();
        assert_eq!(site.handle.shutdown(PATIENCE).await, 0);
        assert_eq!(site.handle.snapshot().requests, 40);
        visit.done().await;
    });
}

/// A request that lies in the socket of an idle connection when the shutdown begins is answered, though
/// nobody was told of it yet.
pub fn request_in_the_socket_is_answered<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), tell_path::<H>, async |site| {
        let (idle, goes_on, there) = (Gate::default(), Gate::default(), Gate::default());
        let (is_idle, waits, tells) = (idle.clone(), goes_on.clone(), there.clone());
        let visit = site.begin_visit(move |visitor| {
            visitor.get("/first");
            is_idle.open();
            waits.wait();
            visitor.write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
            tells.open();
            // On another thread it may have been answered before the shutdown began.
            assert_eq!(visitor.response().body, b"/second");
            visitor.session.expect_fin();
        });
        idle.opened().await;
        goes_on.open();
        // Not awaited on purpose: where this thread is the only one, nothing is read meanwhile.
        there.wait();
        assert_eq!(site.handle.shutdown(PATIENCE).await, 0);
        visit.done().await;
    });
}
