//! Searches every interleaving of small plans: `pool-search [--plan NAME]... [--most STATES] [--list]`.

use std::process::ExitCode;

use pool_sim::search::plans;
use pool_sim::search::{Plan, Trouble, run};

const USAGE: &str = "usage: pool-search [--plan NAME]... [--small] [--most STATES] [--list]";

fn main() -> ExitCode {
    let mut chosen: Vec<Plan> = Vec::new();
    let mut most = 20_000_000;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = match argument.as_str() {
            "--plan" | "--config" | "--most" => arguments.next(),
            _ => None,
        };
        match (argument.as_str(), value) {
            ("--list", _) => {
                plans::all().iter().for_each(|plan| println!("{:20} {}", plan.name, plan.about));
                return ExitCode::SUCCESS;
            }
            ("--small", _) => chosen.extend(plans::small()),
            ("--plan" | "--config", Some(name)) => match plans::named(&name) {
                Some(plan) => chosen.push(plan),
                None => return usage(&format!("there is no plan {name:?}, see --list")),
            },
            ("--most", Some(number)) => match number.parse() {
                Ok(number) => most = number,
                Err(_) => return usage(&format!("{number:?} is no number of states")),
            },
            _ => return usage(&format!("{argument:?} is not understood")),
        }
    }
    if chosen.is_empty() {
        chosen = plans::all();
    }
    let mut broken = 0;
    for plan in &chosen {
        let began = clock();
        match run(plan, most, |_| {}) {
            Ok(report) => println!("{:20} {report}, {:.1} s", plan.name, began.elapsed().as_secs_f64()),
            Err(Trouble::TooMany(report)) => {
                println!("{:20} NOT COMPLETE after {report}", plan.name);
                broken += 1;
            }
            Err(Trouble::Broken(found)) => {
                println!("{:20} BROKEN\n{}", plan.name, found.story);
                broken += 1;
            }
        }
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "a program tells how long it took")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("{problem}\n{USAGE}");
    ExitCode::FAILURE
}
