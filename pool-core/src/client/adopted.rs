//! Exchanges whose response began before the request was sent: the keeper drives both directions.
//!
//! A caller that holds such a response may wait for something else before it polls the body, and what
//! it waits for may depend on the rest of its request. So the exchange moves to the background task,
//! which keeps sending and reads one chunk ahead; the body takes chunks from there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use http_body::Body as HttpBody;

use super::error::{BodyError, Error, ErrorKind};
use super::inline::{Inline, Next};
use super::leash::{Event, ReadyList, lock};
use crate::error::Verdict;
use crate::runtime::{Connect, Runtime};

/// The adopted exchanges of a client, by index.
pub(crate) struct Nursery<R: Runtime, C: Connect, B> {
    /// `None` once the keeper is gone.
    children: Mutex<Option<Vec<Place<R, C, B>>>>,
    ready: Arc<ReadyList>,
}

/// One adopted exchange, or room for one.
type Place<R, C, B> = Option<Arc<Child<R, C, B>>>;

struct Child<R: Runtime, C: Connect, B> {
    /// `None` while it is polled and after its end.
    exchange: Mutex<Option<Inline<R, C, B>>>,
    pipe: Mutex<Pipe>,
    bell: Arc<Bell>,
}

/// What lies between keeper and body: one frame at most.
struct Pipe {
    content: Content,
    /// Why the exchange broke while a frame was waiting.
    broken: Option<Error>,
    reader: Option<Waker>,
}

enum Content {
    Empty,
    Frame(Next),
    /// The body is gone; nobody will read.
    Abandoned,
}

/// What the keeper may put into a pipe.
enum Room {
    Free,
    Full,
    Abandoned,
}

/// Wakes the keeper for one adopted exchange.
struct Bell {
    index: usize,
    rung: AtomicBool,
    ready: Arc<ReadyList>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.push(Event::Adopted(self.index));
        }
    }
}

/// The body's end of an adopted exchange. Dropping it gives the exchange up.
pub(crate) struct Adopted<R: Runtime, C: Connect, B>(Arc<Child<R, C, B>>);

impl<R, C, B> Nursery<R, C, B>
where
    R: Runtime,
    C: Connect,
{
    pub(crate) fn new(ready: Arc<ReadyList>) -> Self {
        Self { children: Mutex::new(Some(Vec::new())), ready }
    }

    pub(crate) fn adopt(&self, exchange: Inline<R, C, B>) -> Adopted<R, C, B> {
        let mut children = lock(&self.children);
        let known = children.as_deref().unwrap_or_default();
        let index = known.iter().position(Option::is_none).unwrap_or(known.len());
        let bell = Arc::new(Bell { index, rung: AtomicBool::new(false), ready: self.ready.clone() });
        let child = Arc::new(Child {
            exchange: Mutex::new(Some(exchange)),
            pipe: Mutex::new(Pipe { content: Content::Empty, broken: None, reader: None }),
            bell: bell.clone(),
        });
        match &mut *children {
            Some(children) => {
                if index == children.len() {
                    children.push(None);
                }
                children[index] = Some(child.clone());
            }
            None => {
                drop(children);
                child.cut();
                return Adopted(child);
            }
        }
        drop(children);
        bell.wake_by_ref();
        Adopted(child)
    }

    /// The keeper is gone: what it drove breaks, and so does what is adopted from now on.
    pub(crate) fn close(&self) {
        let children = lock(&self.children).take();
        for child in children.into_iter().flatten().flatten() {
            child.cut();
        }
    }

    fn vacate(&self, index: usize) {
        let child = lock(&self.children).as_mut().and_then(|children| children.get_mut(index)?.take());
        drop(child);
    }
}

impl<R: Runtime, C: Connect, B> Child<R, C, B> {
    /// Ends it; its reader is told once it has read what is there.
    fn cut(&self) {
        let exchange = lock(&self.exchange).take();
        drop(exchange);
        let mut pipe = lock(&self.pipe);
        if pipe.broken.is_none() {
            pipe.broken = Some(Error::new(ErrorKind::ClosedByPool, Verdict::Unknown));
        }
        let reader = pipe.reader.take();
        drop(pipe);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<R, C, B> Nursery<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    /// Drives one exchange; only the keeper calls it.
    pub(crate) fn poll(&self, index: usize) {
        let child = lock(&self.children).as_ref().and_then(|children| children.get(index)?.clone());
        let Some(child) = child else { return };
        child.bell.rung.store(false, Ordering::Release);
        let Some(mut exchange) = lock(&child.exchange).take() else {
            // Its body was dropped, and the exchange with it.
            return self.vacate(index);
        };
        let waker = Waker::from(child.bell.clone());
        if child.drive(&mut exchange, &mut Context::from_waker(&waker)) {
            *lock(&child.exchange) = Some(exchange);
        } else {
            self.vacate(index);
        }
    }
}

impl<R, C, B> Child<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    fn room(&self) -> Room {
        match lock(&self.pipe).content {
            Content::Abandoned => Room::Abandoned,
            Content::Frame(_) => Room::Full,
            Content::Empty => Room::Free,
        }
    }

    /// Sends and reads as far as it goes; `false` when the exchange needs no more driving.
    fn drive(&self, exchange: &mut Inline<R, C, B>, cx: &mut Context<'_>) -> bool {
        loop {
            match self.room() {
                Room::Abandoned => return false,
                Room::Full => {
                    // The reader is slow: the response waits, the request does not.
                    let Err(error) = exchange.drive_request(cx) else { return true };
                    let mut pipe = lock(&self.pipe);
                    pipe.broken = Some(error);
                    // The frame may have been taken since, and its reader be waiting again.
                    let reader = pipe.reader.take();
                    drop(pipe);
                    if let Some(reader) = reader {
                        reader.wake();
                    }
                    return false;
                }
                Room::Free => {}
            }
            let Poll::Ready(next) = exchange.poll_frame(cx) else { return true };
            let last = matches!(next, None | Some(Err(_)));
            let mut pipe = lock(&self.pipe);
            if matches!(pipe.content, Content::Abandoned) {
                return false;
            }
            pipe.content = Content::Frame(next);
            let reader = pipe.reader.take();
            drop(pipe);
            if let Some(reader) = reader {
                reader.wake();
            }
            if last {
                return false;
            }
        }
    }
}

impl<R: Runtime, C: Connect, B> Adopted<R, C, B> {
    pub(crate) fn poll_frame(&self, cx: &Context<'_>) -> Poll<Next> {
        let mut pipe = lock(&self.0.pipe);
        match std::mem::replace(&mut pipe.content, Content::Empty) {
            Content::Frame(next) => {
                drop(pipe);
                self.0.bell.wake_by_ref();
                Poll::Ready(next)
            }
            Content::Empty => match pipe.broken.take() {
                Some(error) => Poll::Ready(Some(Err(error))),
                None => {
                    pipe.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            },
            Content::Abandoned => Poll::Ready(None),
        }
    }
}

impl<R: Runtime, C: Connect, B> Drop for Adopted<R, C, B> {
    fn drop(&mut self) {
        let unread = std::mem::replace(&mut lock(&self.0.pipe).content, Content::Abandoned);
        drop(unread);
        // Given up here and now, unless the keeper is driving it at this moment: then it sees that
        // nobody reads.
        let exchange = lock(&self.0.exchange).take();
        drop(exchange);
        self.0.bell.wake_by_ref();
    }
}
