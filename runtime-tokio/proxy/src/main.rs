//! The `pool-proxy` program.
#![forbid(unsafe_code)]

use std::io::{stderr, stdout};
use std::process::ExitCode;

use pool_proxy::recordings::command;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match command::parse(&arguments) {
        Some(Ok(command)) => ExitCode::from(command::run(&command, &mut stdout(), &mut stderr())),
        other => {
            eprintln!("{other:?}");
            ExitCode::FAILURE
        }
    }
}
