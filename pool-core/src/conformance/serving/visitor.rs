//! Clients in threads, with blocking sockets.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;

use super::super::peer::{Received, Session};

/// A client's end of a connection.
pub(super) struct Visitor {
    address: SocketAddr,
    pub(super) session: Session,
}

impl Visitor {
    /// Another connection to the same server.
    pub(super) fn another(&self) -> Self {
        Self { address: self.address, session: Session::connect(self.address) }
    }

    #[track_caller]
    pub(super) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.session.write(bytes.as_ref());
    }

    /// A response that has to come, with its content.
    #[track_caller]
    pub(super) fn response(&mut self) -> Received {
        self.session.request().expect("a response")
    }

    /// The head of a response that has to come.
    #[track_caller]
    pub(super) fn head(&mut self) -> Received {
        self.session.head().expect("a response")
    }

    /// A GET and its response.
    #[track_caller]
    pub(super) fn get(&mut self, path: &str) -> Received {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        self.response()
    }

    /// A response with this status, and nothing but FIN behind it.
    #[track_caller]
    pub(super) fn expect_last(&mut self, status: &str) -> Received {
        let response = self.response();
        assert!(response.line().starts_with(&format!("HTTP/1.1 {status}")), "{}", response.head);
        assert_eq!(response.field("connection"), Some("close"), "{}", response.head);
        self.session.expect_fin();
        response
    }
}

/// A client at work.
pub(super) struct Visit {
    thread: Option<JoinHandle<()>>,
    end: Arc<Mutex<End>>,
}

#[derive(Default)]
struct End {
    over: bool,
    waker: Option<Waker>,
}

/// Marks the end of a script, also of one that panicked.
struct AtEnd(Arc<Mutex<End>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        let mut end = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        end.over = true;
        let waker = end.waker.take();
        drop(end);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Visit {
    #[expect(clippy::disallowed_methods, reason = "a scripted client is a thread with blocking sockets")]
    pub(super) fn begin(address: SocketAddr, script: impl FnOnce(&mut Visitor) + Send + 'static) -> Self {
        let end = Arc::new(Mutex::new(End::default()));
        let at_end = AtEnd(end.clone());
        let thread = std::thread::spawn(move || {
            let _at_end = at_end;
            script(&mut Visitor { address, session: Session::connect(address) });
        });
        Self { thread: Some(thread), end }
    }

    /// Waits until the script is over, and fails with it if it failed.
    pub(super) async fn done(mut self) {
        poll_fn(|cx| {
            let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
            if end.over {
                return Poll::Ready(());
            }
            end.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}
