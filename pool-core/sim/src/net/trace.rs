//! What happened in a run, a line per event, in simulated time.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::time::Duration;

/// Whether a run writes down what happens. A failing seed is run again with it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracing {
    /// Nothing is written.
    Off,
    /// Every event is.
    On,
}

/// The log of one run.
#[derive(Debug)]
pub struct Trace {
    tracing: Tracing,
    text: RefCell<String>,
    lines: Cell<u64>,
}

impl Trace {
    /// An empty log.
    #[must_use]
    pub fn new(tracing: Tracing) -> Self {
        Self { tracing, text: RefCell::default(), lines: Cell::new(0) }
    }

    /// How many events there were, written or not.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines.get()
    }

    /// One event; `words` is asked only if somebody will read it.
    pub fn event(&self, nanos: u64, words: impl FnOnce() -> String) {
        self.lines.set(self.lines.get() + 1);
        if self.tracing == Tracing::On {
            let line = words();
            let _ = writeln!(self.text.borrow_mut(), "{} {line}", Clock(nanos));
        }
    }

    /// All of it.
    #[must_use]
    pub fn take(&self) -> String {
        self.text.take()
    }
}

/// A point of simulated time, in seconds, of constant width.
#[derive(Clone, Copy, Debug)]
pub struct Clock(pub u64);

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = Duration::from_nanos(self.0);
        write!(f, "{:>5}.{:09}", time.as_secs(), time.subsec_nanos())
    }
}
