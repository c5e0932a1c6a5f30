//! Real servers: nginx and node on loopback, killed, reloaded and restarted at random while requests
//! run. What holds: no request with a safe verdict and a replayable body fails while the server can
//! be reached within its retries, and no unsafe one is sent twice.
//!
//! A server that is not installed skips its tests aloud; with `POOL_REQUIRE_INTEROP` set it fails
//! them.
#![expect(
    clippy::disallowed_methods,
    reason = "the harness is the world outside: it reads a clock, sleeps and starts a thread"
)]

mod chaos;
mod load;
mod pooled;
mod raw;
mod servers;
mod unruly;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pool_core::client::Breakers;
use pool_core::error::Verdict;

use chaos::{Account, Chaos, Disturbance, Menu};
use load::{Caller, Failed, Failure, Kind, Log, Plan, Tally, arrivals, breaches, run};
use pooled::{Impatient, Pooled};
use raw::Raw;
use servers::Server;

/// All three kinds, mostly small.
const MIX: &[Kind] = &[Kind::Small, Kind::Small, Kind::Post, Kind::Small, Kind::Large];

const NGINX_MENU: Menu = Menu {
    ways: &[Disturbance::Reload, Disturbance::KillWorker, Disturbance::Restart],
    pause: (Duration::from_millis(5), Duration::from_millis(305)),
};

/// node needs longer than nginx to come back, so it is disturbed less often.
const NODE_MENU: Menu =
    Menu { ways: &[Disturbance::Restart], pause: (Duration::from_millis(300), Duration::from_millis(1300)) };

/// How late the outcome of an attempt may be told, besides what the runtime itself is late.
const SLACK: Duration = Duration::from_millis(100);

/// One load at a time: two would disturb each other's clocks, not each other's servers.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime").block_on(future)
}

/// A load without disturbance: nothing fails. Returns the server for its logs. `caller` is called inside
/// the runtime, because a client may spawn a task when it is made.
fn in_peace<C: Caller>(
    caller: impl FnOnce() -> C,
    server: Server,
    requests: usize,
    concurrency: usize,
) -> Server {
    let plan = Plan { server: server.addr(), requests, concurrency, mix: MIX };
    let tally = block_on(async { run(caller(), plan).await });
    assert!(tally.failed.is_empty() && tally.wrong.is_empty(), "{:?} {:?}", tally.failed, tally.wrong);
    server
}

/// A load on a server that is disturbed at random: the promise of this file holds.
fn in_chaos<C: Caller>(
    caller: impl FnOnce() -> C,
    server: Server,
    (menu, log): (Menu, Log),
    requests: usize,
    concurrency: usize,
) -> Tally {
    let plan = Plan { server: server.addr(), requests, concurrency, mix: MIX };
    let began = Instant::now();
    let chaos = Chaos::start(server, menu, requests as u64 ^ concurrency as u64);
    let tally = block_on(async { run(caller(), plan).await });
    let took = began.elapsed();
    let (server, account) = chaos.stop();
    eprintln!(
        "{requests} requests at {concurrency} in {took:?}: {} answered, {} disturbances, {} outages, \
         told up to {:?} late, {} failed: {:?}",
        tally.answered.len(),
        account.disturbances.len(),
        account.outages.len(),
        tally.lateness,
        tally.failed.len(),
        tally.reasons(),
    );
    // A failure is told late when the attempt is judged late, and its waiter woken late.
    let slack = SLACK + 2 * tally.lateness;
    let found = breaches(&tally, &account, &arrivals(&server.ids()), log, slack);
    assert!(found.is_empty(), "{} breaches, the first: {:#?}", found.len(), &found[..found.len().min(10)]);
    // Not vacuous: something was disturbed, and most requests got through all the same.
    assert!(!account.disturbances.is_empty());
    assert!(tally.answered.len() * 2 >= requests, "only {} of {requests} answered", tally.answered.len());
    tally
}

#[test]
fn harness_raw_client_against_nginx_and_node_in_peace() {
    let _turn = turn();
    if let Some(server) = Server::nginx() {
        let server = in_peace(|| Raw, server, 500, 16);
        assert_eq!(arrivals(&server.ids()).len(), 100);
        assert_eq!(server.connections(), 500, "one connection per request, and the log counts them");
    }
    if let Some(server) = Server::node() {
        let server = in_peace(|| Raw, server, 500, 16);
        assert_eq!(arrivals(&server.ids()).len(), 100);
    }
}

