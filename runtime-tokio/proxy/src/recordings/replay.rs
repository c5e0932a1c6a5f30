//! Proving recordings: every step again, on new pools, with every answer and order compared.

use std::fmt;
use std::time::{Duration, Instant};

use pool_core::trace::{Event, LogError, Replay, ReplayError, Step};

use super::files::File;

/// What doing one recording again came to.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The worker.
    pub worker: u32,
    /// The file's name.
    pub file: String,
    /// Entries done again.
    pub entries: u64,
    /// Of those, notes: they are read, not done.
    pub notes: u64,
    /// Answers compared.
    pub answers: u64,
    /// Orders compared.
    pub orders: u64,
    /// Time in the recording, first entry to last.
    pub recorded: Duration,
    /// How long doing it again took.
    pub took: Duration,
    /// How it ended.
    pub end: Result<(), ReplayError>,
}

/// How well several recordings fared; the worst counts. The numbers are exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// Every one was replayed to its end, and equal.
    Equal = 0,
    /// One was cut off; what is before the cut is equal.
    Truncated = 3,
    /// One was damaged, or holds what no recorder writes.
    Damaged = 4,
    /// The pools did something else than in the recorded run.
    Diverged = 5,
}

impl Proof {
    /// How well it fared.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.end {
            Ok(()) => Outcome::Equal,
            Err(ReplayError::Log(LogError::Truncated { .. })) => Outcome::Truncated,
            Err(ReplayError::Diverged { .. }) => Outcome::Diverged,
            Err(_) => Outcome::Damaged,
        }
    }
}

/// How a replay ended, in a few words.
#[must_use]
pub fn end_words(end: &Result<(), ReplayError>) -> String {
    match end {
        Ok(()) => "replayed equal to its end".to_owned(),
        Err(ReplayError::Log(error @ LogError::Truncated { .. })) => {
            format!("replayed equal up to where it was cut off ({error})")
        }
        Err(error) => error.to_string(),
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, file, entries, notes, answers, orders, recorded, took, end } = self;
        let rate = *entries as f64 / took.as_secs_f64().max(1e-9);
        writeln!(f, "worker {worker} ({file}): {}", end_words(end))?;
        writeln!(
            f,
            "  {entries} entries ({notes} notes), {answers} answers, {orders} orders; {:.3} s recorded, \
             done again in {:.3} s ({:.2} million entries a second)",
            recorded.as_secs_f64(),
            took.as_secs_f64(),
            rate / 1e6,
        )
    }
}

/// Does a recording again.
///
/// # Errors
/// If it does not begin as a recording does.
#[expect(clippy::disallowed_methods, reason = "how fast it went is told")]
pub fn prove(file: &File) -> Result<Proof, LogError> {
    let began = Instant::now();
    let mut replay = Replay::new(&file.bytes)?;
    let (mut notes, mut answers, mut orders) = (0, 0, 0);
    let mut span = None;
    let end = loop {
        match replay.next_event() {
            Ok(Some(Event::Step { entry, answer, .. })) => {
                notes += u64::from(matches!(entry.step, Step::Note(_)));
                answers += u64::from(answer.is_some());
                let (first, last) = span.unwrap_or((entry.now, entry.now));
                span = Some((first, last.max(entry.now)));
            }
            Ok(Some(Event::Action { .. })) => orders += 1,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    Ok(Proof {
        worker: file.header.worker,
        file: file.name(),
        entries: replay.entries(),
        notes,
        answers,
        orders,
        recorded: span.map_or(Duration::ZERO, |(first, last)| last.since(first)),
        took: began.elapsed(),
        end,
    })
}
