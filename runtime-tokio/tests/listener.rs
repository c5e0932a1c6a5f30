//! Listeners that somebody else has set up.

use std::future::poll_fn;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use pool_core::runtime::Accept as _;
use runtime_tokio::Listener;

fn in_a_runtime(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(case);
}

#[test]
fn a_blocking_listener_of_the_standard_library_is_taken_over() {
    in_a_runtime(async {
        let given = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = given.local_addr().expect("an address");
        let mut listener = Listener::from_std(given).expect("a listener");
        assert_eq!(listener.local_addr().expect("an address"), address);
        let client = TcpStream::connect(address).expect("it listens");
        let (_, peer) = poll_fn(|cx| listener.poll_accept(cx)).await.expect("a connection");
        assert_eq!(peer, client.local_addr().expect("an address"));
        // Were it blocking still, this look would wait for ever.
        poll_fn(|cx| {
            assert!(listener.poll_accept(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn several_listeners_share_a_port() {
    in_a_runtime(async {
        let open = |port| {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.set_reuseport(true).expect("an option of Linux");
            socket.bind((Ipv4Addr::LOCALHOST, port).into()).expect("an address that may be shared");
            let listener = socket.listen(16).expect("it listens").into_std().expect("a socket");
            Listener::from_std(listener).expect("a listener")
        };
        let first = open(0);
        let address = first.local_addr().expect("an address");
        let mut second = open(address.port());
        assert_eq!(second.local_addr().expect("an address"), address);
        drop(first);
        let client = TcpStream::connect(address).expect("the second listens");
        let (_, peer) = poll_fn(|cx| second.poll_accept(cx)).await.expect("a connection");
        assert_eq!(peer, client.local_addr().expect("an address"));
    });
}
