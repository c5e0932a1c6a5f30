//! Recordings of two workers on shared breakers, run again with the same and with other settings.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use pool_core::cluster::{ClusterId, Endpoint, Key};
use pool_core::config::{Multiplexing, PoolConfig};
use pool_core::id::{ConnId, HostId, PoolId, Token};
use pool_core::limits::{Limits, Priority, Shared, SharedHandle, Thresholds};
use pool_core::pool::{Action, Answer, Request};
use pool_core::report::{ClosedBy, Report, StreamEnd};
use pool_core::time::{Deadline, Instant};
use pool_core::trace::history::What;
use pool_core::trace::{Header, History, Note, Recording, Traced};
use pool_sim::whatif::{Comparison, WhatIfError, compare};
use pool_sim::workload::books::{CAUSES, Ended};
use pool_sim::workload::random::Random;
use pool_sim::workload::settings::Settings;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive { host: u32, number: u64 },
    Dialled(u32, ConnKey),
    End(u32, ConnKey, u64),
}

type ConnKey = (u32, u32);

struct Worker {
    set: Traced<SharedHandle>,
    cluster: Option<ClusterId>,
    pools: BTreeMap<u32, PoolId>,
    recording: Recording,
    bound: BTreeMap<(u32, ConnKey), u64>,
    random: Random,
}

/// A driver of its own, with nothing of the engine: what it records is the truth to be reproduced.
struct Driver {
    workers: Vec<Worker>,
    ledger: Shared,
    config: Arc<PoolConfig>,
    events: BinaryHeap<Reverse<(u64, u64, usize, Event)>>,
    serial: u64,
    now: u64,
}

impl Driver {
    fn plan(&mut self, after: u64, worker: usize, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((self.now + after, self.serial, worker, event)));
    }

    fn at(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn start(&mut self, worker: usize, pool: PoolId, conn: ConnId, number: u64) {
        let w = &mut self.workers[worker];
        w.bound.insert((pool.0, (conn.index, conn.generation)), number);
        let service = 2_000_000 + (w.random.exponential() * 8e6) as u64;
        self.plan(service, worker, Event::End(pool.0, (conn.index, conn.generation), number));
    }

    fn drain(&mut self, worker: usize) {
        loop {
            let now = self.at();
            while let Some((pool, action)) = self.workers[worker].set.poll_action() {
                match action {
                    Action::Connect { conn, .. } => {
                        let delay = 1_000_000 + self.workers[worker].random.below(2_000_000);
                        self.plan(delay, worker, Event::Dialled(pool.0, (conn.index, conn.generation)));
                    }
                    Action::Close { conn, .. } => {
                        let closed = Report::Closed(ClosedBy::Local);
                        self.workers[worker].set.handle_report(now, pool, conn, closed);
                    }
                    Action::Bind { conn, token, .. } => self.start(worker, pool, conn, token.0),
                    Action::Fail { .. } | Action::NotifyGoAway { .. } => {}
                    Action::Idle => {
                        let w = &mut self.workers[worker];
                        w.pools.retain(|_, other| *other != pool);
                        if w.pools.is_empty() {
                            w.cluster = None;
                        }
                    }
                }
            }
            match self.workers[worker].set.deadline() {
                Deadline::Now(()) => self.workers[worker].set.handle_timeout(now),
                _ => return,
            }
        }
    }

    fn arrive(&mut self, worker: usize, host: u32, number: u64) {
        let now = self.at();
        let (ledger, config) = (self.ledger.clone(), self.config.clone());
        let w = &mut self.workers[worker];
        let cluster = *w.cluster.get_or_insert_with(|| {
            w.set.add_cluster(now, "orders", &ledger.limits(), config, ledger.worker(Arc::new(|| {})))
        });
        let pool = *w.pools.entry(host).or_insert_with(|| {
            let key = Key::endpoint(Endpoint { cluster: 1, host: HostId(host) }, Priority::Default);
            w.set.add_pool(now, || format!("h{host}:80"), &key, cluster, Priority::Default).expect("no limit")
        });
        match w.set.request(now, pool, Request::new(Token(number)), number) {
            Some(Answer::Bound(bound)) => self.start(worker, pool, bound.conn, number),
            Some(Answer::Queued(_) | Answer::Failed(_)) | None => {}
        }
    }

    fn happen(&mut self, worker: usize, event: Event) {
        let now = self.at();
        match event {
            Event::Arrive { host, number } => self.arrive(worker, host, number),
            Event::Dialled(pool, (index, generation)) => {
                let w = &mut self.workers[worker];
                let report = if w.random.below(20) == 0 {
                    Report::Closed(ClosedBy::Remote)
                } else {
                    Report::Connected { limit: None }
                };
                w.set.handle_report(now, PoolId(pool), ConnId { index, generation }, report);
            }
            Event::End(pool, conn, number) => {
                let w = &mut self.workers[worker];
                if w.bound.remove(&(pool, conn)) != Some(number) {
                    return;
                }
                w.set.note(now, || Note::Answered { request: number, status: 200 });
                let end =
                    if w.random.below(30) == 0 { StreamEnd::CloseNotified } else { StreamEnd::Complete };
                let conn = ConnId { index: conn.0, generation: conn.1 };
                w.set.finish(now, PoolId(pool), conn, end);
            }
        }
    }

    fn run(&mut self) {
        loop {
            let event = self.events.peek().map_or(u64::MAX, |Reverse(event)| event.0);
            let due = |worker: &Worker| worker.set.deadline().instant(self.at()).map(Instant::as_nanos);
            // The timer of a real runtime is a little late.
            let due = self
                .workers
                .iter()
                .enumerate()
                .filter_map(|(index, w)| Some((due(w)? + 30_000, index)))
                .min();
            match due {
                Some((at, worker)) if at < event => {
                    self.now = self.now.max(at);
                    let now = self.at();
                    self.workers[worker].set.handle_timeout(now);
                }
                _ => {
                    let Some(Reverse((at, _, worker, event))) = self.events.pop() else { return };
                    self.now = self.now.max(at);
                    self.happen(worker, event);
                }
            }
            for worker in 0..self.workers.len() {
                self.drain(worker);
                let now = self.at();
                self.workers[worker].set.handle_seats_freed(now);
                self.drain(worker);
            }
        }
    }
}

