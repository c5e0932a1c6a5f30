//! A recording told by things instead of by steps: the life of each request, connection and pool.

use std::collections::BTreeMap;

use super::replay::{Event, Replay, ReplayError};
use super::step::{Afterwards, Entry, Note, Step};
use super::{Header, LogError};
use crate::error::Verdict;
use crate::exchange::Progress;
use crate::id::{ConnId, PoolId, WaiterId};
use crate::limits::Priority;
use crate::pool::{
    Action, Answer, BindReason, CloseReason, ConnectReason, Counts, FailReason, QueueReason, Triple, Usage,
};
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::time::Instant;

/// Everything that happened to one worker, in the order of first appearance.
#[derive(Clone, Debug)]
pub struct History {
    /// What the recording says of itself.
    pub header: Header,
    /// Clusters that were ever added.
    pub clusters: Vec<super::ClusterSettings>,
    /// Pools that were ever made. An id may name several, one after the other.
    pub pools: Vec<PoolLife>,
    /// Connections that were ever ordered.
    pub connections: Vec<ConnectionLife>,
    /// Requests that ever asked.
    pub requests: Vec<RequestLife>,
    /// From the first entry to the last.
    pub span: (Instant, Instant),
    /// Entries that were done again.
    pub entries: u64,
    /// How the replay ended.
    pub end: Result<(), ReplayError>,
}

/// One pool.
#[derive(Clone, Debug)]
pub struct PoolLife {
    /// Its id while it lived.
    pub id: PoolId,
    /// Its cluster, as an index into [`History::clusters`].
    pub cluster: Option<usize>,
    /// Whose limits apply.
    pub priority: Priority,
    /// Where its connections go.
    pub label: String,
    /// When it was made.
    pub made_at: Instant,
    /// When it was forgotten.
    pub gone_at: Option<Instant>,
    /// How full it was, whenever that changed.
    pub levels: Vec<Level>,
}

/// How full a pool was from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// From when.
    pub at: Instant,
    /// Streams in progress.
    pub active: u64,
    /// Requests waiting.
    pub pending: u64,
    /// Connections that are opening.
    pub connecting: u64,
    /// Connections that are up, draining ones included.
    pub connected: u64,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionLife {
    /// Its pool, as an index into [`History::pools`].
    pub pool: usize,
    /// Its name in the pool.
    pub id: ConnId,
    /// When the pool ordered it.
    pub ordered_at: Instant,
    /// Why.
    pub reason: ConnectReason,
    /// The request whose asking made the pool order it, as an index into [`History::requests`].
    pub cause: Option<usize>,
    /// When it was up.
    pub connected_at: Option<Instant>,
    /// When the pool ordered it to be closed, and why.
    pub close_ordered: Option<(Instant, CloseReason)>,
    /// When its socket was gone, and by whose doing.
    pub closed: Option<(Instant, ClosedBy)>,
    /// What the transport said when the attempt failed.
    pub words: Option<String>,
    /// When the peer announced its end, took streams away or broke the protocol.
    pub remarks: Vec<(Instant, Report)>,
    /// The exchanges on it.
    pub exchanges: Vec<ExchangeLife>,
}

/// One exchange on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeLife {
    /// Whose, as an index into [`History::requests`].
    pub request: usize,
    /// When it was bound.
    pub from: Instant,
    /// When and how it ended.
    pub ended: Option<(Instant, StreamEnd)>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct RequestLife {
    /// Its number with the client.
    pub number: u64,
    /// What happened to it.
    pub chapters: Vec<Chapter>,
}

/// One thing that happened to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Chapter {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What happened to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It asked a pool, as an index into [`History::pools`]; what the pool looked like then.
    Asked {
        /// Which pool.
        pool: usize,
        /// Whether it was put at the head of the queue, after a safe failure.
        again: bool,
        /// Streams, waiting requests and unused capacity, after it asked.
        triple: Triple,
        /// Connections by state, after it asked.
        counts: Counts,
    },
    /// It waited.
    Queued(QueueReason),
    /// It got a connection, as an index into [`History::connections`].
    Bound {
        /// Which.
        connection: usize,
        /// Why this one, why now.
        reason: BindReason,
        /// Whether it had carried a stream before.
        usage: Usage,
    },
    /// The pool gave it back.
    Refused(FailReason),
    /// The caller gave it up while it waited.
    Cancelled,
    /// The head of its response came.
    Answered(u16),
    /// Its exchange ended.
    Ended(StreamEnd),
    /// Its exchange broke.
    Broke {
        /// How far it had come.
        progress: Progress,
        /// What follows.
        next: Afterwards,
    },
    /// It ended without a response.
    Failed(Verdict),
}

impl History {
    /// Does a recording again and keeps what happened.
    ///
    /// # Errors
    /// If the file does not begin as a recording does; what ends it early is in [`History::end`].
    pub fn of(file: &[u8]) -> Result<Self, LogError> {
        let mut replay = Replay::new(file)?;
        let mut scribe = Scribe::new(replay.header().clone());
        loop {
            match replay.next_event() {
                Ok(Some(event)) => scribe.write(&replay, event),
                Ok(None) => return Ok(scribe.finish(&replay, Ok(()))),
                Err(error) => return Ok(scribe.finish(&replay, Err(error))),
            }
        }
    }

