//! `pool-bench`: see the library's documentation, or `pool-bench --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pool_bench::run(std::env::args().skip(1))
}
