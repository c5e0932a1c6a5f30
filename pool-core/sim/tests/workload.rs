//! The engine against what is known of queues, and against its own books.

use core::time::Duration;
use std::sync::Arc;

use pool_core::config::{Jitter, Multiplexing, PoolConfig, Ratio};
use pool_core::exchange::Repeatable;
use pool_core::limits::{Limits, Thresholds, UNLIMITED};
use pool_sim::workload::books::{CAUSES, Ended, Outcome};
use pool_sim::workload::model::{Bursts, Model, Server, Service};
use pool_sim::workload::random::Random;

fn limits(max_connections: u32) -> Limits {
    Limits::both(Thresholds::unlimited().max_connections(max_connections))
}

/// M/M/c: no network, service exponential with mean 10 ms, as many connections as servers.
fn mmc(servers: u32, load: f64, seed: u64) -> Model {
    Model {
        rate: load * f64::from(servers) * 100.0,
        requests: 400_000,
        rtt: Duration::ZERO,
        service: Service::Exponential(Duration::from_millis(10)),
        limits: limits(servers),
        seed,
        ..Model::default()
    }
}

fn run(model: &Model) -> Outcome {
    model.run().expect("a sound model that leaves nothing behind").0
}

/// Erlang's C: the probability of having to wait.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    let mut blocked = 1.0;
    for k in 1..=servers {
        blocked = offered * blocked / (f64::from(k) + offered * blocked);
    }
    blocked / (1.0 - load * (1.0 - blocked))
}

#[test]
fn waiting_is_that_of_erlang() {
    for (servers, load) in [(1, 0.5), (1, 0.8), (4, 0.7), (8, 0.9), (32, 0.9), (64, 0.8)] {
        // Several runs: their spread tells how far chance goes.
        let runs: Vec<(f64, f64)> = (1..=8)
            .map(|seed| {
                let outcome = run(&mmc(servers, load, seed));
                assert_eq!(outcome.of(Ended::Answered), outcome.requests);
                let waiting = outcome.queue.above_zero() as f64 / outcome.requests as f64;
                (waiting, outcome.queue.sum_nanos() as f64 / 1e9 / outcome.requests as f64)
            })
            .collect();
        let probability = erlang_c(servers, load);
        let wait = probability / (f64::from(servers) * 100.0 * (1.0 - load));
        let check = |values: Vec<f64>, expected: f64, what: &str| {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let error = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
            // Four standard errors, and a little for the start, when nothing is connected yet.
            let bound = 4.0 * error + 0.005 * expected;
            assert!(
                (mean - expected).abs() < bound,
                "{what} with {servers} servers at {load}: {mean:.6}, expected {expected:.6} +- {bound:.6}"
            );
            assert!(bound < 0.15 * expected, "{what}: a bound of {bound} proves nothing about {expected}");
        };
        check(runs.iter().map(|run| run.0).collect(), probability, "probability of waiting");
        check(runs.iter().map(|run| run.1).collect(), wait, "mean wait");
    }
}

#[test]
fn littles_law_holds_to_the_nanosecond() {
    for seed in 0..6 {
        let model = Model { requests: 50_000, workers: 1 + seed as u32 % 3, ..mmc(8, 0.95, seed) };
        let outcome = run(&model);
        assert!(outcome.queue.above_zero() > 10_000);
        assert_eq!(outcome.queued.area_nanos(), outcome.waited_nanos, "queue, seed {seed}");
        assert_eq!(outcome.waited_nanos, outcome.queue.sum_nanos());
        // Everybody is in the queue or on a connection until answered.
        let inside = outcome.queued.area_nanos() + outcome.active.area_nanos();
        assert_eq!(inside, outcome.latency.sum_nanos(), "system, seed {seed}");
    }
}

