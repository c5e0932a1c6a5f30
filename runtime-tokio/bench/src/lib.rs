//! What HTTP connection pools cost: ours, the field's and hand-written floors, in the same run.
//!
//! Figures move between machines; ratios between peers that ran side by side do not. So every case
//! runs all its peers in interleaved rounds, each measurement in a process of its own, pinned to one
//! core, against an origin pinned to another, and what is printed is the ratio of medians.
//!
//! * `micro`: acquire and release on a bare pool; full keys are hashed and compared inside the timed
//!   region by everyone that has keys.
//! * `client`: HTTP/1.1 requests over loopback, from call to end of body.
//! * `idle`: heap held by one idle HTTP/1.1 connection.
//! * `proxy`: HTTP/1.1 requests through a proxy with one worker, by the proxy's process.
//!
//! A **floor** is the least code that does the job, without policy; it is no peer, and no ratio is
//! taken to it. Instructions and system calls come from `valgrind` and `strace` where they are
//! installed; allocations from the twin program `pool-bench-alloc`, so that counting them does not
//! disturb the CPU figures.
//!
//! Reading order: `args`, `cases`, `rounds` (who runs what, how often), `case` (inside one measured
//! process), `micro`, `http` and `proxy` (the loads and the peers), `measure`, `report`.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads clocks and starts threads; no machine of the workspace is in here"
)]

mod args;
mod case;
mod cases;
mod error;
mod figures;
mod http;
pub mod measure;
mod micro;
mod origin;
mod proxy;
mod report;
mod rounds;
mod started;

use std::process::ExitCode;

use args::Command;

/// Runs the program: parses `arguments` (without the program's own name) and does what they say.
///
/// Returns failure if the arguments are wrong, a case could not be run, or any request failed.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let done = match args::parse(arguments) {
        Ok(Command::Help) => {
            println!("{}", args::HELP);
            Ok(())
        }
        Ok(Command::Origin(origin)) => origin::run(&origin),
        Ok(Command::Serve(serve)) => proxy::serve(&serve),
        Ok(Command::Case(case)) => case::run(&case),
        Ok(Command::Bench(plan)) => rounds::run(&plan),
        Err(wrong) => Err(wrong),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pool-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
