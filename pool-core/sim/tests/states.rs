//! Code, table and page of a connection's states, held together.

use pool_sim::table::cells::cell;
use pool_sim::table::check::check;
use pool_sim::table::page::page;
use pool_sim::table::stage::Case;
use pool_sim::table::{Fact, Name};

#[test]
fn the_machine_does_what_the_table_says_in_every_case() {
    let played = check().unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(played > 1_500, "{played} played");
}

#[test]
fn every_row_of_the_table_is_met() {
    let mut rows = 0;
    for state in Name::ALL {
        for fact in Fact::ALL {
            for row in cell(state, fact) {
                let met =
                    |case: &Case| case.state == state && row.when.iter().all(|condition| case.is(*condition));
                assert!(Case::all().iter().any(met), "{fact:?} in {state:?}: {row:?} is met by no case");
                rows += 1;
            }
        }
    }
    assert!(rows > Name::ALL.len() * Fact::ALL.len());
}

#[test]
fn the_page_is_drawn_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/states.md");
    let drawn = std::fs::read_to_string(path).expect("docs/states.md is there");
    assert!(drawn == page(), "docs/states.md is old: see its head for the command that draws it");
}

/// A fact that is forgotten in `Fact::ALL` would be missing in the product.
#[test]
fn the_product_is_full() {
    let names: std::collections::BTreeSet<String> =
        Fact::ALL.iter().map(|fact| format!("{fact:?}")).collect();
    assert_eq!(names.len(), Fact::ALL.len(), "a fact is listed twice");
    // 28 without StreamEnded, which comes in seven ways.
    assert_eq!(names.len(), 28 + 7);
    for state in Name::ALL {
        for fact in Fact::ALL {
            assert!(!cell(state, fact).is_empty(), "{fact:?} in {state:?}");
        }
    }
}
