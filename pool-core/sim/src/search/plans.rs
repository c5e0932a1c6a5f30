//! The plans: small enough to be searched to the end, and every limit bites.

use core::time::Duration;

use pool_core::config::{Admission, EarlyDataSupport, Multiplexing, PoolConfig, PoolConfigBuilder, Ratio};
use pool_core::limits::{Limits, Resource, Thresholds};
use pool_core::pool::{CancelPolicy, DrainMode, EarlyData, HostHealth};
use pool_core::report::{ClosedBy, StreamEnd};

use super::{Plan, Rest, Size, Turns};
use crate::alphabet::{Aim, ConnectionFact, Step, Target};
use crate::bench::Settings;

/// One tick of the clock. All timeouts are a few of these.
const TICK_MS: u8 = 10;
/// A timeout that no run lives to see.
const AGES: Duration = Duration::from_secs(3600);

const H1: Multiplexing = Multiplexing::Exclusive;
const H2: Multiplexing = Multiplexing::Streams { max_concurrent_streams: 2 };

/// Every plan.
#[must_use]
pub fn all() -> Vec<Plan> {
    vec![
        h1(),
        h1_budget(),
        h2(),
        h2_settings(),
        h2_settings_two(),
        early_data(),
        retries(),
        drain(),
        drain_h2(),
        limits(),
        limits_all(),
        two_workers(),
        two_workers_h2(),
        two_workers_strict(),
        timers(),
        timers_h2(),
        drain_deadline(),
        pairs(h1(), "h1-pairs", Size::Large),
        pairs(h1_budget(), "h1-budget-pairs", Size::Small),
        pairs(h2(), "h2-pairs", Size::Large),
        pairs(h2_settings(), "h2-settings-pairs", Size::Large),
        pairs(early_data(), "early-data-pairs", Size::Large),
        pairs(retries(), "retries-pairs", Size::Small),
        pairs(drain(), "drain-pairs", Size::Large),
        pairs(two_workers(), "two-workers-pairs", Size::Large),
        pairs(timers(), "timers-pairs", Size::Large),
        two_workers_timers(),
        two_hosts_limits(),
        everything_h1(),
        everything_h2(),
    ]
}

/// The plan of that name.
#[must_use]
pub fn named(name: &str) -> Option<Plan> {
    all().into_iter().find(|plan| plan.name == name)
}

/// The plans that tests search.
#[must_use]
pub fn small() -> Vec<Plan> {
    all().into_iter().filter(|plan| plan.size == Size::Small).collect()
}

fn ticks(count: u32) -> Duration {
    Duration::from_millis(u64::from(TICK_MS)) * count
}

fn config(multiplexing: Multiplexing) -> PoolConfigBuilder {
    PoolConfig::builder(multiplexing).connect_timeout(AGES).idle_timeout(None)
}

fn settings(config: PoolConfigBuilder, limits: Thresholds, hosts: &[u32]) -> Settings {
    Settings {
        config: config.build().expect("the plans' settings are valid"),
        limits: Limits::both(limits),
        hosts: hosts.to_vec(),
        initial_limit: None,
    }
}

fn on(fact: ConnectionFact) -> Step {
    Step::Connection { target: Target { nth: 0, aim: Aim::Any }, fact }
}

fn ended(end: StreamEnd) -> Step {
    on(ConnectionFact::StreamEnded { end })
}

fn cancel(policy: CancelPolicy) -> Step {
    Step::Cancel { nth: 0, policy }
}

const REQUEST: Step = Step::Request { early_data: EarlyData::Unsafe };
const TICK: Step = Step::Advance { ms: TICK_MS };

/// What every world has: requests come, handshakes complete or fail, exchanges end, sockets close.
fn base() -> Vec<Step> {
    vec![
        REQUEST,
        cancel(CancelPolicy::Default),
        on(ConnectionFact::Connected { limit: None }),
        on(ConnectionFact::Closed { by: ClosedBy::Remote }),
        on(ConnectionFact::Gone { by: ClosedBy::Local }),
        ended(StreamEnd::Complete),
        Step::Settled,
    ]
}

fn with(more: &[Step]) -> Vec<Step> {
    let mut steps = base();
    steps.extend_from_slice(more);
    steps
}

