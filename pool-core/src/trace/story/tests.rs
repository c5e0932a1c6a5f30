//! Stories of requests, from a recording that is made here.

use core::time::Duration;
use std::sync::Arc;

use crate::cluster::Key;
use crate::config::{Multiplexing, PoolConfig};
use crate::id::{ConnId, Token};
use crate::limits::{Limits, Priority, Shared, Thresholds};
use crate::pool::{Action, Answer, EarlyData, Request};
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::time::Instant;
use crate::trace::{Header, History, Note, Recording, Traced};

/// One pool, limited to one connection: request 1 opens it, request 2 waits for its end.
fn file() -> Vec<u8> {
    let limits = Limits::both(Thresholds::default().max_connections(1));
    let header = Header { worker: 0, workers: 1, epoch_unix_nanos: 0, seed: 1, program: "test".to_owned() };
    let recording = Recording::new(&header);
    let mut set = Traced::new(1, Some(recording.clone()));
    let mut now = Instant::ZERO;
    let config = PoolConfig::builder(Multiplexing::Exclusive).build().expect("valid settings");
    let ledger = Shared::new(limits).worker(Arc::new(|| {}));
    let cluster = set.add_cluster(now, "orders", &limits, config, ledger);
    let key = Key::http1("10.0.0.1", 80);
    let pool =
        set.add_pool(now, || "10.0.0.1:80".to_owned(), &key, cluster, Priority::Default).expect("a pool");
    let mut opened = None;
    let mut drain = move |set: &mut Traced<_>| {
        while let Some((_, action)) = set.poll_action() {
            if let Action::Connect { conn, .. } = action {
                opened = Some(conn);
            }
        }
        opened.unwrap_or(ConnId { index: 9, generation: 9 })
    };
    let mut ask = |set: &mut Traced<_>, now, number| {
        let request = Request { token: Token(number), early_data: EarlyData::Unsafe };
        assert!(matches!(set.request(now, pool, request, number), Some(Answer::Queued(_))));
        drain(set)
    };
    let conn = ask(&mut set, now, 1);
    now = now + Duration::from_millis(1);
    set.handle_report(now, pool, conn, Report::Connected { limit: None });
    ask(&mut set, now, 2);
    for (number, end) in [(1, StreamEnd::Complete), (2, StreamEnd::CloseNotified)] {
        now = now + Duration::from_micros(1500);
        set.note(now, || Note::Answered { request: number, status: 200 });
        set.finish(now, pool, conn, end);
        while set.poll_action().is_some() {}
    }
    set.handle_report(now, pool, conn, Report::Closed(ClosedBy::Local));
    while set.poll_action().is_some() {}
    set.flush();
    std::iter::from_fn(|| recording.take()).flatten().collect()
}

#[test]
fn a_request_that_waited_for_the_only_connection_says_so() {
    let history = History::of(&file()).expect("a recording");
    assert_eq!(history.end, Ok(()));
    let story = history.explain(2).expect("recorded").to_string();
    let expected = "\
request 2, worker 0
    1.000 ms  asked the pool of 10.0.0.1:80 (cluster orders); there: 1 in progress, 1 waiting, connections: 0 opening, 0 ready, 1 busy, 0 draining
    1.000 ms  queued: no more connections could be opened (max_connections of orders: 1, over all hosts and workers)
    2.500 ms  got connection c0.0 (its last exchange had just ended; it had carried others before)
    4.000 ms  the head of its response came: 200
    4.000 ms  its exchange ended: complete, and the peer asked for the connection to close
    3.000 ms  in all
its connection:
    0.000 ms  ordered: waiting requests needed it, for request 1
    1.000 ms  up
    4.000 ms  ordered to close: the peer had asked for it
    4.000 ms  closed by this side
              carried 2 requests in all
";
    assert_eq!(story, expected);
    assert!(history.explain(3).is_none());
}

#[test]
fn levels_follow_the_pool() {
    let history = History::of(&file()).expect("a recording");
    let [pool] = &history.pools[..] else { panic!("one pool, not {}", history.pools.len()) };
    let most = pool.levels.iter().map(|level| level.pending).max();
    assert_eq!(most, Some(1));
    let last = pool.levels.last().expect("levels");
    assert_eq!((last.active, last.pending, last.connecting, last.connected), (0, 0, 0, 0));
    assert_eq!(history.connections.len(), 1);
    assert_eq!(history.connections[0].exchanges.len(), 2);
    assert_eq!(pool.gone_at, Some(Instant::from_nanos(4_000_000)));
}
