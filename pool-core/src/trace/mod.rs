//! Recording and replay (feature `trace`): a run is the list of what went into its pools.
//!
//! ```text
//!   face --> Traced: PoolSet + Witnessed ledgers --> Tape --> Recording --> a file per worker
//!                                                                                |
//!   Event: step, answer, order  <-- Replay: new PoolSet + Scripted ledgers  <----+
//! ```
//!
//! Pools are pure, so steps, their times and the verdicts of the ledgers are enough to have every
//! answer and order again, bit for bit; what is stored of those is only a digest, one byte with each
//! step, that proves it. Header fields, paths and bodies of requests never come near a recording.
//!
//! # Reading order
//!
//! [`step`] (what is written), [`verdicts`] (what the circuit breakers said), `tape` (the writing
//! side), [`log`] (the file), [`replay`].

mod codec;
mod digest;
pub mod history;
pub mod log;
pub mod replay;
mod set;
pub mod settings;
pub mod step;
pub mod story;
mod tape;
pub mod verdicts;

pub use codec::Malformed;
pub use history::History;
pub use log::{Header, LogError};
pub use replay::{Event, Replay, ReplayError};
pub use set::Traced;
pub use settings::ClusterSettings;
pub use step::{Afterwards, Entry, Note, Step};
pub use tape::{Recording, State};

/// The guide's example is compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/incident.md")]
pub struct Incident;
