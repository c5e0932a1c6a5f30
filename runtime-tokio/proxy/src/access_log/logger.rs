//! What a worker holds: formats, and buffers that the writing thread empties.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::format::Format;
use super::record::Record;
use super::writer::{Writer, lock};

/// The access logs of one connection manager on one worker.
///
/// A line costs its formatting and a lock that nobody else holds for longer than it takes to swap a
/// buffer; no file is touched.
#[derive(Debug)]
pub struct Logger {
    outlets: Vec<Outlet>,
}

/// One log.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) format: Format,
    pub(super) buffer: Arc<Buffer>,
    pub(super) writer: Arc<Writer>,
}

/// Lines of one worker for one file.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    inside: Mutex<Inside>,
    /// Set before the writer empties the buffer for the last time.
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Inside {
    bytes: Vec<u8>,
    counts: Counts,
}

/// What a buffer counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Lines put in.
    pub(super) lines: u64,
    /// Lines left out.
    pub(super) dropped: u64,
    /// Bytes that wait.
    pub(super) waiting: u64,
}

impl Logger {
    /// A logger that logs nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self { outlets: Vec::new() }
    }

    pub(super) const fn new(outlets: Vec<Outlet>) -> Self {
        Self { outlets }
    }

    /// Whether there is no log, so that no record need be made.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.outlets.is_empty()
    }

    /// Logs one request. Never waits for a file: a line for which the buffer has no room, because the
    /// disk does not keep up, is dropped and counted.
    pub fn log(&self, record: &Record<'_>) {
        for outlet in &self.outlets {
            let options = outlet.writer.options();
            let fills = outlet.buffer.put(options.flush_size, options.buffer_limit, |bytes| {
                outlet.format.write(record, bytes);
            });
            if fills {
                outlet.writer.nudge();
            }
        }
    }
}

impl Buffer {
    /// Appends a line; says whether the buffer has just become worth writing.
    fn put(&self, worth: usize, limit: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut inside = lock(&self.inside);
        let Inside { bytes, counts } = &mut *inside;
        let before = bytes.len();
        if before < limit && !self.closed.load(Ordering::Relaxed) {
            write(bytes);
            if bytes.len() <= limit {
                counts.lines += 1;
                return before < worth && bytes.len() >= worth;
            }
            bytes.truncate(before);
        }
        counts.dropped += 1;
        false
    }

    /// Takes everything out and leaves `spare` in its place.
    pub(super) fn take(&self, spare: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut lock(&self.inside).bytes, spare)
    }

    /// Takes no more lines. One that is already in is seen by the next [`Buffer::take`].
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let inside = lock(&self.inside);
        Counts { waiting: inside.bytes.len() as u64, ..inside.counts }
    }
}
