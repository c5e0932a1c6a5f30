//! The life of one request in plain words: why it waited, which connection it got and why, why that
//! was opened and closed.

use core::fmt::{self, Write as _};

use super::history::{Chapter, ConnectionLife, History, RequestLife, What};
use super::step::Afterwards;
use crate::error::Verdict;
use crate::exchange::Progress;
use crate::limits::Resource;
use crate::pool::{BindReason, CloseReason, ConnectReason, FailReason, QueueReason, Usage};
use crate::report::{ClosedBy, StreamEnd};
use crate::time::Instant;

/// A request's story; `Display` tells it.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    history: &'a History,
    request: &'a RequestLife,
}

impl History {
    /// Tells what happened to a request; `None` if the recording has none of that number.
    #[must_use]
    pub fn explain(&self, number: u64) -> Option<Story<'_>> {
        self.request(number).map(|request| Story { history: self, request })
    }
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { history, request } = *self;
        let Some(first) = request.chapters.first() else {
            return writeln!(f, "request {}: nothing is recorded of it", request.number);
        };
        writeln!(f, "request {}, worker {}", request.number, history.header.worker)?;
        let mut last_bound = None;
        for chapter in &request.chapters {
            write!(f, "{:>12}  ", since(history.span.0, chapter.at))?;
            self.tell(f, chapter, &mut last_bound)?;
        }
        let last = request.chapters.last().map_or(first.at, |last| last.at);
        writeln!(f, "{:>12}  in all", since(first.at, last))?;
        if let Some(connection) = last_bound {
            writeln!(f, "its connection:")?;
            self.tell_connection(f, &history.connections[connection])?;
        }
        Ok(())
    }
}

impl Story<'_> {
    fn tell(&self, f: &mut fmt::Formatter<'_>, chapter: &Chapter, bound: &mut Option<usize>) -> fmt::Result {
        let history = self.history;
        match &chapter.what {
            What::Asked { pool, again, triple, counts } => {
                let pool = &history.pools[*pool];
                let how = if *again { "went back to the head of the queue of" } else { "asked" };
                write!(f, "{how} the pool of {}", pool.label)?;
                if let Some(cluster) = pool.cluster.and_then(|index| history.clusters.get(index)) {
                    write!(f, " (cluster {})", cluster.name)?;
                }
                writeln!(
                    f,
                    "; there: {} in progress, {} waiting, connections: {} opening, {} ready, {} busy, {} draining",
                    triple.active,
                    triple.pending,
                    counts.connecting + counts.early_data,
                    counts.ready,
                    counts.busy,
                    counts.draining,
                )
            }
            What::Queued(reason) => {
                write!(f, "queued: {}", queue_words(*reason))?;
                self.tell_limit(f, *reason)?;
                writeln!(f)
            }
            What::Bound { connection, reason, usage } => {
                *bound = Some(*connection);
                let conn = &history.connections[*connection];
                let used = match usage {
                    Usage::First => "its first request",
                    Usage::Reused => "it had carried others before",
                };
                writeln!(f, "got connection {:?} ({}; {used})", conn.id, bind_words(*reason))
            }
            What::Refused(reason) => writeln!(f, "was given back by the pool: {}", fail_words(*reason)),
            What::Cancelled => writeln!(f, "was given up by its caller while it waited"),
            What::Answered(status) => writeln!(f, "the head of its response came: {status}"),
            What::Ended(end) => writeln!(f, "its exchange ended: {}", end_words(*end)),
            What::Broke { progress, next } => {
                writeln!(f, "its exchange broke, {}; {}", progress_words(*progress), next_words(*next))
            }
            What::Failed(verdict) => writeln!(f, "failed: {}", verdict_words(*verdict)),
        }
    }

    /// Which limit it ran into, with its value.
    fn tell_limit(&self, f: &mut fmt::Formatter<'_>, reason: QueueReason) -> fmt::Result {
        if reason != QueueReason::ConnectionLimit {
            return Ok(());
        }
        let asked = self.request.chapters.iter().find_map(|chapter| match chapter.what {
            What::Asked { pool, .. } => Some(pool),
            _ => None,
        });
        let Some(pool) = asked.map(|pool| &self.history.pools[pool]) else { return Ok(()) };
        let Some(cluster) = pool.cluster.and_then(|index| self.history.clusters.get(index)) else {
            return Ok(());
        };
        let max = cluster.limits.max(pool.priority, Resource::Connections);
        write!(f, " (max_connections of {}: {max}, over all hosts and workers)", cluster.name)
    }

    fn tell_connection(&self, f: &mut fmt::Formatter<'_>, conn: &ConnectionLife) -> fmt::Result {
        let start = self.history.span.0;
        let mut line = |at: Instant, words: &str| writeln!(f, "{:>12}  {words}", since(start, at));
        let mut ordered = format!("ordered: {}", connect_words(conn.reason));
        if let Some(cause) = conn.cause.and_then(|index| self.history.requests.get(index)) {
            // Writing to a string cannot fail.
            _ = write!(ordered, ", for request {}", cause.number);
        }
        line(conn.ordered_at, &ordered)?;
        if let Some(at) = conn.connected_at {
            line(at, "up")?;
        }
        if let Some((at, reason)) = conn.close_ordered {
            line(at, &format!("ordered to close: {}", close_words(reason)))?;
        }
        if let Some((at, by)) = conn.closed {
            let by = match by {
                ClosedBy::Local => "closed by this side",
                ClosedBy::Remote => "closed by the peer",
            };
            let words = conn.words.as_deref().map(|words| format!(": {words}")).unwrap_or_default();
            line(at, &format!("{by}{words}"))?;
        }
        let served = conn.exchanges.len();
        let reuse = if served == 1 { "request" } else { "requests" };
        writeln!(f, "{:>12}  carried {served} {reuse} in all", "")
    }
}

