//! Access logs: a line per request in Envoy's format language, written off the workers' threads.

mod flags;
mod logger;
mod record;

pub use flags::ResponseFlags;
pub use logger::{Logger, Logs, OpenError, Options};
pub use record::{Downstream, Record, Request, Response, Timings, Upstream};
