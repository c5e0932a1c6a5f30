//! Connections are kept, used again, and given up when one side says so.

use std::pin::pin;

use tower_service::Service;

use super::Harness;
use super::content::Content;
use super::lab::{expect, get, info_of, millis, post, read_all, run};
use super::peer::{OK, Peer};
use super::turns::{Gate, beside, join_all};

/// The second request goes out on the connection of the first, and the response says so.
pub fn second_request_reuses_the_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            for path in ["/a", "/b"] {
                let request = session.expect_request();
                assert_eq!(request.line(), format!("GET {path} HTTP/1.1"));
                assert!(request.field("host").is_some_and(|host| host.starts_with("127.0.0.1:")));
                session.write(OK);
            }
            session.expect_end();
        });
        let client = lab.client();
        let first = expect::<H>(&client, get(&peer.url("/a"))).await;
        let second = expect::<H>(&client, get(&peer.url("/b"))).await;
        assert_eq!((first.body.as_slice(), second.body.as_slice()), (&b"ok"[..], &b"ok"[..]));
        assert!(!first.info.is_reused());
        assert!(second.info.is_reused());
        assert_eq!(first.info.id(), second.info.id());
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Requests at the same time get connections of their own, and both are kept.
pub fn requests_at_the_same_time_do_not_share_a_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let [mut first, mut second] = door.accept_for(["/a", "/b"]);
            second.write(OK);
            first.write(OK);
            first.expect_end();
        });
        let client = lab.client();
        let urls = [peer.url("/a"), peer.url("/b")];
        let both = join_all(urls.iter().map(|url| expect::<H>(&client, get(url)))).await;
        assert_ne!(both[0].info.id(), both[1].info.id());
        assert_eq!(client.snapshot().totals().connections, 2);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// `Connection: close` ends the connection after its response.
pub fn connection_close_is_honoured<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            for _ in 0..2 {
                let mut session = door.accept();
                session.expect_request();
                session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
                session.expect_end();
            }
        });
        let client = lab.client();
        for _ in 0..2 {
            let got = expect::<H>(&client, get(&peer.url("/"))).await;
            assert!(!got.info.is_reused());
        }
        lab.until_connections(&client, 0).await;
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// After `max_requests_per_connection` exchanges the client closes.
pub fn max_requests_per_connection_closes<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            for requests in [2, 1] {
                let mut session = door.accept();
                for _ in 0..requests {
                    session.expect_request();
                    session.write(OK);
                }
                session.expect_end();
            }
        });
        let client = lab.client_of(|pool| pool.max_requests_per_connection(Some(2)));
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(expect::<H>(&client, get(&peer.url("/"))).await.info.id());
        }
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[1], ids[2]);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A connection that nobody uses for `idle_timeout` is closed; the peer sees it.
pub fn idle_timeout_closes<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client_of(|pool| pool.idle_timeout(Some(millis(40))));
        let before = lab.now();
        expect::<H>(&client, get(&peer.url("/"))).await;
        // The peer's script ends when it sees the end of the connection.
        peer.done().await;
        assert!(lab.now().since(before) >= millis(40), "closed before its time");
        lab.until_connections(&client, 0).await;
        lab.finish(&client).await;
    });
}

/// A connection older than `max_connection_duration` is closed, also without traffic.
pub fn max_connection_duration_closes<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client_of(|pool| pool.max_connection_duration(Some(millis(40))));
        expect::<H>(&client, get(&peer.url("/"))).await;
        peer.done().await;
        lab.until_connections(&client, 0).await;
        lab.finish(&client).await;
    });
}

/// The peer half-closes after a complete response: the connection is not used again, and closed.
pub fn half_close_after_the_response_ends_the_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.finish();
            session.expect_end();
            let mut session = door.accept();
            assert_eq!(session.expect_request().line(), "POST / HTTP/1.1");
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let first = expect::<H>(&client, get(&peer.url("/"))).await;
        lab.until_connections(&client, 0).await;
        let second = expect::<H>(&client, post(&peer.url("/"), Content::full("x"))).await;
        assert_ne!(first.info.id(), second.info.id());
        assert_eq!(second.info.replays(), 0);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// The peer closes an idle connection: the keeper sees it without any request, and the next one, even
/// an unrepeatable one, goes out on a new connection.
pub fn connection_closed_while_idle_is_not_used<H: Harness>() {
    run::<H>(async |lab| {
        let close = Gate::default();
        let may_close = close.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            may_close.wait();
            drop(session);
            let mut session = door.accept();
            assert_eq!(session.expect_request().body, b"payload");
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        expect::<H>(&client, get(&peer.url("/"))).await;
        assert_eq!(client.snapshot().totals().connections, 1);
        close.open();
        lab.until_connections(&client, 0).await;
        let got = expect::<H>(&client, post(&peer.url("/"), Content::full("payload"))).await;
        assert_eq!((got.info.is_reused(), got.info.replays()), (false, 0));
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Bytes that nobody asked for end an idle connection; a 408 does so without being an error.
pub fn bytes_on_an_idle_connection_end_it<H: Harness>() {
    for (bytes, errors) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..], 1),
        (&b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"[..], 0),
    ] {
        run::<H>(async |lab| {
            let (speak, hold) = (Gate::default(), Gate::default());
            let (may_speak, release) = (speak.clone(), hold.clone());
            let peer = Peer::serve(move |door| {
                let [mut idle, mut other] = door.accept_for(["/idle", "/held"]);
                idle.write(OK);
                may_speak.wait();
                idle.write(bytes);
                idle.expect_end();
                release.wait();
                other.write(OK);
            });
            let client = lab.client();
            // A second exchange keeps the pool and its counters there.
            let url = peer.url("/held");
            let mut held = pin!(expect::<H>(&client, get(&url)));
            beside(held.as_mut(), expect::<H>(&client, get(&peer.url("/idle")))).await;
            speak.open();
            lab.until_connections(&client, 1).await;
            let snapshot = client.snapshot();
            let stats = &snapshot.pools[0].stats;
            assert_eq!(stats.cx_protocol_error, errors);
            hold.open();
            held.await;
            lab.finish(&client).await;
            peer.done().await;
        });
    }
}

/// A client is a tower `Service`, always ready.
pub fn client_is_a_tower_service<H: Harness>() {
    async fn through<S>(service: &mut S, url: &str) -> Result<S::Response, S::Error>
    where
        S: Service<http::Request<Content>>,
    {
        std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(get(url)).await
    }
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let mut client = lab.client();
        let response = through(&mut client, &peer.url("/")).await.expect("a response");
        assert_eq!(read_all::<H>(response).await.expect("a body").body, b"ok");
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// Every connection has an id of its own.
pub fn connection_ids_are_unique<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let client = lab.client();
        let mut ids = Vec::new();
        for _ in 0..5 {
            let response = client.call(get(&peer.url("/"))).await.expect("a response");
            ids.push(info_of(&response).id());
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 5);
        lab.finish(&client).await;
        peer.stop().await;
    });
}
