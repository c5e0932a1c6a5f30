//! What goes into a set of pools: every fact and wish, with its arguments.
//!
//! An entry of a recording is one step, when it was taken, what the ledger said in its course, and
//! one byte of the digest of everything that the pools had answered and ordered by then. Steps are
//! enough to do it all again: the pools are pure.

use super::codec::{Bytes, Malformed, Short, Sink, put, put_option, put_text};
use super::settings::{self, ClusterSettings};
use super::verdicts::Said;
use crate::error::Verdict;
use crate::exchange::Progress;
use crate::id::{ConnId, PoolId, Token, WaiterId};
use crate::limits::Priority;
use crate::pool::{CancelPolicy, DrainMode, EarlyData};
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::time::Instant;

/// One thing that was done to a set of pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A cluster was added.
    AddCluster(Box<ClusterSettings>),
    /// A pool was asked for.
    AddPool {
        /// The cluster's number in the set.
        cluster: u32,
        /// Whose limits apply.
        priority: Priority,
        /// Where its connections go, for people.
        label: String,
    },
    /// A request asked for a connection.
    Request {
        /// Whom.
        pool: PoolId,
        /// The face's name for where the outcome goes.
        token: Token,
        /// Whether it may go out as early data.
        early_data: EarlyData,
        /// The request's number with this client: the same over all its attempts.
        request: u64,
    },
    /// A request was put back at the head of a queue.
    Requeue {
        /// Whose.
        pool: PoolId,
        /// As in a request.
        token: Token,
        /// As in a request.
        early_data: EarlyData,
        /// As in a request.
        request: u64,
        /// Until when it may wait.
        deadline: Option<Instant>,
    },
    /// A queued request was given up.
    Cancel {
        /// Whose.
        pool: PoolId,
        /// Which.
        waiter: WaiterId,
        /// What happens to its attempt.
        policy: CancelPolicy,
    },
    /// A connection reported.
    Report {
        /// Whose.
        pool: PoolId,
        /// Which.
        conn: ConnId,
        /// What.
        report: Report,
    },
    /// The input that had come with the end of a stream was fed.
    Settled {
        /// Whose.
        pool: PoolId,
    },
    /// A stream ended and its input was fed.
    Finish {
        /// Whose.
        pool: PoolId,
        /// Which connection's.
        conn: ConnId,
        /// How.
        end: StreamEnd,
    },
    /// The deadline was reached.
    Timeout,
    /// Another worker freed seats.
    SeatsFreed,
    /// A pool was drained.
    Drain {
        /// Which.
        pool: PoolId,
        /// How.
        mode: DrainMode,
    },
    /// A connection was taken out of service.
    Retire {
        /// Whose.
        pool: PoolId,
        /// Which.
        conn: ConnId,
    },
    /// A pool was torn down.
    Abort {
        /// Which.
        pool: PoolId,
    },
    /// No step: what only the story of a request needs.
    Note(Note),
}

/// What happened outside the pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An exchange broke on its connection.
    AttemptFailed {
        /// The request.
        request: u64,
        /// How far it had come.
        progress: Progress,
        /// Whether it goes on.
        next: Afterwards,
    },
    /// A connection attempt failed.
    ConnectFailed {
        /// Whose.
        pool: PoolId,
        /// Which.
        conn: ConnId,
        /// What the transport said.
        words: String,
    },
    /// A response's head came.
    Answered {
        /// The request.
        request: u64,
        /// Its status.
        status: u16,
    },
    /// The request ended without a response.
    Failed {
        /// The request.
        request: u64,
        /// How far it had come.
        verdict: Verdict,
    },
}

/// What follows on a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It was put back at the head of the queue.
    Requeued,
    /// It asks again later.
    BackedOff,
    /// It failed.
    GaveUp,
}

/// A step with what was around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was taken.
    pub now: Instant,
    /// If the actions before it were not drained to the end: how many were.
    pub undrained: Option<u64>,
    /// What the ledgers said during it, in order.
    pub said: Vec<Said>,
    /// The lowest byte of the digest after it.
    pub digest: u8,
    /// What was done.
    pub step: Step,
}

const OP: u8 = 0x1f;
const ONE_OK: u8 = 0x20;
const SAID_MORE: u8 = 0x40;
const UNDRAINED: u8 = 0x80;

