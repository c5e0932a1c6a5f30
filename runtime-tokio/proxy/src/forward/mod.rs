//! One request through the proxy: what is refused, what is changed, what the client is told when the
//! upstream fails, and what is counted.

mod alarm;
pub(crate) mod body;
pub(crate) mod context;
mod date;
mod drain;
mod exchange;
mod failure;
mod log;
mod names;
mod plan;
mod random;
mod reply;
mod request;
mod response;
mod service;
mod tunnel;
mod watch;

pub(crate) use date::wall_clock;
pub(crate) use drain::Drain;
pub(crate) use log::local_reply;

pub use body::ResponseBody;
pub use drain::DrainStrategy;
pub use exchange::Exchange;
pub use service::Forwarder;
