//! Every law of the conformance suites is in the macro that runs it: a case that was written and
//! forgotten there would never fail.

mod source;

use std::collections::BTreeSet;
use std::fs;

use source::{package, rust_files};

/// Names of `pub fn name<H: Harness>()` in a file, for whichever trait the harness is.
fn laws<'a>(source: &'a str, harness: &str) -> Vec<&'a str> {
    let bound = format!("<H: {harness}>()");
    source
        .lines()
        .filter_map(|line| line.strip_prefix("pub fn ")?.split_once(&bound).map(|law| law.0))
        .collect()
}

/// Looks for the laws of a suite in its macro; at least so many.
fn check(folder: &str, name: &str, harness: &str, least: usize) {
    let rooms = package().join(folder);
    let list = fs::read_to_string(rooms.join("mod.rs")).expect("the suite");
    let macros = list.split_once(&format!("macro_rules! {name}")).expect("the macro").1;
    let listed: BTreeSet<&str> =
        macros.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.contains('_')).collect();
    let mut count = 0;
    for file in rust_files(&rooms) {
        let source = fs::read_to_string(rooms.join(&file)).expect("a file that was listed");
        for law in laws(&source, harness) {
            assert!(listed.contains(law), "{} is not run: {law}", file.display());
            count += 1;
        }
    }
    assert!(count >= least, "found only {count} laws");
}

#[test]
fn every_law_for_clients_is_run_by_the_macro() {
    check("src/conformance", "conformance_suite", "Harness", 70);
}

#[test]
fn every_law_for_servers_is_run_by_the_macro() {
    check("src/conformance/serving", "server_conformance_suite", "ServerHarness", 60);
}

#[test]
fn a_law_is_recognised() {
    let source = "pub fn a<H: Harness>() {\n}\nfn b<H: Harness>() {\n}\npub fn c<H: ServerHarness>() {\n";
    assert_eq!((laws(source, "Harness"), laws(source, "ServerHarness")), (vec!["a"], vec!["c"]));
}
