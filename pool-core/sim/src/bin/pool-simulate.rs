//! Runs seeds of the whole-stack simulation; see the crate's `README.md`.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pool_sim::net::campaign::{Summary, explain, replay_command};
use pool_sim::net::run;
use pool_sim::net::trace::Tracing;

const USAGE: &str = "\
pool-simulate --seed N            one seed, with its trace
pool-simulate --seeds A..B        all seeds from A up to B
  --jobs N                        that many threads (default: one per processor)
  --most-failures N               stop after so many failed seeds (default 5)";

/// What was asked for.
struct Wish {
    seeds: Range<u64>,
    is_single: bool,
    jobs: usize,
    most_failures: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(wish) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if wish.is_single { one(wish.seeds.start) } else { many(&wish) }
}

fn parse(arguments: &[String]) -> Option<Wish> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut wish = Wish { seeds: 0..0, is_single: false, jobs, most_failures: 5 };
    let mut pairs = arguments.chunks(2);
    while let Some([name, value]) = pairs.next() {
        match name.as_str() {
            "--seed" => {
                let seed = value.parse().ok()?;
                wish.seeds = seed..seed + 1;
                wish.is_single = true;
            }
            "--seeds" => {
                let (from, to) = value.split_once("..")?;
                wish.seeds = from.parse().ok()?..to.parse().ok()?;
            }
            "--jobs" => wish.jobs = value.parse().ok().filter(|jobs| *jobs > 0)?,
            "--most-failures" => wish.most_failures = value.parse().ok()?,
            _ => return None,
        }
    }
    (arguments.len() % 2 == 0 && !wish.seeds.is_empty()).then_some(wish)
}

fn one(seed: u64) -> ExitCode {
    let report = run(seed, Tracing::On);
    print!("{}", report.trace);
    for (name, count) in &report.counts {
        println!("{count:>12}  {name}");
    }
    if report.objections.is_empty() {
        println!("seed {seed} ({:?}) passed, {} requests", report.profile, report.requests);
        return ExitCode::SUCCESS;
    }
    println!("seed {seed} ({:?}) failed:", report.profile);
    for objection in &report.objections {
        println!("  {objection}");
    }
    println!("replay: {}", replay_command(seed));
    ExitCode::FAILURE
}

#[expect(clippy::disallowed_methods, reason = "tells people how fast it was; no run sees it")]
fn many(wish: &Wish) -> ExitCode {
    let began = std::time::Instant::now();
    let next = AtomicU64::new(wish.seeds.start);
    let total = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..wish.jobs {
            scope.spawn(|| work(wish, &next, &total));
        }
    });
    let summary = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let took = began.elapsed().as_secs_f64();
    print!("{}", summary.table());
    let runs = summary.runs();
    println!("{runs} seeds in {took:.1} s with {} threads: {:.0} seeds/s", wish.jobs, runs as f64 / took);
    if let Some(first) = summary.failed.first() {
        println!("\n{}", explain(*first));
    }
    for seed in &summary.failed {
        println!("FAILED seed {seed}: {}", replay_command(*seed));
    }
    let uncovered = summary.uncovered();
    for (profile, name) in &uncovered {
        println!("NOT COVERED by {profile:?}: {name}");
    }
    if summary.failed.is_empty() && uncovered.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(wish: &Wish, next: &AtomicU64, total: &Mutex<Summary>) {
    let mut summary = Summary::default();
    let failures = || total.lock().map_or(usize::MAX, |total| total.failed.len());
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= wish.seeds.end || failures() + summary.failed.len() >= wish.most_failures.max(1) {
            break;
        }
        let report = run(seed, Tracing::Off);
        summary.add(&report);
        for objection in &report.objections {
            println!("seed {seed}: {objection}");
        }
    }
    if let Ok(mut total) = total.lock() {
        total.merge(summary);
    }
}
