//! Makes the recordings of a bad few seconds: two workers, a server that slows down, drops idle
//! connections, is restarted and is flooded, and limits that bite.
//!
//! ```text
//! cargo run -p pool-proxy --example incident -- /tmp/incident
//! cargo run -p pool-proxy -- replay /tmp/incident
//! cargo run -p pool-proxy -- explain /tmp/incident --request 0:17
//! cargo run -p pool-proxy -- timeline -o /tmp/incident.html /tmp/incident
//! ```
//!
//! A second argument makes it a steady load of so many requests on a good server instead.
#![forbid(unsafe_code)]

mod load;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use load::Plan;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (folder, requests) = (arguments.next().map(PathBuf::from), arguments.next());
    let requests = requests.map(|text| text.to_string_lossy().parse::<usize>());
    let (Some(folder), None | Some(Ok(_))) = (folder, &requests) else {
        eprintln!("usage: incident DIR [REQUESTS]");
        return ExitCode::FAILURE;
    };
    let plan = requests.and_then(Result::ok).map_or_else(Plan::incident, Plan::steady);
    match load::run(&folder, &plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
