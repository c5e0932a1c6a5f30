//! The measuring process: interleaved rounds, each measurement in a process of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::args::Plan;
use crate::cases::{self, Bench, Case, CaseRun, Load};
use crate::error::{Error, Result};
use crate::figures::Figures;
use crate::measure::noise::{TOLERATED, Watch};
use crate::measure::{instructions, syscalls};
use crate::proxy::Instruments;
use crate::report::{Row, json, table};
use crate::started::Origin;
use crate::{http, micro, proxy};

/// Runs everything the plan asks for and prints it.
///
/// # Errors
/// If a case cannot be run at all, or any operation failed: wrong answers have no price.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let tools = Tools::find(plan)?;
    let mut failed = 0.0;
    let mut tables = String::new();
    for bench in &plan.benches {
        for case in cases::of(*bench, plan.quick) {
            if !format!("{} ", case.load).contains(&plan.cases) {
                continue;
            }
            let rows = tools.case(plan, case)?;
            if rows.is_empty() {
                continue;
            }
            for row in &rows {
                println!("{}", json(row));
                failed += row.medians.get("errors").unwrap_or(0.0);
            }
            tables.push_str(&table(&rows));
        }
    }
    println!("{tables}");
    if failed > 0.0 { Err(Error::new(format!("{failed} operations failed"))) } else { Ok(()) }
}

fn peers(plan: &Plan, load: Load) -> Vec<&'static str> {
    let compiled = match load {
        Load::Micro { .. } => micro::PEERS,
        Load::Queue { .. } => micro::QUEUES,
        Load::Client { .. } | Load::Idle { .. } => http::PEERS,
        Load::Proxy { .. } => proxy::PEERS,
    };
    compiled.iter().copied().filter(|peer| wanted(plan, peer)).collect()
}

fn wanted(plan: &Plan, peer: &str) -> bool {
    plan.peers.is_empty() || plan.peers.iter().any(|name| name == peer)
}

/// Programs that measure, and which of them are there.
struct Tools {
    bench: PathBuf,
    /// The twin that counts allocations.
    alloc: Option<PathBuf>,
    instruments: Instruments,
    /// Proxies that cannot be started here.
    absent: Vec<&'static str>,
}

impl Tools {
    /// Looks for what the plan needs; says aloud what is missing and will be `null`.
    fn find(plan: &Plan) -> Result<Self> {
        let bench = std::env::current_exe()?;
        let twin = bench.with_file_name("pool-bench-alloc");
        let mut tools = Self {
            alloc: twin.exists().then_some(twin),
            bench,
            instruments: Instruments {
                valgrind: plan.exact && instructions::available(),
                strace: plan.exact && syscalls::available(),
            },
            absent: Vec::new(),
        };
        let missing = |what: &str, lost: &str| eprintln!("pool-bench: {what}: no {lost}");
        if tools.alloc.is_none() && plan.benches.iter().any(|bench| *bench != Bench::Proxy) {
            missing("pool-bench-alloc is not built beside pool-bench", "allocations, no idle heap");
        }
        if plan.exact && !tools.instruments.valgrind {
            missing("valgrind cannot be started", "instructions");
        }
        if plan.exact && !tools.instruments.strace {
            missing("strace cannot trace here", "system calls");
        }
        if plan.benches.contains(&Bench::Proxy) {
            for peer in proxy::PEERS.iter().filter(|peer| wanted(plan, peer)) {
                if let Some(why) = proxy::missing(peer, &tools.bench) {
                    missing(&why, &format!("proxy {peer}"));
                    tools.absent.push(peer);
                }
            }
        }
        if cfg!(debug_assertions) {
            missing("this is not a release build", "figure here means anything");
        }
        Ok(tools)
    }

