//! Resident memory of this process, and room for many sockets.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Largest resident memory of this process so far, in KiB (`VmHWM`); `None` where the system does not tell.
pub(crate) fn peak_rss_kb() -> Option<u64> {
    parse_peak(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The same of another process.
pub(crate) fn peak_rss_kb_of(process: u32) -> Option<u64> {
    parse_peak(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Raises the number of files this process may open to what the system allows it.
pub(crate) fn allow_many_sockets() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, allowed)| setrlimit(Resource::RLIMIT_NOFILE, allowed, allowed));
    if let Err(error) = raised {
        eprintln!("pool-bench: the limit on open files stays as it is: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_peak_from_a_status_file() {
        assert_eq!(parse_peak("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    4804 kB\n"), Some(4804));
        assert_eq!(parse_peak("Name:\tx\n"), None);
    }
}
