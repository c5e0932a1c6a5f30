//! Hot buffers, one set per thread, shared by the client's and the server's connections.
//!
//! Reading into one buffer that stays in the cache is worth more than any cleverness with many
//! (measured in `docs/decisions.md`), and a connection that is idle then holds no buffer at all.
//! A buffer is taken for the length of one poll; a nested poll (a request body that is itself a
//! response) takes another. Where most of a buffer is content, the caller gets that part of it
//! without a copy, and the buffer comes back when the caller has dropped it.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use http::HeaderMap;

use crate::wire::h1::Outbox;

/// Bytes read at most by one system call.
const SCRATCH: usize = 32 * 1024;
/// A read from this size on is lent: a caller that keeps it keeps at most four times its size.
const LENT_FROM: usize = SCRATCH / 4;
/// Read buffers kept beside the one used last. More are in use only while callers hold that many chunks.
const KEPT_SPARE: usize = 15;
/// An outbox that grew beyond this is not kept.
const KEPT_OUTBOX: usize = 64 * 1024;
/// Maps of heads kept: as many as a busy thread has requests in flight, beyond what the allocator has
/// at hand of one size.
const KEPT_MAPS: usize = 128;
/// A map with room for more fields than this is not kept.
const KEPT_FIELDS: usize = 48;

thread_local! {
    /// The one used last: nearly always the only one.
    static READ: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    /// Those used before it, the last one at the end.
    static SPARE: Cell<Vec<Box<[u8]>>> = const { Cell::new(Vec::new()) };
    static WRITE: Cell<Option<Outbox>> = const { Cell::new(None) };
    /// Empty maps of heads that were sent.
    static MAPS: Cell<Vec<HeaderMap>> = const { Cell::new(Vec::new()) };
    /// For the poll within a poll: a server's connection whose service asks a client.
    static WRITE_WITHIN: Cell<Option<Outbox>> = const { Cell::new(None) };
}

/// A read buffer. Dropped, it goes back to the thread that drops it.
pub(crate) struct Scratch(Box<[u8]>);

impl Scratch {
    /// The read buffer of this thread that was used last.
    #[inline]
    pub(crate) fn take() -> Self {
        Self(READ.try_with(Cell::take).ok().flatten().unwrap_or_else(spare))
    }

    /// What a read of `n` bytes put into the buffer.
    #[inline]
    pub(crate) fn filled(self, n: usize) -> Filled {
        if n < LENT_FROM {
            return Filled::Kept(self, n);
        }
        let mut bytes = Bytes::from_owner(self);
        bytes.truncate(n);
        Filled::Lent(bytes)
    }
}

impl Deref for Scratch {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Scratch {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl AsRef<[u8]> for Scratch {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Scratch {
    #[inline]
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // A thread that is ending has no place for it any more; then it is dropped.
        if let Ok(Some(colder)) = READ.try_with(|place| place.replace(Some(buffer))) {
            keep_spare(colder);
        }
    }
}

/// Another buffer, while the one used last is in use.
#[cold]
fn spare() -> Box<[u8]> {
    let last = SPARE.try_with(|place| {
        let mut spare = place.take();
        let last = spare.pop();
        place.set(spare);
        last
    });
    last.ok().flatten().unwrap_or_else(|| vec![0; SCRATCH].into_boxed_slice())
}

#[cold]
fn keep_spare(buffer: Box<[u8]>) {
    let _ = SPARE.try_with(|place| {
        let mut spare = place.take();
        if spare.len() < KEPT_SPARE {
            spare.push(buffer);
        }
        place.set(spare);
    });
}

/// Bytes that were read.
pub(crate) enum Filled {
    /// Few: what is needed of them is copied.
    Kept(Scratch, usize),
    /// Many: parts of them may be given out.
    Lent(Bytes),
}

/// Takes the outbox of this thread, empty; give it back with [`keep_outbox`].
#[inline]
pub(crate) fn take_outbox() -> Outbox {
    WRITE.try_with(Cell::take).ok().flatten().unwrap_or_else(outbox_within)
}

/// Another outbox, while the first is in use.
fn outbox_within() -> Outbox {
    WRITE_WITHIN.try_with(Cell::take).ok().flatten().unwrap_or_default()
}

/// Gives an empty outbox back to this thread.
#[inline]
pub(crate) fn keep_outbox(outbox: Outbox) {
    debug_assert!(outbox.is_empty(), "unsent bytes belong to their connection");
    if outbox.capacity() <= KEPT_OUTBOX {
        // The outer poll returns last: its outbox takes the first place, and this one the second.
        if let Ok(Some(other)) = WRITE.try_with(|place| place.replace(Some(outbox))) {
            let _ = WRITE_WITHIN.try_with(|place| place.set(Some(other)));
        }
    }
}

/// An empty map for a head, with the room that it had for another.
pub(crate) fn take_map() -> HeaderMap {
    let kept = MAPS.try_with(|place| {
        let mut maps = place.take();
        let map = maps.pop();
        place.set(maps);
        map
    });
    kept.ok().flatten().unwrap_or_default()
}

/// Empties the map of a head that was sent, and keeps it for the next one.
pub(crate) fn keep_map(mut map: HeaderMap) {
    if map.capacity() == 0 || map.capacity() > KEPT_FIELDS {
        return;
    }
    map.clear();
    let _ = MAPS.try_with(|place| {
        let mut maps = place.take();
        if maps.len() < KEPT_MAPS {
            maps.push(map);
        }
        place.set(maps);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        let (last, spare) = (READ.take(), SPARE.take());
        let count = usize::from(last.is_some()) + spare.len();
        READ.set(last);
        SPARE.set(spare);
        count
    }

    #[test]
    fn a_buffer_comes_back_when_the_last_part_of_it_is_dropped() {
        let mut scratch = Scratch::take();
        scratch[..3].copy_from_slice(b"abc");
        let place = scratch.as_ptr();
        let Filled::Lent(bytes) = scratch.filled(LENT_FROM) else { panic!("not lent") };
        assert_eq!((bytes.len(), &bytes[..3]), (LENT_FROM, &b"abc"[..]));
        let part = bytes.slice(1..3);
        drop(bytes);
        assert_ne!(Scratch::take().as_ptr(), place, "a part of it is still held");
        assert_eq!(part, b"bc"[..]);
        drop(part);
        assert_eq!((kept(), Scratch::take().as_ptr()), (2, place));
    }

    #[test]
    fn a_map_comes_back_empty_with_its_room() {
        let mut map = HeaderMap::with_capacity(12);
        let room = map.capacity();
        map.insert(http::header::COOKIE, http::HeaderValue::from_static("secret"));
        keep_map(map);
        let map = take_map();
        assert_eq!((map.len(), map.capacity()), (0, room));
        assert_eq!(take_map().capacity(), 0, "there was one");
        keep_map(HeaderMap::with_capacity(10 * KEPT_FIELDS));
        assert_eq!(take_map().capacity(), 0, "too large to keep");
    }

    #[test]
    fn short_reads_are_not_lent() {
        assert!(matches!(Scratch::take().filled(LENT_FROM - 1), Filled::Kept(_, n) if n == LENT_FROM - 1));
        assert_eq!(kept(), 1);
    }

    #[test]
    fn no_more_than_a_few_buffers_are_kept() {
        let taken: Vec<_> = (0..2 * KEPT_SPARE).map(|_| Scratch::take()).collect();
        drop(taken);
        assert_eq!(kept(), KEPT_SPARE + 1);
    }
}
