//! The origin as a process that the measuring process starts and ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::case::CORE;
use crate::error::{Error, Result};
use crate::figures::Figures;
use crate::origin::GREETING;

/// A running loopback server, on the core beside the measured one.
#[derive(Debug)]
pub(crate) struct Origin {
    process: Child,
    says: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Origin {
    pub(crate) fn start(bench: &Path) -> Result<Self> {
        let mut process = Command::new(bench)
            .args(["origin", "--core", &(CORE + 1).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or_else(|| Error::new("the origin has no output"))?;
        let mut says = BufReader::new(output);
        let mut line = String::new();
        says.read_line(&mut line)?;
        let address = line.trim().strip_prefix(GREETING.trim()).ok_or_else(|| Error::new("no origin"))?;
        let address = address.trim().parse()?;
        Ok(Self { process, says, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server and gives what it counted.
    pub(crate) fn finish(mut self) -> Result<Figures> {
        drop(self.process.stdin.take());
        let mut line = String::new();
        self.says.read_to_string(&mut line)?;
        Ok(Figures::from_line(&line))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // With its input closed it ends by itself; waiting leaves no zombie behind.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
