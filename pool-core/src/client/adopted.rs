//! Exchanges whose response began before the request was sent: the keeper drives both directions.
//!
//! A caller that holds such a response may wait for something else before it polls the body, and what
//! it waits for may depend on the rest of its request. So the exchange moves to the background task,
//! which keeps sending and reads one chunk ahead; the body takes chunks from there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use http_body::Body as HttpBody;

use super::error::{BodyError, Error};
use super::inline::{Inline, Next};
use super::leash::{Event, ReadyList, lock};
use crate::runtime::{Connect, Runtime};

/// The adopted exchanges of a client, by index.
pub(crate) struct Nursery<R: Runtime, C: Connect, B> {
    children: Mutex<Vec<Place<R, C, B>>>,
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
        Self { children: Mutex::new(Vec::new()), ready }
    }

    pub(crate) fn adopt(&self, exchange: Inline<R, C, B>) -> Adopted<R, C, B> {
        let mut children = lock(&self.children);
        let vacant = children.iter().position(Option::is_none);
        let index = vacant.unwrap_or(children.len());
        if index == children.len() {
            children.push(None);
        }
        let bell = Arc::new(Bell { index, rung: AtomicBool::new(false), ready: self.ready.clone() });
        let child = Arc::new(Child {
            exchange: Mutex::new(Some(exchange)),
            pipe: Mutex::new(Pipe { content: Content::Empty, broken: None, reader: None }),
            bell: bell.clone(),
        });
        children[index] = Some(child.clone());
        drop(children);
        bell.wake_by_ref();
        Adopted(child)
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
        let Some(Some(child)) = lock(&self.children).get(index).cloned() else { return };
        child.bell.rung.store(false, Ordering::Release);
        let Some(mut exchange) = lock(&child.exchange).take() else {
            // Its body was dropped, and the exchange with it.
            if let Some(place) = lock(&self.children).get_mut(index) {
                *place = None;
            }
            return;
        };
        let waker = Waker::from(child.bell.clone());
        if child.drive(&mut exchange, &mut Context::from_waker(&waker)) {
            *lock(&child.exchange) = Some(exchange);
        } else if let Some(place) = lock(&self.children).get_mut(index) {
            *place = None;
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
