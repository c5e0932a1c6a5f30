//! `pool-whatif what-if DIR --set max_connections=64` and `pool-whatif simulate --sweep ...`.

use std::process::ExitCode;

use pool_sim::{whatif, workload};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut out = String::new();
    match run(&args, &mut out) {
        Ok(()) => {
            print!("{out}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String], out: &mut String) -> Result<(), String> {
    let usage = || format!("{}\n{}", whatif::command::USAGE, workload::command::USAGE);
    match args {
        [command, rest @ ..] if command == "simulate" => workload::command::simulate(rest, out),
        [command, path, rest @ ..] if command == "what-if" => {
            let files = read(path).map_err(|error| format!("{path}: {error}"))?;
            let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
            whatif::command::what_if(&files, rest, out)
        }
        _ => Err(usage()),
    }
}

/// A recording, or all that lie in a folder, in the order of their names.
fn read(path: &str) -> std::io::Result<Vec<Vec<u8>>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![std::fs::read(path)?]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)? {
        paths.push(entry?.path());
    }
    paths.sort();
    let files = paths.iter().filter(|path| path.is_file()).map(std::fs::read);
    // What else lies in the folder is not meant.
    Ok(files
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .filter(|file| file.starts_with(b"POOLTRC1"))
        .collect())
}
