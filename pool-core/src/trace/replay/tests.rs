//! Random runs of two workers on one ledger, recorded, and done again from the file alone.

use core::time::Duration;
use std::sync::Arc;

use super::*;
use crate::config::{Jitter, Multiplexing, PoolConfig, split_mix};
use crate::id::{ConnId, Token, WaiterId};
use crate::limits::{Limits, Shared, SharedHandle, Thresholds};
use crate::pool::{CancelPolicy, DrainMode, EarlyData};
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::trace::{Afterwards, Note, Recording, State, Traced};

const SEED: u64 = 99;

/// A worker: its pools, its recording, and what it saw them do.
struct Worker {
    set: Traced<SharedHandle>,
    ledger: Shared,
    serial: u64,
    recording: Recording,
    pools: Vec<PoolId>,
    connecting: Vec<(PoolId, ConnId)>,
    open: Vec<(PoolId, ConnId)>,
    bound: Vec<(PoolId, ConnId)>,
    waiting: Vec<(PoolId, WaiterId)>,
    answers: Vec<Option<Answer>>,
    actions: Vec<(PoolId, Action)>,
}

fn header(worker: u32) -> Header {
    let seed = SEED + u64::from(worker);
    Header { worker, workers: 2, epoch_unix_nanos: 0, seed, program: "test".to_owned() }
}

impl Worker {
    fn new(worker: u32, ledger: &Shared) -> Self {
        let header = header(worker);
        let recording = Recording::new(&header);
        let set = Traced::new(header.seed, Some(recording.clone()));
        let mut worker = Self {
            set,
            ledger: ledger.clone(),
            serial: 0,
            recording,
            pools: Vec::new(),
            connecting: Vec::new(),
            open: Vec::new(),
            bound: Vec::new(),
            waiting: Vec::new(),
            answers: Vec::new(),
            actions: Vec::new(),
        };
        for _ in 0..3 {
            worker.add_pool(Instant::ZERO);
        }
        worker
    }

    /// A cluster of one pool.
    fn add_pool(&mut self, now: Instant) {
        let config = PoolConfig::builder(Multiplexing::Exclusive)
            .max_requests_per_connection(Some(5))
            .idle_timeout(Some(Duration::from_millis(40)))
            .idle_jitter(Jitter::percent(50))
            .pending_timeout(Some(Duration::from_millis(30)))
            .build()
            .expect("valid settings");
        let ledger = self.ledger.worker(Arc::new(|| {}));
        let limits = self.ledger.limits();
        let cluster = self.set.add_cluster(now, "service", &limits, config, ledger);
        self.serial += 1;
        let key = Key { downstream: Some(self.serial), ..Key::http1("a", 1) };
        let pool = self.set.add_pool(now, || "a:1".to_owned(), &key, cluster, Priority::Default);
        self.pools.push(pool.expect("no limit on pools"));
    }

    fn answered(&mut self, pool: PoolId, answer: Option<Answer>) {
        self.answers.push(answer);
        match answer {
            Some(Answer::Bound(bound)) => self.bound.push((pool, bound.conn)),
            Some(Answer::Queued(queued)) => self.waiting.push((pool, queued.waiter)),
            Some(Answer::Failed(_)) | None => {}
        }
    }

    /// Takes actions: at most `limit`.
    fn drain(&mut self, now: Instant, limit: usize) {
        for _ in 0..limit {
            let Some((pool, action)) = self.set.poll_action() else { return };
            self.actions.push((pool, action));
            match action {
                Action::Connect { conn, .. } => self.connecting.push((pool, conn)),
                Action::Close { conn, .. } => {
                    for list in [&mut self.connecting, &mut self.open, &mut self.bound] {
                        list.retain(|other| *other != (pool, conn));
                    }
                    // The report follows when somebody picks it.
                    self.open.push((pool, conn));
                }
                Action::Bind { conn, waiter, .. } => {
                    self.bound.push((pool, conn));
                    self.waiting.retain(|other| *other != (pool, waiter));
                }
                Action::Fail { waiter, .. } => self.waiting.retain(|other| *other != (pool, waiter)),
                Action::NotifyGoAway { .. } => {}
                Action::Idle => {
                    self.pools.retain(|other| *other != pool);
                    self.add_pool(now);
                }
            }
        }
    }

