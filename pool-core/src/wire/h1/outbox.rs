//! Bytes on their way out.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Chunks up to this size are copied behind the framing: one slice instead of two.
const COPY_BELOW: usize = 2048;
/// The copied part is compacted once this much of it has been written.
const COMPACT_ABOVE: usize = 16 * 1024;

/// The first buffer: most heads with a small body.
const FIRST: usize = 512;

/// A queue of bytes to write: framing and small chunks in one reused buffer, large chunks by
/// reference. The driver lends one per connection that has something to write.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Framing and small chunks, back to back.
    copied: Vec<u8>,
    /// How much of `copied` has been written.
    written: usize,
    /// Large chunks, each with the number of bytes of `copied` (from its start) that go before it.
    chunks: VecDeque<(usize, Bytes)>,
    /// Bytes to write, all together.
    len: usize,
}

impl Outbox {
    /// At this length the driver stops asking for body data (bytes).
    pub const HIGH_WATERMARK: usize = 64 * 1024;
    /// Below this length it asks again (bytes).
    pub const LOW_WATERMARK: usize = 32 * 1024;

    /// An empty queue that holds no memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes to write.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory held for copied data, used or not.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.copied.capacity()
    }

    /// Fills `into` with what to write next, in order, and gives the number of slices filled. Fewer
    /// slices than there are chunks is no error: write, [`advance`](Self::advance), ask again.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let mut at = self.written;
        let mut chunks = self.chunks.iter();
        while filled < into.len() {
            let chunk = chunks.next();
            let end = chunk.map_or(self.copied.len(), |(before, _)| *before);
            if at < end {
                into[filled] = IoSlice::new(&self.copied[at..end]);
                filled += 1;
                at = end;
            }
            let Some((_, chunk)) = chunk else { break };
            if filled < into.len() {
                into[filled] = IoSlice::new(chunk);
                filled += 1;
            }
        }
        filled
    }

    /// Everything to write, if it lies in one piece because no chunk was large.
    #[inline]
    #[must_use]
    pub fn only_slice(&self) -> Option<&[u8]> {
        if self.chunks.is_empty() { self.copied.get(self.written..) } else { None }
    }

    /// Everything to write, copied; for tests and simple drivers.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len);
        let mut at = self.written;
        for (before, chunk) in &self.chunks {
            all.extend_from_slice(&self.copied[at..*before]);
            all.extend_from_slice(chunk);
            at = *before;
        }
        all.extend_from_slice(&self.copied[at..]);
        all
    }

    /// The first `n` bytes have been written; more than [`len`](Self::len) counts as all.
    pub fn advance(&mut self, n: usize) {
        if n >= self.len {
            self.clear();
            return;
        }
        self.len -= n;
        let mut n = n;
        while n > 0 {
            let end = self.chunks.front().map_or(self.copied.len(), |(before, _)| *before);
            let step = n.min(end - self.written);
            self.written += step;
            n -= step;
            if self.written < end {
                break;
            }
            let Some((_, chunk)) = self.chunks.front_mut() else { break };
            let step = n.min(chunk.len());
            chunk.advance(step);
            n -= step;
            if !chunk.is_empty() {
                break;
            }
            self.chunks.pop_front();
        }
        if self.written > COMPACT_ABOVE {
            self.copied.drain(..self.written);
            for (before, _) in &mut self.chunks {
                *before -= self.written;
            }
            self.written = 0;
        }
    }

    /// Forgets everything and keeps the buffer.
    pub fn clear(&mut self) {
        self.copied.clear();
        self.chunks.clear();
        self.written = 0;
        self.len = 0;
    }

    /// Moves what is unwritten out, so that a shared queue can serve the next connection; its
    /// buffer stays here.
    #[must_use]
    pub fn take_unsent(&mut self) -> Self {
        let rest = Self {
            copied: self.copied[self.written..].to_vec(),
            written: 0,
            chunks: self.chunks.drain(..).map(|(before, chunk)| (before - self.written, chunk)).collect(),
            len: self.len,
        };
        self.clear();
        rest
    }

    /// Appends a copy.
    pub fn push_slice(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends a chunk: small ones by copy, large ones by reference.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_BELOW {
            self.push_slice(&bytes);
        } else {
            self.len += bytes.len();
            self.chunks.push_back((self.copied.len(), bytes));
        }
    }

    /// Lets `write` append to the copied part, and takes back what it wrote if it fails.
    pub(super) fn write_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.copied.len();
        if self.copied.capacity() == 0 {
            // Written line by line, a head would outgrow its buffer three times.
            self.copied.reserve(FIRST);
        }
        let result = write(&mut self.copied);
        if result.is_err() {
            self.copied.truncate(before);
        }
        self.len += self.copied.len() - before;
        result
    }
}
