//! The machine against the table, in every case.

use core::fmt::Write as _;

use super::cells::cell;
use super::stage::{Case, Queue, Seen, play};
use super::{Also, Fact, Row};

/// Plays every fact in every case; answers how many were played.
///
/// # Errors
/// Tells every case in which machine and table differ.
pub fn check() -> Result<usize, String> {
    let mut played = 0;
    let mut wrong = String::new();
    for case in Case::all() {
        for fact in Fact::ALL {
            let rows = fitting(case, fact);
            let [row] = rows.as_slice() else {
                let _ = writeln!(wrong, "{fact:?} in {case:?} fits {rows:?}");
                continue;
            };
            let (seen, said) = (play(case, fact), expected(row, case, fact));
            if seen != said {
                let _ =
                    writeln!(wrong, "{fact:?} in {case:?}: the table says {said:?}, the machine {seen:?}");
            }
            played += 1;
        }
    }
    if wrong.is_empty() { Ok(played) } else { Err(wrong) }
}

/// The rows of a cell that fit a case.
fn fitting(case: Case, fact: Fact) -> Vec<&'static Row> {
    let rows = cell(case.state, fact).iter();
    rows.filter(|row| row.when.iter().all(|condition| case.is(*condition))).collect()
}

/// What a row says about a case: nobody is served who does not wait.
fn expected(row: &Row, case: Case, fact: Fact) -> Seen {
    let asks = matches!(fact, Fact::Request | Fact::SafeRequest | Fact::LastRequest);
    let somebody = asks || case.queue == Queue::OneWaits;
    let also = row.also.iter().copied().filter(|also| match also {
        Also::Binds | Also::Fails | Also::Opens => somebody,
        Also::Queues | Also::Notifies => true,
    });
    Seen { to: row.to, also: also.collect() }
}
