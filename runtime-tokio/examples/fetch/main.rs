//! Fetches through the pool from an origin in the same process, in three acts, and prints what the
//! pool did. Exits with 1 if a request failed or the pool did not do what the act is about.
//!
//! ```sh
//! cargo run -p runtime-tokio --example fetch
//! ```

mod server;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use pool_core::client::{Breakers, ConnectionInfo, PoolSnapshot};
use pool_core::limits::{Limits, Thresholds};
use runtime_tokio::Client;
use tokio::time::{Instant, sleep, timeout};

use server::{Ends, Manners, REQUEST_ID};

/// How often the pool is looked at while an act runs.
const GLANCE: Duration = Duration::from_millis(2);
/// An act that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// One load on one origin through one pool.
#[derive(Clone, Copy)]
struct Act {
    title: &'static str,
    about: &'static str,
    origin: Manners,
    requests: u32,
    concurrency: u32,
    max_connections: u32,
    /// What the pool is to have done, besides answering everything.
    expected: fn(&Outcome) -> bool,
}

const ACTS: [Act; 3] = [
    Act {
        title: "one by one",
        about: "1000 requests, one at a time: one connection carries them all",
        origin: Manners { thinks: Duration::ZERO, ends: Ends::Never },
        requests: 1000,
        concurrency: 1,
        max_connections: 1024,
        expected: |outcome| outcome.end.stats.cx_total == 1,
    },
    Act {
        title: "narrow door",
        about: "3000 requests, 64 at a time, max_connections 8: the others queue in order of arrival",
        origin: Manners { thinks: Duration::from_millis(1), ends: Ends::Never },
        requests: 3000,
        concurrency: 64,
        max_connections: 8,
        expected: |outcome| outcome.end.stats.cx_total == 8 && outcome.busiest.triple.pending > 0,
    },
    Act {
        title: "rude origin",
        about: "3000 requests, 16 at a time; each connection ends after 50, every other without a word",
        origin: Manners { thinks: Duration::ZERO, ends: Ends::After(50) },
        requests: 3000,
        concurrency: 16,
        max_connections: 1024,
        expected: |outcome| outcome.tally.replays > 0 && outcome.end.stats.cx_total >= 3000 / 51,
    },
];

/// What came of an act.
struct Outcome {
    act: Act,
    took: Duration,
    tally: Tally,
    /// The pool when most requests were waiting or in progress.
    busiest: PoolSnapshot,
    /// The pool when the last answer was there.
    end: PoolSnapshot,
}

/// What the callers saw.
#[derive(Default)]
struct Tally {
    answered: u32,
    reused: u32,
    replays: u32,
    queue_times: Vec<Duration>,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, part: Self) {
        self.answered += part.answered;
        self.reused += part.reused;
        self.replays += part.replays;
        self.queue_times.extend(part.queue_times);
        self.failures.extend(part.failures);
    }
}

impl Outcome {
    fn is_as_expected(&self) -> bool {
        self.tally.answered == self.act.requests && (self.act.expected)(self)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match play().await {
        Ok(outcomes) if outcomes.iter().all(Outcome::is_as_expected) => ExitCode::SUCCESS,
        Ok(outcomes) => {
            for outcome in outcomes.iter().filter(|outcome| !outcome.is_as_expected()) {
                let some: Vec<_> = outcome.tally.failures.iter().take(3).collect();
                eprintln!("not as expected: {} {some:?}", outcome.act.title);
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("fetch: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play() -> io::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (number, act) in (1..).zip(ACTS) {
        print!("{number} of {}  {:<12} {} ... ", ACTS.len(), act.title, act.about);
        io::stdout().flush()?;
        let outcome = timeout(PATIENCE, perform(act)).await??;
        println!("{:.2} s", outcome.took.as_secs_f64());
        outcomes.push(outcome);
    }
    println!();
    table::print(&outcomes);
    Ok(outcomes)
}

async fn perform(act: Act) -> io::Result<Outcome> {
    let origin = server::start(act.origin).await?;
    let limits = Limits::both(Thresholds::default().max_connections(act.max_connections));
    let client: Client = runtime_tokio::client().breakers(Breakers::new(limits)).build();

    let began = Instant::now();
    let next = Arc::new(AtomicU32::new(0));
    let callers: Vec<_> = (0..act.concurrency)
        .map(|_| tokio::spawn(call_in_turn(client.clone(), origin, next.clone(), act.requests)))
        .collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(watch(client.clone(), is_over.clone()));
    let mut tally = Tally::default();
    for caller in callers {
        tally.add(caller.await?);
    }
    let took = began.elapsed();
    let end = client.snapshot().pools.pop();
    is_over.store(true, Ordering::Relaxed);
    let busiest = watcher.await?;
    tally.queue_times.sort_unstable();
    client.close().await;

    // A pool that has no connection left is forgotten; then the busiest moment is all we know.
    let end = end.or_else(|| busiest.clone()).ok_or_else(|| io::Error::other("there was no pool"))?;
    let busiest = busiest.unwrap_or_else(|| end.clone());
    Ok(Outcome { act, took, tally, busiest, end })
}

/// One caller: takes the next number, fetches, looks at the answer, until all numbers are taken.
async fn call_in_turn(client: Client, origin: SocketAddr, next: Arc<AtomicU32>, requests: u32) -> Tally {
    let mut tally = Tally::default();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= requests {
            return tally;
        }
        match fetch(&client, origin, number).await {
            Ok(info) => {
                tally.answered += 1;
                tally.reused += u32::from(info.is_reused());
                tally.replays += u32::from(info.replays());
                tally.queue_times.push(info.queue_time());
            }
            Err(error) => tally.failures.push(format!("request {number}: {error}")),
        }
    }
}

async fn fetch(
    client: &Client,
    origin: SocketAddr,
    number: u32,
) -> Result<ConnectionInfo, Box<dyn Error + Send + Sync>> {
    let request = Request::get(format!("http://{origin}/")).header(REQUEST_ID, number);
    let response = client.call(request.body(runtime_tokio::empty())?).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("status {}", response.status()).into());
    }
    let info = response.extensions().get().copied().ok_or("a response without its connection")?;
    let body = response.into_body().collect().await?.to_bytes();
    if body.len() != server::BODY.len() {
        return Err(format!("a body of {} bytes", body.len()).into());
    }
    Ok(info)
}

/// Looks at the pool now and then, and keeps the moment when it had most to do.
async fn watch(client: Client, is_over: Arc<AtomicBool>) -> Option<PoolSnapshot> {
    let mut busiest: Option<PoolSnapshot> = None;
    let load = |pool: &PoolSnapshot| pool.triple.active + pool.triple.pending;
    while !is_over.load(Ordering::Relaxed) {
        let seen = client.snapshot().pools.pop();
        busiest = match (busiest, seen) {
            (Some(busiest), Some(seen)) if load(&seen) <= load(&busiest) => Some(busiest),
            (busiest, seen) => seen.or(busiest),
        };
        sleep(GLANCE).await;
    }
    busiest
}
