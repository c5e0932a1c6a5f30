//! The table of bugs, kept young: each bug still has its place in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pool_sim::engines::Engine;
use pool_sim::mutants::page::page;
use pool_sim::mutants::table::MUTANTS;

#[test]
fn every_bug_has_one_place_in_the_sources() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    for mutant in MUTANTS {
        let source = fs::read_to_string(sources.join(mutant.file)).expect("the file of a bug is there");
        assert_eq!(source.matches(mutant.find).count(), 1, "{}: {:?}", mutant.name, mutant.find);
        assert_ne!(mutant.find, mutant.replace, "{}", mutant.name);
    }
}

#[test]
fn there_are_many_bugs_and_every_engine_finds_some() {
    assert!(MUTANTS.len() >= 12);
    let names: BTreeSet<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
    assert_eq!(names.len(), MUTANTS.len(), "a name is used twice");
    for engine in ["table", "search", "walk", "model"] {
        let found = MUTANTS.iter().any(|mutant| mutant.engine.to_string().starts_with(engine));
        assert!(found, "{engine} finds no bug");
    }
}

#[test]
fn engines_are_found_by_their_names() {
    for mutant in MUTANTS {
        let said = mutant.engine.to_string();
        let mut words = said.split(' ');
        let engine = words.next().and_then(|name| Engine::named(name, words.next()));
        assert_eq!(engine, Some(mutant.engine), "{said}");
    }
}

#[test]
fn the_page_is_drawn_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mutants.md");
    let drawn = fs::read_to_string(path).expect("docs/mutants.md is there");
    assert!(drawn == page(), "docs/mutants.md is old: see its head for the command that draws it");
}
