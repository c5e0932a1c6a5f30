//! Draws `pool-core/docs/mutants.md` from the table of bugs.

fn main() {
    print!("{}", pool_sim::mutants::page::page());
}
