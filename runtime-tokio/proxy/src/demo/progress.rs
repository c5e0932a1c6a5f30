//! The line that says how far it is.

use std::io::{self, Write};
use std::time::Duration;

use pool_core::client::Cluster;
use pool_core::limits::{Priority, Resource};

use super::acts::Act;
use super::load::Tally;

/// What is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A terminal: one line is written again and again.
    Terminal,
    /// A file or a pipe: one line per act.
    Lines,
}

/// Cells of the bar.
const BAR: usize = 12;
/// Back to the begin of the line, which is cleared.
const AGAIN: &str = "\r\x1b[2K";

pub(super) struct Progress<'a> {
    screen: Screen,
    acts: usize,
    out: &'a mut dyn Write,
}

impl<'a> Progress<'a> {
    pub(super) fn new(screen: Screen, acts: usize, out: &'a mut dyn Write) -> Self {
        Self { screen, acts, out }
    }

    /// An act is running, of which `share` is over.
    pub(super) fn show(
        &mut self,
        number: usize,
        act: &Act,
        share: f64,
        tally: &Tally,
        cluster: &Cluster,
    ) -> io::Result<()> {
        if self.screen == Screen::Lines {
            return Ok(());
        }
        let done = ((share.clamp(0.0, 1.0) * BAR as f64) as usize).min(BAR);
        let bar = format!("{}{}", "#".repeat(done), "-".repeat(BAR - done));
        let now = |resource| cluster.breaker(Priority::Default, resource).current;
        write!(
            self.out,
            "{AGAIN}{}/{} {:<8} [{bar}] {} sent, {} refused; {} connections, {} waiting",
            number + 1,
            self.acts,
            act.name,
            tally.sent,
            tally.refused(),
            now(Resource::Connections),
            now(Resource::Pending),
        )?;
        self.out.flush()
    }

    /// An act is over.
    pub(super) fn end(&mut self, number: usize, act: &Act, tally: &Tally, took: Duration) -> io::Result<()> {
        if self.screen == Screen::Terminal {
            write!(self.out, "{AGAIN}")?;
        }
        let (number, seconds) = (number + 1, took.as_secs_f64());
        let Act { name, about, .. } = act;
        writeln!(
            self.out,
            "{number}/{} {name:<8} {seconds:.1} s {:>6} requests  {about}",
            self.acts, tally.sent
        )?;
        self.out.flush()
    }
}
