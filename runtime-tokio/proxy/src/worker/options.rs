//! What a proxy is started with, besides its configuration, and what may go wrong.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::access_log;
use crate::forward::DrainStrategy;

/// Settings of the process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunOptions {
    /// Worker threads (`--concurrency`). Default: as many as the machine has hardware threads.
    pub concurrency: Option<usize>,
    /// How long exchanges in progress are waited for at the end, and how long listeners drain
    /// (`--drain-time-s`). Default 600 s.
    pub drain_time: Duration,
    /// How clients are asked to leave while listeners drain (`--drain-strategy`). Default: gradually.
    pub drain_strategy: DrainStrategy,
    /// After how long the process ends in any case (`--parent-shutdown-time-s`). Default 900 s.
    pub parent_shutdown_time: Duration,
    /// How long the first look-ups of names are waited for before listeners open. Default 15 s.
    pub initial_lookup_timeout: Duration,
    /// Whether SIGTERM, SIGINT and SIGUSR1 are for this proxy. Default: no.
    pub signals: Signals,
    /// How access logs are buffered.
    pub access_log: access_log::Options,
    /// The command line, for `/server_info`.
    pub command_line: Vec<(String, String)>,
    /// The text of the configuration, for `/config_dump`.
    pub config_text: String,
    /// The folder that a recording of each worker's pools goes to. Default: nothing is recorded.
    pub record: Option<PathBuf>,
    /// Seeds request ids, balancing and jitter. Default: drawn.
    pub seed: Option<u64>,
}

/// Who answers to signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// The proxy: SIGTERM and SIGINT end it in order, and at once when they come again; SIGUSR1 opens
    /// the access logs anew.
    Handled,
    /// Somebody else.
    Ignored,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            concurrency: None,
            drain_time: Duration::from_secs(600),
            drain_strategy: DrainStrategy::Gradual,
            parent_shutdown_time: Duration::from_secs(900),
            initial_lookup_timeout: Duration::from_secs(15),
            signals: Signals::Ignored,
            access_log: access_log::Options::default(),
            command_line: Vec::new(),
            config_text: String::new(),
            record: None,
            seed: None,
        }
    }
}

impl RunOptions {
    /// The number of workers.
    pub(super) fn workers(&self) -> usize {
        let threads = || std::thread::available_parallelism().map_or(1, usize::from);
        self.concurrency.filter(|workers| *workers > 0).unwrap_or_else(threads)
    }

    /// How long a graceful end may take.
    pub(super) fn grace(&self) -> Duration {
        self.drain_time.min(self.parent_shutdown_time)
    }
}

/// Why a proxy did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    Bind {
        /// The listener's name.
        listener: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// An access log cannot be opened.
    AccessLog(access_log::OpenError),
    /// A thread or its event loop cannot be made.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { listener, address, error } => {
                write!(f, "listener '{listener}' cannot bind {address}: {error}")
            }
            Self::AccessLog(error) => write!(f, "access log: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Why a proxy ended that was not asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// A thread panicked.
    Died,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died => f.write_str("a thread of the proxy died"),
        }
    }
}

impl std::error::Error for RunError {}
