//! The micro-benchmark: acquire and release on a bare pool, no sockets.

mod floor;
mod keys;
mod ours;
mod queue;

#[cfg(feature = "peers")]
mod deadpool;
#[cfg(feature = "peers")]
mod hyper_util;
#[cfg(feature = "peers")]
mod pingora_pool;

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::cases::{Load, Pattern};
use crate::error::{Error, Result};
use crate::figures::{Figures, percentile};
use crate::measure::{alloc, cpu};

pub(crate) use keys::Key;
use keys::{Keys, sequence};

/// Operations between two readings of the clock, so that the readings cost next to nothing.
pub(crate) const BATCH: usize = 256;

/// The peers that were compiled in.
pub(crate) const PEERS: &[&str] = &[
    "ours",
    #[cfg(feature = "peers")]
    "deadpool",
    #[cfg(feature = "peers")]
    "hyper-util-cache",
    #[cfg(feature = "peers")]
    "pingora-pool",
    "floor-map",
    "floor-index",
];

/// Those that have a queue.
pub(crate) const QUEUES: &[&str] = &["ours"];

/// One thread's view of a pool. All of a case's workers see the same connections, except where a pool
/// is made to be one per thread.
pub(crate) trait Worker: Send {
    /// A connection in use.
    type Handle;

