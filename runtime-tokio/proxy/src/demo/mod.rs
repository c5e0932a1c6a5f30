//! The demonstration: an upstream, the proxy and its clients in one process, in five acts.
//!
//! ```text
//!   clients --> proxy: 2 workers, config of demo.yaml --> upstream: two hosts
//!     |           |  /stats     \  access log                |
//!     v           v              v                           v
//!   Tally      Figures        Entries                     Counts      -> do they agree?
//! ```
//!
//! Everything is on loopback, on ports that the system chooses; nothing is left behind.

mod acts;
mod figures;
mod journal;
mod load;
mod outcome;
mod progress;
mod report;
#[cfg(test)]
mod tests;
mod upstream;
mod watch;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pool_core::client::Cluster;
use runtime_tokio::Client;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::config::{self, Mode};
use crate::worker::{self, Proxy, RunOptions};
use acts::{ACTS, Act, Hosts};
use figures::Figures;
use journal::{Entries, Journal};
use load::Caller;
pub use outcome::Outcome;
use outcome::Played;
use progress::Progress;
pub use progress::Screen;
use upstream::{Orders, Upstream};

/// The configuration, but for two ports and a path.
const CONFIG: &str = include_str!("demo.yaml");
const WORKERS: NonZeroU32 = NonZeroU32::new(2).expect("two");
/// How often the line of progress is written.
const TICK: Duration = Duration::from_millis(100);
/// How long the proxy may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How it is played.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Where the progress goes.
    pub screen: Screen,
    /// Each act takes its length divided by this. Default 1: ten seconds in all.
    pub hurry: u32,
    /// The proxy's workers. Default 2.
    pub workers: NonZeroU32,
    /// The folder that a recording of it goes to. Default none.
    pub record: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { screen: Screen::Lines, hurry: 1, workers: WORKERS, record: None }
    }
}

/// Why there was no demonstration.
#[derive(Debug)]
pub struct Error {
    during: &'static str,
    cause: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "demonstration: {}: {}", self.during, self.cause)
    }
}

impl std::error::Error for Error {}

/// What failed, with its cause.
fn failed<E: fmt::Display>(during: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error { during, cause: error.to_string() }
}

/// Plays it on standard output and gives the exit code: 0, or 1 if it could not be played or numbers
/// that should agree do not.
pub fn main(options: Options, err: &mut dyn Write) -> u8 {
    let mut out = io::stdout();
    let screen = if out.is_terminal() { Screen::Terminal } else { Screen::Lines };
    match run(Options { screen, ..options }, &mut out) {
        Ok(outcome) if outcome.is_as_expected() => 0,
        Ok(_) => 1,
        Err(error) => {
            let _ = writeln!(err, "{error}");
            1
        }
    }
}

/// Plays it. Blocks: not for an event loop.
///
/// # Errors
/// No ports, no threads, no file for the access log, or nowhere to print to.
pub fn run(options: Options, out: &mut dyn Write) -> Result<Outcome, Error> {
    let upstream = Upstream::start().map_err(failed("the upstream cannot start"))?;
    let journal = Journal::create().map_err(failed("no file for the access log"))?;
    let text = configuration(&upstream.addresses, &journal);
    let (bootstrap, _) = config::load(&text, "demo.yaml", Mode::Strict).map_err(failed("configuration"))?;
    let settings = RunOptions {
        concurrency: usize::try_from(options.workers.get()).ok(),
        record: options.record.clone(),
        drain_time: GRACE,
        config_text: text,
        ..RunOptions::default()
    };
    let running = worker::run(bootstrap, settings).map_err(failed("the proxy cannot start"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("no event loop for the clients"))?;
    let proxy = running.proxy().clone();
    introduce(&proxy, options.workers, &upstream.addresses, out).map_err(failed("output"))?;
    let (mut played, figures) = runtime.block_on(play(&options, &proxy, &upstream.orders(), out))?;
    running.stop();
    running.wait().map_err(failed("the proxy died"))?;
    let upstream = upstream.end().map_err(failed("the upstream"))?;
    let entries = journal.read().map_err(failed("access log"))?;
    for (played, entries) in played.iter_mut().zip(entries) {
        played.entries = entries;
    }
    let outcome = Outcome { played, figures, upstream };
    report::print(&outcome, out).map_err(failed("output"))?;
    Ok(outcome)
}

fn configuration(hosts: &[SocketAddr; 2], journal: &Journal) -> String {
    // In single quotes YAML knows no other escape.
    let path = journal.path().display().to_string().replace('\'', "''");
    CONFIG
        .replace("FIRST_PORT", &hosts[0].port().to_string())
        .replace("SECOND_PORT", &hosts[1].port().to_string())
        .replace("ACCESS_LOG", &path)
}

fn introduce(
    proxy: &Proxy,
    workers: NonZeroU32,
    hosts: &[SocketAddr; 2],
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "pool-proxy without arguments is a demonstration: ten seconds, one process.")?;
    writeln!(out, "'pool-proxy -c FILE' serves; 'pool-proxy --help' says more.\n")?;
    let listener = proxy.addresses().first().map_or_else(String::new, ToString::to_string);
    writeln!(out, "  clients --> {listener} --> {} and {}", hosts[0], hosts[1])?;
    let workers = match workers.get() {
        1 => "1 worker with these limits".to_owned(),
        more => format!("{more} workers that share one set of limits"),
    };
    writeln!(out, "              {workers}:")?;
    writeln!(out, "              16 connections, 32 requests waiting for one, 3 retries at a time\n")
}

