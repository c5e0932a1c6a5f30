//! Doing it all again: the recorded steps on new pools, with every answer compared.

use core::fmt;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::codec::{Bytes, Malformed};
use super::digest::Digest;
use super::log::{Chunk, Header, LogError, Reader};
use super::step::{Entry, Step, read_entry};
use super::verdicts::Said;
use crate::cluster::{ClusterId, Key, PoolSet};
use crate::id::PoolId;
use crate::limits::{Claimant, Full, Ledger, Need, Priority, Resource, Seat};
use crate::pool::{Action, Answer, Request};
use crate::time::Instant;

/// One thing in the course of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step was taken, or a note read.
    Step {
        /// What was recorded.
        entry: Entry,
        /// The answer, if the step is one that gets one.
        answer: Option<Answer>,
        /// The pool that was made, if it made one.
        made: Option<PoolId>,
    },
    /// A pool gave an order.
    Action {
        /// When the step was taken that it follows from.
        now: Instant,
        /// Which pool.
        pool: PoolId,
        /// The order.
        action: Action,
    },
}

/// Where a run left its recording, or why it could not be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file ended or was damaged.
    Log(LogError),
    /// A chunk is whole and makes no sense.
    Malformed {
        /// Where the chunk begins.
        chunk: usize,
        /// What is wrong.
        malformed: Malformed,
    },
    /// The pools did something else than in the recorded run.
    Diverged {
        /// The entry, from zero, at which it showed.
        entry: u64,
        /// What they did differently.
        how: Divergence,
    },
}

/// What was different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// An answer, or the actions since the entry before.
    Output,
    /// They asked a ledger when nobody had, or did not ask when somebody had.
    Ledger,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(f, "{error}"),
            Self::Malformed { chunk, malformed } => write!(f, "chunk at byte {chunk}: {malformed}"),
            Self::Diverged { entry, how: Divergence::Output } => {
                write!(f, "entry {entry}: the pools answered or ordered something else than recorded")
            }
            Self::Diverged { entry, how: Divergence::Ledger } => {
                write!(f, "entry {entry}: the pools asked the circuit breakers something else than recorded")
            }
        }
    }
}

impl core::error::Error for ReplayError {}

/// A recording on its way through new pools.
#[derive(Debug)]
pub struct Replay<'a> {
    reader: Reader<'a>,
    chunk: Option<Open<'a>>,
    set: PoolSet<Scripted>,
    script: Rc<Script>,
    clusters: Vec<(u32, ClusterId)>,
    /// The time of the last entry, and of the last that is a step.
    last: Instant,
    stepped: Instant,
    digest: Digest,
    entries: u64,
    clusters_made: u32,
    pools_made: u64,
    /// A step that was read and is not done: the orders before it are told first, and whoever hears
    /// of them finds the pools as they were then.
    ahead: Option<Entry>,
    /// Notes since the last step: told after its orders.
    notes: Vec<Event>,
    /// Events that were not taken yet.
    events: VecDeque<Event>,
    end: Option<Result<(), ReplayError>>,
}

#[derive(Debug)]
struct Open<'a> {
    chunk: Chunk<'a>,
    bytes: Bytes<'a>,
    left: u32,
}

impl<'a> Replay<'a> {
    /// Begins.
    ///
    /// # Errors
    /// If the file does not begin as a recording does.
    pub fn new(file: &'a [u8]) -> Result<Self, LogError> {
        let reader = Reader::new(file)?;
        let set = PoolSet::new(reader.header().seed);
        Ok(Self {
            reader,
            chunk: None,
            set,
            script: Rc::default(),
            clusters: Vec::new(),
            last: Instant::ZERO,
            stepped: Instant::ZERO,
            digest: Digest::default(),
            entries: 0,
            clusters_made: 0,
            pools_made: 0,
            ahead: None,
            notes: Vec::new(),
            events: VecDeque::new(),
            end: None,
        })
    }

    /// What the recording says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// The pools as they are now.
    #[must_use]
    pub fn set(&self) -> &PoolSet<Scripted> {
        &self.set
    }

    /// The number in the set of the cluster that was added last.
    #[must_use]
    pub fn last_cluster(&self) -> Option<u32> {
        self.clusters.last().map(|(number, _)| *number)
    }

