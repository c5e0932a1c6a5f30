//! Clients that are used from several threads, for runtimes whose parts are `Send`.

use super::Harness;
use super::connect::closed_port;
use super::lab::{LabBody, LabClient, expect, expect_error, get, read_all, run};
use super::peer::{OK, Peer};
use super::turns::{Gate, block_on};

const REQUESTS: usize = 200;

/// Two threads without a runtime of their own call through one client, while the runtime's thread
/// keeps it.
pub fn one_client_serves_two_threads<H: Harness>()
where
    LabClient<H>: Send,
{
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let client = lab.client();
        let mut callers = Vec::new();
        for _ in 0..2 {
            let (client, url, over) = (client.clone(), peer.url("/"), Gate::default());
            let at_end = over.clone();
            #[expect(clippy::disallowed_methods, reason = "the case is about threads")]
            let thread = std::thread::spawn(move || {
                let _at_end = OpenAtEnd(at_end);
                block_on(async {
                    for _ in 0..REQUESTS {
                        assert_eq!(expect::<H>(&client, get(&url)).await.body, b"ok");
                    }
                });
            });
            callers.push((thread, over));
        }
        for (thread, over) in callers {
            over.opened().await;
            thread.join().expect("a caller's thread");
        }
        assert!(lab.counters().attempts() <= 2, "{} connections", lab.counters().attempts());
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// A response begun on one thread is read to its end on another.
pub fn body_moves_to_another_thread<H: Harness>()
where
    LabBody<H>: Send,
{
    run::<H>(async |lab| {
        let rest = Gate::default();
        let may_send = rest.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
            may_send.wait();
            session.write(b"rest");
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let client = lab.client();
        let response = client.call(get(&peer.url("/"))).await.expect("a head");
        let over = Gate::default();
        let at_end = over.clone();
        #[expect(clippy::disallowed_methods, reason = "the case is about threads")]
        let thread = std::thread::spawn(move || {
            let _at_end = OpenAtEnd(at_end);
            rest.open();
            block_on(read_all::<H>(response)).map(|got| got.body)
        });
        over.opened().await;
        assert_eq!(thread.join().expect("a reader's thread").expect("a body"), b"halfrest");
        assert!(expect::<H>(&client, get(&peer.url("/"))).await.info.is_reused());
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A thread that does not belong to the runtime may wait for a back-off: the timer is the runtime's.
pub fn call_backs_off_on_a_foreign_thread<H: Harness>()
where
    LabClient<H>: Send,
{
    run::<H>(async |lab| {
        let client = lab.client();
        let (caller, over) = (client.clone(), Gate::default());
        let at_end = over.clone();
        #[expect(clippy::disallowed_methods, reason = "the case is about threads")]
        let thread = std::thread::spawn(move || {
            let _at_end = OpenAtEnd(at_end);
            let closed = closed_port();
            block_on(expect_error::<H>(&caller, get(&closed.url))).is_connect()
        });
        over.opened().await;
        assert!(thread.join().expect("a caller's thread"));
        assert_eq!(lab.counters().attempts(), 3);
        lab.finish(&client).await;
    });
}

/// Opens its gate also when its thread panics.
struct OpenAtEnd(Gate);

impl Drop for OpenAtEnd {
    fn drop(&mut self) {
        self.0.open();
    }
}
