//! The writing side: entries into chunks, chunks to whoever stores them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::codec::Short;
use super::digest::Digest;
use super::log::{Header, seal};
use super::step::{Frame, Note, Plain, Step};
use super::verdicts::{Heard, Said};
use crate::id::{ConnId, PoolId};
use crate::pool::{Action, Answer, Request};
use crate::report::StreamEnd;
use crate::time::Instant;

/// Entries are sealed into a chunk once they fill this many bytes.
const CHUNK: usize = 64 * 1024;
/// Sealed bytes that may wait to be taken. A recording that nobody stores ends rather than grow, and
/// says so.
const WAITING: usize = 64 << 20;

/// A recording in progress, seen by whoever stores it. Clones are the same recording.
///
/// Machines do no I/O, so neither does their recorder: the owner takes finished pieces from here and
/// writes them, in order, to one file per worker.
#[derive(Clone, Debug)]
pub struct Recording {
    shared: Arc<Mutex<Outgoing>>,
}

#[derive(Debug)]
struct Outgoing {
    pieces: VecDeque<Vec<u8>>,
    waiting: usize,
    /// No more is recorded.
    state: State,
    reader: Option<Waker>,
}

/// How a recording goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Running,
    /// It is complete: what was recorded is gone.
    Complete,
    /// It ended early: 64 MiB were waiting to be taken.
    Overrun,
    /// It ended early: whoever stores it had enough.
    Stopped,
}