const EARLY: [EarlyData; 2] = [EarlyData::Safe, EarlyData::Unsafe];
const CANCELS: [CancelPolicy; 2] = [CancelPolicy::Default, CancelPolicy::CloseExcess];
const DRAINS: [DrainMode; 3] = [DrainMode::Existing, DrainMode::NotifyPeerAndExisting, DrainMode::AndDelete];
const SIDES: [ClosedBy; 2] = [ClosedBy::Local, ClosedBy::Remote];
const ENDS: [StreamEnd; 7] = [
    StreamEnd::Complete,
    StreamEnd::CloseNotified,
    StreamEnd::Final,
    StreamEnd::RequestUnfinished,
    StreamEnd::LocalReset,
    StreamEnd::RemoteReset,
    StreamEnd::RemoteRefused,
];
const AFTERWARDS: [Afterwards; 3] = [Afterwards::Requeued, Afterwards::BackedOff, Afterwards::GaveUp];

/// The fixed part of an entry, as a writer has it.
pub(super) struct Frame<'a> {
    pub(super) since: i64,
    pub(super) undrained: Option<u64>,
    pub(super) said: &'a [Said],
    pub(super) digest: u8,
}

impl Frame<'_> {
    #[inline]
    fn put(&self, out: &mut Vec<u8>, op: u8) {
        let mut head = op;
        match self.said {
            [] => {}
            [Said::Granted] => head |= ONE_OK,
            _ => head |= SAID_MORE,
        }
        if self.undrained.is_some() {
            head |= UNDRAINED;
        }
        out.push(head);
        // Clocks of several threads meet here, so a step may be a little older than the one before.
        put(out, ((self.since << 1) ^ (self.since >> 63)) as u64);
        out.push(self.digest);
        if let Some(drained) = self.undrained {
            put(out, drained);
        }
        if head & SAID_MORE != 0 {
            put(out, self.said.len() as u64);
            for said in self.said {
                said.put(out);
            }
        }
    }
}

/// The entries of an ordinary request, which has three of them: written without a [`Step`] in between,
/// and with nothing unusual in their frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    pub(super) since: i64,
    /// Whether a ledger gave one seat; it said nothing else.
    pub(super) is_granted: bool,
    pub(super) digest: u8,
}

impl Plain {
    #[inline]
    fn begin(self, op: u8) -> Short {
        let mut out = Short::new();
        self.put(&mut out, op);
        out
    }

    #[inline]
    fn put(self, out: &mut Short, op: u8) {
        out.push(if self.is_granted { op | ONE_OK } else { op });
        put(out, ((self.since << 1) ^ (self.since >> 63)) as u64);
        out.push(self.digest);
    }

    /// [`Step::Request`].
    #[inline]
    pub(super) fn request(self, pool: PoolId, token: Token, early_data: EarlyData, request: u64) -> Short {
        let mut out = self.begin(REQUEST);
        put_request(&mut out, pool, token, early_data, request);
        out
    }

    /// [`Step::Finish`].
    #[inline]
    pub(super) fn finish(self, pool: PoolId, conn: ConnId, end: StreamEnd) -> Short {
        let mut out = self.begin(FINISH);
        put_conn(&mut out, pool, conn);
        out.push(rank(&ENDS, &end));
        out
    }

    /// [`Note::Answered`], and [`Step::Finish`] at the same instant.
    #[inline]
    pub(super) fn finish_answered(
        self,
        pool: PoolId,
        conn: ConnId,
        end: StreamEnd,
        request: u64,
        status: u16,
    ) -> Short {
        // A note has no part in the digest, and no ledger speaks in its course.
        let mut out = Self { is_granted: false, digest: 0, ..self }.begin(NOTE);
        out.push(ANSWERED);
        put(&mut out, request);
        put(&mut out, u64::from(status));
        Self { since: 0, ..self }.put(&mut out, FINISH);
        put_conn(&mut out, pool, conn);
        out.push(rank(&ENDS, &end));
        out
    }
}

const REQUEST: u8 = 2;
const FINISH: u8 = 7;
const NOTE: u8 = 13;
/// Of the notes.
const ANSWERED: u8 = 2;

