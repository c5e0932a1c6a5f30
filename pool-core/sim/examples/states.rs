//! Draws `pool-core/docs/states.md` from the transition table.

fn main() {
    print!("{}", pool_sim::table::page::page());
}