    /// All peers of one case: rounds of timed runs, then the exact figures once.
    fn case(&self, plan: &Plan, case: Case) -> Result<Vec<Row>> {
        let bench = case.load.bench();
        let mut peers = peers(plan, case.load);
        if bench == Bench::Proxy {
            peers.retain(|peer| !self.absent.contains(peer));
        }
        let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); peers.len()];
        if plan.timed && bench != Bench::Idle {
            for round in 1..=plan.rounds {
                for (peer, figures) in peers.iter().zip(&mut rounds) {
                    eprintln!("pool-bench: {} {} {peer}, round {round}", bench.name(), case.load);
                    figures.push(self.timed(case, peer)?);
                }
            }
        }
        let mut rows = Vec::new();
        for (peer, mut figures) in peers.into_iter().zip(rounds) {
            if plan.exact && bench != Bench::Idle {
                eprintln!("pool-bench: {} {} {peer}, exact", bench.name(), case.load);
                figures.push(self.exact(plan, case, peer)?);
            }
            if bench == Bench::Idle {
                figures.push(self.counted(case, peer)?);
            }
            let range = Figures::range(&figures, bench.main_figure());
            rows.push(Row {
                load: case.load,
                peer: peer.to_owned(),
                medians: Figures::median(&figures),
                range,
            });
        }
        Ok(rows)
    }

    /// One timed run, repeated once if the machine was busy with other things.
    fn timed(&self, case: Case, peer: &str) -> Result<Figures> {
        let run = || match case.load {
            Load::Proxy { .. } => proxy::timed(&self.bench, case.load, peer, case.operations),
            _ => self.measured(&[self.bench.clone().into_os_string()], case.load, peer, case.operations),
        };
        let foreign = |figures: &Figures| figures.get("foreign").unwrap_or(0.0);
        let first = run()?;
        if foreign(&first) <= TOLERATED {
            return Ok(first);
        }
        let second = run()?;
        Ok(if foreign(&second) < foreign(&first) { second } else { first })
    }

    /// Instructions, system calls and allocations per operation.
    fn exact(&self, plan: &Plan, case: Case, peer: &str) -> Result<Figures> {
        let span = Span::of(case.load, plan.quick);
        if case.load.bench() == Bench::Proxy {
            return proxy::exact(&self.bench, case.load, peer, self.instruments, (span.short, span.long));
        }
        let mut figures = Figures::default();
        let threads = if let Load::Micro { threads, .. } = case.load { threads } else { 1 };
        // Valgrind runs one thread at a time, so contention would not be what it is.
        if self.instruments.valgrind && threads == 1 {
            figures.set("instructions", self.difference(case.load, peer, span, instructions::count)?);
        }
        if self.instruments.strace && case.load.bench() == Bench::Client {
            figures.set("syscalls", self.difference(case.load, peer, span, syscalls::count)?);
        }
        let counted = self.counted(case, peer)?;
        for name in ["allocations", "errors"] {
            if let Some(value) = counted.get(name) {
                figures.set(name, value);
            }
        }
        Ok(figures)
    }

    /// A run under the counting allocator; its times count for nothing.
    fn counted(&self, case: Case, peer: &str) -> Result<Figures> {
        let Some(twin) = &self.alloc else { return Ok(Figures::default()) };
        let operations = case.operations.min(20_000);
        self.measured(&[twin.clone().into_os_string()], case.load, peer, operations)
    }

    /// What `instrument` counts per operation: the difference of a long run and a short one.
    fn difference(
        &self,
        load: Load,
        peer: &str,
        span: Span,
        instrument: fn(&[OsString]) -> Result<f64>,
    ) -> Result<f64> {
        let count = |operations| {
            let origin = self.origin(load)?;
            let address = origin.as_ref().map(Origin::address);
            let run = CaseRun { load, peer: peer.to_owned(), operations, origin: address, measured: None };
            let mut program = vec![self.bench.clone().into_os_string(), "case".into()];
            program.extend(run.words().into_iter().map(OsString::from));
            instrument(&program)
        };
        Ok((count(span.long)? - count(span.short)?) / (span.long - span.short) as f64)
    }

    /// A server for the benchmarks that need one.
    fn origin(&self, load: Load) -> Result<Option<Origin>> {
        (load.bench() != Bench::Micro).then(|| Origin::start(&self.bench)).transpose()
    }

    /// Runs one case in a process of its own.
    fn measured(&self, program: &[OsString], load: Load, peer: &str, operations: u64) -> Result<Figures> {
        let origin = self.origin(load)?;
        let address = origin.as_ref().map(Origin::address);
        let run = CaseRun { load, peer: peer.to_owned(), operations, origin: address, measured: None };
        let watch = Watch::start();
        let (program, before) = program.split_first().ok_or_else(|| Error::new("no program"))?;
        let output = Command::new(program)
            .args(before)
            .arg("case")
            .args(run.words())
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(Error::new(format!("{} {load} {peer}: {}", load.bench().name(), output.status)));
        }
        let mut figures = Figures::from_line(&String::from_utf8_lossy(&output.stdout));
        let served = origin.map(Origin::finish).transpose()?.unwrap_or_default();
        let cpu = |figures: &Figures| figures.get("cpu_s").unwrap_or(0.0);
        let ours = Duration::from_secs_f64(cpu(&figures) + cpu(&served));
        if let Some(foreign) = watch.foreign(ours) {
            figures.set("foreign", foreign);
        }
        if let Some(connections) = served.get("conns") {
            figures.set("conns", connections);
        }
        Ok(figures)
    }
}

/// Two numbers of operations, far enough apart that their difference is exact.
#[derive(Clone, Copy, Debug)]
struct Span {
    short: u64,
    long: u64,
}

impl Span {
    fn of(load: Load, quick: bool) -> Self {
        match load.bench() {
            Bench::Micro => Self { short: 100_000, long: 200_000 },
            Bench::Client | Bench::Idle | Bench::Proxy if quick => Self { short: 500, long: 1_500 },
            Bench::Client | Bench::Idle | Bench::Proxy => Self { short: 1_000, long: 5_000 },
        }
    }
}
