//! Ends of connections while the client still sends (RFC 9112 9.6).

use http::StatusCode;

use super::super::PATIENCE;
use super::super::content::Content;
use super::super::lab::millis;
use super::super::turns::Gate;
use super::ServerHarness;
use super::lab::{Answer, Asked, Setup, reply, reply_with, serve};

async fn too_large<H: ServerHarness>(_: Asked<H>) -> Answer<H> {
    reply_with::<H>(StatusCode::PAYLOAD_TOO_LARGE, Content::full("no"))
}

/// Small content that the service does not read costs no connection.
pub fn unread_content_at_hand_leaves_the_connection<H: ServerHarness>() {
    let host = |_: Asked<H>| async move { reply::<H>("unread") };
    serve::<H, _>(Setup::defaults(), host, async |site| {
        site.visit(|visitor| {
            for _ in 0..2 {
                visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
                let response = visitor.response();
                assert_eq!((response.field("connection"), response.body.as_slice()), (None, &b"unread"[..]));
            }
        })
        .await;
        assert_eq!(site.handle.snapshot().accepted, 1);
    });
}

/// A response that does not wait for the content says that it is the last; FIN follows at once, not
/// when the patience with the client's rest is over.
pub fn early_response_ends_the_connection<H: ServerHarness>() {
    let setup = Setup::with(|server| server.delayed_close_timeout(PATIENCE * 10));
    serve::<H, _>(setup, too_large::<H>, async |site| {
        site.visit(|visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
            visitor.expect_last("413");
        })
        .await;
    });
}

/// The client sends on after the response went out and the server has closed its direction: it is
/// not reset, and reads all of the response.
pub fn early_response_arrives_while_the_client_sends<H: ServerHarness>() {
    let setup = Setup::with(|server| server.delayed_close_timeout(PATIENCE));
    serve::<H, _>(setup, too_large::<H>, async |site| {
        site.visit(|visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
            visitor.session.wait_for_input();
            for _ in 0..4 {
                // Whoever closes at once has done it by the end of another exchange: then these bytes
                // are answered with RST, and the next ones cannot be written.
                visitor.write([b'x'; 16 * 1024]);
                visitor.another().get("/");
            }
            assert_eq!(visitor.expect_last("413").body, b"no");
        })
        .await;
    });
}

/// The client writes 10 MiB before it reads anything, and then reads all of a large response.
pub fn upload_that_is_refused_at_once_may_be_sent_whole<H: ServerHarness>() {
    const UPLOAD: usize = 10 * 1024 * 1024;
    const RESPONSE: usize = 200 * 1024;
    let host = |_: Asked<H>| async move {
        reply_with::<H>(StatusCode::PAYLOAD_TOO_LARGE, Content::full(vec![b'n'; RESPONSE]))
    };
    let setup = Setup::with(|server| server.delayed_close_timeout(PATIENCE));
    serve::<H, _>(setup, host, async |site| {
        site.visit(|visitor| {
            visitor.write(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {UPLOAD}\r\n\r\n"));
            let chunk = vec![b'x'; 64 * 1024];
            for _ in 0..UPLOAD / chunk.len() {
                visitor.write(&chunk);
            }
            assert_eq!(visitor.expect_last("413").body, vec![b'n'; RESPONSE]);
        })
        .await;
        site.until(|counts| counts.active == 0).await;
        let counts = site.handle.snapshot();
        assert_eq!((counts.response_before_complete, counts.delayed_close_timeouts), (1, 0));
    });
}

/// A client that neither stops sending nor closes does not keep the connection.
pub fn endless_sender_is_cut_off<H: ServerHarness>() {
    let setup = Setup::with(|server| server.delayed_close_timeout(millis(50)));
    serve::<H, _>(setup, too_large::<H>, async |site| {
        let gone = Gate::default();
        let may_end = gone.clone();
        let visit = site.begin_visit(move |visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000000\r\n\r\n");
            visitor.head();
            while visitor.session.try_write(&[b'x'; 16 * 1024]).is_ok() {}
            may_end.wait();
        });
        site.until(|counts| counts.requests == 1).await;
        site.until(|counts| counts.active == 0).await;
        gone.open();
        visit.done().await;
    });
}

/// What is discarded is bounded: behind that the client's own window stops it.
pub fn discarding_has_a_bound<H: ServerHarness>() {
    serve::<H, _>(Setup::defaults(), too_large::<H>, async |site| {
        site.visit(|visitor| {
            visitor.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000000\r\n\r\n");
            visitor.session.wait_for_input();
            assert!(visitor.session.is_stopped_within(64 * 1024 * 1024));
        })
        .await;
    });
}
