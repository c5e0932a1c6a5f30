//! A listener that somebody else has set up.

use std::future::poll_fn;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::task::Poll;

use pool_core::runtime::Accept as _;
use runtime_async_std::Listener;

#[test]
fn a_blocking_listener_of_the_standard_library_is_taken_over() {
    async_std::task::block_on(async {
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
            Poll::Ready(())
        })
        .await;
    });
}