/// With one connection that is hardly ever busy, a request finds it closed if the gap since the last one
/// was longer than the idle timeout: with Poisson arrivals, a share of `exp(-rate * timeout)`.
#[test]
fn reuse_falls_with_the_idle_timeout_as_it_should() {
    for (timeout_ms, rate) in [(100, 10.0), (50, 10.0), (300, 5.0)] {
        let pool = PoolConfig::builder(Multiplexing::Exclusive)
            .idle_timeout(Some(Duration::from_millis(timeout_ms)))
            .build()
            .expect("valid");
        let model = Model {
            rate,
            requests: 200_000,
            rtt: Duration::ZERO,
            service: Service::Constant(Duration::from_nanos(1)),
            pool,
            ..Model::default()
        };
        let outcome = run(&model);
        let expected = 1.0 - (-rate * timeout_ms as f64 / 1e3).exp();
        assert!((outcome.reuse_ratio() - expected).abs() < 0.005, "{} for {expected}", outcome.reuse_ratio());
        let closed = CAUSES.iter().position(|cause| *cause == "idle_timeout").expect("a cause");
        assert!(outcome.closed[closed] + 1 >= outcome.opened_total());
    }
}

/// The same by the server's doing, whose news takes half a round trip: requests sent meanwhile fall
/// on a dead connection and are sent again, and none is lost.
#[test]
fn a_server_that_closes_first_costs_replays_and_nothing_else() {
    let server = Server { keep_alive_timeout: Some(Duration::from_millis(100)), ..Server::default() };
    let model = Model {
        rate: 10.0,
        requests: 50_000,
        rtt: Duration::from_millis(10),
        service: Service::Constant(Duration::from_millis(1)),
        server,
        ..Model::default()
    };
    let outcome = run(&model);
    // All but the few that met a spare connection, on its first use: nothing says that such a request
    // was not seen.
    assert_eq!(outcome.of(Ended::Broken), outcome.failures());
    assert!(outcome.failures() < 50, "{} failures", outcome.failures());
    assert!(outcome.replays > 1000, "{} replays", outcome.replays);
    // A request that may have been seen is not sent again if that is not safe.
    let unsafe_ones = run(&Model { repeatable: Repeatable::NotIdempotent, ..model.clone() });
    assert_eq!(unsafe_ones.of(Ended::Broken), unsafe_ones.failures());
    assert!(unsafe_ones.of(Ended::Broken) > 1000);
    // A pool that closes first, by more than a round trip, has no such failures.
    let pool = model.pool.to_builder().idle_timeout(Some(Duration::from_millis(80))).build().expect("valid");
    let sooner = run(&Model { repeatable: Repeatable::NotIdempotent, pool, ..model });
    assert_eq!((sooner.failures(), sooner.replays), (0, 0));
}

#[test]
fn servers_that_refuse_and_wait_and_say_goodbye() {
    let base = Model { rate: 500.0, requests: 20_000, hosts: 2, workers: 2, ..Model::default() };
    let goodbye = Server { max_requests_per_connection: Some(10), ..Server::default() };
    let outcome = run(&Model { server: goodbye, ..base.clone() });
    assert!((outcome.reuse_ratio() - 0.9).abs() < 0.01, "{}", outcome.reuse_ratio());
    let narrow = Server { max_concurrent: Some(4), ..Server::default() };
    // 2 hosts of 4 places at 10 ms do 800 per second: the wait is at the server, not in the pool.
    let outcome = run(&Model { server: narrow, ..base.clone() });
    let free = run(&base);
    assert!(outcome.latency.mean() > free.latency.mean() + Duration::from_millis(1));
    let refusing = Server { max_connections: Some(1), ..Server::default() };
    let outcome = run(&Model { server: refusing, ..base });
    assert!(outcome.of(Ended::ConnectFailure) > 0 && outcome.retries > 0, "{outcome:?}");
}

