//! `pool-bench-alloc`: `pool-bench` with every allocation counted. `pool-bench` starts it itself.

use std::process::ExitCode;

use pool_bench::measure::alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    pool_bench::run(std::env::args().skip(1))
}
