//! Bodies whose every byte is known to both sides.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use pool_core::runtime::Runtime;

use super::rng::Rng;
use super::world::{Sleep, World};

/// The byte at a place of the body that belongs to a request.
#[must_use]
pub const fn byte_at(id: u64, at: u64) -> u8 {
    (id.wrapping_mul(31) ^ at.wrapping_mul(7) ^ (at >> 8).wrapping_mul(13) ^ (at >> 16)) as u8
}

/// Some bytes of the body that belongs to a request.
#[must_use]
pub fn bytes_from(id: u64, at: u64, length: u64) -> Vec<u8> {
    (at..at + length).map(|at| byte_at(id, at)).collect()
}

/// Compares what arrives with what was meant.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    id: u64,
    at: u64,
}

impl Check {
    /// Nothing has arrived yet.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self { id, at: 0 }
    }

    /// How much has arrived.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.at
    }

    /// More has.
    ///
    /// # Errors
    /// The place of the first byte that is wrong.
    pub fn feed(&mut self, data: &[u8]) -> Result<(), u64> {
        let start = self.at;
        self.at += data.len() as u64;
        let wrong = data.iter().zip(start..).find(|(byte, at)| **byte != byte_at(self.id, *at));
        wrong.map_or(Ok(()), |(_, at)| Err(at))
    }
}

/// How a body is produced.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Bytes in one frame, at most.
    pub frame: u64,
    /// Before every frame.
    pub pause: Duration,
    /// Whether the length is said beforehand.
    pub announces: bool,
    /// Whether fields follow, where they can.
    pub trailers: bool,
    /// Breaks instead of giving this byte.
    pub breaks_at: Option<u64>,
}

impl Pace {
    /// One drawn at random that does not break.
    #[must_use]
    pub fn draw(rng: &mut Rng, slow: u32) -> Self {
        let pause = if rng.permille(slow) { rng.micros(100, 50_000) } else { Duration::ZERO };
        Self {
            frame: if pause.is_zero() { rng.within(1000, 20_000) } else { rng.within(500, 8000) },
            pause,
            announces: rng.permille(600),
            trailers: rng.permille(100),
            breaks_at: None,
        }
    }
}

/// A body as [`Body`], for requests of the client and responses of the server.
pub struct Content {
    world: World,
    id: u64,
    at: u64,
    length: u64,
    pace: Pace,
    wait: Option<Sleep>,
    trailers_due: bool,
}

impl Content {
    /// `length` bytes that belong to request `id`.
    #[must_use]
    pub fn new(world: World, id: u64, length: u64, pace: Pace) -> Self {
        let trailers_due = pace.trailers && !pace.announces && length > 0;
        Self { world, id, at: 0, length, pace, wait: None, trailers_due }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if this.at >= this.length {
            if std::mem::take(&mut this.trailers_due) {
                let mut fields = HeaderMap::new();
                fields.insert("x-id", HeaderValue::from(this.id));
                return Poll::Ready(Some(Ok(Frame::trailers(fields))));
            }
            return Poll::Ready(None);
        }
        if !this.pace.pause.is_zero() {
            let wait = this.wait.get_or_insert_with(|| this.world.sleep(this.world.now() + this.pace.pause));
            std::task::ready!(Pin::new(wait).poll(cx));
            this.wait = None;
        }
        if this.pace.breaks_at.is_some_and(|at| this.at >= at) {
            this.world.account().count("peer: body of the sender broke");
            return Poll::Ready(Some(Err(io::ErrorKind::Other.into())));
        }
        let end = this.pace.breaks_at.unwrap_or(this.length).min(this.length);
        let length = this.pace.frame.min(end - this.at);
        let data = Bytes::from(bytes_from(this.id, this.at, length));
        this.at += length;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        if self.pace.announces { SizeHint::with_exact(self.length - self.at) } else { SizeHint::default() }
    }
}
