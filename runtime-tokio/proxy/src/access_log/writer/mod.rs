//! The thread that writes: every interval, or when a buffer is full enough, or when asked.

mod file;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::format::Format;
use super::logger::{Counts, Logger, Outlet};
use crate::config::model::AccessLog;
use crate::stats::FilesystemValues;
use file::Output;

/// How lines are buffered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a line waits at most before it is written (`--file-flush-interval-msec`, default
    /// 10 s).
    pub flush_interval: Duration,
    /// A buffer of so many bytes is written at once (`--file-flush-min-size-kb`, default 64 KiB).
    pub flush_size: usize,
    /// Bytes of a buffer, of which each worker has one per log, beyond which lines are dropped and
    /// counted. Default 1 MiB.
    pub buffer_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { flush_interval: Duration::from_secs(10), flush_size: 64 * 1024, buffer_limit: 1024 * 1024 }
    }
}

/// Why a log cannot be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The file.
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The format: the text that says what is wrong with it.
    Format(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "cannot open {}: {error}", path.display()),
            Self::Format(error) => write!(f, "access log format: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { error, .. } => Some(error),
            Self::Format(_) => None,
        }
    }
}

/// All access logs of the process, and the thread that writes them. Clones are the same; dropping the
/// last one is [`Logs::close`].
#[derive(Clone, Debug)]
pub struct Logs(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    writer: Arc<Writer>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Logs {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let writer = Arc::new(Writer {
            options,
            wishes: Mutex::default(),
            wake: Condvar::new(),
            served: Condvar::new(),
            outputs: Mutex::default(),
            tally: Mutex::default(),
        });
        let theirs = writer.clone();
        let thread = thread::Builder::new().name("access_log".to_owned()).spawn(move || theirs.run())?;
        Ok(Self(Arc::new(Owner { writer, thread: Mutex::new(Some(thread)) })))
    }

    /// Opens the logs of one connection manager for one worker. Logs with the same path share the
    /// file.
    ///
    /// # Errors
    /// A file that cannot be opened, or a format that the configuration should have refused.
    pub fn logger(&self, logs: &[AccessLog]) -> Result<Logger, OpenError> {
        let mut outlets = Vec::with_capacity(logs.len());
        for log in logs {
            let format = Format::from_config(&log.format).map_err(OpenError::Format)?;
            let mut outputs = lock(&self.0.writer.outputs);
            let output = match outputs.iter().find(|output| output.is(&log.sink)) {
                Some(output) => output.clone(),
                None => {
                    let output = Arc::new(Output::open(&log.sink)?);
                    outputs.push(output.clone());
                    output
                }
            };
            drop(outputs);
            let buffer = output.add_buffer();
            if lock(&self.0.writer.wishes).close {
                buffer.close();
            }
            outlets.push(Outlet { format, buffer, writer: self.0.writer.clone() });
        }
        Ok(Logger::new(outlets))
    }

    /// Opens every file again, after what was logged until now went to the old one (SIGUSR1,
    /// `POST /reopen_logs`). A file that cannot be opened stays the old one. Returns at once.
    pub fn reopen(&self) {
        self.0.writer.wish(|wishes| wishes.reopen = true);
    }

    /// Waits until what was logged, and asked for, before is done. Blocks: not for workers.
    pub fn flush(&self) {
        self.0.writer.flush();
    }

    /// Writes what is left and ends the thread. Lines after that are dropped and counted. Blocks.
    pub fn close(&self) {
        self.0.close();
    }

    /// Adds `filesystem.*`.
    pub fn values(&self, values: &mut FilesystemValues) {
        self.0.writer.add_to(values);
    }
}

