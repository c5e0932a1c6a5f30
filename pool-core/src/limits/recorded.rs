//! Recording what a ledger answered, and answering the same again.
//!
//! A machine's inputs are its facts, its wishes and the verdicts of the ledger it was lent. The
//! verdicts of a shared ledger depend on other workers, so they are part of a run's log. Only
//! [`Ledger::try_take`] has a verdict; the facts `SlotFreed` are in the log as facts.

use core::fmt;

use super::{Claimant, Full, Ledger, Need, Resource, Seat};
use crate::id::PoolId;

/// One verdict: who asked for what, and the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What was asked for.
    pub resource: Resource,
    /// Who asked.
    pub who: Claimant,
    /// Whether a seat was given, and if not, which limit refused.
    pub answer: Result<(), Full>,
}

/// A ledger that writes down every verdict of another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Recorder<L> {
    ledger: L,
    log: Vec<Entry>,
}

impl<L> Recorder<L> {
    /// Records the verdicts of `ledger` from now on.
    pub const fn new(ledger: L) -> Self {
        Self { ledger, log: Vec::new() }
    }

    /// The verdicts since the start or since [`Recorder::take_log`], in order.
    #[must_use]
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// The ledger that answers.
    #[must_use]
    pub const fn ledger(&self) -> &L {
        &self.ledger
    }

    /// The ledger that answers, for other limits. Verdicts that it gives here are not recorded.
    pub const fn ledger_mut(&mut self) -> &mut L {
        &mut self.ledger
    }

    /// Hands out the verdicts so far and goes on with an empty log.
    pub fn take_log(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.log)
    }

    /// Ends the recording.
    #[must_use]
    pub fn into_parts(self) -> (L, Vec<Entry>) {
        (self.ledger, self.log)
    }
}

impl<L: Ledger> Ledger for Recorder<L> {
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        let verdict = self.ledger.try_take(resource, who);
        let answer = verdict.as_ref().map(|_| ()).map_err(|full| *full);
        self.log.push(Entry { resource, who, answer });
        verdict
    }

    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        self.ledger.take_over_limit(resource, who)
    }

    fn give_back(&mut self, seat: Seat) {
        self.ledger.give_back(seat);
    }

    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need) {
        self.ledger.await_free(resource, who, need);
    }

    fn cancel_wait(&mut self, resource: Resource, who: Claimant) {
        self.ledger.cancel_wait(resource, who);
    }

    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        self.ledger.poll_freed()
    }
}

/// How a replay left its log. `at` counts verdicts from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divergence {
    /// The machine asked something else than in the recorded run.
    OtherQuestion {
        /// Which verdict.
        at: usize,
        /// The recorded question and its answer.
        recorded: Entry,
        /// What was asked for instead.
        resource: Resource,
        /// Who asked instead.
        who: Claimant,
    },
    /// The machine asked after the end of the log.
    PastTheEnd {
        /// The number of recorded verdicts.
        at: usize,
        /// What was asked for.
        resource: Resource,
        /// Who asked.
        who: Claimant,
    },
    /// The machine asked less than in the recorded run (only [`Recorded::finish`] can tell).
    NeverAsked {
        /// The first recorded verdict that was not asked for.
        at: usize,
        /// That verdict.
        recorded: Entry,
    },
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherQuestion { at, recorded, resource, who } => {
                let Entry { resource: was, who: by, .. } = recorded;
                write!(f, "verdict {at}: {who:?} asked for {resource:?}, recorded was {was:?} for {by:?}")
            }
            Self::PastTheEnd { at, resource, who } => {
                write!(f, "verdict {at}: {who:?} asked for {resource:?} after the end of the log")
            }
            Self::NeverAsked { at, recorded: Entry { resource, who, .. } } => {
                write!(f, "verdict {at}: {who:?} never asked for {resource:?}")
            }
        }
    }
}

impl core::error::Error for Divergence {}

/// A ledger that answers from a log. After a divergence it refuses everything and keeps the first
/// cause; a driver asks [`Recorded::divergence`] as often as it likes and [`Recorded::finish`] at
/// the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recorded {
    log: Vec<Entry>,
    next: usize,
    divergence: Option<Divergence>,
}

impl Recorded {
    /// Answers from the first verdict of `log` on.
    #[must_use]
    pub const fn new(log: Vec<Entry>) -> Self {
        Self { log, next: 0, divergence: None }
    }

    /// How the replay left the log, if it did.
    #[must_use]
    pub const fn divergence(&self) -> Option<&Divergence> {
        self.divergence.as_ref()
    }

    /// The number of verdicts answered from the log.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.next
    }

    /// Ends the replay.
    ///
    /// # Errors
    /// The [`Divergence`], or that the log was not used up.
    pub fn finish(self) -> Result<(), Divergence> {
        match (self.divergence, self.log.get(self.next)) {
            (Some(divergence), _) => Err(divergence),
            (None, Some(recorded)) => Err(Divergence::NeverAsked { at: self.next, recorded: *recorded }),
            (None, None) => Ok(()),
        }
    }
}

impl Ledger for Recorded {
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        if self.divergence.is_some() {
            return Err(Full::Cluster);
        }
        let at = self.next;
        match self.log.get(at) {
            Some(entry) if entry.resource == resource && entry.who == who => {
                self.next += 1;
                entry.answer.map(|()| Seat::new(resource, who))
            }
            Some(recorded) => {
                let recorded = *recorded;
                self.divergence = Some(Divergence::OtherQuestion { at, recorded, resource, who });
                Err(Full::Cluster)
            }
            None => {
                self.divergence = Some(Divergence::PastTheEnd { at, resource, who });
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
}
