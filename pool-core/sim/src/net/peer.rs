//! What scripts of peers are made of: reading, writing and waiting until somebody says that it is over.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use pool_core::runtime::{Io, Runtime};
use pool_core::wire::h1::{BodyLength, Input, Limits, Outbox, ResponseHead, Server, ServerEvent};

use super::stream::Stream;
use super::world::World;

/// Ends the scripts of a run, or of one incarnation of a peer.
#[derive(Clone, Default)]
pub struct Stop(Rc<StopState>);

#[derive(Default)]
struct StopState {
    over: Cell<bool>,
    /// By watch.
    waiting: RefCell<Vec<Option<Waker>>>,
    vacant: RefCell<Vec<usize>>,
}

/// A script's view of a [`Stop`].
pub struct Watch {
    stop: Stop,
    place: usize,
}

impl Stop {
    /// It is over.
    pub fn now(&self) {
        self.0.over.set(true);
        self.0.waiting.take().into_iter().flatten().for_each(Waker::wake);
    }

    /// Whether it is.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.over.get()
    }

    /// For one task.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let place = self.0.vacant.borrow_mut().pop().unwrap_or_else(|| {
            let mut waiting = self.0.waiting.borrow_mut();
            waiting.push(None);
            waiting.len() - 1
        });
        Watch { stop: self.clone(), place }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(place) = self.stop.0.waiting.borrow_mut().get_mut(self.place) {
            *place = None;
            self.stop.0.vacant.borrow_mut().push(self.place);
        }
    }
}

impl Watch {
    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stop.0.over.get()
    }

    /// Completes when it is over.
    pub fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.is_over() {
            return Poll::Ready(());
        }
        let mut waiting = self.stop.0.waiting.borrow_mut();
        match &mut waiting[self.place] {
            Some(known) => known.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Waits until it is over.
    pub async fn over(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// Waits for a length of time; `false` if it was over before.
    pub async fn pause(&self, world: &World, time: Duration) -> bool {
        let mut sleep = pin!(world.pause(time));
        poll_fn(|cx| {
            if self.poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            sleep.as_mut().poll(cx).map(|()| true)
        })
        .await
    }
}

/// What a peer met when it wanted the next piece of a request.
pub enum Got {
    /// The head of a request.
    Head(Request<()>),
    /// Content of it.
    Data(bytes::Bytes),
    /// Its end.
    End,
    /// The other side closed, reset or broke the protocol.
    Gone,
    /// Nothing came in time.
    Late,
    /// It is over.
    Stopped,
}

/// One connection of a scripted origin.
pub struct Session {
    /// Its stream.
    pub io: Stream,
    /// Reads requests. What is written to it is thrown away: the script writes its own bytes.
    pub wire: Server,
    world: World,
    watch: Watch,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Session {
    /// A connection just accepted.
    #[must_use]
    pub fn new(world: World, io: Stream, watch: Watch) -> Self {
        let wire = Server::new(Limits::default());
        Self { io, wire, world, watch, buffer: vec![0; 4096], from: 0, to: 0 }
    }

    /// Bytes that were read and not looked at.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.to - self.from + self.wire.buffered()
    }

    /// Whether its script has to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.watch.is_over()
    }

    /// The next piece of a request, within `limit` if there is one.
    pub async fn next(&mut self, limit: Option<Duration>) -> Got {
        let mut sleep = pin!(limit.map(|limit| self.world.sleep(self.world.now() + limit)));
        poll_fn(move |cx| {
            if self.watch.poll(cx).is_ready() {
                return Poll::Ready(Got::Stopped);
            }
            match self.poll_next(cx) {
                Poll::Ready(got) => Poll::Ready(got),
                Poll::Pending => match sleep.as_mut().as_pin_mut() {
                    Some(sleep) => sleep.poll(cx).map(|()| Got::Late),
                    None => Poll::Pending,
                },
            }
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Got> {
        loop {
            let mut input = Input::new(&self.buffer[self.from..self.to]);
            let event = self.wire.poll_event(&mut input);
            self.from = self.to - input.remaining().len();
            match event {
                Ok(Some(ServerEvent::Head(head, _))) => return Poll::Ready(Got::Head(head)),
                Ok(Some(ServerEvent::Data(data))) => return Poll::Ready(Got::Data(data)),
                Ok(Some(ServerEvent::RequestEnd)) => return Poll::Ready(Got::End),
                Ok(Some(ServerEvent::Closed)) | Err(_) => return Poll::Ready(Got::Gone),
                Ok(Some(ServerEvent::Trailers(_) | ServerEvent::End(_))) => continue,
                Ok(None) => {}
            }
            (self.from, self.to) = (0, 0);
            match std::task::ready!(self.io.poll_read(cx, &mut self.buffer)) {
                Ok(0) | Err(_) => return Poll::Ready(Got::Gone),
                Ok(n) => self.to = n,
            }
        }
    }

    /// The script has answered: the machine that reads is told, so that it reads the next request.
    pub fn end_exchange(&mut self) -> bool {
        let (none, mut unused) = (HeaderMap::new(), Outbox::new());
        let head = ResponseHead { status: StatusCode::OK, headers: &none };
        self.wire.send_response(head, BodyLength::None, &mut unused).is_ok()
    }

    /// Writes all of it; `false` if that was not possible.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        write_all(&mut self.io, &self.watch, bytes).await
    }

    /// Ends the direction of the peer.
    pub async fn finish(&mut self) {
        let _ = poll_fn(|cx| self.io.poll_shutdown(cx)).await;
    }

    /// Waits; `false` if it was over before.
    pub async fn pause(&self, time: Duration) -> bool {
        time.is_zero() || self.watch.pause(&self.world, time).await
    }

    /// Reads until the other side closes, or `limit`; how many bytes came.
    pub async fn drain(&mut self, limit: Duration) -> u64 {
        let mut sleep = pin!(self.world.pause(limit));
        let mut count = self.unread() as u64;
        poll_fn(|cx| {
            if self.watch.poll(cx).is_ready() {
                return Poll::Ready(());
            }
            loop {
                match self.io.poll_read(cx, &mut self.buffer) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(n)) => count += n as u64,
                    Poll::Pending => return sleep.as_mut().poll(cx),
                }
            }
        })
        .await;
        count
    }
}

/// Writes all of it; `false` if that was not possible.
pub async fn write_all(io: &mut Stream, watch: &Watch, mut bytes: &[u8]) -> bool {
    poll_fn(|cx| {
        if watch.poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        while !bytes.is_empty() {
            match io.poll_write_vectored(cx, &[IoSlice::new(bytes)]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(n)) if n > 0 => bytes = &bytes[n..],
                Poll::Ready(Ok(_) | Err(_)) => return Poll::Ready(false),
            }
        }
        Poll::Ready(true)
    })
    .await
}

/// What a read gave.
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// The end, or an error.
    End,
    /// Nothing in time, or it is over.
    Late,
}

/// Reads what comes within `limit`.
pub async fn read_some(
    world: &World,
    io: &mut Stream,
    watch: &Watch,
    into: &mut [u8],
    limit: Duration,
) -> Read {
    let mut sleep = pin!(world.pause(limit));
    poll_fn(|cx| {
        if watch.poll(cx).is_ready() {
            return Poll::Ready(Read::Late);
        }
        match io.poll_read(cx, into) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Read::End),
            Poll::Ready(Ok(n)) => Poll::Ready(Read::Bytes(n)),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| Read::Late),
        }
    })
    .await
}
