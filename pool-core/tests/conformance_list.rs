//! Every law of the conformance suite is in the macro that runs it: a case that was written and
//! forgotten there would never fail.

mod source;

use std::collections::BTreeSet;
use std::fs;

use source::{package, rust_files};

/// Names of `pub fn name<H: Harness>()` in a file.
fn laws(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .filter_map(|line| line.strip_prefix("pub fn ")?.split_once("<H: Harness>()").map(|law| law.0))
}

#[test]
fn every_law_is_run_by_the_macro() {
    let rooms = package().join("src/conformance");
    let list = fs::read_to_string(rooms.join("mod.rs")).expect("the suite");
    let macros = list.split_once("macro_rules! conformance_suite").expect("the macro").1;
    let listed: BTreeSet<&str> =
        macros.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.contains('_')).collect();
    let mut count = 0;
    for file in rust_files(&rooms) {
        let source = fs::read_to_string(rooms.join(&file)).expect("a file that was listed");
        for law in laws(&source) {
            assert!(listed.contains(law), "{} is not run: {law}", file.display());
            count += 1;
        }
    }
    assert!(count > 70, "found only {count} laws");
}

#[test]
fn a_law_is_recognised() {
    assert_eq!(laws("pub fn a<H: Harness>() {\n}\nfn b<H: Harness>() {\n").collect::<Vec<_>>(), ["a"]);
}
