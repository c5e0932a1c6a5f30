//! Courses of requests, from chapters written here.

use pool_core::error::Verdict;
use pool_core::exchange::Progress;
use pool_core::pool::{BindReason, Counts, QueueReason, Triple};
use pool_core::trace::Afterwards;
use pool_core::trace::history::Chapter;

use super::*;

const END: Instant = Instant::from_millis(1000);

fn follow(chapters: &[(u64, What)]) -> Course {
    let chapter = |(at, what): &(u64, What)| Chapter { at: Instant::from_millis(*at), what: what.clone() };
    course(&RequestLife { number: 1, chapters: chapters.iter().map(chapter).collect() }, END)
}

fn asked(again: bool) -> What {
    What::Asked { pool: 0, again, triple: Triple::default(), counts: Counts::default() }
}

fn bound() -> What {
    What::Bound { connection: 0, reason: BindReason::Connected, usage: Usage::First }
}

#[test]
fn waits_add_up_and_the_last_word_counts() {
    let queued = || What::Queued(QueueReason::Connecting);
    let course = follow(&[
        (10, asked(false)),
        (10, queued()),
        (14, bound()),
        (20, What::Ended(StreamEnd::RemoteReset)),
        (20, What::Broke { progress: Progress::NothingSent, next: Afterwards::Requeued }),
        (20, asked(true)),
        (20, queued()),
        (27, bound()),
        (30, What::Answered(200)),
        (31, What::Ended(StreamEnd::Complete)),
    ]);
    assert_eq!(course.asked, Instant::from_millis(10));
    assert_eq!(course.ended, Instant::from_millis(31));
    assert_eq!((course.waited, course.was_queued, course.attempts), (Duration::from_millis(11), true, 2));
    assert_eq!(course.fate, Fate::Answered(200));
}

#[test]
fn every_end_has_its_name() {
    let fate = |last: &[What]| {
        let chapters = [asked(false), bound()].into_iter().chain(last.iter().cloned());
        follow(&chapters.map(|what| (1, what)).collect::<Vec<_>>()).fate
    };
    let verdict = What::Failed(Verdict::NeverSent);
    assert_eq!(fate(&[]), Fate::Unfinished);
    assert_eq!(fate(&[What::Answered(404)]), Fate::Answered(404));
    assert_eq!(fate(&[What::Answered(200), What::Ended(StreamEnd::RemoteReset)]), Fate::Broken(200));
    assert_eq!(fate(&[What::Ended(StreamEnd::RemoteReset), verdict.clone()]), Fate::Failed);
    assert_eq!(fate(&[What::Ended(StreamEnd::LocalReset)]), Fate::GivenUp);
    assert_eq!(fate(&[What::Cancelled]), Fate::GivenUp);
    assert_eq!(fate(&[What::Refused(FailReason::PendingLimit), verdict.clone()]), Fate::Overflow);
    assert_eq!(fate(&[What::Refused(FailReason::ConnectTimeout), verdict]), Fate::Failed);
    // Who still waits when the recording ends has waited until then.
    let waiting = follow(&[(400, asked(false)), (400, What::Queued(QueueReason::Busy))]);
    assert_eq!((waiting.fate, waiting.waited), (Fate::Unfinished, Duration::from_millis(600)));
}

#[test]
fn percentiles_are_of_what_was_seen() {
    let lengths = Lengths::of((1..=200).rev().map(Duration::from_millis).collect());
    assert_eq!(lengths.percentile(50), Duration::from_millis(100));
    assert_eq!(lengths.percentile(99), Duration::from_millis(198));
    assert_eq!(lengths.percentile(100), Duration::from_millis(200));
    assert_eq!(lengths.percentile(0), Duration::from_millis(1));
    assert_eq!(Lengths::default().percentile(99), Duration::ZERO);
}
