//! The process: workers, listeners, names, signals, and how it ends.
//!
//! ```text
//!   run --+--> control thread: look-ups of names, admin port, signals, the end
//!         +--> worker_0: event loop, pools, a socket per listener (SO_REUSEPORT)
//!         +--> worker_1: ...
//!   shared by all: clusters with their limits and hosts, stats, access logs
//! ```
//!
//! A panic while a connection is served ends that connection: the task is contained by the runtime. A
//! worker that dies as a whole ends the process, with an error.

mod control;
mod listen;
mod options;
mod readings;
mod signals;
mod source;
mod thread;

pub use options::{RunError, RunOptions, Signals, StartError};
pub use source::Proxy;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::config::model::Bootstrap;
use crate::stats::Sample;
use control::{Command, Commands};

/// A proxy that serves. Dropping it ends the proxy at once.
pub struct Running {
    proxy: Arc<Proxy>,
    commands: Commands,
    control: Option<JoinHandle<Result<(), RunError>>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("listeners", &self.proxy.addresses()).finish_non_exhaustive()
    }
}

/// Starts a proxy. Returns when all listeners take connections: names have been looked up once by then,
/// or have had [`RunOptions::initial_lookup_timeout`].
///
/// Blocks: not for an event loop.
///
/// # Errors
/// [`StartError`]: an address that cannot be bound, a log that cannot be opened, no threads.
pub fn run(config: Bootstrap, options: RunOptions) -> Result<Running, StartError> {
    let (proxy, commands, control) = control::start(config, options)?;
    Ok(Running { proxy, commands, control: Some(control) })
}

impl Running {
    /// The addresses that are listened on, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.proxy.addresses()
    }

    /// The address of the admin port, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.proxy.admin_address()
    }

    /// The proxy, for questions: stats, clusters, pools.
    #[must_use]
    pub fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// All stats, now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Sample> {
        self.proxy.samples()
    }

    /// Begins to end: no more connections are taken, exchanges in progress are served to their end, for
    /// [`RunOptions::drain_time`] at most. Asked a second time, what is left is cut.
    pub fn stop(&self) {
        self.commands.send(Command::Stop);
    }

    /// Waits until the proxy has ended. Blocks: not for an event loop.
    ///
    /// # Errors
    /// A worker died.
    pub fn wait(mut self) -> Result<(), RunError> {
        self.control.take().map_or(Ok(()), |control| control.join().unwrap_or(Err(RunError::Died)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.commands.send(Command::Cut);
    }
}