    /// Entries done so far.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The next event; `None` at the end of the recording. The orders that follow from a step come
    /// after it, and before the next.
    ///
    /// # Errors
    /// Whatever ends the replay early, after all events before it; the same again if asked again.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReplayError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(end) = &self.end {
                return end.clone().map(|()| None);
            }
            if let Some(entry) = self.ahead.take() {
                if let Err(error) = self.take(entry) {
                    self.end = Some(Err(error));
                }
                continue;
            }
            match self.read() {
                Ok(Some(entry)) => self.meet(entry),
                Ok(None) => {
                    self.drain(None);
                    self.end = Some(Ok(()));
                }
                Err(error) => {
                    self.drain(None);
                    self.end = Some(Err(error));
                }
            }
        }
    }

    /// Reads the next entry.
    fn read(&mut self) -> Result<Option<Entry>, ReplayError> {
        loop {
            if let Some(open) = &mut self.chunk {
                let malformed = |malformed| ReplayError::Malformed { chunk: open.chunk.at, malformed };
                if let Some(left) = open.left.checked_sub(1) {
                    open.left = left;
                    return read_entry(&mut open.bytes, self.last).map(Some).map_err(malformed);
                }
                if !open.bytes.is_at_end() {
                    return Err(malformed(open.bytes.malformed("end of the chunk")));
                }
                if open.chunk.digest != self.digest.value() {
                    return Err(self.diverged(Divergence::Output));
                }
            }
            self.chunk = self.reader.next_chunk().map_err(ReplayError::Log)?.map(|chunk| Open {
                chunk,
                bytes: Bytes::new(chunk.payload),
                left: chunk.entries,
            });
            if self.chunk.is_none() {
                return Ok(None);
            }
        }
    }

    /// Prepares for an entry that was read.
    fn meet(&mut self, entry: Entry) {
        self.last = entry.now;
        self.entries += 1;
        if let Step::Note(_) = entry.step {
            self.notes.push(Event::Step { entry, answer: None, made: None });
        } else {
            self.drain(entry.undrained);
            self.ahead = Some(entry);
        }
    }

    /// Does what an entry says.
    fn take(&mut self, entry: Entry) -> Result<(), ReplayError> {
        self.stepped = entry.now;
        self.script.said.borrow_mut().extend(&entry.said);
        let (answer, made) = self.apply(&entry);

        if entry.digest != self.digest.byte() {
            return Err(self.diverged(Divergence::Output));
        }
        if !self.script.is_followed() {
            return Err(self.diverged(Divergence::Ledger));
        }
        self.events.push_back(Event::Step { entry, answer, made });
        Ok(())
    }

    /// Takes actions: all, or as many as were taken then.
    fn drain(&mut self, limit: Option<u64>) {
        let now = self.stepped;
        for _ in 0..limit.unwrap_or(u64::MAX) {
            let Some((pool, action)) = self.set.poll_action() else { break };
            self.digest.action(pool, &action);
            self.events.push_back(Event::Action { now, pool, action });
        }
        self.events.extend(self.notes.drain(..));
    }

    fn apply(&mut self, entry: &Entry) -> (Option<Answer>, Option<PoolId>) {
        let now = entry.now;
        let mut made = None;
        let mut answer = None;
        match &entry.step {
            Step::AddCluster(settings) => {
                let ledger = Scripted { script: Rc::clone(&self.script), number: self.clusters_made };
                self.clusters_made += 1;
                let cluster = self.set.add_cluster(settings.pool.clone(), ledger);
                self.clusters.retain(|(number, _)| *number != cluster.number());
                self.clusters.push((cluster.number(), cluster));
            }
            Step::AddPool { cluster, priority, label } => made = self.add_pool(*cluster, *priority, label),
            Step::Request { pool, token, early_data, request: _ } => {
                let request = Request { token: *token, early_data: *early_data };
                answer = self.set.request(now, *pool, request);
                self.digest.answer(answer.as_ref());
            }
            Step::Requeue { pool, token, early_data, request: _, deadline } => {
                let request = Request { token: *token, early_data: *early_data };
                answer = self.set.requeue(now, *pool, request, *deadline);
                self.digest.answer(answer.as_ref());
            }
            Step::Cancel { pool, waiter, policy } => self.set.cancel(now, *pool, *waiter, *policy),
            Step::Report { pool, conn, report } => self.set.handle_report(now, *pool, *conn, *report),
            Step::Settled { pool } => self.set.handle_settled(now, *pool),
            Step::Finish { pool, conn, end } => self.set.finish(now, *pool, *conn, *end),
            Step::Timeout => self.set.handle_timeout(now),
            Step::SeatsFreed => self.set.handle_seats_freed(now),
            Step::Drain { pool, mode } => self.set.drain(now, *pool, *mode),
            Step::Retire { pool, conn } => self.set.retire(now, *pool, *conn),
            Step::Abort { pool } => self.set.abort(now, *pool),
            Step::Note(_) => {}
        }
        (answer, made)
    }

    fn add_pool(&mut self, cluster: u32, priority: Priority, label: &str) -> Option<PoolId> {
        let (_, cluster) = self.clusters.iter().find(|(number, _)| *number == cluster)?;
        // Pools were told apart by the full key; here a number does.
        self.pools_made += 1;
        let key = Key { priority, downstream: Some(self.pools_made), ..Key::http1(label, 0) };
        self.set.add_pool(&key, *cluster, priority).ok()
    }

    fn diverged(&self, how: Divergence) -> ReplayError {
        ReplayError::Diverged { entry: self.entries.saturating_sub(1), how }
    }
}

/// What ledgers are to say in the course of the current step.
#[derive(Debug, Default)]
struct Script {
    said: RefCell<VecDeque<Said>>,
    left: Cell<bool>,
}

impl Script {
    /// Whether everything that was said was asked for, and no more.
    fn is_followed(&self) -> bool {
        self.said.borrow().is_empty() && !self.left.get()
    }
}

/// A ledger that says what was recorded.
#[derive(Clone, Debug)]
pub struct Scripted {
    script: Rc<Script>,
    number: u32,
}

impl Ledger for Scripted {
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        match self.script.said.borrow_mut().pop_front() {
            Some(Said::Granted) => Ok(Seat::new(resource, who)),
            Some(Said::Refused(full)) => Err(full),
            Some(Said::Freed { .. }) | None => {
                self.script.left.set(true);
                Err(Full::Cluster)
            }
        }
    }

    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        Seat::new(resource, who)
    }

    fn give_back(&mut self, _seat: Seat) {}

    fn await_free(&mut self, _resource: Resource, _who: Claimant, _need: Need) {}

    fn cancel_wait(&mut self, _resource: Resource, _who: Claimant) {}

    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        let mut said = self.script.said.borrow_mut();
        let freed = match said.front()? {
            Said::Freed { ledger, pool, resource } if *ledger == self.number => (*pool, *resource),
            Said::Freed { .. } | Said::Granted | Said::Refused(_) => return None,
        };
        said.pop_front();
        Some(freed)
    }
}

#[cfg(test)]
mod tests;
