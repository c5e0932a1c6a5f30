//! Two workers that call one cluster, and a plan of what goes wrong meanwhile.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::Request;
use http_body::Body as _;
use pool_core::client::{CallPolicy, Cluster, Host};
use pool_core::config::{Multiplexing, PoolConfig};
use pool_core::exchange::RetryPolicy;
use pool_core::limits::{Limits, Thresholds};
use pool_core::trace::Header;
use pool_proxy::recordings::record::Recorder;
use runtime_tokio::{Client, empty};
use tokio::time::{Instant, sleep, sleep_until};

use crate::server::{Mood, Server};

const WORKERS: u32 = 2;
/// Of a steady load.
const CALLERS: usize = 14;

/// A stretch of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// How long it lasts.
    pub(crate) length: Duration,
    /// Requests a second, of both workers together; they come at random.
    pub(crate) rate: f64,
    /// Requests that come at once when it begins.
    pub(crate) burst: usize,
    /// How the server serves; `None` is a server that is down.
    pub(crate) mood: Option<Mood>,
}

/// What is to happen.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    phases: Vec<Phase>,
    /// Requests after that, of callers that each wait for one before they make the next.
    steady: usize,
    limits: Thresholds,
}

const GOOD: Mood = Mood { service_time: Duration::from_millis(9), close_every: 40, unavailable_every: 0 };

impl Plan {
    /// A quiet second, a slow one, a restart, a flood, and idle connections that are given up.
    pub(crate) fn incident() -> Self {
        let millis = Duration::from_millis;
        let phase = |length, rate, burst, mood| Phase { length: millis(length), rate, burst, mood };
        let slow = Mood { service_time: millis(70), unavailable_every: 12, ..GOOD };
        Self {
            phases: vec![
                phase(900, 260.0, 0, Some(GOOD)),
                phase(700, 260.0, 0, Some(slow)),
                phase(500, 260.0, 0, Some(GOOD)),
                phase(250, 260.0, 0, None),
                phase(600, 260.0, 0, Some(GOOD)),
                phase(500, 200.0, 70, Some(GOOD)),
                phase(700, 12.0, 0, Some(GOOD)),
            ],
            steady: 0,
            limits: Thresholds::default().max_connections(8).max_pending_requests(24),
        }
    }

    /// So many requests on a good server, as fast as 12 connections carry them.
    pub(crate) fn steady(requests: usize) -> Self {
        let mood = Mood { service_time: Duration::ZERO, close_every: 1000, unavailable_every: 0 };
        let phase = Phase { length: Duration::from_millis(1), rate: 0.0, burst: 0, mood: Some(mood) };
        Self {
            phases: vec![phase],
            steady: requests,
            limits: Thresholds::default().max_connections(CALLERS as u32 - 2),
        }
    }
}

/// Runs a plan and records it.
///
/// # Errors
/// If there is no runtime, port or folder to be had.
pub(crate) fn run(folder: &Path, plan: &Plan) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work(folder, plan))
}

async fn work(folder: &Path, plan: &Plan) -> io::Result<()> {
    let recorder = Recorder::start(folder, |message| eprintln!("{message}")).map_err(io::Error::other)?;
    let mut server = Some(Server::start(None, GOOD)?);
    let address = server.as_ref().map(Server::address);
    let pool = PoolConfig::builder(Multiplexing::Exclusive)
        .idle_timeout(Some(Duration::from_millis(250)))
        .connect_timeout(Duration::from_millis(300));
    let cluster = Cluster::builder("orders")
        .pool(pool.build().map_err(io::Error::other)?)
        .limits(Limits::both(plan.limits))
        .hosts(address.map(Host::new))
        .build();
    let clients: Vec<Client> = (0..WORKERS).map(|worker| client(worker, &recorder)).collect();

    let mut dice = 0x5eed_u64;
    let mut calls = tokio::task::JoinSet::new();
    let mut begin = Instant::now();
    for phase in &plan.phases {
        match (phase.mood, server.take()) {
            (Some(mood), Some(running)) => {
                running.set(mood);
                server = Some(running);
            }
            (Some(mood), None) => server = Some(Server::start(address, mood)?),
            (None, Some(running)) => running.kill().await,
            (None, None) => {}
        }
        for number in 0..phase.burst {
            calls.spawn(call(clients[number % clients.len()].clone(), cluster.clone(), None));
        }
        let mut at = begin;
        loop {
            // Without a rate the next one never comes.
            at += Duration::try_from_secs_f64(-throw(&mut dice).ln() / phase.rate)
                .unwrap_or(Duration::from_secs(60));
            if at >= begin + phase.length {
                break;
            }
            sleep_until(at).await;
            let client = &clients[usize::from(throw(&mut dice) < 0.4)];
            // Some callers have no patience.
            let patience = (throw(&mut dice) < 0.03).then_some(Duration::from_millis(12));
            calls.spawn(call(client.clone(), cluster.clone(), patience));
        }
        begin += phase.length;
        sleep_until(begin).await;
    }
    for caller in 0..CALLERS {
        let (client, cluster) = (clients[caller % clients.len()].clone(), cluster.clone());
        let requests = plan.steady / CALLERS;
        calls.spawn(async move {
            for _ in 0..requests {
                call(client.clone(), cluster.clone(), None).await;
            }
        });
    }
    while calls.join_next().await.is_some() {}
    // Idle connections are given up by now.
    sleep(Duration::from_millis(300)).await;
    for client in clients {
        client.close().await;
    }
    drop(recorder);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one time of day in a recording")]
fn client(worker: u32, recorder: &Recorder) -> Client {
    let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let header = Header {
        worker,
        workers: WORKERS,
        epoch_unix_nanos: u64::try_from(epoch.as_nanos()).unwrap_or_default(),
        seed: u64::from(worker),
        program: "incident 0.1.0".to_owned(),
    };
    let (builder, recording) = runtime_tokio::client().record(&header);
    recorder.inbox().add(worker, recording);
    builder.build()
}

async fn call(client: Client, cluster: Cluster, patience: Option<Duration>) {
    let policy = CallPolicy { retry: RetryPolicy::default(), ..CallPolicy::default() };
    let Ok(request) = Request::get("/").header("host", "orders.example").body(empty()) else { return };
    let answer = async {
        if let Ok(response) = client.call_cluster(&cluster, &policy, request).await {
            let mut body = std::pin::pin!(response.into_body());
            while let Some(Ok(_)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {}
        }
    };
    match patience {
        Some(patience) => drop(tokio::time::timeout(patience, answer).await),
        None => answer.await,
    }
}

/// A number above 0, up to 1 (xorshift).
fn throw(dice: &mut u64) -> f64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    ((*dice >> 11) + 1) as f64 / (1u64 << 53) as f64
}
