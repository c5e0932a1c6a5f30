use super::outcome::{Check, Relation};
use super::*;

fn play_in_a_hurry() -> (Outcome, String) {
    let mut out = Vec::new();
    let outcome = run(Options { hurry: 8, ..Options::default() }, &mut out).unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

#[test]
fn everybody_counts_the_same_and_the_breakers_act() {
    let (outcome, text) = play_in_a_hurry();
    let failed: Vec<_> = outcome.checks().into_iter().filter(|check| !check.holds()).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{text}");
    assert!(outcome.is_as_expected());

    let (tally, entries) = (outcome.tally(), outcome.entries());
    assert!(tally.answered > 100, "{tally:?}");
    assert!(entries.reused * 2 > entries.connected, "{} of {} reused", entries.reused, entries.connected);
    let refused: Vec<_> = outcome.played.iter().map(|played| played.tally.overflow).collect();
    assert!(refused[2] > 0, "the bursts overflow the queue: {refused:?}");
    assert_eq!((refused[0], refused[1]), (0, 0), "there is room for 8 and for 32");
    // Of the four pools, two workers times two hosts, one has always a connection at the limit.
    let most = outcome.watched().breakers[0].most;
    assert!((16..16 + 4).contains(&most), "{most} connections");
    assert!(outcome.watched().breakers[1].most <= 32);
    assert!(outcome.played[4].by_host[1] > 0, "the second host is used again");
}

#[test]
fn the_report_says_what_the_numbers_say() {
    let (outcome, text) = play_in_a_hurry();
    assert!(text.contains("5/5 after"), "{text}");
    assert!(!text.contains('\r') && !text.contains('\x1b'), "plain lines where there is no terminal");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 80), "{text}");
    let row = |label: &str| {
        let line =
            text.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("{label}: {text}"));
        line[31..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("Requests").last().unwrap(), &outcome.tally().sent.to_string());
    assert_eq!(row("  opened").last().unwrap(), &outcome.figures.connections().to_string());
    assert_eq!(row("  max_pending_requests")[0], "32");
    assert_eq!(row("  max_pending_requests")[4], outcome.tally().overflow.to_string());
    assert!(text.ends_with("counted the\nsame (12 comparisons).\n"), "{text}");
}

#[test]
fn numbers_that_do_not_agree_are_told() {
    let (mut outcome, _) = play_in_a_hurry();
    outcome.played[1].tally.sent += 1;
    assert!(!outcome.is_as_expected());
    let mut out = Vec::new();
    report::print(&outcome, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("Not as expected:\n  requests sent, and given an answer or a 503: "), "{text}");
}

#[test]
fn a_check_holds_as_its_relation_says() {
    let check = |left, relation, right| Check { about: "", left, relation, right }.holds();
    assert!(check(1, Relation::Equal, 1) && !check(1, Relation::Equal, 2));
    assert!(check(1, Relation::AtMost, 1) && !check(2, Relation::AtMost, 1));
    assert!(check(1, Relation::Above, 0) && !check(0, Relation::Above, 0));
}

#[test]
fn nothing_is_left_behind() {
    let journal = Journal::create().unwrap();
    let path = journal.path().to_owned();
    assert!(path.exists());
    drop(journal);
    assert!(!path.exists());
}

#[test]
fn an_odd_path_is_quoted_in_the_configuration() {
    let journal = Journal::create().unwrap();
    let hosts = [SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2))];
    let text = configuration(&hosts, &journal);
    let (bootstrap, warnings) = config::load(&text, "demo.yaml", Mode::Strict).unwrap();
    assert_eq!(warnings, []);
    let ports: Vec<_> = bootstrap.clusters[0].endpoints.iter().map(|endpoint| endpoint.port).collect();
    assert_eq!(ports, [1, 2]);
}
