//! Connections that change their protocol (RFC 9110 7.8).

use std::future::poll_fn;
use std::io::{self, IoSlice};

use http::Request;

use super::Harness;
use super::content::Content;
use super::lab::{LabClient, LabConnector, expect, get, run};
use super::peer::{OK, Peer};
use crate::client::Upgraded;
use crate::runtime::Io;

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

fn upgrade_to_echo(url: &str) -> Request<Content> {
    Request::get(url)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Content::empty())
        .expect("a request")
}

async fn upgrade<H: Harness>(client: &LabClient<H>, url: &str) -> Upgraded<H::Runtime, LabConnector<H>> {
    let response = client.call(upgrade_to_echo(url)).await.expect("a switch");
    assert_eq!(response.status().as_u16(), 101);
    response.into_body().into_upgraded().expect("a byte stream")
}

async fn read(io: &mut impl Io, n: usize) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    while found.len() < n {
        let mut chunk = [0; 7];
        let read = poll_fn(|cx| io.poll_read(cx, &mut chunk)).await?;
        if read == 0 {
            break;
        }
        found.extend_from_slice(&chunk[..read]);
    }
    Ok(found)
}

async fn write(io: &mut impl Io, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = poll_fn(|cx| io.poll_write_vectored(cx, &[IoSlice::new(rest)])).await.expect("written");
        rest = &rest[n..];
    }
    poll_fn(|cx| io.poll_flush(cx)).await.expect("flushed");
}

/// After a 101 the connection is a byte stream in both directions, bytes behind the head included,
/// and each direction ends on its own.
pub fn upgraded_connection_carries_bytes_both_ways<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            let request = session.expect_request();
            assert_eq!(request.field("upgrade"), Some("echo"));
            session.write(&[SWITCH, b"early bytes"].concat());
            let ping = session.take(4);
            session.write(&ping);
            session.expect_end();
            session.write(b"last words");
        });
        let client = lab.client();
        let mut io = upgrade::<H>(&client, &peer.url("/")).await;
        assert_eq!(client.snapshot().totals().active, 1);
        assert_eq!(read(&mut io, 11).await.expect("read"), b"early bytes");
        write(&mut io, b"ping").await;
        assert_eq!(read(&mut io, 4).await.expect("read"), b"ping");
        poll_fn(|cx| io.poll_shutdown(cx)).await.expect("a half-close");
        assert_eq!(read(&mut io, 100).await.expect("read"), b"last words");
        drop(io);
        assert_eq!(client.snapshot().totals().connections, 0);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Dropping the byte stream, or a 101 whose byte stream nobody took, closes the connection.
pub fn dropped_upgrade_closes_the_connection<H: Harness>() {
    for take in [true, false] {
        run::<H>(async |lab| {
            let peer = Peer::serve(|door| {
                let mut session = door.accept();
                session.expect_request();
                session.write(SWITCH);
                session.expect_end();
            });
            let client = lab.client();
            if take {
                drop(upgrade::<H>(&client, &peer.url("/")).await);
            } else {
                drop(client.call(upgrade_to_echo(&peer.url("/"))).await.expect("a switch"));
            }
            assert_eq!(client.snapshot().totals().connections, 0);
            lab.finish(&client).await;
            peer.done().await;
        });
    }
}

/// A peer may decline: the response is an ordinary one, and the connection is kept.
pub fn declined_upgrade_is_an_ordinary_response<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            for _ in 0..2 {
                session.expect_request();
                session.write(OK);
            }
            session.expect_end();
        });
        let client = lab.client();
        let response = client.call(upgrade_to_echo(&peer.url("/"))).await.expect("a response");
        assert_eq!(response.status().as_u16(), 200);
        assert!(response.into_body().into_upgraded().is_none());
        assert!(expect::<H>(&client, get(&peer.url("/"))).await.info.is_reused());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// `abort()` reaches a connection that was handed over.
pub fn abort_cuts_an_upgraded_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(SWITCH);
            session.expect_end();
        });
        let client = lab.client();
        let mut io = upgrade::<H>(&client, &peer.url("/")).await;
        let mut reading = std::pin::pin!(read(&mut io, 1));
        assert!(super::turns::poll_once(reading.as_mut()).await.is_pending());
        client.abort();
        assert!(reading.await.is_err());
        assert_eq!(client.snapshot().totals().connections, 0);
        peer.done().await;
        lab.finish(&client).await;
    });
}

/// The same for one that nobody reads or writes any more: dropping it gives its seat back.
pub fn upgrade_dropped_after_abort_leaves_no_trace<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(SWITCH);
            session.expect_end();
        });
        let client = lab.client();
        let io = upgrade::<H>(&client, &peer.url("/")).await;
        client.abort();
        drop(io);
        assert_eq!(client.snapshot().totals().connections, 0);
        peer.done().await;
        lab.finish(&client).await;
    });
}
