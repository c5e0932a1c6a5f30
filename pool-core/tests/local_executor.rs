//! The client on a single-threaded executor without any `Send`: tasks, connector, streams and request
//! bodies hold an `Rc`. The transport is in memory, so the executor needs no reactor, and time is a
//! number that the test moves.
#![cfg(feature = "client")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use pool_core::client::{Builder, Client, ConnectionInfo, ErrorKind};
use pool_core::config::{Multiplexing, PoolConfig};
use pool_core::error::Verdict;
use pool_core::runtime::{Connect, Io, Runtime, Spawn, Target};
use pool_core::time::Instant;

/// One thread's tasks and clock.
#[derive(Clone, Default)]
struct Local(Rc<LocalState>);

#[derive(Default)]
struct LocalState {
    now: Cell<u64>,
    tasks: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>>,
    sleepers: RefCell<Vec<Waker>>,
    woken: Arc<Flag>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Local {
    /// Runs `main`, and tasks that were woken, until nobody asks to be polled any more; the output if
    /// `main` completed.
    fn run_until_stalled<F: Future>(&self, mut main: Pin<&mut F>) -> Option<F::Output> {
        let waker = Waker::from(self.0.woken.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = main.as_mut().poll(&mut cx) {
                return Some(output);
            }
            if !self.0.woken.0.swap(false, Ordering::SeqCst) {
                return None;
            }
            let mut tasks = std::mem::take(&mut *self.0.tasks.borrow_mut());
            tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
            self.0.tasks.borrow_mut().append(&mut tasks);
        }
    }

    /// Runs tasks that were woken.
    fn run_tasks(&self) {
        let main = pin!(std::future::pending::<()>());
        assert!(self.run_until_stalled(main).is_none());
    }

    fn block_on<F: Future>(&self, main: F) -> F::Output {
        self.run_until_stalled(pin!(main)).expect("the future waits for something that never comes")
    }

    fn advance(&self, by: Duration) {
        self.0.now.set((Instant::from_nanos(self.0.now.get()) + by).as_nanos());
        self.0.sleepers.take().into_iter().for_each(Waker::wake);
    }

    fn tasks(&self) -> usize {
        self.0.tasks.borrow().len()
    }
}

struct Sleep(Local, Instant);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.now() >= self.1 {
            return Poll::Ready(());
        }
        self.0.0.sleepers.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }
}