#[test]
fn harness_raw_client_against_nginx_in_chaos() {
    let _turn = turn();
    if let Some(server) = Server::nginx() {
        in_chaos(|| Raw, server, (NGINX_MENU, Log::AfterAnswering), 4000, 32);
    }
}

#[test]
fn harness_raw_client_against_node_in_chaos() {
    let _turn = turn();
    if let Some(server) = Server::node() {
        in_chaos(|| Raw, server, (NODE_MENU, Log::BeforeActing), 4000, 32);
    }
}

/// Requests per test: CI asks for 100 000.
fn requests() -> usize {
    let set = std::env::var("POOL_INTEROP_REQUESTS").ok();
    set.map_or(20_000, |set| set.parse().expect("POOL_INTEROP_REQUESTS is a number"))
}

fn pooled_nginx_in_peace(concurrency: usize) {
    let _turn = turn();
    let Some(server) = Server::nginx() else { return };
    let server = in_peace(Pooled::new, server, requests(), concurrency);
    // nginx ends a connection after 100 requests; each opened one is used to its end or is one of the last.
    let most = requests().div_ceil(100) + concurrency;
    assert!(server.connections() <= most, "{} connections, at most {most} expected", server.connections());
    assert!(arrivals(&server.ids()).values().all(|&times| times == 1));
}

fn pooled_nginx_in_chaos(concurrency: usize) {
    let _turn = turn();
    if let Some(server) = Server::nginx() {
        in_chaos(Pooled::new, server, (NGINX_MENU, Log::AfterAnswering), requests(), concurrency);
    }
}

/// Reloads alone close no port and cut no exchange, so nothing that may be repeated fails at all.
fn pooled_nginx_reloaded(concurrency: usize) {
    let _turn = turn();
    if let Some(server) = Server::nginx() {
        let menu = Menu { ways: &[Disturbance::Reload], ..NGINX_MENU };
        let tally = in_chaos(Pooled::new, server, (menu, Log::AfterAnswering), requests(), concurrency);
        assert!(tally.failed.iter().all(|failed| failed.kind == Kind::Post), "{:?}", tally.reasons());
    }
}

/// The servers die, callers give up, and still every request has one outcome and every gauge goes back
/// to zero.
fn pooled_comes_to_rest(server: Option<Server>, (menu, log): (Menu, Log), concurrency: usize) {
    let _turn = turn();
    let Some(server) = server else { return };
    let plan = Plan { server: server.addr(), requests: requests(), concurrency, mix: MIX };
    block_on(async {
        let breakers = Breakers::default();
        let pooled = Pooled::with(&breakers);
        let chaos = Chaos::start(server, menu, concurrency as u64);
        let tally = run(Impatient(pooled.clone()), plan).await;
        let stopped = tokio::task::spawn_blocking(|| chaos.stop()).await;
        let (server, account) = stopped.expect("the disturbing thread reports its own failures");
        eprintln!("{} answered, {:?}, {:?}", tally.answered.len(), tally.reasons(), account.disturbances);
        let found = breaches(&tally, &account, &arrivals(&server.ids()), log, SLACK + 2 * tally.lateness);
        assert!(
            found.is_empty(),
            "{} breaches, the first: {:#?}",
            found.len(),
            &found[..found.len().min(10)]
        );
        pooled.is_at_rest().await;

        // Whoever shares the breakers finds nothing counted but its own connection.
        let witness = Pooled::with(&breakers);
        let one = run(witness.clone(), Plan { requests: 1, concurrency: 1, ..plan }).await;
        assert_eq!(one.answered.len(), 1, "{:?}", one.failed);
        assert_eq!(witness.breakers(), [[1, 0, 0]]);
    });
}

#[test]
fn pooled_comes_to_rest_after_nginx_was_killed() {
    pooled_comes_to_rest(Server::nginx(), (NGINX_MENU, Log::AfterAnswering), 128);
}

#[test]
fn pooled_comes_to_rest_after_node_was_killed() {
    pooled_comes_to_rest(Server::node(), (NODE_MENU, Log::BeforeActing), 128);
}

