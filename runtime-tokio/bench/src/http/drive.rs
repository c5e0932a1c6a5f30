//! The closed loop: `concurrency` tasks, each with one request in flight, warm-up first.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Client, Measured, Work};
use crate::error::Result;
use crate::figures::{Figures, percentile};
use crate::measure::{alloc, cpu};

/// Every so many requests of a task one is timed: reading the clock is not to show in the CPU figure.
const SAMPLED: u64 = 8;

/// How long connections may take to settle into the pool before idle heap is read.
const SETTLE: Duration = Duration::from_millis(200);

/// Runs `work` on a tokio runtime of one thread.
pub(crate) fn on_tokio<C: Client>(work: &Work) -> Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(closed_loop::<C, _>(work, &Tokio))
}

/// Runs `work` on async-std. Its executor has a thread per core that this process may use, so one, and
/// `async-io` one more for its reactor; all of them share the one core.
pub(crate) fn on_async_std<C: Client>(work: &Work) -> Result<Figures> {
    async_std::task::block_on(closed_loop::<C, _>(work, &AsyncStd))
}

/// What the closed loop needs of a runtime.
pub(crate) trait Tasks {
    /// Runs a task to its end beside others; the outer future gives its result.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T>>;

    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}

struct Tokio;

impl Tasks for Tokio {
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> {
        let task = tokio::spawn(task);
        async { Ok(task.await?) }
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(time)
    }
}

struct AsyncStd;

impl Tasks for AsyncStd {
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> {
        let task = async_std::task::spawn(task);
        async { Ok(task.await) }
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> {
        async_std::task::sleep(time)
    }
}

/// One task's half of a phase.
struct Lane<L> {
    client: L,
    nanos: Vec<u64>,
    errors: u64,
}

/// Runs the load and measures what `work` asks for.
pub(crate) async fn closed_loop<C: Client, R: Tasks>(work: &Work, runtime: &R) -> Result<Figures> {
    let client = C::new(&work.target)?;
    let mut lanes = Vec::with_capacity(work.concurrency);
    for _ in 0..work.concurrency {
        let share = work.operations / work.concurrency as u64 / SAMPLED;
        let nanos = Vec::with_capacity(2 * share as usize + 64);
        lanes.push(Lane { client: client.lane(&work.target)?, nanos, errors: 0 });
    }
    match work.measured {
        Measured::Requests => requests::<C, R>(work, runtime, lanes).await,
        Measured::IdleHeap => idle_heap::<C, R>(work, runtime, lanes).await,
    }
}

async fn requests<C: Client, R: Tasks>(
    work: &Work,
    runtime: &R,
    lanes: Vec<Lane<C::Lane>>,
) -> Result<Figures> {
    let warm_up = 20 * work.concurrency as u64;
    let mut lanes = phase::<C, R>(work, runtime, lanes, warm_up).await?;
    for lane in &mut lanes {
        lane.nanos.clear();
    }
    let (cpu, wall, allocations) = (cpu::used(), Instant::now(), alloc::calls());
    let lanes = phase::<C, R>(work, runtime, lanes, work.operations).await?;
    let (cpu, wall) = (cpu::used().saturating_sub(cpu), wall.elapsed());

    let operations = work.operations as f64;
    let mut figures = Figures::default();
    if let (Some(before), Some(after)) = (allocations, alloc::calls()) {
        figures.set("allocations", (after - before) as f64 / operations);
    }
    figures.set("cpu_us", cpu.as_secs_f64() * 1e6 / operations);
    figures.set("rps", operations / wall.as_secs_f64());
    figures.set("errors", lanes.iter().map(|lane| lane.errors).sum::<u64>() as f64);
    let mut nanos: Vec<u64> = lanes.into_iter().flat_map(|lane| lane.nanos).collect();
    figures.set("p50_us", percentile(&mut nanos, 0.50) / 1000.0);
    figures.set("p99_us", percentile(&mut nanos, 0.99) / 1000.0);
    Ok(figures)
}

async fn idle_heap<C: Client, R: Tasks>(
    work: &Work,
    runtime: &R,
    lanes: Vec<Lane<C::Lane>>,
) -> Result<Figures> {
    let before = alloc::live_bytes();
    // The origin answers none before it has all of them, so each opens a connection.
    let lanes = phase::<C, R>(work, runtime, lanes, work.operations).await?;
    runtime.sleep(SETTLE).await;
    let mut figures = Figures::default();
    if let (Some(before), Some(after)) = (before, alloc::live_bytes()) {
        figures.set("heap_b", (after - before) as f64 / work.concurrency as f64);
    }
    figures.set("errors", lanes.iter().map(|lane| lane.errors).sum::<u64>() as f64);
    Ok(figures)
}

/// `operations` requests over all lanes; ends when the last response has.
async fn phase<C: Client, R: Tasks>(
    work: &Work,
    runtime: &R,
    lanes: Vec<Lane<C::Lane>>,
    operations: u64,
) -> Result<Vec<Lane<C::Lane>>> {
    let taken = Arc::new(AtomicU64::new(0));
    let count = lanes.len();
    let mut tasks = Vec::with_capacity(count);
    for lane in lanes {
        let task = requests_of_lane::<C>(lane, Arc::clone(&taken), operations, work.target.body);
        tasks.push(runtime.spawn(task));
    }
    let mut lanes = Vec::with_capacity(count);
    for task in tasks {
        lanes.push(task.await?);
    }
    Ok(lanes)
}

async fn requests_of_lane<C: Client>(
    mut lane: Lane<C::Lane>,
    taken: Arc<AtomicU64>,
    operations: u64,
    body: usize,
) -> Lane<C::Lane> {
    let mut turn = 0_u64;
    while taken.fetch_add(1, Relaxed) < operations {
        turn += 1;
        let begin = (turn % SAMPLED == 1).then(Instant::now);
        match C::fetch(&mut lane.client).await {
            Ok(bytes) if bytes == body => {}
            Ok(_) => lane.errors += 1,
            Err(error) => {
                if lane.errors == 0 {
                    eprintln!("pool-bench: a request failed: {error}");
                }
                lane.errors += 1;
            }
        }
        if let Some(begin) = begin {
            lane.nanos.push(begin.elapsed().as_nanos() as u64);
        }
    }
    lane
}