fn record(seed: u64, workers: u32, max_connections: u32) -> Vec<Vec<u8>> {
    let thresholds = Thresholds::default().max_connections(max_connections).max_pending_requests(12);
    let ledger = Shared::new(Limits::both(thresholds));
    let config = PoolConfig::builder(Multiplexing::Exclusive)
        .idle_timeout(Some(Duration::from_millis(40)))
        .max_requests_per_connection(Some(50))
        .build()
        .expect("valid");
    let worker = |number: u32| {
        let seed = seed + u64::from(number);
        let header =
            Header { worker: number, workers, epoch_unix_nanos: 0, seed, program: "test".to_owned() };
        let recording = Recording::new(&header);
        Worker {
            set: Traced::new(seed, Some(recording.clone())),
            cluster: None,
            pools: BTreeMap::new(),
            recording,
            bound: BTreeMap::new(),
            random: Random::new(seed),
        }
    };
    let workers = (0..workers).map(worker).collect();
    let events = BinaryHeap::new();
    let mut driver = Driver { workers, ledger, config, events, serial: 0, now: 0 };
    let mut random = Random::new(seed ^ 99);
    let mut at = 0.0;
    for number in 0..3000 {
        at += random.exponential() * 1.2e6;
        let worker = random.below(driver.workers.len() as u64) as usize;
        driver.plan(at as u64, worker, Event::Arrive { host: random.below(2) as u32, number });
    }
    driver.run();
    let file = |mut worker: Worker| {
        worker.set.flush();
        std::iter::from_fn(|| worker.recording.take()).flatten().collect()
    };
    driver.workers.into_iter().map(file).collect()
}

fn what_if(files: &[Vec<u8>], changes: &[&str]) -> Result<Comparison, WhatIfError> {
    let mut settings = Settings::default();
    for change in changes {
        settings.set(change).map_err(WhatIfError::Setting)?;
    }
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    compare(&files, &settings, 1)
}

/// An account from the histories alone, by other code.
fn account(files: &[Vec<u8>]) -> (u64, u64, u64, u64, u128) {
    let (mut requests, mut answered, mut opened, mut overflows, mut waited) = (0, 0, 0, 0, 0);
    for file in files {
        let history = History::of(file).expect("a recording");
        assert_eq!(history.end, Ok(()));
        requests += history.requests.len() as u64;
        opened += history.connections.len() as u64;
        for request in &history.requests {
            let mut queued = None;
            for chapter in &request.chapters {
                match chapter.what {
                    What::Queued(_) => queued = Some(chapter.at),
                    What::Bound { .. } | What::Refused(_) => {
                        waited += queued.take().map_or(0, |since| chapter.at.since(since).as_nanos());
                    }
                    What::Answered(200) => answered += 1,
                    _ => {}
                }
                if let What::Refused(pool_core::pool::FailReason::PendingLimit) = chapter.what {
                    overflows += 1;
                }
            }
        }
    }
    (requests, answered, opened, overflows, waited)
}

