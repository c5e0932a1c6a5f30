//! The oracles' book: what was asked, what arrived, what came out, and what was counted.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pool_core::error::Verdict;

/// How often things happened, by name.
pub type Counts = BTreeMap<String, u64>;

/// Kept by a run, written by clients, origins and the network alike.
#[derive(Debug, Default)]
pub struct Account {
    objections: RefCell<Vec<String>>,
    counts: RefCell<BTreeMap<&'static str, u64>>,
    requests: RefCell<Vec<Record>>,
}

/// Whether delivering a request twice does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// GET, PUT and the like.
    Idempotent,
    /// POST and the like: at most one origin connection may see it.
    Once,
}

/// One request of a client.
#[derive(Clone, Debug)]
struct Record {
    effect: Effect,
    deliveries: u32,
    /// An origin has ended a response that lasts until the end of the connection too early: nobody can
    /// notice.
    may_be_short: bool,
    outcome: Option<Outcome>,
}

/// How a request ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole response was received and is what was asked for.
    Complete,
    /// The response is a refusal: 408, 5xx.
    Refused,
    /// The response broke off, and the caller was told.
    BodyBroke,
    /// The call failed.
    Failed(&'static str, Verdict),
    /// The caller dropped the call or the response.
    Cancelled,
    /// The caller's own deadline came.
    TimedOut,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Complete => "outcome: complete",
            Self::Refused => "outcome: refused by status",
            Self::BodyBroke => "outcome: body broke",
            Self::Failed(name, _) => name,
            Self::Cancelled => "outcome: cancelled",
            Self::TimedOut => "outcome: caller's deadline",
        }
    }
}

impl Account {
    /// Adds one to a count.
    pub fn count(&self, name: &'static str) {
        *self.counts.borrow_mut().entry(name).or_default() += 1;
    }

    /// All counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.borrow().iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    /// Writes an objection down; the run ends.
    pub fn object(&self, words: String) {
        self.objections.borrow_mut().push(words);
    }

    /// Whether somebody objected.
    #[must_use]
    pub fn has_objection(&self) -> bool {
        !self.objections.borrow().is_empty()
    }

    /// The objections.
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        self.objections.borrow().clone()
    }

    /// A request is about to be made; its number.
    pub fn register(&self, effect: Effect) -> u64 {
        let mut requests = self.requests.borrow_mut();
        requests.push(Record { effect, deliveries: 0, may_be_short: false, outcome: None });
        requests.len() as u64 - 1
    }

    /// An origin has read the head of a request.
    pub fn delivered(&self, id: u64) {
        let mut requests = self.requests.borrow_mut();
        let Some(record) = requests.get_mut(id as usize) else {
            return self.object(format!("an origin received request {id}, which nobody made"));
        };
        record.deliveries += 1;
        if record.effect == Effect::Once && record.deliveries > 1 {
            self.object(format!("request {id} may be delivered once, and was {} times", record.deliveries));
        }
        if let Some(Outcome::Failed(_, Verdict::NeverSent)) = record.outcome {
            self.object(format!(
                "request {id} was delivered after its caller was told that it never was sent"
            ));
        }
    }

    /// An origin ends a response too early in a way that cannot be noticed.
    pub fn cut_silently(&self, id: u64) {
        if let Some(record) = self.requests.borrow_mut().get_mut(id as usize) {
            record.may_be_short = true;
        }
    }

    /// Whether an origin did that.
    #[must_use]
    pub fn may_be_short(&self, id: u64) -> bool {
        self.requests.borrow().get(id as usize).is_some_and(|record| record.may_be_short)
    }

    /// A caller has its outcome.
    pub fn outcome(&self, id: u64, outcome: Outcome) {
        self.count(outcome.name());
        let mut requests = self.requests.borrow_mut();
        let Some(record) = requests.get_mut(id as usize) else { return };
        if let Some(before) = record.outcome.replace(outcome) {
            self.object(format!("request {id} had the outcome {before:?} and now {outcome:?}"));
        }
        if let Outcome::Failed(_, verdict) = outcome {
            self.count(match verdict {
                Verdict::NeverSent => "verdict: never sent",
                Verdict::NoResponseByte => "verdict: no response byte",
                Verdict::Unknown => "verdict: unknown",
                Verdict::Refused | Verdict::AboveGoAway => "verdict: refused",
            });
            if verdict == Verdict::NeverSent && record.deliveries > 0 {
                self.object(format!(
                    "request {id} failed as never sent, and an origin had received it {} times",
                    record.deliveries
                ));
            }
        }
        if outcome == Outcome::Complete && record.deliveries == 0 {
            self.object(format!("request {id} was answered, and no origin has received it"));
        }
    }

    /// At the end: every request has its outcome.
    pub fn check_outcomes(&self) {
        let without: Vec<usize> = {
            let requests = self.requests.borrow();
            requests.iter().enumerate().filter(|(_, r)| r.outcome.is_none()).map(|(id, _)| id).collect()
        };
        if !without.is_empty() {
            self.object(format!("requests without an outcome: {without:?}"));
        }
    }

    /// Requests that were made.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.borrow().len()
    }
}