    /// Takes a ready connection. `key` is the request's own copy, not the pool's; pools without keys
    /// go by `index` instead.
    fn acquire(&mut self, key: &'static Key, index: usize) -> Option<Self::Handle>;

    /// Gives the connection back.
    fn release(&mut self, key: &'static Key, index: usize, handle: Self::Handle);
}

/// What a peer needs to build its pool with all connections ready.
pub(crate) struct Setup {
    /// The pool's own copies of the keys.
    pub(crate) stored: &'static [Key],
    pub(crate) connections_per_key: usize,
    pub(crate) threads: usize,
}

impl Setup {
    #[cfg(feature = "peers")]
    pub(crate) fn connections(&self) -> usize {
        self.stored.len() * self.connections_per_key
    }

    /// Every key with its index and the numbers of its connections.
    fn connections_of(&self) -> impl Iterator<Item = (usize, &'static Key, std::ops::Range<u32>)> {
        let per_key = self.connections_per_key as u32;
        let stored = self.stored;
        stored.iter().enumerate().map(move |(index, key)| {
            let first = index as u32 * per_key;
            (index, key, first..first + per_key)
        })
    }
}

/// Runs one case of one peer.
pub(crate) fn run(load: Load, peer: &str, operations: u64) -> Result<Figures> {
    let (keys, connections, threads, pattern) = match load {
        Load::Micro { keys, connections, threads, pattern } => (keys, connections, threads, pattern),
        Load::Queue { waiters, turn } => return queue::run(waiters, turn, operations as usize),
        Load::Client { .. } | Load::Idle { .. } | Load::Proxy { .. } => {
            return Err(Error::new("micro: not a load for pools"));
        }
    };
    let stored = Keys::new(keys);
    let setup = Setup { stored: stored.leak(), connections_per_key: (connections / keys).max(1), threads };
    let drill = Drill { keys, held: connections / threads / 2, pattern, operations: operations as usize };
    match peer {
        "ours" => drill.run(ours::workers(&setup)),
        "floor-map" => drill.run(floor::map(&setup)),
        "floor-index" => drill.run(floor::index(&setup)),
        #[cfg(feature = "peers")]
        "deadpool" => drill.run(deadpool::workers(&setup)),
        #[cfg(feature = "peers")]
        "hyper-util-cache" => drill.run(hyper_util::workers(&setup)),
        #[cfg(feature = "peers")]
        "pingora-pool" => drill.run(pingora_pool::workers(&setup)),
        other => Err(Error::new(format!("micro: no peer {other} was compiled in"))),
    }
}

/// What every worker does.
struct Drill {
    keys: usize,
    /// Connections that each worker keeps in use under [`Pattern::Churn`].
    held: usize,
    pattern: Pattern,
    operations: usize,
}

/// What one worker measured.
struct Outcome {
    cpu: Duration,
    wall: Duration,
    /// Nanoseconds of each batch.
    batches: Vec<u64>,
    errors: u64,
    /// Allocator calls of the whole process at begin and end, where they are counted.
    allocator: Option<(u64, u64)>,
}

impl Drill {
    fn run<W: Worker>(&self, workers: Vec<W>) -> Result<Figures> {
        // A copy of the keys of its own: a request never brings the pool's key with it.
        let requests = Keys::new(self.keys).leak();
        let threads = workers.len();
        let barrier = Barrier::new(threads);
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let start = |(thread, worker)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    cpu::pin(thread);
                    self.work(worker, requests, thread as u64, barrier)
                })
            };
            let started: Vec<_> = workers.into_iter().enumerate().map(start).collect();
            started.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        if outcomes.len() < threads {
            return Err(Error::new("micro: a worker panicked"));
        }
        let operations = (self.operations.next_multiple_of(BATCH) * threads) as f64;
        let mut figures = Figures::default();
        let cpu: Duration = outcomes.iter().map(|outcome| outcome.cpu).sum();
        figures.set("cpu_us", cpu.as_secs_f64() * 1e6 / operations);
        let wall = outcomes.iter().map(|outcome| outcome.wall).max().unwrap_or_default();
        figures.set("rps", operations / wall.as_secs_f64());
        figures.set("errors", outcomes.iter().map(|outcome| outcome.errors).sum::<u64>() as f64);
        // Nobody begins before the last one's warm-up, so all that is between was measured work.
        let allocator = outcomes.iter().filter_map(|outcome| outcome.allocator);
        let span = allocator.reduce(|(begin, end), (other, last)| (begin.min(other), end.max(last)));
        if let Some((begin, end)) = span {
            figures.set("allocations", (end - begin) as f64 / operations);
        }
        let mut batches: Vec<u64> = outcomes.into_iter().flat_map(|outcome| outcome.batches).collect();
        let per_operation = 1000.0 * BATCH as f64;
        figures.set("p50_us", percentile(&mut batches, 0.50) / per_operation);
        figures.set("p99_us", percentile(&mut batches, 0.99) / per_operation);
        Ok(figures)
    }

    fn work<W: Worker>(
        &self,
        mut worker: W,
        requests: &'static [Key],
        seed: u64,
        barrier: &Barrier,
    ) -> Outcome {
        let churn = self.pattern == Pattern::Churn;
        let visited = if churn { self.held } else { self.keys };
        let visits = sequence(self.pattern, visited, seed);
        let mut visits = visits.chunks_exact(BATCH).cycle();
        let mut errors = 0;
        let mut held = Vec::new();
        if churn {
            held.extend(
                (0..self.held).map(|slot| worker.acquire(&requests[slot % self.keys], slot % self.keys)),
            );
        }
        let mut batches = Vec::with_capacity(self.operations / BATCH + 1);
        let mut batch = |worker: &mut W, held: &mut [Option<W::Handle>], errors: &mut u64| {
            for visit in visits.next().unwrap_or_default() {
                let visit = *visit as usize;
                let index = if churn { visit % self.keys } else { visit };
                let key = &requests[index];
                if churn {
                    if let Some(handle) = held[visit].take() {
                        worker.release(key, index, handle);
                    }
                    held[visit] = worker.acquire(key, index);
                    *errors += u64::from(held[visit].is_none());
                } else if let Some(handle) = black_box(worker.acquire(key, index)) {
                    worker.release(key, index, handle);
                } else {
                    *errors += 1;
                }
            }
        };
        // Caches and tables warm up: every key and connection has been visited once.
        for _ in 0..visited.div_ceil(BATCH).max(16) {
            batch(&mut worker, &mut held, &mut errors);
        }
        barrier.wait();
        let allocations = alloc::calls();
        let before = cpu::used_by_thread();
        let begin = Instant::now();
        let mut last = begin;
        for _ in 0..self.operations.div_ceil(BATCH) {
            batch(&mut worker, &mut held, &mut errors);
            let now = Instant::now();
            batches.push((now - last).as_nanos() as u64);
            last = now;
        }
        let cpu = cpu::used_by_thread().saturating_sub(before);
        let allocator = allocations.zip(alloc::calls());
        Outcome { cpu, wall: last - begin, batches, errors, allocator }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_survives_every_pattern_without_an_error() {
        for peer in PEERS {
            for (pattern, threads) in [(Pattern::Strided, 1), (Pattern::Random, 2), (Pattern::Churn, 1)] {
                let load = Load::Micro { keys: 10, connections: 80, threads, pattern };
                let figures = run(load, peer, 5_000).map_err(|error| error.to_string());
                let errors = figures.map(|figures| figures.get("errors"));
                assert_eq!(errors, Ok(Some(0.0)), "{peer} {load}");
            }
        }
    }

    #[test]
    fn an_exhausted_pool_counts_as_an_error() {
        struct Empty;
        impl Worker for Empty {
            type Handle = ();
            fn acquire(&mut self, _: &'static Key, _: usize) -> Option<()> {
                None
            }
            fn release(&mut self, _: &'static Key, _: usize, (): ()) {}
        }
        let drill = Drill { keys: 1, held: 0, pattern: Pattern::Strided, operations: 256 };
        let figures = drill.run(vec![Empty]).map_err(|error| error.to_string());
        let errors = figures.map(|figures| figures.get("errors"));
        assert!(matches!(errors, Ok(Some(some)) if some >= 256.0), "{errors:?}");
    }
}
