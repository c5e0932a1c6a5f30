//! The walk: any bytes are settings and steps; after every step all invariants hold, and at the
//! end everybody has an outcome and nothing is left.

use core::fmt::Write as _;
use core::time::Duration;

use pool_core::config::RequestLimit;
use pool_core::config::{Admission, EarlyDataSupport, FailQueue, Jitter, Multiplexing, PoolConfig};
use pool_core::limits::{Limits, Thresholds, UNLIMITED};
use pool_core::pool::DrainMode;
use pool_core::time::Instant;

use crate::alphabet::{Choices, Step};
use crate::bench::{Bench, Settings};
use crate::invariants::RATIOS;
use crate::steps;

/// Steps of one walk at most, so that long inputs stay cheap.
const MAX_STEPS: usize = 2_000;

/// Walks. Panics if anything that must hold does not; the message ends with the steps taken.
pub fn run(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let settings = settings(&mut choices);
    let mut walk = Walk::new(&settings, Instant::from_millis(1));
    walk.steps(&mut choices);
    walk.end(&mut choices);
}

/// Settings read from choices: small numbers, so that limits are met often.
pub fn settings(choices: &mut Choices<'_>) -> Settings {
    let ms = |ms: u64| Duration::from_millis(ms);
    let multiplexing = match choices.below(5) {
        0 | 1 => Multiplexing::Exclusive,
        more => Multiplexing::Streams { max_concurrent_streams: u32::from(more) * 2 - 3 },
    };
    let jitter = choices.pick(&[Jitter::NONE, Jitter::NONE, Jitter::percent(50)]);
    let config = PoolConfig::builder(multiplexing)
        .max_requests_per_connection(choices.pick(&[None, None, Some(1), Some(2), Some(3)]))
        .per_upstream_preconnect_ratio(choices.pick(&RATIOS))
        .connect_timeout(choices.pick(&[ms(40), ms(40), ms(200)]))
        .idle_timeout(choices.pick(&[None, Some(ms(70))]))
        .idle_jitter(jitter)
        .max_connection_duration(choices.pick(&[None, Some(ms(90))]))
        .max_connection_duration_jitter(jitter)
        .drain_timeout(choices.pick(&[None, Some(ms(50))]))
        .pending_timeout(choices.pick(&[None, None, Some(ms(60))]))
        .on_connect_failure(choices.pick(&[FailQueue::All, FailQueue::Unservable]))
        .admission(choices.pick(&[Admission::ForceOne, Admission::ForceOne, Admission::Strict]))
        .request_limit(choices.pick(&[RequestLimit::Enforced, RequestLimit::Enforced, RequestLimit::Ignored]))
        .early_data(choices.pick(&[EarlyDataSupport::Off, EarlyDataSupport::On]))
        .build()
        .expect("all of these settings are valid");
    let thresholds = Thresholds::unlimited()
        .max_connections(choices.pick(&[1, 2, 3, 5, 0, UNLIMITED]))
        .max_pending_requests(choices.pick(&[8, 3, 1, 0, UNLIMITED]))
        .max_requests(choices.pick(&[16, 5, 2, 1, UNLIMITED]))
        .max_connections_per_host(choices.pick(&[UNLIMITED, UNLIMITED, 2, 1]));
    Settings {
        config,
        limits: Limits::both(thresholds),
        hosts: choices.pick(&[&[0][..], &[0, 1], &[0, 0], &[0, 1, 0]]).to_vec(),
        initial_limit: choices.pick(&[None, None, Some(1), Some(3)]),
    }
}

/// A walk in progress.
#[derive(Debug)]
pub struct Walk {
    /// Where it has come to.
    pub bench: Bench,
    current: usize,
    settings: String,
    trace: Vec<Step>,
}

impl Drop for Walk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut story = format!("{}\n", self.settings);
            for step in &self.trace {
                let _ = writeln!(story, "  {step:?}");
            }
            for (pool, event) in self.bench.events.iter().rev().take(24).rev() {
                let _ = writeln!(story, "  pool {pool}: {event:?}");
            }
            eprintln!("{story}... at {:?}, in pool {}", self.bench.now(), self.current);
        }
    }
}

impl Walk {
    /// A walk at its beginning.
    #[must_use]
    pub fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            bench: Bench::new(settings, now),
            current: 0,
            settings: format!("{settings:?}"),
            trace: Vec::new(),
        }
    }

    /// A second walk that goes on from here; see [`Bench::fork`].
    #[must_use]
    pub fn fork(&self) -> Option<Self> {
        let bench = self.bench.fork()?;
        Some(Self {
            bench,
            current: self.current,
            settings: self.settings.clone(),
            trace: self.trace.clone(),
        })
    }

    /// Reads and takes steps until the input is exhausted.
    pub fn steps(&mut self, choices: &mut Choices<'_>) {
        for _ in 0..MAX_STEPS {
            if choices.is_exhausted() {
                break;
            }
            self.take(Step::read(choices));
        }
    }

    /// One of three ends, then nothing may be left.
    pub fn end(&mut self, choices: &mut Choices<'_>) {
        self.bench.take_all_orders();
        let pools = self.bench.sides().len();
        match choices.below(3) {
            0 => {
                self.bench.run_fairly();
                (0..pools).for_each(|side| self.bench.drain(side, DrainMode::AndDelete));
                self.bench.run_fairly();
            }
            1 => {
                (0..pools).for_each(|side| self.bench.drain(side, DrainMode::AndDelete));
                self.bench.run_fairly();
            }
            _ => {
                (0..pools).for_each(|side| self.bench.abort(side));
                self.bench.close_everything();
            }
        }
        self.bench.assert_nothing_is_left();
    }

    /// Takes one step.
    pub fn take(&mut self, step: Step) {
        self.trace.push(step);
        match step {
            Step::NextPool => self.current = (self.current + 1) % self.bench.sides().len(),
            step => steps::take(&mut self.bench, self.current, step),
        }
    }
}
