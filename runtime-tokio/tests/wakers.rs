//! Wakers are other people's code: what they do when they are dropped may use the client.
#![expect(clippy::disallowed_methods, reason = "a peer or a case on a thread of its own")]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// As an executor's waker that holds the last reference to a task with a call in it.
struct Holder(runtime_tokio::Client);

impl Wake for Holder {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.snapshot();
    }
}

#[test]
fn a_waker_may_use_the_client_when_it_is_dropped() {
    let (tell, told) = mpsc::channel();
    let case = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // The background task does not run meanwhile: the call stays in its queue.
        let _within = runtime.enter();
        let client = runtime_tokio::client().build();
        let request = http::Request::get("http://127.0.0.1:9/").body(runtime_tokio::empty());
        let mut call = Box::pin(client.call(request.expect("a request")));
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Holder(client.clone())));
            assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(call);
        assert_eq!(client.snapshot().totals().pending, 0);
        let _ = tell.send(());
    });
    let done = told.recv_timeout(Duration::from_secs(10));
    assert!(done.is_ok(), "a waker was dropped under the client's lock");
    case.join().expect("no panic");
}

#[test]
fn a_close_that_is_polled_often_keeps_one_waker() {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _within = runtime.enter();
    let client = runtime_tokio::client().build();
    let request = http::Request::get("http://127.0.0.1:9/").body(runtime_tokio::empty());
    let mut call = pin!(client.call(request.expect("a request")));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let nobody = Arc::new(Nobody);
    let waker = Waker::from(nobody.clone());
    let mut closing = pin!(client.close());
    for _ in 0..100 {
        assert_eq!(closing.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    }
    assert_eq!(Arc::strong_count(&nobody), 3, "here, in the waker, in the client");
}