#[test]
fn pooled_comes_to_rest_after_malformed_answers() {
    let _turn = turn();
    block_on(async {
        let server = unruly::start().await;
        let breakers = Breakers::default();
        let pooled = Pooled::with(&breakers);
        let plan = Plan { server, requests: 2_000, concurrency: 64, mix: &[Kind::Post] };
        let is_over = Arc::new(AtomicBool::new(false));
        let watcher = tokio::spawn(pooled.clone().worst_stats(is_over.clone()));
        let tally = run(Impatient(pooled.clone()), plan).await;
        // Some are answered as a POST should be, the others fail or are refused: none hangs.
        assert!(!tally.answered.is_empty() && !tally.failed.is_empty());
        is_over.store(true, Ordering::Relaxed);
        let stats = watcher.await.expect("the watcher only looks");
        assert!(stats.cx_protocol_error > 0, "{stats:?}");
        assert_eq!(stats.ignored_facts, 0, "{stats:?}");
        pooled.is_at_rest().await;
    });
}

fn pooled_node_in_chaos(concurrency: usize) {
    let _turn = turn();
    if let Some(server) = Server::node() {
        in_chaos(Pooled::new, server, (NODE_MENU, Log::BeforeActing), requests(), concurrency);
    }
}

#[test]
fn pooled_nginx_in_peace_at_64() {
    pooled_nginx_in_peace(64);
}

#[test]
fn pooled_nginx_in_peace_at_512() {
    pooled_nginx_in_peace(512);
}

#[test]
fn pooled_nginx_in_chaos_at_64() {
    pooled_nginx_in_chaos(64);
}

#[test]
fn pooled_nginx_in_chaos_at_512() {
    pooled_nginx_in_chaos(512);
}

#[test]
fn pooled_nginx_reloaded_at_64() {
    pooled_nginx_reloaded(64);
}

#[test]
fn pooled_node_in_chaos_at_64() {
    pooled_node_in_chaos(64);
}

#[test]
fn patient_client_repeats_nothing_that_it_must_not_at_64() {
    let _turn = turn();
    if let Some(server) = Server::node() {
        in_chaos(Pooled::patient, server, (NODE_MENU, Log::BeforeActing), requests(), 64);
    }
}

#[test]
fn pooled_node_in_chaos_at_512() {
    pooled_node_in_chaos(512);
}

#[test]
fn the_judgement_finds_each_kind_of_breach() {
    let now = Instant::now();
    let later = |millis| now + Duration::from_millis(millis);
    let account =
        Account { disturbances: vec![Disturbance::Restart], outages: vec![(later(100), later(200))] };
    let failed = |id, kind, verdict, ended| Failed {
        id,
        kind,
        failure: Failure { verdict, what: String::new() },
        ended,
    };
    let judge = |failed: Vec<Failed>, ids: &[&str], answered: Vec<(usize, Kind)>| {
        let tally = Tally { answered, failed, ..Tally::default() };
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        breaches(&tally, &account, &arrivals(&ids), Log::BeforeActing, Duration::from_millis(10)).len()
    };
    use Kind::{Post, Small};
    use Verdict::{NeverSent, NoResponseByte, Unknown};
    // Safe failures: excused in an outage only.
    assert_eq!(judge(vec![failed(1, Small, NeverSent, later(150))], &[], vec![]), 0);
    assert_eq!(judge(vec![failed(1, Small, NeverSent, later(205))], &[], vec![]), 0);
    assert_eq!(judge(vec![failed(1, Small, NeverSent, later(99))], &[], vec![]), 1);
    assert_eq!(judge(vec![failed(1, Post, NeverSent, later(211))], &[], vec![]), 1);
    assert_eq!(judge(vec![failed(1, Small, NoResponseByte, later(50))], &[], vec![]), 1);
    // Unsafe failures: allowed, and once is not twice.
    assert_eq!(judge(vec![failed(1, Post, NoResponseByte, later(50))], &["1"], vec![]), 0);
    assert_eq!(judge(vec![failed(1, Small, Unknown, later(50))], &[], vec![]), 0);
    assert_eq!(judge(vec![failed(1, Post, Unknown, later(50))], &["1", "1"], vec![]), 1);
    // Never sent, and yet it arrived.
    assert_eq!(judge(vec![failed(1, Post, NeverSent, later(150))], &["1"], vec![]), 1);
    // Answered once, twice, never arrived.
    assert_eq!(judge(vec![], &["7"], vec![(7, Post)]), 0);
    assert_eq!(judge(vec![], &["7", "8", "7"], vec![(7, Post)]), 1);
    assert_eq!(judge(vec![], &[], vec![(7, Post)]), 1);
}
