//! Laws of the canonical form: it does not know names, absolute times or history, and it decides
//! what comes next.

mod common;

use core::time::Duration;

use common::bytes;
use pool_core::config::Jitter;
use pool_core::pool::{Canonical, EarlyData};
use pool_core::report::{ClosedBy, StreamEnd};
use pool_core::time::Instant;
use pool_sim::alphabet::{Choices, Step};
use pool_sim::bench::Settings;
use pool_sim::pool_facts::{self, Walk};

fn canonical(walk: &Walk) -> Vec<Canonical> {
    let now = walk.bench.now();
    walk.bench.sides().iter().map(|side| side.pool.canonical(now)).collect()
}

/// Settings without jitter: what is drawn depends on how many connections there were.
fn settings(choices: &mut Choices<'_>) -> Settings {
    let mut settings = pool_facts::settings(choices);
    let config = settings.config.to_builder().idle_jitter(Jitter::NONE);
    settings.config = config.max_connection_duration_jitter(Jitter::NONE).build().expect("valid before");
    settings
}

/// A walk whose pools have lived before: `lives` connections came and went.
fn with_a_past(settings: &Settings, start: Instant, lives: usize) -> Walk {
    let mut walk = Walk::new(settings, start);
    let bench = &mut walk.bench;
    for side in 0..bench.sides().len() {
        for _ in 0..lives {
            bench.request(side, EarlyData::Unsafe);
            loop {
                let next = bench.sides()[side].book.there().next().map(|socket| socket.id);
                let Some(conn) = next else { break };
                bench.connected_fact(side, conn, None);
                bench.stream_ended(side, conn, StreamEnd::Complete);
                bench.closed(side, conn, ClosedBy::Remote);
            }
            for waiting in bench.sides()[side].book.queue.clone() {
                bench.cancel(side, waiting, pool_core::pool::CancelPolicy::Default);
            }
        }
        bench.settled(side);
    }
    bench.forget_the_past();
    walk
}

#[test]
fn names_times_and_history_do_not_matter() {
    for seed in 0..600 {
        let input = bytes(seed ^ 0x5eed, 400);
        let mut choices = Choices::new(&input);
        let settings = settings(&mut choices);
        let mut one = with_a_past(&settings, Instant::from_millis(3), 1);
        let mut other = with_a_past(&settings, Instant::from_millis(86_400_000), 4);
        if canonical(&one) != canonical(&other) {
            // Without pending seats or under strict limits the past cannot be lived through.
            continue;
        }
        while !choices.is_exhausted() {
            let step = Step::read(&mut choices);
            one.take(step);
            other.take(step);
            assert_eq!(canonical(&one), canonical(&other), "seed {seed}, after {step:?}");
        }
    }
}

#[test]
fn equal_forms_are_met_often_enough_to_be_worth_comparing() {
    let mut alike = 0;
    for seed in 0..600 {
        let input = bytes(seed ^ 0x5eed, 400);
        let settings = settings(&mut Choices::new(&input));
        let one = with_a_past(&settings, Instant::from_millis(3), 1);
        let other = with_a_past(&settings, Instant::from_millis(86_400_000), 4);
        alike += usize::from(canonical(&one) == canonical(&other));
    }
    assert!(alike > 300, "{alike} of 600");
}

#[test]
fn a_fork_goes_the_same_way() {
    let mut forks = 0;
    for seed in 0..400 {
        let input = bytes(seed ^ 0xf0_4c, 500);
        let mut choices = Choices::new(&input);
        let mut walk = Walk::new(&settings(&mut choices), Instant::ZERO);
        for _ in 0..40 {
            walk.take(Step::read(&mut choices));
        }
        let Some(mut fork) = walk.fork() else { continue };
        forks += 1;
        while !choices.is_exhausted() {
            let step = Step::read(&mut choices);
            walk.take(step);
            fork.take(step);
        }
        assert_eq!(walk.bench.events, fork.bench.events, "seed {seed}");
        assert_eq!(canonical(&walk), canonical(&fork), "seed {seed}");
        assert_eq!(walk.bench.ledger(), fork.bench.ledger(), "seed {seed}");
    }
    assert!(forks > 100, "{forks} forks");
}

