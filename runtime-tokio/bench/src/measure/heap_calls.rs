//! Calls that hand out memory, counted from outside by `valgrind --tool=memcheck`.
//!
//! It sees `malloc`, `calloc`, `realloc` and their relatives in any program, and so compares programs
//! that cannot count on their own. What a program takes from pools that it manages itself is not seen.

use std::ffi::OsString;
use std::path::Path;

use super::instructions::option;

/// What to put before a program that is ended from outside, so that its total lands in `log`.
pub(crate) fn around(log: &Path) -> Vec<OsString> {
    // Only the counts are wanted: nothing is checked, and nothing is freed at the end.
    let words = [
        "valgrind",
        "--tool=memcheck",
        "--leak-check=no",
        "--undef-value-errors=no",
        "--run-libc-freeres=no",
        "--run-cxx-freeres=no",
    ];
    words.into_iter().map(OsString::from).chain([option("--log-file=", log)]).collect()
}

/// The number in `total heap usage: 1,234 allocs, 1,230 frees, 99 bytes allocated`.
pub(crate) fn parse(said: &str) -> Option<f64> {
    let (_, total) = said.lines().find_map(|line| line.split_once("total heap usage:"))?;
    total.split_once(" allocs")?.0.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_memchecks_total() {
        let said = "==7== HEAP SUMMARY:\n==7==     in use at exit: 5 bytes in 1 blocks\n\
                    ==7==   total heap usage: 12,345 allocs, 12,344 frees, 9,876 bytes allocated\n";
        assert_eq!(parse(said), Some(12_345.0));
        assert_eq!(parse("==7== HEAP SUMMARY:\n"), None);
    }
}
