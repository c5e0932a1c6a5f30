//! What-if: recorded load on pools with other settings.
//!
//! ```text
//!  recordings --> the same steps on pools with the settings to try, while they do as recorded
//!                   | first difference
//!                   v
//!                 the engine: requests as they came, with recorded times, or drawn ones
//! ```
//!
//! With unchanged settings there is no difference, and what comes out is the recording itself. After
//! a difference a request arrives when it arrived and takes as long as it took; what was never recorded
//! (a connection that only this run opens, a request that never had one) is drawn from the recorded values
//! of the same host, and [`Imputed`] says how often.

pub mod command;
mod follow;
mod nature;
mod recorded;

use core::fmt;
use std::rc::Rc;

use pool_core::trace::LogError;

pub use follow::Run;
pub use nature::Imputed;

use crate::workload::settings::{SettingError, Settings};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhatIfError {
    /// There is no recording.
    Empty,
    /// A file is no recording.
    Log(LogError),
    /// A setting makes no sense.
    Setting(SettingError),
    /// Something was left over at the end: a defect here.
    LeftOver(&'static str),
}

impl fmt::Display for WhatIfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no recording"),
            Self::Log(error) => write!(f, "{error}"),
            Self::Setting(error) => write!(f, "{error}"),
            Self::LeftOver(what) => write!(f, "{what}: a defect of this program"),
        }
    }
}

impl core::error::Error for WhatIfError {}

/// The recording, and what would have come of it.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// As it was.
    pub recorded: Run,
    /// As it would have been.
    pub what_if: Run,
    /// What the reader should know.
    pub notes: Vec<String>,
}

/// Runs the load of all workers' recordings with other settings. `seed` feeds what has to be drawn.
///
/// # Errors
/// If a file is no recording or a setting makes no sense.
pub fn compare(files: &[&[u8]], settings: &Settings, seed: u64) -> Result<Comparison, WhatIfError> {
    if files.is_empty() {
        return Err(WhatIfError::Empty);
    }
    let facts = Rc::new(recorded::Facts::read(files, &Settings::default())?);
    let recorded = follow::run(files, &facts, seed)?;
    let changed = Rc::new(recorded::Facts::read(files, settings)?);
    let what_if = follow::run(files, &changed, seed)?;
    let mut notes = facts.notes.clone();
    if let Some(at) = recorded.diverged_at {
        notes.push(format!("the recording could be followed to {at:?} only; after that it is modelled too"));
    }
    if what_if.diverged_at.is_none() && !settings.is_empty() {
        notes.push("with these settings the pools do exactly what they did".to_owned());
    }
    Ok(Comparison { recorded, what_if, notes })
}
