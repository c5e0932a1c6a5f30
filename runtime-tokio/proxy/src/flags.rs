//! The command line, with Envoy's names.
//!
//! Written out rather than built on a crate: two dozen flags of four kinds, Envoy's own rules
//! (`--flag value` and `--flag=value`, a flag at most once), and hints with the nearest name as the
//! configuration has them.

mod table;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Mode as Checks, nearest};

pub use self::table::help;
use self::table::{FLAGS, Flag, Takes};
pub use crate::forward::DrainStrategy;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// No configuration was given: show what this is.
    Demo {
        /// `--record`: where to put a recording of it.
        record: Option<PathBuf>,
        /// `--concurrency`.
        workers: Option<NonZeroU32>,
    },
    /// `--help`.
    Help,
    /// `--version`.
    Version,
    /// A configuration was given.
    Run(Box<Flags>),
}

/// `--mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Serve until told to stop.
    #[default]
    Serve,
    /// Check the configuration and exit.
    Validate,
}

/// `--log-level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `trace`.
    Trace,
    /// `debug`.
    Debug,
    /// `info`.
    #[default]
    Info,
    /// `warning`.
    Warning,
    /// `error`.
    Error,
    /// `critical`.
    Critical,
    /// `off`.
    Off,
}

/// The flags, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// `--config-path`.
    pub config_path: Option<PathBuf>,
    /// `--config-yaml`: laid over the file if both are given.
    pub config_yaml: Option<String>,
    /// `--strict`.
    pub checks: Checks,
    /// `--mode`.
    pub mode: Mode,
    /// `--concurrency`: workers; `None` is one for each hardware thread.
    pub concurrency: Option<NonZeroU32>,
    /// `--drain-time-s`, default 600 s.
    pub drain_time: Duration,
    /// `--drain-strategy`.
    pub drain_strategy: DrainStrategy,
    /// `--parent-shutdown-time-s`, default 900 s.
    pub parent_shutdown_time: Duration,
    /// `--log-level`.
    pub log_level: LogLevel,
    /// `--log-path`, default standard error.
    pub log_path: Option<PathBuf>,
    /// `--admin-address-path`: where to write the admin port that was bound.
    pub admin_address_path: Option<PathBuf>,
    /// `--service-cluster`: overrides `node.cluster`.
    pub service_cluster: Option<String>,
    /// `--service-node`: overrides `node.id`.
    pub service_node: Option<String>,
    /// `--file-flush-interval-msec`, default 10 s: how long lines of access logs may be held back.
    pub file_flush_interval: Duration,
    /// `--record`, ours: the folder for recordings of the pools.
    pub record: Option<PathBuf>,
    /// Flags that were accepted and have no effect here, one sentence each.
    pub notes: Vec<String>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            config_path: None,
            config_yaml: None,
            checks: Checks::Lenient,
            mode: Mode::Serve,
            concurrency: None,
            drain_time: Duration::from_secs(600),
            drain_strategy: DrainStrategy::Gradual,
            parent_shutdown_time: Duration::from_secs(900),
            log_level: LogLevel::Info,
            log_path: None,
            admin_address_path: None,
            service_cluster: None,
            service_node: None,
            file_flush_interval: Duration::from_secs(10),
            record: None,
            notes: Vec::new(),
        }
    }
}

