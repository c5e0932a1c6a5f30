//! Allocations and live heap bytes, counted by a global allocator that only `pool-bench-alloc` has.
//!
//! Counted are calls that hand out memory (`realloc` included) and the sizes asked for, not what the
//! system's allocator adds or keeps.
#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; each method only counts and forwards"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

/// The system's allocator with two counters in front.
#[derive(Debug)]
pub struct Counting;

// SAFETY: every method forwards its arguments unchanged to `System`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

fn count(new: usize, old: usize) {
    CALLS.fetch_add(1, Relaxed);
    LIVE.fetch_add(new as i64 - old as i64, Relaxed);
}

/// Allocator calls so far, or `None` where nothing counts them.
pub(crate) fn calls() -> Option<u64> {
    // A Rust program allocates before `main` (thread name, arguments): 0 means nobody counts.
    Some(CALLS.load(Relaxed)).filter(|calls| *calls > 0)
}

/// Bytes allocated and not yet freed, or `None` where nothing counts them.
pub(crate) fn live_bytes() -> Option<i64> {
    calls().map(|_| LIVE.load(Relaxed))
}