fn since(start: Instant, at: Instant) -> String {
    let micros = at.since(start).as_micros();
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

/// What a queued request waits for.
#[must_use]
pub const fn queue_words(reason: QueueReason) -> &'static str {
    match reason {
        QueueReason::Connecting => "a connection was being opened",
        QueueReason::Settling => "a connection was settling after its last exchange",
        QueueReason::ConnectionLimit => "no more connections could be opened",
        QueueReason::Busy => "every connection was busy and none was to be opened",
        QueueReason::Handshake => "a handshake was not complete and the request may not go out before",
    }
}

/// Why a request got this connection now.
#[must_use]
pub const fn bind_words(reason: BindReason) -> &'static str {
    match reason {
        BindReason::MostRecentlyUsed => "of those that were ready, the one used last",
        BindReason::EarlyData => "before its handshake was complete",
        BindReason::Connected => "it had just come up",
        BindReason::StreamEnded => "one of its streams had just ended",
        BindReason::Settled => "its last exchange had just ended",
        BindReason::CapacityRaised => "its peer had just allowed more streams",
    }
}

/// Why a connection was ordered.
#[must_use]
pub const fn connect_words(reason: ConnectReason) -> &'static str {
    match reason {
        ConnectReason::Demand => "waiting requests needed it",
        ConnectReason::Preconnect => "a spare, per_upstream_preconnect_ratio",
        ConnectReason::Predictive => "a request was expected, predictive_preconnect_ratio",
        ConnectReason::Forced => "waiting requests had no other, one above max_connections",
    }
}

/// Why a connection was ordered to close.
#[must_use]
pub const fn close_words(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::ConnectTimeout => "connect_timeout",
        CloseReason::IdleTimeout => "idle_timeout",
        CloseReason::MaxAge => "max_connection_duration",
        CloseReason::MaxRequests => "max_requests_per_connection",
        CloseReason::GoAway => "the peer had sent GOAWAY",
        CloseReason::CloseNotified => "the peer had asked for it",
        CloseReason::FinalExchange => "its last exchange was final by its nature",
        CloseReason::RequestUnfinished => "the response was complete before the request",
        CloseReason::StreamReset => "its exchange was cut",
        CloseReason::ProtocolError => "bytes came that nobody had asked for",
        CloseReason::Drained => "it was drained",
        CloseReason::HostUnhealthy => "its host became unhealthy",
        CloseReason::Retired => "it was retired",
        CloseReason::Suspect => "it had stopped answering",
        CloseReason::DrainTimeout => "the drain deadline",
        CloseReason::Excess => "a cancelled request had left it over",
        CloseReason::Aborted => "the pool was torn down",
    }
}

/// What made a pool give a request back.
#[must_use]
pub const fn fail_words(reason: FailReason) -> &'static str {
    match reason {
        FailReason::PendingLimit => "max_pending_requests",
        FailReason::RequestLimit => "max_requests",
        FailReason::ConnectTimeout => "connect_timeout of an attempt",
        FailReason::ConnectFailedLocally => "a connection attempt failed on this side",
        FailReason::ConnectFailedRemotely => "a connection attempt was refused or broken by the peer",
        FailReason::PendingTimeout => "it had waited as long as it may",
        FailReason::Deleted => "the pool was being deleted",
        FailReason::Aborted => "the pool was torn down",
    }
}

/// How an exchange ended.
#[must_use]
pub const fn end_words(end: StreamEnd) -> &'static str {
    match end {
        StreamEnd::Complete => "complete, the connection can carry another",
        StreamEnd::CloseNotified => "complete, and the peer asked for the connection to close",
        StreamEnd::Final => "complete, as the last of its connection",
        StreamEnd::RequestUnfinished => "the response was complete before the request",
        StreamEnd::LocalReset => "cut by this side",
        StreamEnd::RemoteReset => "cut by the peer",
        StreamEnd::RemoteRefused => "refused by the peer before it was processed",
    }
}

/// How far an exchange had come.
#[must_use]
pub const fn progress_words(progress: Progress) -> &'static str {
    match progress {
        Progress::NothingSent => "before a byte was sent",
        Progress::RequestSent => "after bytes were sent and before any came back",
        Progress::ResponseStarted => "after the response had begun",
    }
}

/// What follows on a failed attempt.
#[must_use]
pub const fn next_words(next: Afterwards) -> &'static str {
    match next {
        Afterwards::Requeued => "safe to send again, so it was",
        Afterwards::BackedOff => "to be tried again after a wait",
        Afterwards::GaveUp => "not to be sent again",
    }
}

/// What is known of a request that failed.
#[must_use]
pub const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NeverSent => "not one byte of it was sent",
        Verdict::Refused => "the peer had not processed it",
        Verdict::AboveGoAway => "the peer had not processed it (GOAWAY)",
        Verdict::NoResponseByte => "a reused connection ended before any byte of a response",
        Verdict::Unknown => "the peer may have acted on it",
    }
}

#[cfg(test)]
mod tests;