/// Why a command line was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagError {
    /// No such flag; with the nearest one.
    Unknown {
        /// As it was given.
        given: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// Something that is no flag.
    Stray(String),
    /// The flag was given before.
    Twice(&'static str),
    /// The flag needs a value and has none.
    NoValue(&'static str),
    /// The flag takes no value.
    NeedlessValue(&'static str),
    /// The value cannot be read, or is out of range.
    Bad {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What is expected.
        expected: &'static str,
    },
    /// Neither `--config-path` nor `--config-yaml`.
    NoConfiguration,
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { given, nearest } => {
                write!(f, "unknown flag '{given}'")?;
                nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean '--{nearest}'?"))
            }
            Self::Stray(text) => write!(f, "'{text}' is not a flag; a configuration is given with '-c FILE'"),
            Self::Twice(flag) => write!(f, "'--{flag}' is given twice"),
            Self::NoValue(flag) => write!(f, "'--{flag}' needs a value"),
            Self::NeedlessValue(flag) => write!(f, "'--{flag}' takes no value"),
            Self::Bad { flag, value, expected } => {
                write!(f, "'--{flag}': expected {expected}, found '{value}'")
            }
            Self::NoConfiguration => f.write_str("one of '--config-path' and '--config-yaml' is needed"),
        }
    }
}

impl std::error::Error for FlagError {}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// The first argument that is wrong.
pub fn parse<I, S>(arguments: I) -> Result<Command, FlagError>
where
    I: IntoIterator<Item = S>,
    S: Into<String>,
{
    let mut arguments = arguments.into_iter().map(Into::into);
    let mut flags = Flags::default();
    let mut seen = Vec::new();
    while let Some(argument) = arguments.next() {
        let (flag, attached) = find(&argument)?;
        if seen.contains(&flag.name) {
            return Err(FlagError::Twice(flag.name));
        }
        seen.push(flag.name);
        let value = match (flag.takes, attached) {
            (Takes::Nothing, None) => String::new(),
            (Takes::Nothing, Some(_)) => return Err(FlagError::NeedlessValue(flag.name)),
            (Takes::Value(_), Some(value)) => value,
            (Takes::Value(_), None) => arguments.next().ok_or(FlagError::NoValue(flag.name))?,
        };
        match flag.name {
            "help" => return Ok(Command::Help),
            "version" => return Ok(Command::Version),
            name => flags.set(name, flag.without_effect, value)?,
        }
    }
    if flags.config_path.is_none() && flags.config_yaml.is_none() {
        // What else may be said of the demonstration is how it is recorded.
        if !seen.iter().all(|flag| matches!(*flag, "record" | "concurrency")) {
            return Err(FlagError::NoConfiguration);
        }
        return Ok(Command::Demo { record: flags.record, workers: flags.concurrency });
    }
    Ok(Command::Run(Box::new(flags)))
}

/// The flag that an argument names, and the value after its `=`.
fn find(argument: &str) -> Result<(&'static Flag, Option<String>), FlagError> {
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (argument, None),
    };
    let found = match (name.strip_prefix("--"), name.strip_prefix('-')) {
        (Some(long), _) => FLAGS.iter().find(|flag| flag.name == long),
        (None, Some(short)) => FLAGS.iter().find(|flag| flag.short.is_some_and(|letter| short == letter)),
        (None, None) => return Err(FlagError::Stray(argument.to_owned())),
    };
    found.map(|flag| (flag, value)).ok_or_else(|| FlagError::Unknown {
        given: name.to_owned(),
        nearest: nearest(name, FLAGS.iter().map(|flag| flag.name)),
    })
}

impl Flags {
    fn set(
        &mut self,
        name: &'static str,
        without_effect: Option<&str>,
        value: String,
    ) -> Result<(), FlagError> {
        let bad = |expected| FlagError::Bad { flag: name, value: value.clone(), expected };
        let number = || value.parse::<u32>().map_err(|_| bad("a whole number"));
        let seconds = || number().map(|seconds| Duration::from_secs(seconds.into()));
        if let Some(why) = without_effect {
            self.notes.push(format!("'--{name}' has no effect: {why}"));
            return Ok(());
        }
        match name {
            "config-path" => self.config_path = Some(value.into()),
            "config-yaml" => self.config_yaml = Some(value),
            "strict" => self.checks = Checks::Strict,
            "mode" => {
                self.mode = match value.as_str() {
                    "serve" => Mode::Serve,
                    "validate" => Mode::Validate,
                    _ => return Err(bad("serve or validate")),
                }
            }
            // As in Envoy, where no worker is not possible.
            "concurrency" => self.concurrency = NonZeroU32::new(number()?.clamp(1, 1024)),
            "drain-time-s" => self.drain_time = seconds()?,
            "drain-strategy" => {
                self.drain_strategy = match value.as_str() {
                    "gradual" => DrainStrategy::Gradual,
                    "immediate" => DrainStrategy::Immediate,
                    _ => return Err(bad("gradual or immediate")),
                }
            }
            "parent-shutdown-time-s" => self.parent_shutdown_time = seconds()?,
            "log-level" => self.log_level = log_level(&value).ok_or_else(|| bad(LEVELS))?,
            "log-path" => self.log_path = Some(value.into()),
            "admin-address-path" => self.admin_address_path = Some(value.into()),
            "record" => self.record = Some(value.into()),
            "service-cluster" => self.service_cluster = Some(value),
            "service-node" => self.service_node = Some(value),
            "file-flush-interval-msec" => {
                let length = Duration::from_millis(number()?.into());
                if length.is_zero() {
                    return Err(bad("a whole number from 1"));
                }
                self.file_flush_interval = length;
            }
            _ => return Err(FlagError::Unknown { given: format!("--{name}"), nearest: None }),
        }
        Ok(())
    }
}

const LEVELS: &str = "one of trace, debug, info, warning, error, critical, off";

fn log_level(value: &str) -> Option<LogLevel> {
    Some(match value {
        "trace" => LogLevel::Trace,
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warning" | "warn" => LogLevel::Warning,
        "error" => LogLevel::Error,
        "critical" => LogLevel::Critical,
        "off" => LogLevel::Off,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
