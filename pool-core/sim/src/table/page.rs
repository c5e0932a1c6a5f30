//! The table drawn as a page of Markdown.

use core::fmt::Write as _;

use super::cells::cell;
use super::{Also, Fact, If, Name, Row, To};

/// The whole of `docs/states.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(HEAD);
    page.push_str("\n## Diagram\n\n");
    diagram(&mut page);
    page.push_str("\n## Table\n\n");
    page.push_str(LEGEND);
    matrix(&mut page);
    page
}

const HEAD: &str = "\
# States of a connection

Drawn from the data in `sim/src/table/cells.rs`. A test plays every fact in every case against the real
machine and compares; another holds this page equal to the data. To draw it again:
`cargo run -p pool-sim --example states > pool-core/docs/states.md`.

`BusyEarly` is `Busy` before the handshake is complete, `Settling` is `Ready` before the remaining input
was looked at. `Closed` means ordered to close: the name lives until the socket is known to be gone.
";

const LEGEND: &str = "\
Each line of a cell is one case; of the lines of a cell exactly one fits. In front of the colon: when.

| words | meaning |
|---|---|
| h1, h2 | the connection carries one stream at a time, or many |
| unused, used, one, more | no stream in progress, at least one, exactly one, more than one |
| one free, more free | how many streams it could still take |
| early, up | handshake not complete, complete |
| waited, unwaited | a request waits in the queue, none does |
| `·` | nothing changes |
| ignored | the fact makes no sense here; it changes nothing and is counted |
| **State** | the new state |
| closes (why) | the pool orders it to close |
| gone | the socket is gone, the name is dead |
| binds | a request that waits, or has just come, gets a stream |
| queues | the request that has just come waits |
| fails | the requests that wait fail |
| opens | another connection is opened for the requests that wait |
| notifies | the peer is to be sent GOAWAY |

Binds, fails and opens happen if a request waits. `LastRequest` is a request that takes the last stream of
the connection's life (`max_requests_per_connection`). Timers are those of this connection, or of the
queued request; a settling connection settles before they are looked at.

";

fn diagram(page: &mut String) {
    page.push_str("```mermaid\nstateDiagram-v2\n    [*] --> Connecting : Connect order\n");
    for from in Name::ALL {
        for to in Name::ALL {
            let leads = |row: &Row| match row.to {
                To::Become(name) => name == to,
                To::Close(_) => to == Name::Closed,
                To::Same | To::Ignored | To::Gone => false,
            };
            let facts: Vec<Fact> =
                Fact::ALL.into_iter().filter(|fact| cell(from, *fact).iter().any(leads)).collect();
            edge(page, &format!("{from:?} --> {to:?}"), &facts);
        }
        let gone = |fact: &Fact| cell(from, *fact).iter().any(|row| row.to == To::Gone);
        let facts: Vec<Fact> = Fact::ALL.into_iter().filter(gone).collect();
        edge(page, &format!("{from:?} --> [*]"), &facts);
    }
    page.push_str("```\n");
}

fn edge(page: &mut String, arrow: &str, facts: &[Fact]) {
    let names: Vec<String> = facts.iter().map(|fact| name(*fact)).collect();
    let label = match names.len() {
        0 => return,
        1..=3 => names.join(", "),
        many => format!("{many} facts"),
    };
    let _ = writeln!(page, "    {arrow} : {label}");
}

fn matrix(page: &mut String) {
    page.push_str("| fact |");
    for state in Name::ALL {
        let _ = write!(page, " {state:?} |");
    }
    page.push_str("\n|---|---|---|---|---|---|---|---|---|\n");
    for fact in Fact::ALL {
        let _ = write!(page, "| {} |", name(fact));
        for state in Name::ALL {
            let lines: Vec<String> = cell(state, fact).iter().map(line).collect();
            let _ = write!(page, " {} |", lines.join("<br>"));
        }
        page.push('\n');
    }
}

/// A fact in words that fit into a cell.
fn name(fact: Fact) -> String {
    match fact {
        Fact::StreamEnded(end) => format!("StreamEnded {end:?}"),
        other => format!("{other:?}"),
    }
}

fn line(row: &Row) -> String {
    let when: Vec<&str> = row.when.iter().map(|condition| word(*condition)).collect();
    let mut what = vec![match row.to {
        To::Same if row.also.is_empty() => "·".to_owned(),
        To::Same => String::new(),
        To::Ignored => "ignored".to_owned(),
        To::Become(state) => format!("**{state:?}**"),
        To::Close(why) => format!("closes ({why:?})"),
        To::Gone => "gone".to_owned(),
    }];
    what.retain(|word| !word.is_empty());
    what.extend(row.also.iter().map(|also| effect(*also).to_owned()));
    let what = what.join(", ");
    if when.is_empty() { what } else { format!("{}: {what}", when.join(", ")) }
}

const fn word(condition: If) -> &'static str {
    match condition {
        If::Exclusive => "h1",
        If::Streams => "h2",
        If::Unused => "unused",
        If::Used => "used",
        If::OneLeft => "one",
        If::MoreLeft => "more",
        If::OneFree => "one free",
        If::MoreFree => "more free",
        If::Early => "early",
        If::Up => "up",
        If::Waited => "waited",
        If::Unwaited => "unwaited",
    }
}

const fn effect(also: Also) -> &'static str {
    match also {
        Also::Binds => "binds",
        Also::Queues => "queues",
        Also::Fails => "fails",
        Also::Opens => "opens",
        Also::Notifies => "notifies",
    }
}