fn tight(connections: u32) -> Thresholds {
    Thresholds::unlimited().max_connections(connections).max_pending_requests(2).max_requests(2)
}

/// A plan whose drivers may hand in any two things before they take orders.
fn pairs(plan: Plan, name: &'static str, size: Size) -> Plan {
    Plan { name, turns: Turns::Pairs, size, ..plan }
}

fn h1() -> Plan {
    Plan {
        name: "h1",
        about: "HTTP/1, two connections, every way in which an exchange ends",
        settings: settings(config(H1), tight(2), &[0]),
        requests: 3,
        alphabet: with(&[
            ended(StreamEnd::CloseNotified),
            ended(StreamEnd::RequestUnfinished),
            ended(StreamEnd::LocalReset),
            on(ConnectionFact::ProtocolError),
            on(ConnectionFact::StreamEndedAndSettled { end: StreamEnd::Complete }),
            cancel(CancelPolicy::CloseExcess),
        ]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

fn h1_budget() -> Plan {
    Plan {
        name: "h1-budget",
        about: "HTTP/1, one connection of two requests, one queued request at most",
        settings: settings(
            config(H1).max_requests_per_connection(Some(2)),
            Thresholds::unlimited().max_connections(1).max_pending_requests(1).max_requests(2),
            &[0],
        ),
        requests: 3,
        alphabet: with(&[on(ConnectionFact::Retire), cancel(CancelPolicy::CloseExcess)]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

fn h2() -> Plan {
    Plan {
        name: "h2",
        about: "HTTP/2, capacity 2, two connections: GOAWAY, resets, final exchanges, lifetime of two",
        settings: settings(config(H2).max_requests_per_connection(Some(2)), tight(2), &[0]),
        requests: 3,
        alphabet: with(&[
            ended(StreamEnd::LocalReset),
            ended(StreamEnd::Final),
            on(ConnectionFact::GoAway),
            on(ConnectionFact::ProtocolError),
            cancel(CancelPolicy::CloseExcess),
        ]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

/// SETTINGS: raised, lowered, zero; a bind that came too late for them.
fn settings_steps() -> Vec<Step> {
    with(&[
        on(ConnectionFact::Connected { limit: Some(1) }),
        on(ConnectionFact::CapacityChanged { limit: 0 }),
        on(ConnectionFact::CapacityChanged { limit: 1 }),
        on(ConnectionFact::CapacityChanged { limit: 2 }),
        on(ConnectionFact::BindRefused { limit: 1 }),
        on(ConnectionFact::GoAway),
    ])
}

fn h2_settings() -> Plan {
    Plan {
        name: "h2-settings",
        about: "HTTP/2, one connection, SETTINGS raised, lowered and zero, binds refused",
        settings: settings(config(H2), tight(1), &[0]),
        requests: 3,
        alphabet: settings_steps(),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

fn h2_settings_two() -> Plan {
    Plan {
        name: "h2-settings-two",
        about: "the same with two connections and another three requests at a time",
        settings: settings(config(H2), Thresholds::unlimited().max_connections(2), &[0]),
        size: Size::Large,
        ..h2_settings()
    }
}

fn early_data() -> Plan {
    Plan {
        name: "early-data",
        about: "requests before the handshake is complete, safe and unsafe ones",
        settings: settings(config(H2).early_data(EarlyDataSupport::On), tight(1), &[0]),
        requests: 3,
        alphabet: with(&[
            Step::Request { early_data: EarlyData::Safe },
            on(ConnectionFact::EarlyDataReady),
            on(ConnectionFact::GoAway),
            on(ConnectionFact::CapacityChanged { limit: 1 }),
            on(ConnectionFact::CapacityChanged { limit: 2 }),
            cancel(CancelPolicy::CloseExcess),
        ]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

fn retries() -> Plan {
    Plan {
        name: "retries",
        about: "requests that come back to the head of the queue, past the limit of the queue",
        settings: settings(
            config(H1),
            Thresholds::unlimited().max_connections(1).max_pending_requests(1).max_requests(1),
            &[0],
        ),
        requests: 3,
        alphabet: with(&[
            Step::Requeue { early_data: EarlyData::Unsafe, lifetime_ms: None },
            ended(StreamEnd::RemoteReset),
            cancel(CancelPolicy::CloseExcess),
        ]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

/// Every way to empty a pool.
fn drain_steps() -> Vec<Step> {
    with(&[
        Step::Drain { mode: DrainMode::Existing },
        Step::Drain { mode: DrainMode::NotifyPeerAndExisting },
        Step::Drain { mode: DrainMode::AndDelete },
        Step::Health { health: HostHealth::Healthy },
        Step::Health { health: HostHealth::Unhealthy },
        Step::Abort,
    ])
}

fn drain() -> Plan {
    Plan {
        name: "drain",
        about: "HTTP/1, two connections: drain modes, host health, teardown",
        settings: settings(config(H1), tight(2), &[0]),
        requests: 3,
        alphabet: drain_steps(),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

fn drain_h2() -> Plan {
    let mut alphabet = drain_steps();
    alphabet.push(on(ConnectionFact::GoAway));
    alphabet.push(on(ConnectionFact::Suspect));
    Plan {
        name: "drain-h2",
        about: "HTTP/2, capacity 2: drain modes, host health, teardown, GOAWAY",
        settings: settings(config(H2), tight(2), &[0]),
        alphabet,
        ..drain()
    }
}

fn set(resource: Resource, max: u8) -> Step {
    Step::SetLimit { resource, max }
}

fn limits() -> Plan {
    Plan {
        name: "limits",
        about: "HTTP/1: max_connections raised, lowered and set to zero while the pool runs",
        settings: settings(config(H1), tight(1), &[0]),
        requests: 3,
        alphabet: with(&[
            set(Resource::Connections, 0),
            set(Resource::Connections, 1),
            set(Resource::Connections, 2),
            on(ConnectionFact::Retire),
        ]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

fn limits_all() -> Plan {
    let mut alphabet = limits().alphabet;
    alphabet.extend([
        set(Resource::Pending, 0),
        set(Resource::Pending, 2),
        set(Resource::Requests, 0),
        set(Resource::Requests, 2),
    ]);
    Plan {
        name: "limits-all",
        about: "the same with max_pending_requests and max_requests",
        alphabet,
        size: Size::Large,
        ..limits()
    }
}

fn two_workers() -> Plan {
    Plan {
        name: "two-workers",
        about: "HTTP/1, two workers on one ledger with one connection: forced ones, hand-over of the seat",
        settings: settings(config(H1), tight(1), &[0, 0]),
        requests: 3,
        alphabet: with(&[on(ConnectionFact::Retire), cancel(CancelPolicy::CloseExcess)]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Small,
    }
}

fn two_workers_h2() -> Plan {
    Plan {
        name: "two-workers-h2",
        about: "HTTP/2, two workers on one ledger with one connection: GOAWAY and drains beside it",
        settings: settings(config(H2), tight(1), &[0, 0]),
        alphabet: with(&[on(ConnectionFact::GoAway), Step::Drain { mode: DrainMode::AndDelete }]),
        size: Size::Large,
        ..two_workers()
    }
}

fn two_workers_strict() -> Plan {
    let strict =
        config(H1).admission(Admission::Strict).connect_timeout(ticks(2)).idle_timeout(Some(ticks(1)));
    Plan {
        name: "two-workers-strict",
        about: "the same under strict limits: no forced connection, idle ones give way in time",
        settings: settings(strict, tight(1), &[0, 0]),
        requests: 3,
        alphabet: with(&[TICK]),
        turns: Turns::Single,
        rest: Rest::Empty,
        size: Size::Small,
    }
}

fn timers() -> Plan {
    let config = config(H1)
        .connect_timeout(ticks(2))
        .idle_timeout(Some(ticks(2)))
        .max_connection_duration(Some(ticks(3)))
        .pending_timeout(Some(ticks(2)));
    Plan {
        name: "timers",
        about: "HTTP/1: connect timeout, idle timeout, age, and the deadline of queued requests",
        settings: settings(config, tight(1), &[0]),
        requests: 2,
        alphabet: with(&[TICK, Step::Timeout]),
        turns: Turns::Single,
        rest: Rest::Empty,
        size: Size::Small,
    }
}

fn timers_h2() -> Plan {
    let config = config(H2)
        .connect_timeout(ticks(1))
        .idle_timeout(Some(ticks(1)))
        .max_connection_duration(Some(ticks(2)))
        .pending_timeout(Some(ticks(2)))
        .drain_timeout(Some(ticks(1)));
    Plan {
        name: "timers-h2",
        about: "HTTP/2, two connections: all timers at once",
        settings: settings(config, tight(2), &[0]),
        requests: 3,
        alphabet: with(&[TICK, on(ConnectionFact::GoAway)]),
        turns: Turns::Single,
        rest: Rest::Empty,
        size: Size::Large,
    }
}

fn drain_deadline() -> Plan {
    let config =
        config(H2).connect_timeout(ticks(1)).drain_timeout(Some(ticks(2))).idle_timeout(Some(ticks(1)));
    Plan {
        name: "drain-deadline",
        about: "HTTP/2, one connection: a drain that ends by force while others wait",
        settings: settings(config, tight(1), &[0]),
        requests: 3,
        alphabet: with(&[TICK, on(ConnectionFact::GoAway), Step::Drain { mode: DrainMode::AndDelete }]),
        turns: Turns::Single,
        rest: Rest::Empty,
        size: Size::Small,
    }
}

fn two_workers_timers() -> Plan {
    let config = config(H1)
        .connect_timeout(ticks(1))
        .idle_timeout(Some(ticks(1)))
        .pending_timeout(Some(ticks(2)))
        .max_requests_per_connection(Some(2));
    Plan {
        name: "two-workers-timers",
        about: "HTTP/1, two workers on one ledger with one connection, every timer, lifetime of two",
        settings: settings(config, tight(1), &[0, 0]),
        requests: 3,
        alphabet: with(&[TICK, Step::Drain { mode: DrainMode::Existing }, cancel(CancelPolicy::CloseExcess)]),
        turns: Turns::Single,
        rest: Rest::Empty,
        size: Size::Large,
    }
}

fn two_hosts_limits() -> Plan {
    let set = |max| set(Resource::Connections, max);
    Plan {
        name: "two-hosts-limits",
        about: "HTTP/1, pools of two hosts, one connection per host, the cluster's limit raised and lowered",
        settings: settings(config(H1), tight(2).max_connections_per_host(1), &[0, 1]),
        requests: 3,
        alphabet: with(&[set(0), set(1), set(2), on(ConnectionFact::Retire)]),
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Large,
    }
}

fn everything_h1() -> Plan {
    let config = config(H1)
        .connect_timeout(ticks(1))
        .idle_timeout(Some(ticks(1)))
        .max_connection_duration(Some(ticks(2)))
        .pending_timeout(Some(ticks(1)))
        .drain_timeout(Some(ticks(1)))
        .max_requests_per_connection(Some(2));
    let mut alphabet = drain_steps();
    alphabet.extend([
        TICK,
        ended(StreamEnd::CloseNotified),
        ended(StreamEnd::LocalReset),
        on(ConnectionFact::ProtocolError),
        on(ConnectionFact::Retire),
        cancel(CancelPolicy::CloseExcess),
    ]);
    Plan {
        name: "everything-h1",
        about: "HTTP/1, two connections: timers, drains, health, resets, lifetime of two",
        settings: settings(config, tight(2), &[0]),
        requests: 3,
        alphabet,
        turns: Turns::Single,
        rest: Rest::Empty,
        size: Size::Large,
    }
}

fn everything_h2() -> Plan {
    let mut alphabet = settings_steps();
    alphabet.extend([
        ended(StreamEnd::Final),
        Step::Drain { mode: DrainMode::Existing },
        Step::Drain { mode: DrainMode::AndDelete },
        Step::Health { health: HostHealth::Healthy },
        Step::Health { health: HostHealth::Unhealthy },
        Step::Preconnect { thousandths: 2_000 },
        cancel(CancelPolicy::CloseExcess),
    ]);
    Plan {
        name: "everything-h2",
        about: "HTTP/2, two connections, spares at 1.5: SETTINGS, GOAWAY, drains, health, predictive connects",
        settings: settings(
            config(H2).per_upstream_preconnect_ratio(Ratio::from_thousandths(1_500)),
            tight(2),
            &[0],
        ),
        requests: 3,
        alphabet,
        turns: Turns::Single,
        rest: Rest::Idle,
        size: Size::Large,
    }
}