    fn step(&mut self, now: Instant, draw: &mut impl FnMut(usize) -> usize, serial: u64) {
        let pool = self.pools[draw(self.pools.len())];
        let mut pick = |list: &mut Vec<(PoolId, ConnId)>| {
            if list.is_empty() { None } else { Some(list.swap_remove(draw(list.len()))) }
        };
        match serial % 13 {
            0..=3 => {
                let request = Request { token: Token(serial << 32 | 7), early_data: EarlyData::Unsafe };
                let answer = self.set.request(now, pool, request, serial);
                self.answered(pool, answer);
            }
            4 => {
                let request = Request { token: Token(serial), early_data: EarlyData::Safe };
                let deadline = Some(now + Duration::from_millis(3));
                let answer = self.set.requeue(now, pool, request, deadline, serial);
                self.answered(pool, answer);
            }
            5 | 6 => {
                let Some((pool, conn)) = pick(&mut self.connecting) else { return };
                self.set.handle_report(now, pool, conn, Report::Connected { limit: None });
                self.open.push((pool, conn));
            }
            7 => {
                let Some((pool, conn)) = pick(&mut self.connecting) else { return };
                self.set.note(now, || Note::ConnectFailed { pool, conn, words: "refused".to_owned() });
                self.set.handle_report(now, pool, conn, Report::Closed(ClosedBy::Remote));
            }
            8 | 9 => {
                let Some((pool, conn)) = pick(&mut self.bound) else { return };
                let end = [StreamEnd::Complete, StreamEnd::Complete, StreamEnd::CloseNotified][draw(3)];
                self.set.finish(now, pool, conn, end);
            }
            10 => {
                let Some((pool, conn)) = pick(&mut self.open) else { return };
                self.bound.retain(|other| *other != (pool, conn));
                self.set.handle_report(now, pool, conn, Report::Closed(ClosedBy::Remote));
                let next = Afterwards::Requeued;
                let progress = crate::exchange::Progress::RequestSent;
                self.set.note(now, || Note::AttemptFailed { request: serial, progress, next });
            }
            11 if !self.waiting.is_empty() => {
                let (pool, waiter) = self.waiting.swap_remove(draw(self.waiting.len()));
                self.set.cancel(now, pool, waiter, CancelPolicy::CloseExcess);
            }
            _ if serial % 31 == 12 => self.set.drain(now, pool, DrainMode::Existing),
            _ => self.set.handle_timeout(now),
        }
    }
}

/// Runs two workers; what each saw, and its file.
fn run(seed: u64, steps: u64) -> Vec<(Worker, Vec<u8>)> {
    let mut state = seed;
    let mut draw = move |below: usize| {
        state = split_mix(state);
        (state >> 33) as usize % below.max(1)
    };
    let limits = Limits::both(Thresholds::default().max_connections(3).max_requests(4));
    let ledger = Shared::new(limits);
    let mut workers = [Worker::new(0, &ledger), Worker::new(1, &ledger)];
    let mut now = Instant::ZERO;
    for serial in 0..steps {
        now = now + Duration::from_micros(draw(4000) as u64);
        let worker = &mut workers[draw(2)];
        // Clocks of two threads: a step may be a little older than the one before.
        let shown = Instant::from_nanos(now.as_nanos().saturating_sub(draw(2) as u64 * 100));
        worker.step(shown, &mut draw, serial);
        // Mostly to the end, sometimes not.
        worker.drain(now, if draw(8) == 0 { draw(3) } else { usize::MAX });
        workers[draw(2)].set.handle_seats_freed(now);
    }
    let finish = move |mut worker: Worker| {
        worker.drain(now, usize::MAX);
        worker.set.flush();
        let file = std::iter::from_fn(|| worker.recording.take()).flatten().collect();
        (worker, file)
    };
    workers.into_iter().map(finish).collect()
}

/// Answers, orders, and how it ended.
type Again = (Vec<Option<Answer>>, Vec<(PoolId, Action)>, Result<(), ReplayError>);

