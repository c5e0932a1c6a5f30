//! `/pools`: every pool of every worker, to the last connection and waiter. Ours; Envoy has nothing
//! like it.

use std::fmt::Write as _;
use std::time::Duration;

use pool_core::client::PoolSnapshot;
use pool_core::id::ConnId;
use pool_core::limits::{Gauge, UNLIMITED};
use pool_core::pool::{CloseReason, DrainCause, Handshake, Phase, State};

use super::json::Json;
use super::source::WorkerPools;

pub(super) fn text(workers: &[WorkerPools]) -> String {
    let mut out = String::new();
    for WorkerPools { worker, snapshot } in workers {
        for pool in &snapshot.pools {
            // Writing to a `String` does not fail.
            let _ = writeln!(out, "worker {worker} pool {}: {}", pool.id.0, address(pool));
            let triple = pool.triple;
            let _ = writeln!(
                out,
                "  requests: {} active, {} pending; {} unused streams",
                triple.active, triple.pending, triple.capacity
            );
            for (name, gauge) in breakers(pool) {
                let _ = writeln!(out, "  breaker {name}: {}", limited(gauge));
            }
            for connection in &pool.connections {
                let _ = writeln!(
                    out,
                    "  connection {}: {}, age {}, {} active",
                    connection_name(connection.id),
                    state(connection.state),
                    seconds(connection.age),
                    connection.active
                );
            }
            for waited in &pool.waiters {
                let _ = writeln!(out, "  waiter: {}", seconds(*waited));
            }
        }
    }
    if out.is_empty() {
        out.push_str("no pools\n");
    }
    out
}

pub(super) fn json(workers: &[WorkerPools]) -> Json {
    let pools = workers.iter().flat_map(|WorkerPools { worker, snapshot }| {
        snapshot.pools.iter().map(move |pool| one(*worker, pool))
    });
    Json::object([("pools", Json::list(pools))])
}

fn one(worker: usize, pool: &PoolSnapshot) -> Json {
    let connections = pool.connections.iter().map(|connection| {
        Json::object([
            ("id", Json::Text(connection_name(connection.id))),
            ("state", Json::Text(state(connection.state))),
            ("age_ms", millis(connection.age)),
            ("active", Json::Integer(connection.active.into())),
        ])
    });
    let counts = &pool.counts;
    let counts = [
        ("connecting", counts.connecting),
        ("early_data", counts.early_data),
        ("ready", counts.ready),
        ("busy", counts.busy),
        ("draining", counts.draining),
        ("closing", counts.closing),
    ];
    let counts = counts.map(|(name, count)| (name, Json::Integer(count.into())));
    let breakers = breakers(pool).map(|(name, gauge)| {
        let max = if gauge.max == UNLIMITED { Json::Null } else { Json::Integer(gauge.max.into()) };
        (name, Json::object([("current", Json::Integer(gauge.current)), ("max", max)]))
    });
    let unused = u64::try_from(pool.triple.capacity).map_or(Json::Integer(0), Json::Integer);
    Json::object([
        ("worker", Json::Integer(worker as u64)),
        ("pool", Json::Integer(pool.id.0.into())),
        ("target", Json::Text(address(pool))),
        ("rq_active", Json::Integer(pool.triple.active)),
        ("rq_pending_active", Json::Integer(pool.triple.pending)),
        ("unused_streams", unused),
        ("counts", Json::object(counts)),
        ("breakers", Json::object(breakers)),
        ("connections", Json::list(connections)),
        ("waiters_ms", Json::list(pool.waiters.iter().map(|waited| millis(*waited)))),
    ])
}

fn address(pool: &PoolSnapshot) -> String {
    let target = &pool.target;
    match target.address {
        Some(address) if address.ip().to_string() == *target.host => address.to_string(),
        Some(address) => format!("{} ({}:{})", address, target.host, target.port),
        None => format!("{}:{}", target.host, target.port),
    }
}

const fn breakers(pool: &PoolSnapshot) -> [(&'static str, Gauge); 3] {
    [
        ("connections", pool.connections_breaker),
        ("pending", pool.pending_breaker),
        ("requests", pool.requests_breaker),
    ]
}

/// `5.2`: the slot, and how often it has been used.
fn connection_name(id: ConnId) -> String {
    format!("{}.{}", id.index, id.generation)
}

fn limited(gauge: Gauge) -> String {
    match gauge.max {
        UNLIMITED => format!("{}, no limit", gauge.current),
        max => format!("{} of {max}", gauge.current),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn millis(time: Duration) -> Json {
    Json::Float((time.as_secs_f64() * 1e6).round() / 1e3)
}

/// Envoy's word for the state, and why.
fn state(state: State) -> String {
    match state {
        State::Connecting => "connecting".to_owned(),
        State::EarlyData => "early data".to_owned(),
        State::Ready(Phase::Open) => "ready".to_owned(),
        State::Ready(Phase::Settling) => "ready (settling)".to_owned(),
        State::Busy(Handshake::Complete) => "busy".to_owned(),
        State::Busy(Handshake::Pending) => "busy (early data)".to_owned(),
        State::Draining(cause) => format!("draining ({})", words(cause)),
        State::Closed(reason) => format!("closing ({})", words(reason)),
    }
}

/// Why a connection ends. The names of the reasons are words already.
trait Reason: std::fmt::Debug {}
impl Reason for DrainCause {}
impl Reason for CloseReason {}

/// `MaxRequests` as `max requests`.
fn words(reason: impl Reason) -> String {
    let mut out = String::new();
    for char in format!("{reason:?}").chars() {
        if char.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(char.to_ascii_lowercase());
    }
    out
}
