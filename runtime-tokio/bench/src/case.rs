//! Inside a measured process: one case, one peer, one line of figures.

use crate::cases::{Bench, CaseRun};
use crate::error::{Error, Result};
use crate::measure::{cpu, memory};
use crate::{http, micro};

/// The core that a measured client runs on; its origin has the next.
pub(crate) const CORE: usize = 0;

/// Runs the case and prints its figures on one line.
pub(crate) fn run(run: &CaseRun) -> Result<()> {
    let mut figures = match run.load.bench() {
        // Its workers pin themselves.
        Bench::Micro => micro::run(run.load, &run.peer, run.operations)?,
        Bench::Client | Bench::Idle => {
            cpu::pin(CORE);
            memory::allow_many_sockets();
            let origin = run.origin.ok_or_else(|| Error::new("case: origin= is missing"))?;
            http::run(run.load, &run.peer, origin, run.operations)?
        }
    };
    if let Some(kilobytes) = memory::peak_rss_kb() {
        figures.set("peak_rss_kb", kilobytes as f64);
    }
    figures.set("cpu_s", cpu::used().as_secs_f64());
    println!("{}", figures.to_line());
    Ok(())
}
