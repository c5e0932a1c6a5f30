//! Where lines go.

use std::fmt;
use std::io;
use std::time::Duration;

use super::record::Record;
use crate::config::model::AccessLog;
use crate::stats::FilesystemValues;

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
        path: std::path::PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The format.
    Format(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "cannot open {}: {error}", path.display()),
            Self::Format(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for OpenError {}

/// All access logs of the process, and the thread that writes them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Logs {}

impl Logs {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let _ = options;
        Ok(Self {})
    }

    /// Opens the logs of one connection manager for one worker. Logs with the same path share the
    /// file.
    ///
    /// # Errors
    /// A file that cannot be opened, or a format that the configuration should have refused.
    pub fn logger(&self, logs: &[AccessLog]) -> Result<Logger, OpenError> {
        let _ = logs;
        Ok(Logger {})
    }

    /// Opens every file again, after what was logged until now went to the old one (SIGUSR1,
    /// `POST /reopen_logs`). Returns at once.
    pub fn reopen(&self) {}

    /// Waits until what was logged before is written. Blocks: not for workers.
    pub fn flush(&self) {}

    /// Writes what is left and ends the thread. Lines after that are dropped and counted. Blocks.
    pub fn close(&self) {}

    /// Adds `filesystem.*`.
    pub fn values(&self, values: &mut FilesystemValues) {
        let _ = values;
    }
}

/// The access logs of one connection manager on one worker.
#[derive(Debug)]
pub struct Logger {}

impl Logger {
    /// Whether there is no log, so that no record need be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Logs one request. Never blocks on a file.
    pub fn log(&self, record: &Record<'_>) {
        let _ = record;
    }
}
