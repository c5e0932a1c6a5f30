//! The fuzzer's walk, replayed on stable: seeded inputs, and inputs that proptest can shrink.

mod common;

use std::collections::BTreeSet;

use common::bytes;
use pool_core::pool::{Action, Answer};
use pool_core::time::Instant;
use pool_sim::alphabet::Choices;
use pool_sim::bench::Event;
use pool_sim::pool_facts::{self, Walk};
use proptest::prelude::*;

/// `POOL_SIM_SEEDS=from..to` walks other seeds than the usual ones.
fn seeds() -> core::ops::Range<u64> {
    let Ok(range) = std::env::var("POOL_SIM_SEEDS") else { return 0..2_500 };
    let (from, to) = range.split_once("..").expect("POOL_SIM_SEEDS is from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn seeded_walks_keep_every_invariant() {
    for seed in seeds() {
        let length = 64 + (seed % 7) as usize * 128;
        let outcome = std::panic::catch_unwind(|| pool_facts::run(&bytes(seed, length)));
        assert!(outcome.is_ok(), "seed {seed}: the walk is printed above");
    }
}

/// A walk that never meets a case proves nothing about it.
#[test]
fn walks_meet_every_reason() {
    let mut met = BTreeSet::new();
    for seed in 0..1_500 {
        let input = bytes(seed, 600);
        let mut choices = Choices::new(&input);
        let settings = pool_facts::settings(&mut choices);
        let mut walk = Walk::new(&settings, Instant::ZERO);
        walk.steps(&mut choices);
        met.extend(walk.bench.events.iter().map(|(_, event)| name(event)));
    }
    let missing: Vec<&str> = REASONS.into_iter().filter(|reason| !met.contains(*reason)).collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

/// Kind and reason of an event.
fn name(event: &Event) -> String {
    match event {
        Event::Action(action) => match action {
            Action::Connect { reason, .. } => format!("Connect {reason:?}"),
            Action::Close { reason, .. } => format!("Close {reason:?}"),
            Action::Bind { reason, .. } => format!("Bind {reason:?}"),
            Action::Fail { reason, .. } => format!("Fail {reason:?}"),
            Action::NotifyGoAway { .. } => "NotifyGoAway".to_owned(),
            Action::Idle => "Idle".to_owned(),
        },
        Event::Answer(answer) => match answer {
            Answer::Bound(bound) => format!("Bound {:?}", bound.reason),
            Answer::Queued(queued) => format!("Queued {:?}", queued.reason),
            Answer::Failed(failed) => format!("Failed {:?}", failed.reason),
        },
    }
}

const REASONS: [&str; 45] = [
    "Connect Demand",
    "Connect Preconnect",
    "Connect Predictive",
    "Connect Forced",
    "Close ConnectTimeout",
    "Close IdleTimeout",
    "Close MaxAge",
    "Close MaxRequests",
    "Close GoAway",
    "Close CloseNotified",
    "Close FinalExchange",
    "Close RequestUnfinished",
    "Close StreamReset",
    "Close ProtocolError",
    "Close Drained",
    "Close HostUnhealthy",
    "Close Retired",
    "Close Suspect",
    "Close DrainTimeout",
    "Close Excess",
    "Close Aborted",
    "Bind Connected",
    "Bind EarlyData",
    "Bind StreamEnded",
    "Bind Settled",
    "Bind CapacityRaised",
    "Fail RequestLimit",
    "Fail ConnectTimeout",
    "Fail ConnectFailedLocally",
    "Fail ConnectFailedRemotely",
    "Fail PendingTimeout",
    "Fail Deleted",
    "Fail Aborted",
    "NotifyGoAway",
    "Idle",
    "Bound MostRecentlyUsed",
    "Bound EarlyData",
    "Queued Connecting",
    "Queued Settling",
    "Queued ConnectionLimit",
    "Queued Busy",
    "Queued Handshake",
    "Failed PendingLimit",
    "Failed RequestLimit",
    "Failed Deleted",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shrinkable_walks_keep_every_invariant(input in proptest::collection::vec(any::<u8>(), 0..700)) {
        pool_facts::run(&input);
    }
}