impl Owner {
    fn close(&self) {
        self.writer.wish(|wishes| wishes.close = true);
        if let Some(thread) = lock(&self.thread).take() {
            // It ends by a panic only if an output panicked, and then nothing more can be written.
            let _ = thread.join();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the thread and everybody else share.
#[derive(Debug)]
pub(super) struct Writer {
    options: Options,
    wishes: Mutex<Wishes>,
    /// The thread waits here for wishes.
    wake: Condvar,
    /// Others wait here for the thread.
    served: Condvar,
    outputs: Mutex<Vec<Arc<Output>>>,
    tally: Mutex<Tally>,
}

/// What the thread is asked to do.
#[derive(Debug, Default)]
struct Wishes {
    /// A buffer is full enough.
    write: bool,
    reopen: bool,
    close: bool,
    /// Flushes asked for, and done.
    asked: u64,
    done: u64,
    /// The thread has ended.
    over: bool,
}

/// What the thread counts.
#[derive(Debug, Default)]
struct Tally {
    write_completed: u64,
    write_failed: u64,
    flushed_by_timer: u64,
    reopen_failed: u64,
    /// Of buffers that are gone.
    gone: Counts,
}

/// Why the thread woke up.
struct Round {
    by_timer: bool,
    reopen: bool,
    close: bool,
    asked: u64,
}

impl Writer {
    pub(super) const fn options(&self) -> &Options {
        &self.options
    }

    /// A buffer is worth writing.
    pub(super) fn nudge(&self) {
        self.wish(|wishes| wishes.write = true);
    }

    fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut lock(&self.wishes));
        self.wake.notify_one();
    }

    fn flush(&self) {
        let mut wishes = lock(&self.wishes);
        wishes.asked += 1;
        let ticket = wishes.asked;
        self.wake.notify_one();
        while wishes.done < ticket && !wishes.over {
            wishes = self.served.wait(wishes).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add_to(&self, values: &mut FilesystemValues) {
        let tally = lock(&self.tally);
        let mut sum = tally.gone;
        for output in lock(&self.outputs).iter() {
            for buffer in output.buffers() {
                sum.add(buffer.counts());
            }
        }
        values.write_buffered.add(sum.lines);
        values.write_dropped.add(sum.dropped);
        values.write_total_buffered.add(sum.waiting);
        values.write_completed.add(tally.write_completed);
        values.write_failed.add(tally.write_failed);
        values.flushed_by_timer.add(tally.flushed_by_timer);
        values.reopen_failed.add(tally.reopen_failed);
    }

    /// The thread.
    fn run(&self) {
        // Says that it is over even if an output panics, so that nobody waits for ever.
        let _over = Over(self);
        let mut due = now() + self.options.flush_interval;
        let mut spare = Vec::new();
        loop {
            let round = self.wait(due);
            if round.by_timer {
                lock(&self.tally).flushed_by_timer += 1;
            }
            if round.by_timer || round.asked > 0 {
                due = now() + self.options.flush_interval;
            }
            let outputs = lock(&self.outputs).clone();
            for output in &outputs {
                if round.close {
                    output.buffers().iter().for_each(|buffer| buffer.close());
                }
                self.write(output, &mut spare);
                if round.reopen && output.reopen().is_err() {
                    lock(&self.tally).reopen_failed += 1;
                }
            }
            let mut wishes = lock(&self.wishes);
            wishes.done = wishes.done.max(round.asked);
            self.served.notify_all();
            if round.close {
                return;
            }
        }
    }

    /// Waits for a wish, until `due` at the latest.
    fn wait(&self, due: Instant) -> Round {
        let mut wishes = lock(&self.wishes);
        loop {
            let present = now();
            let is_asked =
                wishes.write || wishes.reopen || wishes.close || wishes.asked > wishes.done || present >= due;
            if is_asked {
                break;
            }
            let waited = self.wake.wait_timeout(wishes, due - present);
            wishes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let by_timer = now() >= due;
        let asked = if wishes.asked > wishes.done { wishes.asked } else { 0 };
        wishes.write = false;
        Round { by_timer, reopen: std::mem::take(&mut wishes.reopen), close: wishes.close, asked }
    }

    /// Writes every buffer of an output. No lock but the output's own is held meanwhile.
    fn write(&self, output: &Output, spare: &mut Vec<u8>) {
        for buffer in output.buffers() {
            let bytes = buffer.take(std::mem::take(spare));
            if !bytes.is_empty() {
                let result = output.write(&bytes);
                let mut tally = lock(&self.tally);
                match result {
                    Ok(()) => tally.write_completed += 1,
                    Err(_) => tally.write_failed += 1,
                }
            }
            *spare = bytes;
            spare.clear();
            // One burst must not hold its memory for good.
            spare.shrink_to(self.options.flush_size.saturating_mul(2));
        }
        let gone = output.forget_buffers();
        lock(&self.tally).gone.add(gone);
    }
}

impl Counts {
    const fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.dropped += other.dropped;
        self.waiting += other.waiting;
    }
}

/// Tells those who wait that the thread has ended.
struct Over<'a>(&'a Writer);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        lock(&self.0.wishes).over = true;
        self.0.served.notify_all();
    }
}

/// The clock. Only this thread sleeps by it.
#[expect(clippy::disallowed_methods, reason = "a thread that waits for an interval reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Nothing that runs under these locks can panic halfway through a change, so poison is no news.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
