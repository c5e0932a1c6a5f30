//! The loader answers every text; whatever the bytes, it does not panic.

use proptest::prelude::*;

use super::*;

/// Things that matter to YAML, to the walker or to numbers.
const FRAGMENTS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    "\n",
    "\t",
    "&a ",
    "*a",
    "<<: ",
    "!x ",
    "'",
    "\"",
    "#",
    "|\n",
    "? ",
    "---\n",
    "null",
    "-1",
    "1e99",
    "99999999999999999999s",
    "0s",
    "\u{0}",
    "\u{feff}",
    "é",
    "@type",
    "%",
];

fn mutated(text: &str, changes: &[(usize, usize, usize)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, remove, fragment) in changes {
        let at = at % chars.len().max(1);
        let end = (at + remove).min(chars.len());
        chars.splice(at.min(end)..end, FRAGMENTS[fragment % FRAGMENTS.len()].chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_panics_and_sorts_what_it_found(
        changes in prop::collection::vec((any::<usize>(), 0_usize..12, any::<usize>()), 1..6),
        sample in prop::sample::select(vec![SAMPLE, FIVE]),
    ) {
        let text = mutated(sample, &changes);
        for mode in [Mode::Lenient, Mode::Strict] {
            if let Err(found) = load(&text, "f", mode) {
                prop_assert!(!found.problems.is_empty());
                prop_assert!(found.problems.is_sorted());
                let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 1;
                prop_assert!(found.problems.iter().all(|problem| (1..=lines).contains(&problem.at.line)));
            }
        }
    }

    #[test]
    fn never_panics_on_noise(text in "\\PC{0,60}") {
        let _ = load(&text, "f", Mode::Lenient);
    }
}
