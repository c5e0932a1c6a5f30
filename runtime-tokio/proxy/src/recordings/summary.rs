//! What a run came to, in numbers: the beginning of any report on it.

use std::collections::BTreeMap;
use std::time::Duration;

use pool_core::pool::{FailReason, Usage};
use pool_core::report::{ClosedBy, StreamEnd};
use pool_core::time::Instant;
use pool_core::trace::History;
use pool_core::trace::history::{ConnectionLife, RequestLife, What};
use pool_core::trace::story::{close_words, connect_words};

/// One request, told by its times and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// When it first asked for a connection.
    pub asked: Instant,
    /// When the last thing happened to it.
    pub ended: Instant,
    /// How long it was queued, all its waits together.
    pub waited: Duration,
    /// Whether it was queued at all.
    pub was_queued: bool,
    /// How often it was put on a connection.
    pub attempts: u32,
    /// How it ended.
    pub fate: Fate,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// A response of this status came, complete or not yet at the end of the recording.
    Answered(u16),
    /// The head of a response came, and its exchange was cut.
    Broken(u16),
    /// It ended without a response.
    Failed,
    /// A limit of the circuit breakers refused it.
    Overflow,
    /// Its caller gave it up.
    GivenUp,
    /// The recording ends before it did.
    Unfinished,
}

impl Fate {
    /// In a word or two.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Answered(status) => status.to_string(),
            Self::Broken(status) => format!("{status}, cut off"),
            Self::Failed => "failed".to_owned(),
            Self::Overflow => "refused by a limit".to_owned(),
            Self::GivenUp => "given up".to_owned(),
            Self::Unfinished => "not ended".to_owned(),
        }
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        match self {
            Self::Answered(status) => status >= 500,
            Self::Broken(_) | Self::Failed | Self::Overflow => true,
            Self::GivenUp | Self::Unfinished => false,
        }
    }
}

/// Follows a request through its chapters; `end` is that of the recording.
#[must_use]
pub fn course(request: &RequestLife, end: Instant) -> Course {
    let asked = request.chapters.first().map_or(end, |first| first.at);
    let ended = request.chapters.last().map_or(end, |last| last.at);
    let mut course = Course {
        asked,
        ended,
        waited: Duration::ZERO,
        was_queued: false,
        attempts: 0,
        fate: Fate::Unfinished,
    };
    let mut queued = None;
    let mut status = None;
    for chapter in &request.chapters {
        if !matches!(chapter.what, What::Queued(_))
            && let Some(since) = queued.take()
        {
            course.waited += chapter.at.since(since);
        }
        match chapter.what {
            What::Asked { .. } => course.fate = Fate::Unfinished,
            What::Queued(_) => {
                course.was_queued = true;
                queued = Some(chapter.at);
            }
            What::Bound { .. } => {
                course.attempts += 1;
                status = None;
            }
            What::Refused(FailReason::PendingLimit | FailReason::RequestLimit) => {
                course.fate = Fate::Overflow;
            }
            What::Refused(_) => course.fate = Fate::Failed,
            What::Cancelled => course.fate = Fate::GivenUp,
            What::Answered(answered) => {
                status = Some(answered);
                course.fate = Fate::Answered(answered);
            }
            What::Ended(StreamEnd::LocalReset) => course.fate = Fate::GivenUp,
            What::Ended(StreamEnd::RemoteReset | StreamEnd::RemoteRefused) => {
                course.fate = status.map_or(Fate::Failed, Fate::Broken);
            }
            What::Ended(
                StreamEnd::Complete
                | StreamEnd::CloseNotified
                | StreamEnd::Final
                | StreamEnd::RequestUnfinished,
            ) => {}
            What::Broke { .. } if status.is_none() => course.fate = Fate::Failed,
            What::Broke { .. } => {}
            // An overflow says more than the verdict that follows from it.
            What::Failed(_) if course.fate != Fate::Overflow => course.fate = Fate::Failed,
            What::Failed(_) => {}
        }
    }
    if let Some(since) = queued {
        course.waited += end.since(since);
        course.ended = end;
    }
    course
}

