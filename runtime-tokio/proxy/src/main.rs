//! The `pool-proxy` program.
#![forbid(unsafe_code)]

use std::io::{stderr, stdout};
use std::process::ExitCode;

use pool_proxy::demo;
use pool_proxy::startup::{Start, start};

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    match start(arguments, &mut stdout(), &mut stderr()) {
        Start::Exit(code) => ExitCode::from(code),
        Start::Serve(ready) => ExitCode::from(ready.serve(&mut stderr())),
        Start::Demo(options) => ExitCode::from(demo::main(options, &mut stderr())),
    }
}
