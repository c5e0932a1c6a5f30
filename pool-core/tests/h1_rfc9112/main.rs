//! A table of messages written from RFC 9112 (sections 2.2, 5, 6, 7, 11.2 and what they refer to),
//! with the verdict for each; and corpora of other projects, where they are at hand.
//!
//! Every input is fed whole, split at every point and byte by byte, with equal results.
#![cfg(feature = "h1")]

mod bodies;
mod corpora;
mod requests;
mod responses;
mod transcript;

use pool_core::wire::h1::{EofAt, Error, Exceeded, Limits, Violation};
use transcript::{Role, run_all_ways};

/// What must become of an input that is followed by the end of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This many messages, no error.
    Accept(usize),
    /// The messages before it are accepted, then this rule is found broken.
    Refuse(Violation),
    /// The messages before it are accepted, then this limit is exceeded.
    Exceed(Exceeded),
    /// Nothing is wrong but that the end came too early.
    Cut(EofAt),
}

/// One row: input, who reads it, what must become of it, where that is written, and why.
pub(crate) struct Case {
    pub(crate) role: Role,
    pub(crate) input: &'static [u8],
    pub(crate) verdict: Verdict,
    pub(crate) section: &'static str,
    pub(crate) why: &'static str,
}

/// Shorthand for a row.
pub(crate) const fn row(
    role: Role,
    input: &'static [u8],
    verdict: Verdict,
    section: &'static str,
    why: &'static str,
) -> Case {
    Case { role, input, verdict, section, why }
}

#[test]
fn every_row_of_the_table_has_its_verdict_however_it_is_cut() {
    let tables = [requests::CASES, responses::CASES, bodies::CASES];
    let mut rows = 0;
    let mut wrong = Vec::new();
    for case in tables.into_iter().flatten() {
        rows += 1;
        let told = run_all_ways(case.role, &Limits::default(), case.input);
        let verdict = match told.error() {
            None => Verdict::Accept(told.messages()),
            Some(Error::Peer(violation)) => Verdict::Refuse(violation),
            Some(Error::Limit(exceeded)) => Verdict::Exceed(exceeded),
            Some(Error::Eof(at)) => Verdict::Cut(at),
        };
        if verdict != case.verdict {
            wrong.push(format!(
                "{} ({}): {verdict:?} instead of {:?} for {:?}",
                case.why,
                case.section,
                case.verdict,
                String::from_utf8_lossy(case.input)
            ));
        }
    }
    assert!(rows >= 120, "{rows} rows");
    assert!(wrong.is_empty(), "{} of {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
}
