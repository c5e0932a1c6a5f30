//! System calls, counted by `strace -c -f`.
//!
//! As with instructions, the difference of two runs leaves out everything that does not repeat. A
//! traced program is slow, so batches differ from an untraced one: `epoll_wait` is counted a little
//! low or high, reads and writes exactly.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Whether `strace` can be started and may trace.
pub(crate) fn available() -> bool {
    let probe = Command::new("strace")
        .args(["-c", "-f", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success())
}

/// System calls of one whole run of `program`, all threads.
pub(crate) fn count(program: &[OsString]) -> Result<f64> {
    // With no `-o`, the table follows what the program itself writes to its standard error.
    let output = Command::new("strace").args(["-c", "-f"]).args(program).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Error::new(format!("under strace: {said}")));
    }
    parse(&said).ok_or_else(|| Error::new("strace printed no total"))
}

/// What to put before a program that is ended from outside, so that the table lands in `log`. The
/// program stays a child of the caller, and the tracer the grandchild.
pub(crate) fn around(log: &Path) -> Vec<OsString> {
    let words = ["strace", "-D", "-c", "-f", "-o"];
    words.into_iter().map(OsString::from).chain([log.into()]).collect()
}

/// The call column of the total line: `100.00  0.01  6  1507  12 total` (the error count may lack).
pub(crate) fn parse(said: &str) -> Option<f64> {
    let total = said.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_call_column_of_the_total() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                      50.51    0.004821           4      1004           sendto\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.009545           4      2107        12 total\n";
        assert_eq!(parse(table), Some(2107.0));
        assert_eq!(parse("100.00    0.000000           0        26           total\n"), Some(26.0));
        assert_eq!(parse("nothing"), None);
    }
}
