//! Disturbs a server at random moments (seeded) while a load runs, and notes when nobody listened.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::servers::Server;

/// From the start of a load to the first disturbance.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A way to disturb a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// nginx: new worker, the old one closes idle connections and finishes the others.
    Reload,
    /// nginx: the worker dies with all its connections, the port stays open.
    KillWorker,
    /// Everything dies and comes back; in between, connects are refused.
    Restart,
}

/// How a server is disturbed: which ways, and the shortest and longest pause in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Menu {
    pub(crate) ways: &'static [Disturbance],
    pub(crate) pause: (Duration, Duration),
}

/// What was done to the server.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) disturbances: Vec<Disturbance>,
    /// When nobody listened, from before the kill until after the first accepted connect.
    pub(crate) outages: Vec<(Instant, Instant)>,
}

impl Account {
    /// Whether a last attempt that ended at `at` may have met a closed port. `slack` is how late a
    /// busy machine may tell the outcome of an attempt.
    pub(crate) fn unreachable_at(&self, at: Instant, slack: Duration) -> bool {
        self.outages.iter().any(|&(from, until)| from <= at && at <= until + slack)
    }
}

impl Account {
    /// The time from the end of the last outage before `at`, for people.
    pub(crate) fn since_outage(&self, at: Instant) -> Option<Duration> {
        let ends = self.outages.iter().map(|&(_, until)| until);
        ends.filter(|&until| until <= at).max().map(|until| at - until)
    }
}

/// A thread that disturbs until it is told to stop.
pub(crate) struct Chaos {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<(Server, Account)>,
}

impl Chaos {
    /// Starts disturbing `server`: one of the menu's ways after each random pause.
    pub(crate) fn start(mut server: Server, menu: Menu, seed: u64) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut account = Account::default();
            let mut chance = SplitMix(seed);
            let (shortest, longest) = menu.pause;
            // The first one comes soon, so that a short load is disturbed too.
            let mut pause = FIRST_PAUSE;
            loop {
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return (server, account);
                }
                let which = menu.ways[(chance.next() % menu.ways.len() as u64) as usize];
                match which {
                    Disturbance::Reload => server.reload(),
                    Disturbance::KillWorker => server.kill_worker(),
                    Disturbance::Restart => {
                        let from = Instant::now();
                        server.restart();
                        account.outages.push((from, Instant::now()));
                    }
                }
                account.disturbances.push(which);
                pause = shortest + (longest - shortest).mul_f64(chance.next() as f64 / u64::MAX as f64);
            }
        });
        Self { stop, thread }
    }

    /// Ends the disturbances; the server is up when this returns.
    pub(crate) fn stop(self) -> (Server, Account) {
        drop(self.stop);
        self.thread.join().expect("the disturbing thread reports its own failures")
    }
}

/// SplitMix64: small, seeded, good enough to pick a moment.
struct SplitMix(u64);

impl SplitMix {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
