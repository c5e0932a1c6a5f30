//! How much CPU the rest of the machine used during a measurement.

use std::time::{Duration, Instant};

/// Clock ticks per second of `/proc/stat`; 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// More foreign CPU than this, in cores, and a measurement is repeated once.
pub(crate) const TOLERATED: f64 = 0.15;

/// The system counts in ticks of 10 ms, so a shorter watch says nothing.
const SHORTEST: Duration = Duration::from_millis(300);

/// A moment: wall clock and busy time of all cores so far.
#[derive(Debug)]
pub(crate) struct Watch {
    at: Instant,
    busy: Option<f64>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { at: Instant::now(), busy: busy_seconds() }
    }

    /// Cores' worth of CPU used by others than `ours` since the start; `None` after too short a time
    /// and where the system does not tell.
    pub(crate) fn foreign(&self, ours: Duration) -> Option<f64> {
        let busy = busy_seconds()? - self.busy?;
        let elapsed = self.at.elapsed();
        (elapsed >= SHORTEST).then(|| (busy - ours.as_secs_f64()) / elapsed.as_secs_f64())
    }
}

fn busy_seconds() -> Option<f64> {
    parse_busy(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// Sum of user, nice, system, irq, softirq and steal: everything but idle and I/O wait.
fn parse_busy(stat: &str) -> Option<f64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|column| ticks.get(*column)).sum::<f64>();
    Some(busy / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_leaves_out_idle_and_io_wait() {
        assert_eq!(parse_busy("cpu  100 20 30 9999 888 4 5 1 0 0\ncpu0 1 1 1 1\n"), Some(1.6));
        assert_eq!(parse_busy(""), None);
    }
}
