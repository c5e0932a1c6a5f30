//! Hot buffers, one set per thread.
//!
//! Reading into one buffer that stays in the cache is worth more than any cleverness with many
//! (measured in `docs/decisions.md`), and a connection that is idle then holds no buffer at all.
//! A buffer is taken for the length of one poll; a nested poll (a request body that is itself a
//! response) finds none and makes its own.

use std::cell::Cell;

use bytes::Bytes;

use crate::wire::h1::Outbox;

/// Bytes read at most by one system call.
const SCRATCH: usize = 32 * 1024;
/// An outbox that grew beyond this is not kept.
const KEPT_OUTBOX: usize = 64 * 1024;

/// Content from this size on is copied to a buffer that is used again; it is a quarter of such a
/// buffer, so that a caller that keeps the content keeps at most four times its size.
const RECYCLED_FROM: usize = SCRATCH / 4;
/// Buffers kept for content. More are in use only while callers hold that many chunks.
const KEPT_BUFFERS: usize = 8;
/// Copied at a time. Short pieces stay below the length where the C library changes to a string
/// instruction, which measures no faster here and which instruction counters see byte by byte.
const PIECE: usize = 2048;

thread_local! {
    static SPARE: Cell<Vec<Vec<u8>>> = const { Cell::new(Vec::new()) };
    static READ: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static WRITE: Cell<Option<Outbox>> = const { Cell::new(None) };
}

/// Lends the read buffer of this thread.
#[inline]
pub(crate) fn with_scratch<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut scratch =
        READ.try_with(Cell::take).ok().flatten().unwrap_or_else(|| vec![0; SCRATCH].into_boxed_slice());
    let result = use_it(&mut scratch);
    // A thread that is ending has no place for it any more; then it is dropped.
    let _ = READ.try_with(|place| place.set(Some(scratch)));
    result
}

/// Takes the outbox of this thread, empty; give it back with [`keep_outbox`].
#[inline]
pub(crate) fn take_outbox() -> Outbox {
    WRITE.try_with(Cell::take).ok().flatten().unwrap_or_default()
}

/// Gives an empty outbox back to this thread.
#[inline]
pub(crate) fn keep_outbox(outbox: Outbox) {
    debug_assert!(outbox.is_empty(), "unsent bytes belong to their connection");
    if outbox.capacity() <= KEPT_OUTBOX {
        let _ = WRITE.try_with(|place| place.set(Some(outbox)));
    }
}

/// A copy that outlives the read buffer. A large one goes to the buffer that was given back last,
/// which is still in the cache, and costs no allocation but the reference count.
pub(crate) fn lasting_copy(from: &[u8]) -> Bytes {
    if !(RECYCLED_FROM..=SCRATCH).contains(&from.len()) {
        return Bytes::copy_from_slice(from);
    }
    let mut buffer = SPARE
        .try_with(|place| {
            let mut spare = place.take();
            let buffer = spare.pop();
            place.set(spare);
            buffer
        })
        .ok()
        .flatten()
        .unwrap_or_else(|| Vec::with_capacity(SCRATCH));
    for piece in from.chunks(PIECE) {
        buffer.extend_from_slice(piece);
    }
    Bytes::from_owner(Recycled(buffer))
}

/// A buffer that goes back to whichever thread drops the last reference to its content.
struct Recycled(Vec<u8>);

impl AsRef<[u8]> for Recycled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        // A thread that is ending has no place for it any more; then it is dropped.
        let _ = SPARE.try_with(|place| {
            let mut spare = place.take();
            if spare.len() < KEPT_BUFFERS {
                buffer.clear();
                spare.push(buffer);
            }
            place.set(spare);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_copy_uses_the_buffer_that_was_given_back() {
        let text: Vec<u8> = (0..SCRATCH).map(|at| at as u8).collect();
        let first = lasting_copy(&text);
        assert_eq!(first, text);
        let (place, part) = (first.as_ptr(), first.slice(100..200));
        drop(first);
        let other = lasting_copy(&text[1..]);
        assert_ne!(other.as_ptr(), place, "a part of it is still held");
        assert_eq!(part, text[100..200]);
        drop(part);
        let again = lasting_copy(&text[..RECYCLED_FROM]);
        assert_eq!((again.as_ptr(), &*again), (place, &text[..RECYCLED_FROM]));
        assert_eq!(other, text[1..]);
    }

    #[test]
    fn small_and_oversized_copies_have_their_own_memory() {
        for length in [0, 1, RECYCLED_FROM - 1, SCRATCH + 1] {
            let copy = lasting_copy(&vec![7; length]);
            assert_eq!(copy, vec![7; length]);
            drop(copy);
            assert_eq!(SPARE.take().len(), 0, "{length}");
        }
    }

    #[test]
    fn no_more_than_a_few_buffers_are_kept() {
        let copies: Vec<_> = (0..2 * KEPT_BUFFERS).map(|_| lasting_copy(&[7; SCRATCH])).collect();
        drop(copies);
        assert_eq!(SPARE.take().len(), KEPT_BUFFERS);
    }
}
