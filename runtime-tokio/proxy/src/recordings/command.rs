//! `pool-proxy replay`, `explain`, `timeline`, `what-if` and `simulate`.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use pool_core::trace::History;

use super::explain::{NoRequestId, RequestId, explain};
use super::files::{self, OpenError};
use super::replay::{Outcome, prove};
use super::timeline;

/// Exit code when a command line is wrong.
pub const USAGE: u8 = 1;
/// Exit code when something cannot be read or written, or the request asked for is not there.
pub const MISSING: u8 = 2;

/// What `--help` says of these commands.
pub const HELP: &str = "\
recordings (made with --record DIR; a DIR stands for every .pooltrace file in it):
  pool-proxy replay DIR|FILE...                      do every step again and compare
  pool-proxy explain DIR|FILE... --request ID        tell a request's story; ID is worker:number
  pool-proxy timeline -o OUT.html DIR|FILE...        draw one self-contained page
  pool-proxy what-if DIR|FILE... --set NAME=VALUE... [--seed N] [--format text|json]
                                                     the recorded load with other settings, side by side
  pool-proxy simulate [FLAGS]                        a load from a model; `simulate --help` tells the flags
exit codes: 0 replayed equal, 1 wrong arguments, 2 nothing to read or no such request,
            3 cut off (equal up to there), 4 damaged, 5 the pools did something else
";

/// What is asked of recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Do them again and compare.
    Replay(Vec<PathBuf>),
    /// Tell a request's story.
    Explain(Vec<PathBuf>, RequestId),
    /// Draw a page; the first is where it goes.
    Timeline(PathBuf, Vec<PathBuf>),
    /// Ask what other settings would have done; the flags are `pool_sim`'s.
    WhatIf(Vec<PathBuf>, Vec<String>),
    /// Run a load from a model; the flags are `pool_sim`'s.
    Simulate(Vec<String>),
}

/// Why arguments were rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentError {
    /// There is no such flag here.
    Unknown(String),
    /// A flag without its value.
    NoValue(&'static str),
    /// A flag that was given before.
    Twice(&'static str),
    /// A flag that is needed.
    Needed(&'static str),
    /// No recording was named.
    NoPath,
    /// Not a request's name.
    Request(NoRequestId),
    /// Not a worker's number.
    Worker(String),
    /// `--worker` and `--request` name different workers.
    TwoWorkers,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(flag) => write!(f, "unknown flag '{flag}'"),
            Self::NoValue(flag) => write!(f, "'{flag}' needs a value"),
            Self::Twice(flag) => write!(f, "'{flag}' is given twice"),
            Self::Needed(flag) => write!(f, "'{flag}' is needed"),
            Self::NoPath => f.write_str("a folder or files with recordings are needed"),
            Self::Request(error) => write!(f, "{error}"),
            Self::Worker(text) => write!(f, "'--worker': expected a whole number, found '{text}'"),
            Self::TwoWorkers => f.write_str("'--worker' and '--request' name different workers"),
        }
    }
}

impl std::error::Error for ArgumentError {}

/// Reads the arguments of a command on recordings; `None` if the first one names none.
///
/// # Errors
/// The first argument that is wrong, or what is missing.
pub fn parse(arguments: &[String]) -> Option<Result<Command, ArgumentError>> {
    let (name, rest) = arguments.split_first()?;
    match name.as_str() {
        "replay" => Some(Given::read(rest, &[]).and_then(|given| Ok(Command::Replay(given.paths()?)))),
        "explain" => Some(Given::read(rest, &["--request", "--worker"]).and_then(Given::explain)),
        "timeline" => Some(Given::read(rest, &["--output"]).and_then(|mut given| {
            let output = given.take("--output").ok_or(ArgumentError::Needed("-o"))?;
            Ok(Command::Timeline(output.into(), given.paths()?))
        })),
        "what-if" => {
            // Paths come first; what follows the first flag is read where the settings are known.
            let flags = rest.iter().position(|argument| argument.starts_with("--")).unwrap_or(rest.len());
            let (paths, flags) = rest.split_at(flags);
            if paths.is_empty() {
                return Some(Err(ArgumentError::NoPath));
            }
            Some(Ok(Command::WhatIf(paths.iter().map(PathBuf::from).collect(), flags.to_vec())))
        }
        "simulate" => Some(Ok(Command::Simulate(rest.to_vec()))),
        _ => None,
    }
}