    /// A request by its number.
    #[must_use]
    pub fn request(&self, number: u64) -> Option<&RequestLife> {
        self.requests.iter().find(|request| request.number == number)
    }
}

/// Writes a history while a replay goes on.
struct Scribe {
    history: History,
    /// What ids mean at present.
    clusters: BTreeMap<u32, usize>,
    pools: BTreeMap<PoolId, usize>,
    connections: BTreeMap<(PoolId, ConnId), usize>,
    waiting: BTreeMap<(PoolId, WaiterId), usize>,
    requests: BTreeMap<u64, usize>,
    /// The request that asked last: what a pool orders next, it orders for it.
    asking: Option<usize>,
    is_first: bool,
}

impl Scribe {
    fn new(header: Header) -> Self {
        Self {
            history: History {
                header,
                clusters: Vec::new(),
                pools: Vec::new(),
                connections: Vec::new(),
                requests: Vec::new(),
                span: (Instant::ZERO, Instant::ZERO),
                entries: 0,
                end: Ok(()),
            },
            clusters: BTreeMap::new(),
            pools: BTreeMap::new(),
            connections: BTreeMap::new(),
            waiting: BTreeMap::new(),
            requests: BTreeMap::new(),
            asking: None,
            is_first: true,
        }
    }

    fn finish(mut self, replay: &Replay<'_>, end: Result<(), ReplayError>) -> History {
        self.history.entries = replay.entries();
        self.history.end = end;
        self.history
    }

    fn write(&mut self, replay: &Replay<'_>, event: Event) {
        match event {
            Event::Step { entry, answer, made } => {
                let now = entry.now;
                if self.is_first {
                    self.history.span.0 = now;
                    self.is_first = false;
                }
                self.history.span.1 = self.history.span.1.max(now);
                self.asking = None;
                self.step(replay, entry, answer, made);
            }
            Event::Action { now, pool, action } => {
                self.action(now, pool, action);
                self.level(replay, now, pool);
            }
        }
    }

    fn step(&mut self, replay: &Replay<'_>, entry: Entry, answer: Option<Answer>, made: Option<PoolId>) {
        let now = entry.now;
        match entry.step {
            Step::AddCluster(settings) => {
                let number = u32::try_from(self.history.clusters.len()).unwrap_or(u32::MAX);
                self.clusters.insert(replay.last_cluster().unwrap_or(number), self.history.clusters.len());
                self.history.clusters.push(*settings);
            }
            Step::AddPool { cluster, priority, label } => {
                let Some(id) = made else { return };
                self.pools.insert(id, self.history.pools.len());
                let cluster = self.clusters.get(&cluster).copied();
                let levels = Vec::new();
                let pool = PoolLife { id, cluster, priority, label, made_at: now, gone_at: None, levels };
                self.history.pools.push(pool);
            }
            Step::Request { pool, request, .. } => self.asked(replay, now, pool, request, false, answer),
            Step::Requeue { pool, request, .. } => self.asked(replay, now, pool, request, true, answer),
            Step::Cancel { pool, waiter, .. } => {
                if let Some(request) = self.waiting.remove(&(pool, waiter)) {
                    self.tell(request, now, What::Cancelled);
                }
                self.level(replay, now, pool);
            }
            Step::Report { pool, conn, report } => {
                self.report(now, pool, conn, report);
                self.level(replay, now, pool);
            }
            Step::Finish { pool, conn, end } => {
                self.ended(now, pool, conn, end);
                self.level(replay, now, pool);
            }
            Step::Settled { pool }
            | Step::Drain { pool, .. }
            | Step::Retire { pool, .. }
            | Step::Abort { pool } => self.level(replay, now, pool),
            Step::Timeout | Step::SeatsFreed => {}
            Step::Note(note) => self.note(now, note),
        }
    }

    fn asked(
        &mut self,
        replay: &Replay<'_>,
        now: Instant,
        pool: PoolId,
        number: u64,
        again: bool,
        answer: Option<Answer>,
    ) {
        let request = self.request(number);
        let (Some(&life), Some(view)) = (self.pools.get(&pool), replay.set().pool(pool)) else { return };
        let asked = What::Asked { pool: life, again, triple: view.triple(), counts: view.counts() };
        self.tell(request, now, asked);
        match answer {
            Some(Answer::Bound(bound)) => {
                self.bound(now, pool, bound.conn, request, bound.reason, bound.usage);
            }
            Some(Answer::Queued(queued)) => {
                self.waiting.insert((pool, queued.waiter), request);
                self.asking = Some(request);
                self.tell(request, now, What::Queued(queued.reason));
            }
            Some(Answer::Failed(failed)) => self.tell(request, now, What::Refused(failed.reason)),
            None => {}
        }
        self.level(replay, now, pool);
    }

