//! Hot buffers, one set per thread, shared by the client's and the server's connections.
//!
//! Reading into one buffer that stays in the cache is worth more than any cleverness with many
//! (measured in `docs/decisions.md`), and a connection that is idle then holds no buffer at all.
//! A buffer is taken for the length of one poll; a nested poll (a request body that is itself a
//! response) finds none and makes its own.

use std::cell::Cell;

use crate::wire::h1::Outbox;

/// Bytes read at most by one system call.
const SCRATCH: usize = 32 * 1024;
/// An outbox that grew beyond this is not kept.
const KEPT_OUTBOX: usize = 64 * 1024;

thread_local! {
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