impl Step {
    /// Appends the step within its frame.
    #[inline]
    pub(super) fn put(&self, out: &mut Vec<u8>, frame: &Frame<'_>) {
        frame.put(out, self.op());
        match self {
            Self::AddCluster(settings) => settings::put_cluster(out, settings),
            Self::AddPool { cluster, priority, label } => {
                put(out, u64::from(*cluster));
                out.push(*priority as u8);
                put_text(out, label);
            }
            Self::Request { pool, token, early_data, request } => {
                put_request(out, *pool, *token, *early_data, *request);
            }
            Self::Requeue { pool, token, early_data, request, deadline } => {
                put_request(out, *pool, *token, *early_data, *request);
                put_option(out, deadline.map(Instant::as_nanos));
            }
            Self::Cancel { pool, waiter, policy } => {
                put(out, u64::from(pool.0));
                put(out, u64::from(waiter.index));
                put(out, u64::from(waiter.generation));
                out.push(rank(&CANCELS, policy));
            }
            Self::Report { pool, conn, report } => {
                put_conn(out, *pool, *conn);
                put_report(out, report);
            }
            Self::Finish { pool, conn, end } => {
                put_conn(out, *pool, *conn);
                out.push(rank(&ENDS, end));
            }
            Self::Timeout | Self::SeatsFreed => {}
            Self::Drain { pool, mode } => {
                put(out, u64::from(pool.0));
                out.push(rank(&DRAINS, mode));
            }
            Self::Retire { pool, conn } => put_conn(out, *pool, *conn),
            Self::Settled { pool } | Self::Abort { pool } => put(out, u64::from(pool.0)),
            Self::Note(note) => note.put(out),
        }
    }

    const fn op(&self) -> u8 {
        match self {
            Self::AddCluster(_) => 0,
            Self::AddPool { .. } => 1,
            Self::Request { .. } => REQUEST,
            Self::Requeue { .. } => 3,
            Self::Cancel { .. } => 4,
            Self::Report { .. } => 5,
            Self::Settled { .. } => 6,
            Self::Finish { .. } => FINISH,
            Self::Timeout => 8,
            Self::SeatsFreed => 9,
            Self::Drain { .. } => 10,
            Self::Retire { .. } => 11,
            Self::Abort { .. } => 12,
            Self::Note(_) => NOTE,
        }
    }

    fn read(op: u8, bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(match op {
            0 => Self::AddCluster(Box::new(settings::read_cluster(bytes)?)),
            1 => Self::AddPool {
                cluster: bytes.small("cluster")?,
                priority: bytes.pick(&Priority::ALL, "priority")?,
                label: bytes.text("label")?.to_owned(),
            },
            REQUEST => {
                let (pool, token, early_data, request) = read_request(bytes)?;
                Self::Request { pool, token, early_data, request }
            }
            3 => {
                let (pool, token, early_data, request) = read_request(bytes)?;
                let deadline = bytes.option("deadline")?.map(Instant::from_nanos);
                Self::Requeue { pool, token, early_data, request, deadline }
            }
            4 => Self::Cancel {
                pool: read_pool(bytes)?,
                waiter: WaiterId {
                    index: bytes.small("waiter")?,
                    generation: bytes.small("waiter's generation")?,
                },
                policy: bytes.pick(&CANCELS, "cancel policy")?,
            },
            5 => {
                Self::Report { pool: read_pool(bytes)?, conn: read_conn(bytes)?, report: read_report(bytes)? }
            }
            6 => Self::Settled { pool: read_pool(bytes)? },
            FINISH => Self::Finish {
                pool: read_pool(bytes)?,
                conn: read_conn(bytes)?,
                end: bytes.pick(&ENDS, "end of a stream")?,
            },
            8 => Self::Timeout,
            9 => Self::SeatsFreed,
            10 => Self::Drain { pool: read_pool(bytes)?, mode: bytes.pick(&DRAINS, "drain mode")? },
            11 => Self::Retire { pool: read_pool(bytes)?, conn: read_conn(bytes)? },
            12 => Self::Abort { pool: read_pool(bytes)? },
            NOTE => Self::Note(Note::read(bytes)?),
            _ => return Err(bytes.malformed("step")),
        })
    }
}

impl Note {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::AttemptFailed { request, progress, next } => {
                out.push(0);
                put(out, *request);
                out.push(rank(&Progress::ALL, progress));
                out.push(rank(&AFTERWARDS, next));
            }
            Self::ConnectFailed { pool, conn, words } => {
                out.push(1);
                put_conn(out, *pool, *conn);
                put_text(out, words);
            }
            Self::Answered { request, status } => {
                out.push(ANSWERED);
                put(out, *request);
                put(out, u64::from(*status));
            }
            Self::Failed { request, verdict } => {
                out.push(3);
                put(out, *request);
                out.push(rank(&Verdict::ALL, verdict));
            }
        }
    }

    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(match bytes.byte("note")? {
            0 => Self::AttemptFailed {
                request: bytes.number("request")?,
                progress: bytes.pick(&Progress::ALL, "progress")?,
                next: bytes.pick(&AFTERWARDS, "what follows")?,
            },
            1 => Self::ConnectFailed {
                pool: read_pool(bytes)?,
                conn: read_conn(bytes)?,
                words: bytes.text("words")?.to_owned(),
            },
            ANSWERED => Self::Answered {
                request: bytes.number("request")?,
                status: u16::try_from(bytes.number("status")?).map_err(|_| bytes.malformed("status"))?,
            },
            3 => Self::Failed {
                request: bytes.number("request")?,
                verdict: bytes.pick(&Verdict::ALL, "verdict")?,
            },
            _ => return Err(bytes.malformed("note")),
        })
    }
}