impl Runtime for Local {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now.get())
    }

    fn sleep(&self, at: Instant) -> Sleep {
        Sleep(self.clone(), at)
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Local {
    fn spawn(&self, future: F) {
        self.0.tasks.borrow_mut().push(Box::pin(future));
        self.0.woken.0.store(true, Ordering::SeqCst);
    }
}

/// A peer in memory: answers every request head with its number.
#[derive(Clone, Default)]
struct InMemory(Rc<Cell<usize>>);

struct Pipe {
    open: Rc<Cell<usize>>,
    request: Vec<u8>,
    response: VecDeque<u8>,
    answered: usize,
    reader: Option<Waker>,
}

impl Connect for InMemory {
    type Io = Pipe;
    type Future = std::future::Ready<io::Result<Pipe>>;

    fn connect(&self, _to: &Target) -> Self::Future {
        self.0.set(self.0.get() + 1);
        std::future::ready(Ok(Pipe {
            open: self.0.clone(),
            request: Vec::new(),
            response: VecDeque::new(),
            answered: 0,
            reader: None,
        }))
    }
}

impl Io for Pipe {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.response.is_empty() {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = into.len().min(self.response.len());
        for (to, from) in into.iter_mut().zip(self.response.drain(..n)) {
            *to = from;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        &mut self,
        _cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = bufs.iter().map(|buf| buf.len()).sum();
        bufs.iter().for_each(|buf| self.request.extend_from_slice(buf));
        while let Some(end) = self.request.windows(4).position(|window| window == b"\r\n\r\n") {
            self.request.drain(..end + 4);
            self.answered += 1;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}", self.answered);
            self.response.extend(answer.as_bytes());
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

/// A request body that must stay on its thread.
struct NoBody(#[expect(dead_code, reason = "makes the body !Send")] Rc<()>);

impl http_body::Body for NoBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

type LocalClient = Client<Local, InMemory, NoBody>;

fn request() -> Request<NoBody> {
    Request::get("http://in.memory/").body(NoBody(Rc::default())).expect("a request")
}

async fn fetch(client: &LocalClient) -> (Vec<u8>, ConnectionInfo) {
    let response: Response<_> = client.call(request()).await.expect("a response");
    let info = *response.extensions().get::<ConnectionInfo>().expect("the connection");
    let mut body = pin!(response.into_body());
    let mut content = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        content.extend_from_slice(&frame.expect("a frame").into_data().expect("data"));
    }
    (content, info)
}

#[test]
fn client_runs_on_an_executor_without_send() {
    let (local, connector) = (Local::default(), InMemory::default());
    let open = connector.0.clone();
    let client: LocalClient = Builder::new(local.clone(), connector).build();
    let (first, second) = local.block_on(async { (fetch(&client).await, fetch(&client).await) });
    assert_eq!((first.0.as_slice(), second.0.as_slice()), (&b"1"[..], &b"2"[..]));
    assert_eq!((second.1.is_reused(), second.1.id()), (true, first.1.id()));
    assert_eq!(open.get(), 1);
    local.block_on(client.close());
    assert_eq!(open.get(), 0);
}

#[test]
fn idle_timeout_fires_when_the_clock_says_so_and_not_before() {
    let (local, connector) = (Local::default(), InMemory::default());
    let open = connector.0.clone();
    let idle = Duration::from_secs(60);
    let config = PoolConfig::builder(Multiplexing::Exclusive).idle_timeout(Some(idle)).build();
    let client: LocalClient =
        Builder::new(local.clone(), connector).pool(config.expect("settings in range")).build();
    local.block_on(fetch(&client));
    let step = idle - Duration::from_millis(1);
    local.advance(step);
    local.run_tasks();
    assert_eq!(open.get(), 1, "closed before its time");
    // Used again: the time starts anew.
    local.block_on(fetch(&client));
    local.advance(step);
    local.run_tasks();
    assert_eq!(open.get(), 1, "closed before its time");
    local.advance(Duration::from_millis(1));
    local.run_tasks();
    assert_eq!(open.get(), 0);
    assert_eq!(client.snapshot().totals().connections, 0);
}

#[test]
fn background_task_ends_with_the_last_handle() {
    let (local, connector) = (Local::default(), InMemory::default());
    let open = connector.0.clone();
    let client: LocalClient = Builder::new(local.clone(), connector).build();
    local.block_on(fetch(&client));
    assert_eq!(local.tasks(), 1);
    let call = client.call(request());
    drop(client);
    local.run_tasks();
    assert_eq!((local.tasks(), open.get()), (1, 1), "a call keeps the client");
    drop(call);
    assert_eq!(open.get(), 0, "sockets go with the last handle");
    // The task is woken by that, not by a later timer.
    local.run_tasks();
    assert_eq!(local.tasks(), 0);
}

/// A connector that is not ready before a task behind the client's has run, and asks to be polled
/// again meanwhile.
#[derive(Clone)]
struct Patient(InMemory, Rc<Cell<bool>>);

impl Connect for Patient {
    type Io = Pipe;
    type Future = Pin<Box<dyn Future<Output = io::Result<Pipe>>>>;

    fn connect(&self, to: &Target) -> Self::Future {
        let (inner, may_connect, mut polls) = (self.0.connect(to), self.1.clone(), 0);
        let ready = poll_fn(move |cx| {
            polls += 1;
            assert!(polls < 1000, "nobody else gets a turn");
            if may_connect.get() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        Box::pin(async move {
            ready.await;
            inner.await
        })
    }
}

#[test]
fn connector_that_yields_lets_other_tasks_run() {
    let (local, connector) = (Local::default(), Patient(InMemory::default(), Rc::default()));
    let may_connect = connector.1.clone();
    let client: Client<Local, Patient, NoBody> = Builder::new(local.clone(), connector).build();
    local.spawn(async move { may_connect.set(true) });
    let response = local.block_on(client.call(request())).expect("a response");
    assert_eq!(response.status(), 200);
}

#[test]
fn calls_fail_when_the_background_task_is_gone() {
    let (local, connector) = (Local::default(), InMemory::default());
    let open = connector.0.clone();
    let client: LocalClient = Builder::new(local.clone(), connector).build();
    local.block_on(fetch(&client));
    assert_eq!(open.get(), 1);
    let mut waiting =
        pin!(client.call(Request::get("http://else.where/").body(NoBody(Rc::default())).expect("a request")));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // As when its runtime ends, or when a connector panics.
    local.0.tasks.borrow_mut().clear();
    assert_eq!(open.get(), 0, "nobody is left to watch idle connections");
    let error = local.block_on(waiting).expect_err("nobody connects any more");
    assert!(matches!(error.kind(), ErrorKind::Pool(_) | ErrorKind::Closed), "{error}");
    assert_eq!(error.verdict(), Verdict::NeverSent);
    let error = local.block_on(client.call(request())).expect_err("nobody connects any more");
    assert!(matches!(error.kind(), ErrorKind::Closed), "{error}");
    local.block_on(client.close());
}

#[test]
fn the_choice_of_what_to_retire_may_use_the_client() {
    let (local, connector) = (Local::default(), InMemory::default());
    let client: LocalClient = Builder::new(local.clone(), connector).build();
    local.block_on(fetch(&client));
    let retired = client.retire(|_, _| client.snapshot().totals().connections == 1);
    assert_eq!((retired, client.snapshot().totals().connections), (1, 0));
}