#[test]
fn bursts_keep_the_mean_rate_and_make_queues() {
    let model = Model { rate: 2000.0, requests: 400_000, limits: limits(32), ..Model::default() };
    let bursts = Bursts { factor: 4.0, share: 0.2, length: Duration::from_millis(50) };
    let (calm, bursty) = (run(&model), run(&Model { bursts: Some(bursts), ..model.clone() }));
    for outcome in [&calm, &bursty] {
        let rate = outcome.requests as f64 / outcome.length().as_secs_f64();
        assert!((rate / 2000.0 - 1.0).abs() < 0.05, "{rate}");
    }
    assert!(bursty.queue.percentile(99.0) > calm.queue.percentile(99.0) * 5);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let model = Model { requests: 20_000, workers: 3, rtt_jitter: 0.3, ..mmc(8, 0.9, 5) };
    assert_eq!(run(&model), run(&model));
    assert_ne!(run(&model), run(&Model { seed: 6, ..model.clone() }));
}

/// Any settings, any world: every request has exactly one outcome, and nothing is left over.
#[test]
fn every_request_has_one_outcome_and_gauges_end_at_zero() {
    let mut random = Random::new(77);
    let mut seen = [0_u64; Ended::ALL.len()];
    let rounds = 400;
    for seed in 0..rounds {
        let mut some = |most: u64| (random.below(2) > 0).then(|| random.below(most) + 1);
        let time = |number: Option<u64>| number.map(Duration::from_millis);
        let limit = |number: Option<u64>| number.map_or(UNLIMITED, |number| number as u32);
        let thresholds = Thresholds::unlimited()
            .max_connections(limit(some(12)))
            .max_pending_requests(limit(some(20)))
            .max_requests(limit(some(20)))
            .max_retries(limit(some(4)))
            .max_connections_per_host(limit(some(8)))
            .max_connection_pools(limit(some(5)));
        let pool = PoolConfig::builder(Multiplexing::Exclusive)
            .idle_timeout(time(some(50)))
            .idle_jitter(Jitter::percent(some(100).unwrap_or(0) as u8))
            .max_connection_duration(time(some(80)))
            .max_requests_per_connection(some(9).map(|max| max as u32))
            .pending_timeout(time(some(30)))
            .connect_timeout(Duration::from_millis(some(20).unwrap_or(3)))
            .drain_timeout(time(some(10)))
            .per_upstream_preconnect_ratio(Ratio::from_thousandths(1000 + some(2000).unwrap_or(0) as u32))
            .strict_limits(some(1).is_some())
            .build()
            .expect("valid settings");
        let server = Server {
            max_concurrent: some(5).map(|max| max as u32),
            keep_alive_timeout: time(some(40)),
            max_requests_per_connection: some(6).map(|max| max as u32),
            max_connections: some(6).map(|max| max as u32),
        };
        let model = Model {
            rate: 1500.0,
            requests: 1500,
            hosts: 1 + some(3).unwrap_or(0) as u32,
            workers: 1 + some(3).unwrap_or(0) as u32,
            rtt: Duration::from_millis(some(6).unwrap_or(0)),
            rtt_jitter: 0.5,
            service: Service::LogNormal { p50: Duration::from_millis(4), p99: Duration::from_millis(40) },
            server,
            request_timeout: time(some(60)),
            pool: Arc::clone(&pool),
            limits: Limits::both(thresholds),
            seed,
            ..Model::default()
        };
        let (outcome, _) = model.run().unwrap_or_else(|left| panic!("seed {seed}: {left}\n{model:?}"));
        assert_eq!(outcome.requests, 1500, "seed {seed}");
        assert_eq!(outcome.outcomes(), outcome.requests, "seed {seed}");
        assert_eq!(outcome.queued.area_nanos(), outcome.waited_nanos, "seed {seed}");
        let gone: u64 = outcome.closed.iter().sum();
        assert_eq!(outcome.opened_total(), gone + outcome.open_at_end, "seed {seed}");
        for (sum, ended) in seen.iter_mut().zip(outcome.ended) {
            *sum += ended;
        }
    }
    let never: Vec<_> =
        Ended::ALL.iter().filter(|ended| seen[**ended as usize] == 0).map(|ended| ended.name()).collect();
    assert_eq!(never, ["pool torn down", "unfinished at the end"], "{seen:?}");
}