/// Reads the next entry of a chunk; `last` is the time of the one before.
pub(super) fn read_entry(bytes: &mut Bytes<'_>, last: Instant) -> Result<Entry, Malformed> {
    let head = bytes.byte("entry")?;
    let zigzag = bytes.number("time")?;
    let since = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    let now = Instant::from_nanos(last.as_nanos().wrapping_add_signed(since));
    let digest = bytes.byte("digest")?;
    let undrained = if head & UNDRAINED == 0 { None } else { Some(bytes.number("drained actions")?) };
    let mut said = Vec::new();
    if head & ONE_OK != 0 {
        said.push(Said::Granted);
    }
    if head & SAID_MORE != 0 {
        for _ in 0..bytes.number("number of verdicts")? {
            said.push(Said::read(bytes)?);
        }
    }
    let step = Step::read(head & OP, bytes)?;
    Ok(Entry { now, undrained, said, digest, step })
}

fn rank<T: PartialEq>(of: &[T], value: &T) -> u8 {
    // Every value is in its list, which the round trip of all values tests.
    of.iter().position(|other| other == value).map_or(u8::MAX, |rank| rank as u8)
}

#[inline]
fn put_request(out: &mut impl Sink, pool: PoolId, token: Token, early_data: EarlyData, request: u64) {
    put(out, u64::from(pool.0));
    // The face's tokens are a place and a generation: two small numbers.
    put(out, token.0 & u64::from(u32::MAX));
    put(out, token.0 >> 32);
    out.push(rank(&EARLY, &early_data));
    put(out, request);
}

fn read_request(bytes: &mut Bytes<'_>) -> Result<(PoolId, Token, EarlyData, u64), Malformed> {
    let pool = read_pool(bytes)?;
    let low = u64::from(bytes.small("token")?);
    let high = u64::from(bytes.small("token's generation")?);
    let early_data = bytes.pick(&EARLY, "early data")?;
    Ok((pool, Token(high << 32 | low), early_data, bytes.number("request")?))
}

#[inline]
fn put_conn(out: &mut impl Sink, pool: PoolId, conn: ConnId) {
    put(out, u64::from(pool.0));
    put(out, u64::from(conn.index));
    put(out, u64::from(conn.generation));
}

fn read_pool(bytes: &mut Bytes<'_>) -> Result<PoolId, Malformed> {
    bytes.small("pool").map(PoolId)
}

fn read_conn(bytes: &mut Bytes<'_>) -> Result<ConnId, Malformed> {
    Ok(ConnId { index: bytes.small("connection")?, generation: bytes.small("connection's generation")? })
}

fn put_report(out: &mut Vec<u8>, report: &Report) {
    match report {
        Report::Connected { limit } => {
            out.push(0);
            put_option(out, limit.map(u64::from));
        }
        Report::StreamEnded(end) => {
            out.push(1);
            out.push(rank(&ENDS, end));
        }
        Report::CapacityChanged { limit } => {
            out.push(2);
            put(out, u64::from(*limit));
        }
        Report::GoAwayReceived => out.push(3),
        Report::ProtocolError => out.push(4),
        Report::Closed(by) => {
            out.push(5);
            out.push(rank(&SIDES, by));
        }
    }
}

fn read_report(bytes: &mut Bytes<'_>) -> Result<Report, Malformed> {
    Ok(match bytes.byte("report")? {
        0 => {
            let limit = bytes.option("stream limit")?;
            let limit = limit.map(|limit| u32::try_from(limit).map_err(|_| bytes.malformed("stream limit")));
            Report::Connected { limit: limit.transpose()? }
        }
        1 => Report::StreamEnded(bytes.pick(&ENDS, "end of a stream")?),
        2 => Report::CapacityChanged { limit: bytes.small("stream limit")? },
        3 => Report::GoAwayReceived,
        4 => Report::ProtocolError,
        5 => Report::Closed(bytes.pick(&SIDES, "side")?),
        _ => return Err(bytes.malformed("report")),
    })
}

#[cfg(test)]
mod tests;
