//! The direct ways do what the long ways do, and stay away where more is to be done.

use super::super::*;
use super::ledger::{ME, limits};
use crate::config::{Multiplexing, PoolConfig, PoolConfigBuilder};
use crate::id::{ConnId, Token};
use crate::limits::Local;
use crate::report::StreamEnd;
use crate::time::Instant;

const T0: Instant = Instant::ZERO;

fn actions(pool: &mut Pool) -> Vec<Action> {
    pool.audit().unwrap();
    core::iter::from_fn(|| pool.poll_action()).collect()
}

/// A pool with `count` connections, each with the stream that it was opened for.
fn busy(config: PoolConfigBuilder, book: &mut Local, count: u64) -> (Pool, Vec<ConnId>) {
    let mut pool = Pool::new(config.build().unwrap(), ME, 1);
    let mut conns = Vec::new();
    for token in 0..count {
        pool.request(T0, book, Request::new(Token(token)));
        for action in actions(&mut pool) {
            if let Action::Connect { conn, .. } = action {
                pool.handle_connected(T0, book, conn, None);
                conns.push(conn);
            }
        }
        actions(&mut pool);
    }
    assert_eq!(conns.len() as u64, count);
    (pool, conns)
}

fn exclusive() -> PoolConfigBuilder {
    PoolConfig::builder(Multiplexing::Exclusive)
}

#[test]
fn one_step_at_the_end_of_a_stream_does_what_two_do() {
    type Prepare = fn(&mut Pool, &mut Local, &[ConnId]);
    let worlds: [(&str, Prepare); 7] = [
        ("nothing else", |_, _, _| {}),
        ("another one settles", |pool, book, conns| {
            pool.handle_stream_ended(T0, book, conns[1], StreamEnd::Complete);
        }),
        ("another one is ready", |pool, book, conns| {
            pool.handle_stream_ended_and_settled(T0, book, conns[1], StreamEnd::Complete);
        }),
        ("somebody waits for an attempt", |pool, book, _| {
            pool.request(T0, book, Request::new(Token(8)));
        }),
        ("somebody waits for a seat", |pool, book, _| {
            pool.request(T0, book, Request::new(Token(8)));
            pool.request(T0, book, Request::new(Token(9)));
        }),
        ("to be deleted", |pool, book, _| pool.drain(T0, book, DrainMode::AndDelete)),
        ("drains", |pool, book, conns| pool.retire(T0, book, conns[0])),
    ];
    for (name, prepare) in worlds {
        // One seat more than connections.
        let mut book = limits(4, 10, 10);
        let (mut pool, conns) = busy(exclusive(), &mut book, 3);
        prepare(&mut pool, &mut book, &conns);
        for end in [StreamEnd::Complete, StreamEnd::CloseNotified, StreamEnd::LocalReset] {
            let (mut one, mut one_book) = (pool.fork(), book.clone());
            let (mut two, mut two_book) = (pool.fork(), book.clone());
            one.handle_stream_ended_and_settled(T0, &mut one_book, conns[0], end);
            two.handle_stream_ended(T0, &mut two_book, conns[0], end);
            two.handle_settled(T0, &mut two_book);
            assert_eq!(actions(&mut one), actions(&mut two), "{name}, {end:?}");
            assert_eq!(one.canonical(T0), two.canonical(T0), "{name}, {end:?}");
            assert_eq!(one.stats(), two.stats(), "{name}, {end:?}");
            assert_eq!(one_book, two_book, "{name}, {end:?}");
        }
    }
}

#[test]
fn a_ready_connection_of_a_pool_that_is_deleted_is_not_bound() {
    let mut book = limits(10, 10, 10);
    let streams = PoolConfig::builder(Multiplexing::Streams { max_concurrent_streams: 5 });
    let (mut pool, _) = busy(streams, &mut book, 1);
    pool.drain(T0, &mut book, DrainMode::AndDelete);
    assert_eq!(pool.counts().ready, 1);
    let answer = pool.request(T0, &mut book, Request::new(Token(5)));
    assert!(matches!(answer, Answer::Failed(Failed { reason: FailReason::Deleted, .. })), "{answer:?}");
}

#[test]
fn the_last_stream_of_what_the_peer_allows_opens_a_connection() {
    let mut book = limits(10, 10, 10);
    let streams = PoolConfig::builder(Multiplexing::Streams { max_concurrent_streams: 2 });
    let (mut pool, first) = busy(streams, &mut book, 1);
    pool.request(T0, &mut book, Request::new(Token(1)));
    pool.request(T0, &mut book, Request::new(Token(2)));
    let Some(Action::Connect { conn, .. }) = actions(&mut pool).pop() else { panic!("no second one") };
    pool.handle_connected(T0, &mut book, conn, None);
    actions(&mut pool);
    // Two streams where none is allowed any more: two places are missing, one is there.
    pool.handle_capacity_changed(T0, &mut book, first[0], 0);
    assert_eq!(pool.triple().capacity, -1);
    assert_eq!(actions(&mut pool), []);
    let answer = pool.request(T0, &mut book, Request::new(Token(3)));
    assert!(matches!(answer, Answer::Bound(Bound { conn: bound, .. }) if bound == conn), "{answer:?}");
    assert!(matches!(actions(&mut pool)[..], [Action::Connect { .. }]));
}
