//! Access logs: a line per request in Envoy's format language, written off the workers' threads.

mod flags;
mod format;
mod logger;
mod record;
mod writer;

pub use flags::ResponseFlags;
pub(crate) use format::TimeFormat;
pub use format::{Fault, Format, FormatError, JsonFormatError};
pub use logger::Logger;
pub use record::{Downstream, Record, Request, Response, Timings, Upstream};
pub use writer::{Logs, OpenError, Options};