impl Recording {
    /// A recording that begins with `header`.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let first = header.encode();
        let outgoing = Outgoing {
            waiting: first.len(),
            pieces: VecDeque::from([first]),
            state: State::Running,
            reader: None,
        };
        Self { shared: Arc::new(Mutex::new(outgoing)) }
    }

    /// Whether more will come.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state
    }

    /// The next finished piece, if there is one. Pieces are written one after the other.
    #[must_use]
    pub fn take(&self) -> Option<Vec<u8>> {
        let mut outgoing = self.lock();
        let piece = outgoing.pieces.pop_front()?;
        outgoing.waiting -= piece.len();
        Some(piece)
    }

    /// Ends the recording early, and drops what was not taken: for one who can store no more of it.
    pub fn stop(&self) {
        let mut outgoing = self.lock();
        if outgoing.state == State::Running {
            outgoing.state = State::Stopped;
        }
        let pieces = std::mem::take(&mut outgoing.pieces);
        outgoing.waiting = 0;
        drop(outgoing);
        drop(pieces);
    }

    /// Wakes `waker` when a piece is there or the recording ends; the latest one counts.
    pub fn register(&self, waker: &Waker) {
        let replaced = self.lock().reader.replace(waker.clone());
        drop(replaced);
    }

    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a piece over; `false` if the recording ends with it.
    fn offer(&self, piece: Vec<u8>) -> bool {
        let mut outgoing = self.lock();
        if outgoing.state != State::Running {
            return false;
        }
        if outgoing.waiting + piece.len() > WAITING {
            outgoing.state = State::Overrun;
        } else {
            outgoing.waiting += piece.len();
            outgoing.pieces.push_back(piece);
        }
        let goes_on = outgoing.state == State::Running;
        let reader = outgoing.reader.take();
        drop(outgoing);
        if let Some(reader) = reader {
            reader.wake();
        }
        goes_on
    }

    fn complete(&self) {
        let mut outgoing = self.lock();
        if outgoing.state == State::Running {
            outgoing.state = State::Complete;
        }
        let reader = outgoing.reader.take();
        drop(outgoing);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// Writes what is done to one set of pools.
#[derive(Debug)]
pub(super) struct Tape {
    recording: Recording,
    heard: Arc<Heard>,
    out: Vec<u8>,
    entries: u32,
    last: Instant,
    digest: Digest,
    /// The digest after the last entry.
    sealed: Digest,
    /// Actions taken since the last step.
    drained: u64,
    /// Whether there may be more of them.
    undrained: bool,
    goes_on: bool,
}

impl Tape {
    pub(super) fn new(recording: Recording) -> Self {
        Self {
            recording,
            heard: Arc::default(),
            out: Vec::new(),
            entries: 0,
            last: Instant::ZERO,
            digest: Digest::default(),
            sealed: Digest::default(),
            drained: 0,
            undrained: false,
            goes_on: true,
        }
    }

    /// What the set's ledgers speak into.
    pub(super) fn ear(&self) -> Arc<Heard> {
        Arc::clone(&self.heard)
    }

    /// A request was answered.
    #[inline]
    pub(super) fn answered(&mut self, answer: Option<&Answer>) {
        self.digest.answer(answer);
    }

    /// An action was taken, or there was none.
    #[inline]
    pub(super) fn drained(&mut self, action: Option<&(PoolId, Action)>) {
        match action {
            None => self.undrained = false,
            Some((pool, action)) => {
                self.drained += 1;
                self.undrained = true;
                self.digest.action(*pool, action);
            }
        }
    }

    /// A step was taken, and answered if it is one that is.
    #[inline]
    pub(super) fn step(&mut self, now: Instant, step: &Step) {
        match self.heard.take_plain() {
            Some(0) => self.write(now, &[], step),
            Some(1) => self.write(now, &[Said::Granted], step),
            Some(granted) => {
                let said: Vec<_> = (0..granted).map(|_| Said::Granted).collect();
                self.write(now, &said, step);
            }
            None => {
                let said = self.heard.take();
                self.write(now, &said, step);
            }
        }
        // Every step is followed by taking its actions until there are none.
        self.undrained = true;
    }

    /// [`Step::Request`], after [`Tape::answered`].
    #[inline]
    pub(super) fn request(&mut self, now: Instant, pool: PoolId, request: Request, number: u64) {
        let Request { token, early_data } = request;
        match self.plain(now) {
            Some(plain) => self.write_plain(now, &plain.request(pool, token, early_data, number)),
            None => self.step(now, &Step::Request { pool, token, early_data, request: number }),
        }
    }

    /// [`Step::Finish`].
    #[inline]
    pub(super) fn finish(&mut self, now: Instant, pool: PoolId, conn: ConnId, end: StreamEnd) {
        match self.plain(now) {
            Some(plain) => self.write_plain(now, &plain.finish(pool, conn, end)),
            None => self.step(now, &Step::Finish { pool, conn, end }),
        }
    }

    /// [`Note::Answered`] and [`Step::Finish`], in one piece.
    #[inline]
    pub(super) fn finish_answered(
        &mut self,
        now: Instant,
        pool: PoolId,
        conn: ConnId,
        end: StreamEnd,
        request: u64,
        status: u16,
    ) {
        match self.plain(now) {
            Some(plain) => {
                self.entries += 1;
                self.write_plain(now, &plain.finish_answered(pool, conn, end, request, status));
            }
            None => {
                self.note(now, Note::Answered { request, status });
                self.step(now, &Step::Finish { pool, conn, end });
            }
        }
    }

    /// The frame of a step, if there is nothing unusual in it.
    #[inline]
    fn plain(&self, now: Instant) -> Option<Plain> {
        if self.undrained {
            return None;
        }
        let is_granted = match self.heard.plain() {
            Some(0) => false,
            Some(1) => true,
            Some(_) | None => return None,
        };
        Some(Plain { since: self.since(now), is_granted, digest: self.digest.byte() })
    }

    #[inline]
    fn write_plain(&mut self, now: Instant, entry: &Short) {
        self.heard.forget();
        self.drained = 0;
        self.sealed = self.digest;
        self.undrained = true;
        self.append(now, entry);
    }

    #[inline]
    fn append(&mut self, now: Instant, entry: &Short) {
        if !self.goes_on {
            return;
        }
        self.last = now;
        entry.append_to(&mut self.out);
        self.entries += 1;
        if self.out.len() >= CHUNK {
            self.flush();
        }
    }

    #[inline]
    fn since(&self, now: Instant) -> i64 {
        now.as_nanos().wrapping_sub(self.last.as_nanos()) as i64
    }

    /// Something happened that is no step. It may stand before actions that were taken earlier, so
    /// its entry says nothing of them.
    pub(super) fn note(&mut self, now: Instant, note: Note) {
        self.put(now, &Step::Note(note), &Frame { since: 0, undrained: None, said: &[], digest: 0 });
    }

    #[inline]
    fn write(&mut self, now: Instant, said: &[Said], step: &Step) {
        let undrained = self.undrained.then_some(self.drained);
        self.drained = 0;
        self.sealed = self.digest;
        self.put(now, step, &Frame { since: 0, undrained, said, digest: self.digest.byte() });
    }

    #[inline]
    fn put(&mut self, now: Instant, step: &Step, frame: &Frame<'_>) {
        if !self.goes_on {
            return;
        }
        let since = self.since(now);
        self.last = now;
        step.put(&mut self.out, &Frame { since, ..*frame });
        self.entries += 1;
        if self.out.len() >= CHUNK {
            self.flush();
        }
    }

    /// Seals what there is.
    #[cold]
    pub(super) fn flush(&mut self) {
        if self.entries == 0 {
            return;
        }
        let piece = seal(&self.out, self.entries, self.sealed.value());
        self.out.clear();
        self.entries = 0;
        self.goes_on = self.recording.offer(piece) && self.goes_on;
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.flush();
        self.recording.complete();
    }
}