/// Arguments, told apart.
struct Given {
    flags: Vec<(&'static str, String)>,
    paths: Vec<PathBuf>,
}

impl Given {
    fn read(arguments: &[String], flags: &[&'static str]) -> Result<Self, ArgumentError> {
        let mut given = Self { flags: Vec::new(), paths: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') || argument == "-" {
                given.paths.push(argument.into());
                continue;
            }
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let name = if name == "-o" { "--output" } else { name };
            let unknown = || ArgumentError::Unknown(argument.clone());
            let flag = flags.iter().copied().find(|flag| *flag == name).ok_or_else(unknown)?;
            if given.flags.iter().any(|(before, _)| *before == flag) {
                return Err(ArgumentError::Twice(flag));
            }
            let value = attached.or_else(|| arguments.next().cloned()).ok_or(ArgumentError::NoValue(flag))?;
            given.flags.push((flag, value));
        }
        Ok(given)
    }

    fn take(&mut self, flag: &str) -> Option<String> {
        let at = self.flags.iter().position(|(name, _)| *name == flag)?;
        Some(self.flags.swap_remove(at).1)
    }

    fn paths(self) -> Result<Vec<PathBuf>, ArgumentError> {
        if self.paths.is_empty() { Err(ArgumentError::NoPath) } else { Ok(self.paths) }
    }

    fn explain(mut self) -> Result<Command, ArgumentError> {
        let request = self.take("--request").ok_or(ArgumentError::Needed("--request"))?;
        let mut id: RequestId = request.parse().map_err(ArgumentError::Request)?;
        if let Some(text) = self.take("--worker") {
            let worker = text.parse().map_err(|_| ArgumentError::Worker(text))?;
            if id.worker.is_some_and(|named| named != worker) {
                return Err(ArgumentError::TwoWorkers);
            }
            id.worker = Some(worker);
        }
        Ok(Command::Explain(self.paths()?, id))
    }
}

/// Does what is asked, and gives the exit code. Answers go to `out`, complaints to `err`; what cannot
/// be written there is lost.
pub fn run(command: &Command, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let done = match command {
        Command::Replay(paths) => replay(paths, out),
        Command::Explain(paths, id) => histories(paths, err).and_then(|histories| {
            let histories: Vec<_> = histories.into_iter().map(|(_, history)| history).collect();
            let story = explain(&histories, *id).map_err(|error| error.to_string())?;
            let _ = write!(out, "{story}");
            Ok(0)
        }),
        Command::Timeline(output, paths) => histories(paths, err).and_then(|histories| {
            let page = timeline::page(&histories);
            if output.as_os_str() == "-" {
                let _ = out.write_all(page.as_bytes());
                return Ok(0);
            }
            fs::write(output, page).map_err(|error| format!("{}: {error}", output.display()))?;
            Ok(0)
        }),
        Command::WhatIf(paths, flags) => what_if(paths, flags, out),
        Command::Simulate(flags) => {
            let mut text = String::new();
            let done = pool_sim::workload::command::simulate(flags, &mut text);
            let _ = out.write_all(text.as_bytes());
            done.map(|()| 0).or_else(|message| wrong(&message, err))
        }
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            let _ = writeln!(err, "{message}");
            MISSING
        }
    }
}

fn wrong(message: &str, err: &mut dyn Write) -> Result<u8, String> {
    let _ = writeln!(err, "{message}");
    Ok(USAGE)
}

fn what_if(paths: &[PathBuf], flags: &[String], out: &mut dyn Write) -> Result<u8, String> {
    let files = files::open(paths).map_err(|error| error.to_string())?;
    let contents: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_slice()).collect();
    let mut text = String::new();
    pool_sim::whatif::command::what_if(&contents, flags, &mut text)?;
    let _ = out.write_all(text.as_bytes());
    Ok(0)
}

fn replay(paths: &[PathBuf], out: &mut dyn Write) -> Result<u8, String> {
    let mut outcome = Outcome::Equal;
    for file in files::open(paths).map_err(|error| error.to_string())? {
        let proof = prove(&file).map_err(|error| format!("{}: {error}", file.path.display()))?;
        let _ = write!(out, "{proof}");
        outcome = outcome.max(proof.outcome());
    }
    Ok(outcome as u8)
}

/// Reads recordings for what does not need them whole: how they end early is said, and no failure.
fn histories(paths: &[PathBuf], err: &mut dyn Write) -> Result<Vec<(String, History)>, String> {
    let read = || -> Result<Vec<_>, OpenError> {
        let files = files::open(paths)?;
        let history = |file: &files::File| {
            let history = file.history().map_err(|error| OpenError::Log(file.path.clone(), error))?;
            Ok((file.name(), history))
        };
        files.iter().map(history).collect()
    };
    let histories = read().map_err(|error| error.to_string())?;
    for (name, history) in &histories {
        if let Err(error) = &history.end {
            let _ = writeln!(err, "note: {name}: {error}; told is what was recorded before");
        }
    }
    Ok(histories)
}

#[cfg(test)]
mod tests;