/// What a replay makes the pools do again.
fn replay(file: &[u8]) -> Again {
    let mut replay = Replay::new(file).expect("a header");
    let (mut answers, mut actions) = (Vec::new(), Vec::new());
    loop {
        match replay.next_event() {
            Ok(Some(Event::Action { pool, action, .. })) => actions.push((pool, action)),
            Ok(Some(Event::Step { entry, answer, .. })) => {
                if matches!(entry.step, Step::Request { .. } | Step::Requeue { .. }) {
                    answers.push(answer);
                }
            }
            Ok(None) => return (answers, actions, Ok(())),
            Err(error) => return (answers, actions, Err(error)),
        }
    }
}

#[test]
fn a_recorded_run_is_done_again_bit_for_bit() {
    let mut orders = 0;
    for seed in 0..12 {
        for (worker, file) in run(seed, 600) {
            let (answers, actions, end) = replay(&file);
            assert_eq!(end, Ok(()), "seed {seed}");
            assert_eq!(answers, worker.answers, "seed {seed}");
            assert_eq!(actions, worker.actions, "seed {seed}");
            orders += actions.len();
        }
    }
    assert!(orders > 3_000, "the runs did next to nothing: {orders} orders");
}

#[test]
fn a_cut_file_is_done_again_to_the_cut() {
    let (worker, mut file) = run(5, 30_000).swap_remove(0);
    file.truncate(file.len() - 1);
    let (answers, actions, end) = replay(&file);
    assert!(matches!(end, Err(ReplayError::Log(LogError::Truncated { .. }))), "{end:?}");
    assert!(!answers.is_empty() && answers.len() < worker.answers.len());
    assert_eq!(answers, worker.answers[..answers.len()]);
    assert_eq!(actions, worker.actions[..actions.len()]);
}

#[test]
fn a_changed_entry_is_noticed() {
    let (worker, file) = run(5, 2_000).swap_remove(0);
    let mut reader = Reader::new(&file).expect("a header");
    let chunk = reader.next_chunk().expect("whole").expect("a chunk");
    let mut noticed = 0;
    for at in (0..chunk.payload.len()).step_by(7) {
        let mut payload = chunk.payload.to_vec();
        payload[at] ^= 1;
        let mut other = reader.header().encode();
        other.extend(crate::trace::log::seal(&payload, chunk.entries, chunk.digest));
        let (answers, actions, end) = replay(&other);
        noticed += usize::from(end.is_err());
        // A time that moves by a nanosecond, a request's number, a reason in words: not everything
        // matters to the pools. What does is noticed.
        if end.is_ok() {
            assert_eq!((answers.len(), actions.len()), (worker.answers.len(), worker.actions.len()));
        }
    }
    assert!(noticed > 100, "{noticed} changes noticed");
}

#[test]
fn another_seed_draws_another_jitter_and_is_noticed() {
    let (_, file) = run(5, 2_000).swap_remove(0);
    let mut reader = Reader::new(&file).expect("a header");
    let chunk = reader.next_chunk().expect("whole").expect("a chunk");
    let header = Header { seed: 1, ..reader.header().clone() };
    let mut other = header.encode();
    other.extend(crate::trace::log::seal(chunk.payload, chunk.entries, chunk.digest));
    let (_, _, end) = replay(&other);
    assert!(matches!(end, Err(ReplayError::Diverged { .. })), "{end:?}");
}

#[test]
fn a_recording_that_nobody_takes_ends_and_says_so() {
    let mut recorded = Recording::new(&header(0));
    let mut tape = crate::trace::tape::Tape::new(recorded.clone());
    let words = "x".repeat(1 << 20);
    let conn = ConnId { index: 0, generation: 0 };
    for _ in 0..70 {
        tape.note(Instant::ZERO, Note::ConnectFailed { pool: PoolId(0), conn, words: words.clone() });
    }
    assert_eq!(recorded.state(), State::Overrun);
    drop(tape);
    let recorded = &mut recorded;
    let bytes: usize = std::iter::from_fn(|| recorded.take()).map(|piece| piece.len()).sum();
    assert!((60 << 20..=64 << 20).contains(&bytes), "{bytes} bytes were kept");
}
