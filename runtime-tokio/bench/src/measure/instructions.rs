//! User-space instructions, counted by `valgrind --tool=callgrind`.
//!
//! The same case runs with two numbers of operations; the difference leaves out start-up, connecting
//! and warm-up. The kernel's instructions are not seen.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Whether `valgrind` can be started.
pub(crate) fn available() -> bool {
    let probe =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

/// Instructions of one whole run of `program`.
pub(crate) fn count(program: &[OsString]) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(program)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Error::new(format!("under valgrind: {said}")));
    }
    parse(&said).ok_or_else(|| Error::new("valgrind printed no total"))
}

/// What to put before a program that is ended from outside, so that its total lands in `log`.
pub(crate) fn around(log: &Path) -> Vec<OsString> {
    let words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    words.into_iter().map(OsString::from).chain([option("--log-file=", log)]).collect()
}

/// `--name=` with a path behind it.
pub(crate) fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

/// The total in what `callgrind` printed.
pub(crate) fn parse(said: &str) -> Option<f64> {
    let total = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    total.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_callgrinds_total() {
        assert_eq!(parse("==7== Events    : Ir\n==7== Collected : 226173\n==7==\n"), Some(226_173.0));
        assert_eq!(parse("==7== Events    : Ir\n"), None);
    }
}