async fn play(
    options: &Options,
    proxy: &Arc<Proxy>,
    orders: &Orders,
    out: &mut dyn Write,
) -> Result<(Vec<Played>, Figures), Error> {
    let admin = proxy.admin_address().ok_or("it has none").map_err(failed("admin port"))?;
    let client: Client = runtime_tokio::client().build();
    let mut stage = Stage { proxy, client: &client, admin, orders, sent: 0, figures: Figures::default() };
    let mut progress = Progress::new(options.screen, ACTS.len(), out);
    let mut played = Vec::new();
    for (number, act) in ACTS.into_iter().enumerate() {
        let act = Act { length: act.length / options.hurry.max(1), ..act };
        played.push(stage.perform(number, act, &mut progress).await?);
    }
    let figures = stage.figures;
    client.close().await;
    Ok((played, figures))
}

/// What every act needs.
struct Stage<'a> {
    proxy: &'a Arc<Proxy>,
    client: &'a Client,
    admin: SocketAddr,
    orders: &'a Orders,
    /// Requests so far.
    sent: u64,
    /// The proxy's numbers when the last act was over.
    figures: Figures,
}

impl Stage<'_> {
    async fn perform(
        &mut self,
        number: usize,
        act: Act,
        progress: &mut Progress<'_>,
    ) -> Result<Played, Error> {
        let listener = self.proxy.addresses().first().copied();
        let listener = listener.ok_or("it has none").map_err(failed("listener"))?;
        let cluster = self.proxy.pool_clusters().first().cloned();
        let cluster = cluster.ok_or("it has none").map_err(failed("cluster"))?;
        let hosts_before = by_host(&cluster);
        let caller = Caller::new(self.client.clone(), listener, number);
        let (stop, stopped) = oneshot::channel();
        let watcher = tokio::spawn(watch::watch(cluster.clone(), stopped));
        let began = Instant::now();
        let mut clients = tokio::spawn(caller.clone().perform(act, began + act.length));
        let outage = tokio::spawn(outage(act, began, self.orders.clone()));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                ended = &mut clients => break ended.map_err(failed("clients"))?,
                _ = ticks.tick() => {
                    let share = began.elapsed().as_secs_f64() / act.length.as_secs_f64();
                    progress.show(number, &act, share, &caller.tally(), &cluster).map_err(failed("output"))?;
                }
            }
        }
        outage.await.map_err(failed("outage"))?;
        drop(stop);
        let watched = watcher.await.map_err(failed("watcher"))?;
        let tally = std::mem::take(&mut *caller.tally());
        self.sent += tally.sent;
        let figures =
            figures::settled(self.client, self.admin, self.sent).await.map_err(failed("admin port"))?;
        progress.end(number, &act, &tally, began.elapsed()).map_err(failed("output"))?;
        let since = figures.since(&self.figures);
        self.figures = figures;
        let hosts = by_host(&cluster);
        let by_host = [hosts[0].saturating_sub(hosts_before[0]), hosts[1].saturating_sub(hosts_before[1])];
        Ok(Played { act, tally, watched, figures: since, entries: Entries::default(), by_host })
    }
}

/// What the second host does in an act.
async fn outage(act: Act, began: Instant, orders: Orders) {
    if act.hosts == Hosts::SecondLeaves {
        sleep_until(began + act.length / 5).await;
        orders.leave();
        sleep_until(began + act.length * 4 / 5).await;
        orders.come_back();
    }
}

/// Requests on connections to each host, so far.
fn by_host(cluster: &Cluster) -> [u64; 2] {
    let mut counts = [0; 2];
    for (count, host) in counts.iter_mut().zip(&cluster.stats().hosts) {
        *count = host.pools.rq_total;
    }
    counts
}
