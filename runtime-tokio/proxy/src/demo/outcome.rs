//! What came of it, and whether everybody counted the same.

use std::fmt;

use super::acts::{Act, Hosts};
use super::figures::Figures;
use super::journal::Entries;
use super::load::Tally;
use super::upstream::Counts;
use super::watch::Watched;

/// One act that was played.
#[derive(Clone, Debug)]
pub(super) struct Played {
    pub(super) act: Act,
    /// What the clients saw.
    pub(super) tally: Tally,
    /// What was seen of the breakers.
    pub(super) watched: Watched,
    /// What the proxy counted.
    pub(super) figures: Figures,
    /// What the proxy logged; known when it has ended.
    pub(super) entries: Entries,
    /// Requests on connections to each host.
    pub(super) by_host: [u64; 2],
}

/// What came of the demonstration.
#[derive(Debug)]
pub struct Outcome {
    pub(super) played: Vec<Played>,
    /// The proxy's numbers at the end.
    pub(super) figures: Figures,
    /// What the hosts of the upstream counted.
    pub(super) upstream: Counts,
}

/// Two numbers, and how they should be related.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) about: &'static str,
    pub(super) left: u64,
    pub(super) relation: Relation,
    pub(super) right: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    AtMost,
    Above,
}

impl Check {
    pub(super) fn holds(&self) -> bool {
        match self.relation {
            Relation::Equal => self.left == self.right,
            Relation::AtMost => self.left <= self.right,
            Relation::Above => self.left > self.right,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.relation {
            Relation::Equal => "=",
            Relation::AtMost => "<=",
            Relation::Above => ">",
        };
        write!(f, "{}: {} {sign} {}", self.about, self.left, self.right)
    }
}

impl Outcome {
    /// Whether everybody counted the same, no request was lost, and the breakers acted.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.checks().iter().all(Check::holds)
    }

    pub(super) fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.played.iter().for_each(|played| all.add(&played.tally));
        all
    }

    pub(super) fn entries(&self) -> Entries {
        let mut all = Entries::default();
        self.played.iter().for_each(|played| all.add(&played.entries));
        all
    }

    pub(super) fn watched(&self) -> Watched {
        let mut all = Watched::default();
        self.played.iter().for_each(|played| all.add(&played.watched));
        all
    }

    /// Everything that two parties know, and what the acts are about.
    pub(super) fn checks(&self) -> Vec<Check> {
        use Relation::{Above, AtMost, Equal};
        let (tally, entries, figures) = (self.tally(), self.entries(), &self.figures);
        let check = |about, left, relation, right| Check { about, left, relation, right };
        let ended = tally.answered + tally.refused();
        let waiting = figures.cluster("upstream_rq_active") + figures.cluster("upstream_rq_pending_active");
        vec![
            check("requests sent, and given an answer or a 503", tally.sent, Equal, ended),
            check("anything else that clients saw", tally.wrong.len() as u64, Equal, 0),
            check(
                "requests of the clients and of the proxy",
                tally.sent + tally.repeated,
                Equal,
                figures.http("downstream_rq_total"),
            ),
            check(
                "answers with 200, by the clients and by the proxy",
                tally.answered,
                Equal,
                figures.http("downstream_rq_2xx"),
            ),
            check(
                "answers with 503, by the clients and by the proxy",
                tally.refused(),
                Equal,
                figures.http("downstream_rq_5xx"),
            ),
            check(
                "refused for want of room, by the clients and by the pools",
                tally.overflow,
                Equal,
                figures.cluster("upstream_rq_pending_overflow"),
            ),
            check(
                "lines of the access log, and requests of the proxy",
                entries.lines,
                Equal,
                figures.http("downstream_rq_total"),
            ),
            check("lines with 200, and answers", entries.answered, Equal, tally.answered),
            check(
                "answers, and requests that the upstream received",
                tally.answered,
                AtMost,
                self.upstream.requests,
            ),
            check(
                "requests that the upstream received, and that the pools sent",
                self.upstream.requests,
                AtMost,
                figures.cluster("upstream_rq_total"),
            ),
            check(
                "connections that the upstream took, and that the pools opened",
                self.upstream.connections,
                AtMost,
                figures.connections(),
            ),
            check("requests left in the pools", waiting, Equal, 0),
            check("max_connections made requests wait", figures.cluster("upstream_cx_overflow"), Above, 0),
            check(
                "max_pending_requests refused requests",
                figures.cluster("upstream_rq_pending_overflow"),
                Above,
                0,
            ),
            check("the outage was met with retries", self.retries_in_outage(), Above, 0),
        ]
    }

    fn retries_in_outage(&self) -> u64 {
        let outages = self.played.iter().filter(|played| played.act.hosts == Hosts::SecondLeaves);
        outages.map(|played| played.figures.cluster("upstream_rq_retry")).sum()
    }
}
