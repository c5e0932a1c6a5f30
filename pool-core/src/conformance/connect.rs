//! Attempts that fail, in every way that an attempt can.

use std::net::{SocketAddr, TcpListener, TcpStream};

use super::Harness;
use super::content::Content;
use super::lab::{expect, expect_error, get, millis, post, run};
use super::peer::{OK, Peer};
use super::tap::Manner;
use crate::client::{ErrorKind, OriginFault};
use crate::config::{Multiplexing, PoolConfig};
use crate::error::{PoolFailure, Verdict};
use crate::exchange::RetryPolicy;

/// An address on loopback where nobody listens: the local end of a connection, so that the port is
/// given to nobody else meanwhile.
pub(super) struct ClosedPort {
    pub(super) url: String,
    _held: (TcpListener, TcpStream),
}

impl ClosedPort {
    pub(super) fn address(&self) -> SocketAddr {
        self._held.1.local_addr().expect("an address")
    }
}

pub(super) fn closed_port() -> ClosedPort {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let stream = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let url = format!("http://{}/", stream.local_addr().expect("an address"));
    ClosedPort { url, _held: (listener, stream) }
}

/// A refused connection is tried again twice, then told with the transport's words; nothing was sent.
pub fn refused_is_retried_then_typed<H: Harness>() {
    run::<H>(async |lab| {
        let client = lab.client();
        let closed = closed_port();
        let error = expect_error::<H>(&client, post(&closed.url, Content::full("x"))).await;
        assert!(matches!(error.kind(), ErrorKind::Pool(PoolFailure::RemoteConnectionFailure)), "{error}");
        assert!(error.is_connect());
        assert_eq!(error.verdict(), Verdict::NeverSent);
        let cause =
            std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
        assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(lab.counters().attempts(), 3);
        lab.finish(&client).await;
    });
}

/// Without retries a refused connection fails at once.
pub fn refused_without_retries_is_tried_once<H: Harness>() {
    run::<H>(async |lab| {
        let client = lab.client_with(Manner::Plain, |builder| builder.retry(RetryPolicy::NEVER));
        let closed = closed_port();
        let error = expect_error::<H>(&client, get(&closed.url)).await;
        assert!(error.is_connect(), "{error}");
        assert_eq!(lab.counters().attempts(), 1);
        lab.finish(&client).await;
    });
}

/// A client survives a refused connection: the next request to another origin is served.
pub fn client_serves_after_a_refused_connection<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let closed = closed_port();
        expect_error::<H>(&client, get(&closed.url)).await;
        let got = expect::<H>(&client, get(&peer.url("/"))).await;
        assert_eq!((got.body.as_slice(), got.info.retries()), (&b"ok"[..], 0));
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// An attempt that does not complete within `connect_timeout` is given up.
pub fn connect_timeout_gives_the_attempt_up<H: Harness>() {
    run::<H>(async |lab| {
        let config = PoolConfig::builder(Multiplexing::Exclusive).connect_timeout(millis(40)).build();
        let config = config.expect("settings in range");
        let client =
            lab.client_with(Manner::Hanging, |builder| builder.retry(RetryPolicy::NEVER).pool(config));
        let before = lab.now();
        let error = expect_error::<H>(&client, get("http://127.0.0.1:9/")).await;
        assert!(matches!(error.kind(), ErrorKind::Pool(PoolFailure::ConnectTimeout)), "{error}");
        assert!(error.is_connect());
        assert_eq!(error.verdict(), Verdict::NeverSent);
        assert!(lab.now().since(before) >= millis(40), "gave up before its time");
        lab.until_sockets_are_gone().await;
        lab.finish(&client).await;
    });
}

/// A connect timeout is retried like any other connect failure.
pub fn connect_timeout_is_retried<H: Harness>() {
    run::<H>(async |lab| {
        let config = PoolConfig::builder(Multiplexing::Exclusive).connect_timeout(millis(10)).build();
        let config = config.expect("settings in range");
        let client = lab.client_with(Manner::Hanging, |builder| builder.pool(config));
        let error = expect_error::<H>(&client, get("http://127.0.0.1:9/")).await;
        assert!(matches!(error.kind(), ErrorKind::Pool(PoolFailure::ConnectTimeout)), "{error}");
        assert_eq!(lab.counters().attempts(), 3);
        lab.finish(&client).await;
    });
}

/// A request that no client of this kind can send is refused before anything is opened.
pub fn request_without_origin_is_refused<H: Harness>() {
    run::<H>(async |lab| {
        let client = lab.client();
        for (url, fault) in [("/path", OriginFault::NotAbsolute), ("ftp://127.0.0.1/", OriginFault::Scheme)] {
            let error = expect_error::<H>(&client, get(url)).await;
            assert!(matches!(error.kind(), ErrorKind::Origin(found) if *found == fault), "{error}");
            assert_eq!(error.verdict(), Verdict::NeverSent);
        }
        assert_eq!(lab.counters().attempts(), 0);
        lab.finish(&client).await;
    });
}

/// A peer that accepts and closes at once is a connect failure or an answer that never came, in any
/// case an error with a safe verdict for a GET; nothing is left over.
pub fn accept_and_close_is_an_error<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| while door.accept_or_stop().is_some() {});
        let client = lab.client();
        let error = expect_error::<H>(&client, get(&peer.url("/"))).await;
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Pool(PoolFailure::RemoteConnectionFailure)
                    | ErrorKind::Connection(_)
                    | ErrorKind::Protocol(_)
            ),
            "{error}"
        );
        lab.finish(&client).await;
        peer.stop().await;
    });
}
