//! Inside a measured process: one case, one peer, one line of figures.

use crate::cases::{CaseRun, Load};
use crate::error::{Error, Result};
use crate::measure::{cpu, memory};
use crate::{http, micro, proxy};

/// The core that a measured client runs on; its origin has the next.
pub(crate) const CORE: usize = 0;

/// Runs the case and prints its figures on one line.
pub(crate) fn run(run: &CaseRun) -> Result<()> {
    let mut figures = match run.load {
        // Its workers pin themselves.
        Load::Micro { .. } | Load::Queue { .. } => micro::run(run.load, &run.peer, run.operations)?,
        Load::Client { .. } | Load::Idle { .. } => {
            cpu::pin(CORE);
            memory::allow_many_sockets();
            let origin = run.origin.ok_or_else(|| Error::new("case: origin= is missing"))?;
            http::run(run.load, &run.peer, origin, run.operations)?
        }
        // The load itself: what is measured is another process.
        Load::Proxy { body, concurrency } => {
            cpu::pin(CORE + 1);
            memory::allow_many_sockets();
            let proxy = run.origin.ok_or_else(|| Error::new("case: origin= is missing"))?;
            let operations = run.operations;
            proxy::load(&proxy::Work { proxy, body, concurrency, operations, measured: run.measured })?
        }
    };
    if let Some(kilobytes) = memory::peak_rss_kb() {
        figures.set("peak_rss_kb", kilobytes as f64);
    }
    figures.set("cpu_s", cpu::used().as_secs_f64());
    println!("{}", figures.to_line());
    Ok(())
}
