//! The table of bugs as a page of Markdown.

use core::fmt::Write as _;

use super::table::MUTANTS;

/// The whole of `docs/mutants.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for mutant in MUTANTS {
        let _ = writeln!(
            page,
            "| {} | {} | `{}` | {} | {} |",
            mutant.name, mutant.does, mutant.file, mutant.engine, mutant.law
        );
    }
    page
}

const HEAD: &str = "\
# Bugs that must be found

Drawn from the data in `sim/src/mutants/table.rs` by
`cargo run -p pool-sim --example mutants > pool-core/docs/mutants.md`; a test holds this page equal to it.
`cargo run -p pool-sim --bin pool-mutants` puts each bug into a scratch copy of the sources, builds it, runs
the engine, and expects it to fail with the law in the last column: an invariant by its number in the
specification of Envoy's pools, or what machine and model differ in.

| bug | what it does wrong | where | found by | as |
|---|---|---|---|---|
";