    fn report(&mut self, now: Instant, pool: PoolId, conn: ConnId, report: Report) {
        let Some(&index) = self.connections.get(&(pool, conn)) else { return };
        let connection = &mut self.history.connections[index];
        match report {
            Report::Connected { .. } => connection.connected_at = Some(now),
            Report::StreamEnded(end) => self.ended(now, pool, conn, end),
            Report::CapacityChanged { .. } | Report::GoAwayReceived | Report::ProtocolError => {
                connection.remarks.push((now, report));
            }
            Report::Closed(by) => {
                connection.closed = Some((now, by));
                // What was still in progress ended with it.
                for exchange in connection.exchanges.iter_mut().filter(|one| one.ended.is_none()) {
                    exchange.ended = Some((now, StreamEnd::RemoteReset));
                }
                self.connections.remove(&(pool, conn));
            }
        }
    }

    fn action(&mut self, now: Instant, pool: PoolId, action: Action) {
        match action {
            Action::Connect { conn, reason } => {
                let Some(&life) = self.pools.get(&pool) else { return };
                self.connections.insert((pool, conn), self.history.connections.len());
                self.history.connections.push(ConnectionLife {
                    pool: life,
                    id: conn,
                    ordered_at: now,
                    reason,
                    cause: self.asking,
                    connected_at: None,
                    close_ordered: None,
                    closed: None,
                    words: None,
                    remarks: Vec::new(),
                    exchanges: Vec::new(),
                });
            }
            Action::Close { conn, reason } => {
                if let Some(&index) = self.connections.get(&(pool, conn)) {
                    self.history.connections[index].close_ordered = Some((now, reason));
                }
            }
            Action::Bind { waiter, conn, reason, usage, .. } => {
                if let Some(request) = self.waiting.remove(&(pool, waiter)) {
                    self.bound(now, pool, conn, request, reason, usage);
                }
            }
            Action::Fail { waiter, reason, .. } => {
                if let Some(request) = self.waiting.remove(&(pool, waiter)) {
                    self.tell(request, now, What::Refused(reason));
                }
            }
            Action::NotifyGoAway { .. } => {}
            Action::Idle => {
                // The id may name another pool from here on.
                if let Some(index) = self.pools.get(&pool) {
                    self.history.pools[*index].gone_at = Some(now);
                }
            }
        }
    }

    fn note(&mut self, now: Instant, note: Note) {
        match note {
            Note::AttemptFailed { request, progress, next } => {
                let request = self.request(request);
                self.tell(request, now, What::Broke { progress, next });
            }
            Note::Answered { request, status } => {
                let request = self.request(request);
                self.tell(request, now, What::Answered(status));
            }
            Note::Failed { request, verdict } => {
                let request = self.request(request);
                self.tell(request, now, What::Failed(verdict));
            }
            Note::ConnectFailed { pool, conn, words } => {
                if let Some(&index) = self.connections.get(&(pool, conn)) {
                    self.history.connections[index].words = Some(words);
                }
            }
        }
    }

    fn bound(
        &mut self,
        now: Instant,
        pool: PoolId,
        conn: ConnId,
        request: usize,
        reason: BindReason,
        usage: Usage,
    ) {
        let Some(&connection) = self.connections.get(&(pool, conn)) else { return };
        let exchange = ExchangeLife { request, from: now, ended: None };
        self.history.connections[connection].exchanges.push(exchange);
        self.tell(request, now, What::Bound { connection, reason, usage });
    }

    /// The oldest exchange on a connection ended; with HTTP/1 there is only one.
    fn ended(&mut self, now: Instant, pool: PoolId, conn: ConnId, end: StreamEnd) {
        let Some(&index) = self.connections.get(&(pool, conn)) else { return };
        let mut exchanges = self.history.connections[index].exchanges.iter_mut();
        let Some(exchange) = exchanges.find(|exchange| exchange.ended.is_none()) else { return };
        exchange.ended = Some((now, end));
        let request = exchange.request;
        self.tell(request, now, What::Ended(end));
    }

    fn request(&mut self, number: u64) -> usize {
        *self.requests.entry(number).or_insert_with(|| {
            self.history.requests.push(RequestLife { number, chapters: Vec::new() });
            self.history.requests.len() - 1
        })
    }

    fn tell(&mut self, request: usize, at: Instant, what: What) {
        if let Some(request) = self.history.requests.get_mut(request) {
            request.chapters.push(Chapter { at, what });
        }
    }

    /// Notes how full a pool is now, if that changed.
    fn level(&mut self, replay: &Replay<'_>, at: Instant, pool: PoolId) {
        let Some(&life) = self.pools.get(&pool) else { return };
        let (triple, counts) = match replay.set().pool(pool) {
            Some(pool) => (pool.triple(), pool.counts()),
            None => Default::default(),
        };
        let Counts { connecting, early_data, ready, busy, draining, .. } = counts;
        let level = Level {
            at,
            active: triple.active,
            pending: triple.pending,
            connecting: u64::from(connecting) + u64::from(early_data),
            connected: u64::from(ready) + u64::from(busy) + u64::from(draining),
        };
        let levels = &mut self.history.pools[life].levels;
        if levels.last().is_none_or(|last| Level { at, ..*last } != level) {
            levels.push(level);
        }
    }
}
