//! What a connection and the holder of a request body have in common. One per connection, made once;
//! a serial number tells which exchange a body belongs to.
//!
//! ```text
//!   service's task                     Link                      connection's task
//!   Incoming: poll_frame  ---- Reader::Waiting ---->  reads, puts one chunk, wakes the reader
//!             drop        ---- Reader::Gone ------->  discards what is at hand, or closes
//!             interim     ---- interim ------------>  writes it
//!   Upgrade   <------------------ Tunnel::Open -----  head of the switching response was written
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;

use super::incoming::IncomingError;
use super::pace::Overrides;
use super::report::Report;
use super::upgrade::Upgraded;

pub(crate) struct Link<I> {
    state: Mutex<State<I>>,
    /// The connection's task is between asking the service and looking at `state` again: whoever
    /// wants something of it need not wake it.
    looks_soon: AtomicBool,
    /// An interim response waits.
    has_interim: AtomicBool,
    /// Somebody may ask how the exchange ended.
    is_watched: AtomicBool,
}

struct State<I> {
    /// Which exchange this is about.
    serial: u64,
    content: Content,
    /// One chunk on its way to the reader.
    chunk: Option<Bytes>,
    trailers: Option<HeaderMap>,
    reader: Reader,
    /// The connection's task.
    driver: Option<Waker>,
    interim: Vec<Response<()>>,
    hundred: Hundred,
    limits: Overrides,
    tunnel: Tunnel<I>,
    report: Option<Report>,
}

/// Who sends `100 Continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hundred {
    /// The connection, when the content is asked for.
    Connection,
    /// The service.
    Service,
}

/// How much of the content there is to come.
#[derive(Clone, Copy)]
enum Content {
    More,
    Ended,
    Broken(IncomingError),
}

/// Who reads the content.
enum Reader {
    /// Nobody at the moment.
    Idle,
    /// Somebody waits for the next chunk.
    Waiting(Waker),
    /// The body was dropped.
    Gone,
}

/// What becomes of an offered upgrade.
enum Tunnel<I> {
    /// Nobody has asked.
    Unclaimed,
    /// Somebody waits, or will.
    Claimed(Option<Waker>),
    /// The connection, to be fetched.
    Open(Box<Upgraded<I>>),
    /// The service answered otherwise, or the connection is gone.
    Over,
}

/// What the connection has to do for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing now.
    Nothing,
    /// Read the next chunk.
    Read,
    /// The content will not be read.
    Discard,
}

