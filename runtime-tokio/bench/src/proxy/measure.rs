//! One measurement of a proxy: an origin, the proxy and the load, each a process of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::program::Proxy;
use crate::cases::{CaseRun, Load};
use crate::error::{Error, Result};
use crate::figures::Figures;
use crate::measure::noise::Watch;
use crate::measure::{heap_calls, instructions, memory, syscalls};
use crate::started::Origin;

/// How long a tracer may take to write its table after the traced program has ended.
const TABLE: Duration = Duration::from_secs(10);

/// CPU, latency, throughput, memory and connections of one run.
pub(crate) fn timed(bench: &Path, load: Load, peer: &str, operations: u64) -> Result<Figures> {
    let origin = Origin::start(bench)?;
    let proxy = Proxy::start(bench, peer, origin.address(), &[])?;
    let watch = Watch::start();
    let mut figures = loaded(bench, load, peer, operations, &proxy)?;
    if let Some(kilobytes) = memory::peak_rss_kb_of(proxy.id()) {
        figures.set("peak_rss_kb", kilobytes as f64);
    }
    let get = |figures: &Figures, name: &str| figures.get(name).unwrap_or(0.0);
    let measured = get(&figures, "cpu_us") * operations as f64 / 1e6;
    let counted = origin.finish()?;
    let beside = get(&figures, "cpu_s") + get(&counted, "cpu_s");
    if let Some(foreign) = watch.foreign(Duration::from_secs_f64(measured + beside)) {
        figures.set("foreign", foreign);
    }
    figures.set("load_cores", beside / get(&figures, "wall_s"));
    figures.set("conns", get(&counted, "conns"));
    proxy.end()?;
    Ok(figures)
}

/// What is counted from outside, per request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruments {
    pub(crate) valgrind: bool,
    pub(crate) strace: bool,
}

type Around = fn(&Path) -> Vec<OsString>;
type Parse = fn(&str) -> Option<f64>;

/// Instructions, allocations and system calls per request: the difference of a long and a short run.
pub(crate) fn exact(
    bench: &Path,
    load: Load,
    peer: &str,
    instruments: Instruments,
    (short, long): (u64, u64),
) -> Result<Figures> {
    let all: [(&str, bool, Around, Parse); 3] = [
        ("instructions", instruments.valgrind, instructions::around, instructions::parse),
        ("allocations", instruments.valgrind, heap_calls::around, heap_calls::parse),
        ("syscalls", instruments.strace, syscalls::around, syscalls::parse),
    ];
    let mut figures = Figures::default();
    for (name, is_there, around, parse) in all {
        if is_there {
            let count = |operations| counted(bench, load, peer, operations, around, parse);
            let difference = count(long)? - count(short)?;
            figures.set(name, difference / (long - short) as f64);
        }
    }
    Ok(figures)
}

/// What an instrument counts over one whole run of the proxy.
fn counted(
    bench: &Path,
    load: Load,
    peer: &str,
    operations: u64,
    around: Around,
    parse: Parse,
) -> Result<f64> {
    let log = Scratch::new();
    let origin = Origin::start(bench)?;
    let proxy = Proxy::start(bench, peer, origin.address(), &around(&log.0))?;
    let seen = loaded(bench, load, peer, operations, &proxy)?;
    if seen.get("errors").unwrap_or(0.0) > 0.0 {
        return Err(Error::new(format!("{peer} failed under an instrument")));
    }
    proxy.end()?;
    let began = Instant::now();
    loop {
        let said = fs::read_to_string(&log.0).unwrap_or_default();
        if let Some(total) = parse(&said) {
            return Ok(total);
        }
        if began.elapsed() > TABLE {
            return Err(Error::new(format!("an instrument printed no total for {peer}: {said}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs the load to its end.
fn loaded(bench: &Path, load: Load, peer: &str, operations: u64, proxy: &Proxy) -> Result<Figures> {
    let (origin, measured) = (Some(proxy.address()), Some(proxy.id()));
    let run = CaseRun { load, peer: peer.to_owned(), operations, origin, measured };
    let output = Command::new(bench).arg("case").args(run.words()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(Error::new(format!("proxy {load} {peer}: {}", output.status)));
    }
    Ok(Figures::from_line(&String::from_utf8_lossy(&output.stdout)))
}

/// A file that an instrument writes to; removed with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        // One at a time in this process, so its id is enough.
        Self(std::env::temp_dir().join(format!("pool-bench-{}.log", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
