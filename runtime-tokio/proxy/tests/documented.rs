//! What the documents list is what the code has.

use std::collections::BTreeSet;

use pool_proxy::access_log::{Format, ResponseFlags};
use pool_proxy::stats::SCOPES;

/// Rows of the table under a heading, as cells without backticks.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, below) =
        text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no `{heading}`"));
    let section = below.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let cells = |row: &str| {
        row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    rows.skip(1).map(cells).collect()
}

#[test]
fn stats() {
    let text = include_str!("../docs/stats.md");
    for (scope, names) in SCOPES {
        let told = table(text, &format!("`{scope}`"));
        let known: Vec<Vec<String>> = names
            .iter()
            .map(|stat| vec![stat.name.to_owned(), stat.kind.name().to_owned(), stat.doc.trim().to_owned()])
            .collect();
        assert_eq!(told, known, "{scope}");
    }
}

#[test]
fn access_log_operators_and_flags() {
    let text = include_str!("../docs/access-log.md");
    let told: BTreeSet<String> = table(text, "Operators")
        .into_iter()
        .flat_map(|row| row[0].split("`, `").map(str::to_owned).collect::<Vec<_>>())
        .map(|operator| {
            operator.split(['(', '%']).find(|part| !part.is_empty()).unwrap_or_default().to_owned()
        })
        .collect();
    let known: BTreeSet<String> = Format::operators().map(str::to_owned).collect();
    assert_eq!(told, known);
    let told: Vec<Vec<String>> =
        table(text, "Response flags").into_iter().map(|row| row[..2].to_vec()).collect();
    let known: Vec<Vec<String>> = ResponseFlags::ALL
        .iter()
        .map(|(_, short, long)| vec![(*short).to_owned(), (*long).to_owned()])
        .collect();
    assert_eq!(told, known);
}