#[test]
fn unchanged_settings_reproduce_the_recording_exactly() {
    for (seed, workers) in [(1, 1), (2, 2), (3, 2), (4, 3)] {
        let files = record(seed, workers, 6);
        for changes in [&[][..], &["max_connections=6", "idle_timeout=40ms", "cluster.orders.max_retries=3"]]
        {
            let Comparison { recorded, what_if, .. } = what_if(&files, changes).expect("a comparison");
            assert_eq!((recorded.diverged_at, what_if.diverged_at), (None, None), "seed {seed}");
            assert_eq!(recorded, what_if, "seed {seed}");
            let outcome = what_if.outcome;
            let books = (
                outcome.requests,
                outcome.of(Ended::Answered),
                outcome.opened_total(),
                outcome.of(Ended::PendingOverflow),
                outcome.waited_nanos,
            );
            assert_eq!(books, account(&files), "seed {seed}");
            assert!(books.3 > 0 && books.4 > 0 && outcome.reuse_ratio() > 0.5, "{books:?}");
            assert_eq!(outcome.outcomes(), outcome.requests);
        }
    }
}

#[test]
fn other_settings_do_what_they_should() {
    let files = record(7, 2, 6);
    let more = what_if(&files, &["max_connections=64"]).expect("a comparison");
    let (was, is) = (&more.recorded.outcome, &more.what_if.outcome);
    assert!(more.what_if.diverged_at.is_some());
    assert!(is.queue.percentile(99.0) < was.queue.percentile(99.0) / 2, "{:?}", is.queue.percentile(99.0));
    assert_eq!(is.of(Ended::PendingOverflow), 0);
    assert!(is.connections.peak() > was.connections.peak());
    assert!(more.what_if.imputed.exchanges_drawn > 0 && more.what_if.imputed.share() < 0.5);
    assert!(more.what_if.imputed.exchanges_recorded > 1000);

    let fewer = what_if(&files, &["max_connections=3"]).expect("a comparison").what_if.outcome;
    assert!(fewer.connections.peak() <= 3 + 4 && fewer.overflows() > was.overflows());

    let idle = CAUSES.iter().position(|cause| *cause == "idle_timeout").expect("a cause");
    let short = what_if(&files, &["idle_timeout=2ms"]).expect("a comparison").what_if.outcome;
    assert!(short.closed[idle] > was.closed[idle] * 2, "{} was {}", short.closed[idle], was.closed[idle]);
    assert!(short.reuse_ratio() < was.reuse_ratio());
    let long = what_if(&files, &["idle_timeout=1h"]).expect("a comparison").what_if.outcome;
    assert_eq!(long.closed[idle], 0);
    let once = what_if(&files, &["max_requests_per_connection=1"]).expect("a comparison").what_if.outcome;
    assert_eq!(once.reused, 0);
}

#[test]
fn any_settings_leave_every_request_one_outcome() {
    let files = record(9, 2, 5);
    let mut random = Random::new(4);
    let mut diverged = 0;
    for round in 0..120 {
        let mut changes = Vec::new();
        for (name, unit) in [
            ("max_connections", ""),
            ("max_pending_requests", ""),
            ("max_requests", ""),
            ("max_retries", ""),
            ("max_connections_per_host", ""),
            ("idle_timeout", "ms"),
            ("max_connection_duration", "ms"),
            ("max_requests_per_connection", ""),
            ("connect_timeout", "ms"),
            ("pending_timeout", "ms"),
        ] {
            if random.below(3) == 0 {
                changes.push(format!("{name}={}{unit}", 1 + random.below(20)));
            }
        }
        if random.below(4) == 0 {
            changes.push("per_upstream_preconnect_ratio=2.5".to_owned());
        }
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let run = what_if(&files, &changes).unwrap_or_else(|error| panic!("{round} {changes:?}: {error}"));
        let outcome = run.what_if.outcome;
        assert_eq!(outcome.requests, 3000, "{changes:?}");
        assert_eq!(outcome.outcomes(), 3000, "{changes:?}");
        assert_eq!(outcome.queued.area_nanos(), outcome.waited_nanos, "{changes:?}");
        diverged += u32::from(run.what_if.diverged_at.is_some());
    }
    assert!(diverged > 80, "{diverged}");
}

#[test]
fn what_is_no_recording_or_no_setting_is_said() {
    assert!(matches!(what_if(&[], &[]), Err(WhatIfError::Empty)));
    assert!(matches!(what_if(&[b"nothing".to_vec()], &[]), Err(WhatIfError::Log(_))));
    let mut files = record(1, 1, 6);
    let error = what_if(&files, &["cluster.order.max_connections=1"]).expect_err("no such cluster");
    assert!(error.to_string().contains("did you mean `orders`"), "{error}");
    let half = files[0].len() / 2;
    files[0].truncate(half);
    let cut = what_if(&files, &[]).expect("up to the cut");
    assert!(cut.notes.iter().any(|note| note.contains("cut off")), "{:?}", cut.notes);
}