#[test]
fn an_end_that_is_settled_at_once_is_both_facts_in_one() {
    let mut compared = 0;
    for seed in 0..3_000 {
        let input = bytes(seed ^ 0xe4d, 300);
        let mut choices = Choices::new(&input);
        let mut walk = Walk::new(&settings(&mut choices), Instant::ZERO);
        for _ in 0..5 + seed % 30 {
            walk.take(Step::read(&mut choices));
        }
        walk.bench.take_all_orders();
        let book = &walk.bench.sides()[0].book;
        let busy = book.sockets.iter().find(|socket| !socket.requests.is_empty()).map(|socket| socket.id);
        let (Some(conn), Some(mut apart)) = (busy, walk.fork()) else { continue };
        let end = choices.pick(&[StreamEnd::Complete, StreamEnd::Complete, StreamEnd::LocalReset]);
        walk.bench.stream_ended_and_settled(0, conn, end);
        apart.bench.hold_orders_back();
        apart.bench.stream_ended(0, conn, end);
        apart.bench.settled(0);
        assert_eq!(canonical(&walk), canonical(&apart), "seed {seed}");
        assert_eq!(walk.bench.events, apart.bench.events, "seed {seed}");
        assert_eq!(walk.bench.ledger(), apart.bench.ledger(), "seed {seed}");
        compared += 1;
    }
    assert!(compared > 300, "{compared} compared");
}

#[test]
fn what_decides_the_future_shows() {
    let base = || {
        let input = bytes(1, 40);
        let mut settings = settings(&mut Choices::new(&input));
        settings.limits = pool_core::limits::Limits::default();
        settings.initial_limit = None;
        settings.config = pool_core::config::PoolConfig::builder(pool_core::config::Multiplexing::STREAMS)
            .idle_timeout(Some(Duration::from_secs(1)))
            .build()
            .expect("valid");
        settings.hosts = vec![0];
        Walk::new(&settings, Instant::ZERO)
    };
    let mut seen = vec![canonical(&base())];
    let mut differs = |walk: &Walk, what: &str| {
        let form = canonical(walk);
        assert!(!seen.contains(&form), "{what} does not show");
        seen.push(form);
    };
    let mut walk = base();
    walk.bench.request(0, EarlyData::Unsafe);
    differs(&walk, "a queued request");
    walk.bench.request(0, EarlyData::Safe);
    differs(&walk, "another one that is safe as early data");
    let conn = walk.bench.sides()[0].book.sockets[0].id;
    walk.bench.connected_fact(0, conn, Some(5));
    differs(&walk, "two streams");
    walk.bench.stream_ended(0, conn, StreamEnd::Complete);
    differs(&walk, "one stream");
    walk.bench.capacity_changed(0, conn, 1);
    differs(&walk, "a lower limit");
    walk.bench.stream_ended(0, conn, StreamEnd::Complete);
    differs(&walk, "an idle connection");
    walk.bench.advance_to(Instant::from_millis(400));
    differs(&walk, "time towards the idle timeout");
    walk.bench.go_away(0, conn);
    differs(&walk, "a closing connection");
}

#[test]
fn what_was_told_and_what_never_ends_does_not_show() {
    let base = || {
        let mut settings = settings(&mut Choices::new(&bytes(1, 40)));
        settings.limits = pool_core::limits::Limits::default();
        settings.initial_limit = None;
        let config = pool_core::config::PoolConfig::builder(pool_core::config::Multiplexing::STREAMS);
        settings.config = config.idle_timeout(None).build().expect("valid");
        settings.hosts = vec![0];
        let mut walk = Walk::new(&settings, Instant::ZERO);
        walk.bench.request(0, EarlyData::Unsafe);
        let conn = walk.bench.sides()[0].book.sockets[0].id;
        walk.bench.connected_fact(0, conn, None);
        walk.bench.stream_ended(0, conn, StreamEnd::Complete);
        (walk, conn)
    };
    let ((mut one, conn), (mut other, _)) = (base(), base());
    other.bench.request(0, EarlyData::Unsafe);
    other.bench.stream_ended(0, conn, StreamEnd::Complete);
    assert_eq!(canonical(&one), canonical(&other), "one stream more of a life without an end");
    one.bench.go_away(0, conn);
    other.bench.retire(0, conn);
    assert_eq!(canonical(&one), canonical(&other), "why it was closed");
}