impl<I> Link<I> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                serial: 0,
                content: Content::Ended,
                chunk: None,
                trailers: None,
                reader: Reader::Idle,
                driver: None,
                interim: Vec::new(),
                hundred: Hundred::Connection,
                limits: Overrides::default(),
                tunnel: Tunnel::Unclaimed,
                report: None,
            }),
            looks_soon: AtomicBool::new(false),
            has_interim: AtomicBool::new(false),
            is_watched: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<I>> {
        // Wakers and sockets that may run foreign code are touched outside the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The connection's side.

    /// A request has begun.
    pub(crate) fn begin(&self, serial: u64, has_content: bool) {
        let mut state = self.state();
        state.serial = serial;
        state.content = if has_content { Content::More } else { Content::Ended };
        state.chunk = None;
        state.trailers = None;
        state.reader = Reader::Idle;
        state.interim.clear();
        state.hundred = Hundred::Connection;
        state.limits = Overrides::default();
        state.tunnel = Tunnel::Unclaimed;
        state.report = None;
        self.is_watched.store(false, Ordering::Relaxed);
        self.has_interim.store(false, Ordering::Relaxed);
    }

    /// The connection will look at the wishes after having polled the service.
    #[inline]
    pub(crate) fn will_look(&self) {
        self.looks_soon.store(true, Ordering::Relaxed);
    }

    /// What the reader wants, and the service's limits. From here on `driver` is woken when that
    /// changes.
    pub(crate) fn look(&self, driver: &Waker) -> (Wish, Overrides) {
        let mut state = self.state();
        self.looks_soon.store(false, Ordering::Relaxed);
        if !state.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
            state.driver = Some(driver.clone());
        }
        (state.wish(), state.limits)
    }

    /// What the reader wants, for a connection that goes on working.
    pub(crate) fn wish(&self) -> Wish {
        self.state().wish()
    }

    /// Whether there are interim responses to be sent.
    #[inline]
    pub(crate) fn has_interim(&self) -> bool {
        self.has_interim.load(Ordering::Acquire)
    }

    /// Interim responses that the service wants to be sent.
    pub(crate) fn take_interim(&self) -> Vec<Response<()>> {
        let mut state = self.state();
        self.has_interim.store(false, Ordering::Relaxed);
        std::mem::take(&mut state.interim)
    }

    /// Who sends `100 Continue`.
    pub(crate) fn hundred(&self) -> Hundred {
        self.state().hundred
    }

    /// Content was read.
    pub(crate) fn put(&self, chunk: Bytes) {
        self.tell(|state| state.chunk = Some(chunk));
    }

    /// The trailer section was read.
    pub(crate) fn put_trailers(&self, trailers: HeaderMap) {
        self.tell(|state| state.trailers = Some(trailers));
    }

    /// All of the content was read.
    pub(crate) fn end(&self) {
        self.tell(|state| state.content = Content::Ended);
    }

    /// No more content will be read.
    pub(crate) fn fail(&self, error: IncomingError) {
        self.tell(|state| state.content = Content::Broken(error));
    }

    /// Whether somebody may ask how the exchange ended.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// The exchange is over with the connection being handed over, which is still to be fetched.
    pub(crate) fn settle(&self, report: Option<Report>) {
        self.state().report = report;
    }

    /// The exchange is over: nothing of it is offered any more.
    pub(crate) fn close(&self, report: Option<Report>) {
        let mut state = self.state();
        state.report = report;
        if matches!(state.content, Content::More) {
            state.content = Content::Broken(IncomingError::Closed);
        }
        state.interim.clear();
        self.has_interim.store(false, Ordering::Relaxed);
        let claimed = match std::mem::replace(&mut state.tunnel, Tunnel::Over) {
            Tunnel::Claimed(waker) => waker,
            Tunnel::Unclaimed | Tunnel::Over => None,
            open @ Tunnel::Open(_) => {
                state.tunnel = open;
                None
            }
        };
        let reader = state.take_reader();
        drop(state);
        claimed.into_iter().chain(reader).for_each(Waker::wake);
    }

    /// Hands the connection over; gives it back if nobody asked for it.
    pub(crate) fn hand_over(&self, upgraded: Upgraded<I>) -> Result<(), Upgraded<I>> {
        let mut state = self.state();
        let Tunnel::Claimed(waker) = &mut state.tunnel else { return Err(upgraded) };
        let waker = waker.take();
        state.tunnel = Tunnel::Open(Box::new(upgraded));
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn tell(&self, change: impl FnOnce(&mut State<I>)) {
        let mut state = self.state();
        change(&mut state);
        let reader = state.take_reader();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    // The other side.

    /// Somebody may ask how the exchange ended.
    pub(crate) fn watch(&self) {
        self.is_watched.store(true, Ordering::Relaxed);
    }

    /// How exchange `serial` ended.
    pub(crate) fn report(&self, serial: u64) -> Option<Report> {
        let state = self.state();
        state.report.filter(|_| state.serial == serial)
    }

    /// Changes the limits of exchange `serial`.
    pub(crate) fn limit(&self, serial: u64, change: impl FnOnce(&mut Overrides)) {
        let mut state = self.state();
        if state.serial != serial {
            return;
        }
        change(&mut state.limits);
        let driver = self.driver_to_wake(&state);
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// The next frame of the content of exchange `serial`.
    pub(crate) fn poll_frame(
        &self,
        serial: u64,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingError>>> {
        let mut state = self.state();
        if state.serial != serial {
            return Poll::Ready(Some(Err(IncomingError::Closed)));
        }
        if let Some(chunk) = state.chunk.take() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if let Some(trailers) = state.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match state.content {
            Content::Ended => Poll::Ready(None),
            Content::Broken(error) => Poll::Ready(Some(Err(error))),
            Content::More => {
                let waits = matches!(&state.reader, Reader::Waiting(known) if known.will_wake(cx.waker()));
                if waits {
                    return Poll::Pending;
                }
                let old = std::mem::replace(&mut state.reader, Reader::Waiting(cx.waker().clone()));
                let driver = self.driver_to_wake(&state);
                drop(state);
                drop(old);
                driver.into_iter().for_each(Waker::wake);
                Poll::Pending
            }
        }
    }

    /// The body of exchange `serial` was dropped.
    pub(crate) fn leave(&self, serial: u64) {
        let mut state = self.state();
        if state.serial != serial {
            return;
        }
        let unread = state.chunk.take();
        let old = std::mem::replace(&mut state.reader, Reader::Gone);
        let driver = match state.content {
            Content::More => self.driver_to_wake(&state),
            Content::Ended | Content::Broken(_) => None,
        };
        drop(state);
        drop((unread, old));
        driver.into_iter().for_each(Waker::wake);
    }

    /// Asks for an interim response in exchange `serial`.
    pub(crate) fn send_interim(&self, serial: u64, response: Response<()>) {
        let mut state = self.state();
        if state.serial != serial {
            return;
        }
        state.interim.push(response);
        self.has_interim.store(true, Ordering::Release);
        let driver = self.driver_to_wake(&state);
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// `100 Continue` in exchange `serial` is the service's to send.
    pub(crate) fn withhold_continue(&self, serial: u64) {
        let mut state = self.state();
        if state.serial == serial {
            state.hundred = Hundred::Service;
        }
    }

    /// Asks for the connection of exchange `serial`; whether nobody has before.
    pub(crate) fn claim(&self, serial: u64) -> bool {
        let mut state = self.state();
        let is_first = state.serial == serial && matches!(state.tunnel, Tunnel::Unclaimed);
        if is_first {
            state.tunnel = Tunnel::Claimed(None);
        }
        is_first
    }

    /// Whoever claimed the connection of exchange `serial` does not want it any more.
    pub(crate) fn abandon(&self, serial: u64) {
        let mut state = self.state();
        if state.serial == serial {
            let old = std::mem::replace(&mut state.tunnel, Tunnel::Over);
            drop(state);
            drop(old);
        }
    }

    /// The connection of exchange `serial`, once it is open; `None` if it will not come.
    pub(crate) fn poll_tunnel(&self, serial: u64, cx: &Context<'_>) -> Poll<Option<Upgraded<I>>> {
        let mut state = self.state();
        if state.serial != serial {
            return Poll::Ready(None);
        }
        match std::mem::replace(&mut state.tunnel, Tunnel::Over) {
            Tunnel::Open(upgraded) => Poll::Ready(Some(*upgraded)),
            Tunnel::Unclaimed | Tunnel::Over => Poll::Ready(None),
            Tunnel::Claimed(_) => {
                state.tunnel = Tunnel::Claimed(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }

    /// The connection's task, unless it looks anyway. Under the lock, so that the connection either
    /// sees what was written here or is woken.
    fn driver_to_wake(&self, state: &State<I>) -> Option<Waker> {
        if self.looks_soon.load(Ordering::Relaxed) { None } else { state.driver.clone() }
    }
}

impl<I> State<I> {
    fn wish(&self) -> Wish {
        match (self.content, &self.reader) {
            (Content::Ended | Content::Broken(_), _) | (Content::More, Reader::Idle) => Wish::Nothing,
            (Content::More, Reader::Waiting(_)) => Wish::Read,
            (Content::More, Reader::Gone) => Wish::Discard,
        }
    }

    fn take_reader(&mut self) -> Option<Waker> {
        match std::mem::replace(&mut self.reader, Reader::Idle) {
            Reader::Waiting(waker) => Some(waker),
            Reader::Gone => {
                self.reader = Reader::Gone;
                None
            }
            Reader::Idle => None,
        }
    }
}