/// Sorted lengths of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths(Vec<Duration>);

impl Lengths {
    /// Of these.
    #[must_use]
    pub fn of(mut lengths: Vec<Duration>) -> Self {
        lengths.sort_unstable();
        Self(lengths)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The shortest that is not shorter than `percent` of all (nearest rank); zero if there are none.
    #[must_use]
    pub fn percentile(&self, percent: u32) -> Duration {
        let rank = (self.0.len() * percent.min(100) as usize).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// Several recordings of one run, counted.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Requests that asked for a connection.
    pub requests: u64,
    /// By how they ended.
    pub fates: BTreeMap<Fate, u64>,
    /// From the first question to the last thing that happened, of requests that were answered whole.
    pub served: Lengths,
    /// Waits of those that were queued.
    pub queued: Lengths,
    /// How often a request was put on a connection.
    pub bound: u64,
    /// Of those, how often on one that had carried others.
    pub reused: u64,
    /// Requests that were put on a connection more than once.
    pub resent: u64,
    /// Requests that ran into a limit, by which.
    pub overflows: BTreeMap<&'static str, u64>,
    /// Connections by why they were ordered.
    pub opened: BTreeMap<&'static str, u64>,
    /// Connections that ended, by why.
    pub closed: BTreeMap<&'static str, u64>,
    /// Connections that were open at the end.
    pub open: u64,
}

/// Why a connection ended, in plain words; `None` if it has not.
#[must_use]
pub fn end_of_connection(connection: &ConnectionLife) -> Option<&'static str> {
    match (connection.close_ordered, connection.closed) {
        (Some((_, reason)), _) => Some(close_words(reason)),
        (None, Some(_)) if connection.connected_at.is_none() => Some("the attempt to connect failed"),
        (None, Some((_, by))) => {
            let last = connection.exchanges.last().and_then(|exchange| exchange.ended);
            Some(match (by, last.map(|(_, how)| how)) {
                (_, Some(StreamEnd::LocalReset)) => "its exchange was given up",
                (_, Some(StreamEnd::RemoteReset | StreamEnd::RemoteRefused)) => "the peer cut an exchange",
                (ClosedBy::Remote, _) => "the peer closed it between exchanges",
                (ClosedBy::Local, _) => "this side closed it",
            })
        }
        (None, None) => None,
    }
}

impl Summary {
    /// Of all workers together.
    #[must_use]
    pub fn of<'a>(histories: impl IntoIterator<Item = &'a History>) -> Self {
        let mut summary = Self::default();
        let (mut served, mut queued) = (Vec::new(), Vec::new());
        for history in histories {
            for request in &history.requests {
                let course = course(request, history.span.1);
                summary.add_request(request, &course);
                if let Fate::Answered(_) = course.fate {
                    served.push(course.ended.since(course.asked));
                }
                if course.was_queued {
                    queued.push(course.waited);
                }
            }
            for connection in &history.connections {
                *summary.opened.entry(connect_words(connection.reason)).or_default() += 1;
                match end_of_connection(connection) {
                    Some(words) => *summary.closed.entry(words).or_default() += 1,
                    None => summary.open += 1,
                }
            }
        }
        summary.served = Lengths::of(served);
        summary.queued = Lengths::of(queued);
        summary
    }

    /// Connections that were ordered.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.opened.values().sum()
    }

    fn add_request(&mut self, request: &RequestLife, course: &Course) {
        self.requests += 1;
        *self.fates.entry(course.fate).or_default() += 1;
        self.bound += u64::from(course.attempts);
        self.resent += u64::from(course.attempts > 1);
        for chapter in &request.chapters {
            match chapter.what {
                What::Bound { usage: Usage::Reused, .. } => self.reused += 1,
                What::Refused(FailReason::PendingLimit) => {
                    *self.overflows.entry("max_pending_requests").or_default() += 1;
                }
                What::Refused(FailReason::RequestLimit) => {
                    *self.overflows.entry("max_requests").or_default() += 1;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
