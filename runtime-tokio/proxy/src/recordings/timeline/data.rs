//! What the page's script draws from: lists of numbers, times as differences in nanoseconds.
//!
//! A run of 100 000 requests is some ten megabytes in this form, and read by a browser in a moment.
//! Words that stand for reasons come from [`pool_core::trace::story`]; numbers refer to them.

use std::collections::BTreeMap;
use std::fmt::Write;

use pool_core::error::Verdict;
use pool_core::exchange::Progress;
use pool_core::limits::{Priority, Resource};
use pool_core::pool::{BindReason, CloseReason, ConnectReason, FailReason, QueueReason, Usage};
use pool_core::report::{ClosedBy, Report, StreamEnd};
use pool_core::time::Instant;
use pool_core::trace::history::{Level, What};
use pool_core::trace::{Afterwards, History, story};

use super::json;

/// Histories of one run on one clock.
pub(super) struct Run<'a> {
    pub(super) histories: &'a [(String, History)],
    /// Of each history, what to add to its times (in nanoseconds) so that the run begins at zero.
    shifts: Vec<i64>,
    /// Unix time of that beginning in nanoseconds, if it is known.
    pub(super) began: Option<u64>,
    /// From the first entry of any worker to the last.
    pub(super) length: u64,
}

impl<'a> Run<'a> {
    pub(super) fn new(histories: &'a [(String, History)]) -> Self {
        // A header without a time of day can only be put beside others by its own clock.
        let dated = histories.iter().all(|(_, history)| history.header.epoch_unix_nanos > 0);
        let epoch = |history: &History| if dated { history.header.epoch_unix_nanos } else { 0 };
        let begin = |history: &History| epoch(history).saturating_add(history.span.0.as_nanos());
        let end = |history: &History| epoch(history).saturating_add(history.span.1.as_nanos());
        let used = || histories.iter().map(|(_, history)| history).filter(|history| history.entries > 0);
        let first = used().map(begin).min().unwrap_or_default();
        let last = used().map(end).max().unwrap_or(first);
        let shift = |(_, history): &(String, History)| epoch(history) as i64 - first as i64;
        Self {
            histories,
            shifts: histories.iter().map(shift).collect(),
            began: dated.then_some(first),
            length: last - first,
        }
    }

    /// A time of the `worker`-th history, in nanoseconds from the beginning of the run.
    pub(super) fn time(&self, worker: usize, at: Instant) -> i64 {
        i64::try_from(at.as_nanos()).unwrap_or(i64::MAX).saturating_add(self.shifts[worker])
    }
}

/// Everything, as one JSON object.
pub(super) fn data(run: &Run<'_>) -> String {
    let mut out = String::from("{");
    let began = run.began.map_or_else(|| "null".to_owned(), |nanos| (nanos / 1000).to_string());
    _ = write!(out, "\"began\":{began},\"length\":{},\"words\":", run.length);
    words(&mut out);
    out.push_str(",\n\"workers\":");
    json::list(&mut out, run.histories, |out, (file, history)| {
        let program = &history.header.program;
        _ = write!(out, "{{\"worker\":{},\"file\":", history.header.worker);
        json::text(out, file);
        out.push_str(",\"program\":");
        json::text(out, program);
        out.push('}');
    });
    let groups = groups(run);
    out.push_str(",\n\"clusters\":");
    json::list(&mut out, &groups, |out, group| cluster(out, run, group));
    out.push_str(",\n\"pools\":");
    pools(&mut out, run, &groups);
    out.push_str(",\n\"connections\":");
    connections(&mut out, run);
    out.push_str(",\n\"requests\":");
    requests(&mut out, run);
    out.push('}');
    out
}

/// Everything that shares one set of limits: a cluster at a priority, over all workers.
struct Group {
    name: String,
    priority: Priority,
    limits: [u32; 3],
    /// Pools, as worker and index.
    pools: Vec<(usize, usize)>,
}

fn groups(run: &Run<'_>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: BTreeMap<(String, u8), usize> = BTreeMap::new();
    for (worker, (_, history)) in run.histories.iter().enumerate() {
        for (index, pool) in history.pools.iter().enumerate() {
            let cluster = pool.cluster.and_then(|cluster| history.clusters.get(cluster));
            // Origins outside of clusters have pools, and limits, of their own.
            let name = cluster.map_or_else(|| pool.label.clone(), |cluster| cluster.name.clone());
            let resources = [Resource::Connections, Resource::Pending, Resource::Requests];
            let group = *known.entry((name.clone(), pool.priority as u8)).or_insert_with(|| {
                let max = |resource| {
                    cluster.map_or(u32::MAX, |cluster| cluster.limits.max(pool.priority, resource))
                };
                groups.push(Group {
                    name,
                    priority: pool.priority,
                    limits: resources.map(max),
                    pools: Vec::new(),
                });
                groups.len() - 1
            });
            groups[group].pools.push((worker, index));
        }
    }
    groups
}

/// A cluster's limits, and how full it was whenever that changed: the sum over its pools.
fn cluster(out: &mut String, run: &Run<'_>, group: &Group) {
    out.push_str("{\"name\":");
    json::text(out, &group.name);
    let priority = match group.priority {
        Priority::Default => "",
        Priority::High => "high priority",
    };
    _ = write!(out, ",\"priority\":\"{priority}\",\"limits\":");
    json::numbers(out, group.limits.map(i64::from));
    let mut changes: Vec<(i64, usize, Level)> = Vec::new();
    for (number, &(worker, index)) in group.pools.iter().enumerate() {
        let levels = &run.histories[worker].1.pools[index].levels;
        changes.extend(levels.iter().map(|level| (run.time(worker, level.at), number, *level)));
    }
    // Stable: what one pool did at one instant stays in order.
    changes.sort_by_key(|(at, ..)| *at);
    let mut of_pools = vec![[0i64; 4]; group.pools.len()];
    let mut sum = [0i64; 4];
    let mut last = 0;
    out.push_str(",\"levels\":");
    let mut rows: Vec<i64> = Vec::new();
    for (at, pool, level) in changes {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let now = [level.connecting, level.connected, level.pending, level.active].map(signed);
        rows.push(at - last);
        last = at;
        for ((sum, before), now) in sum.iter_mut().zip(&mut of_pools[pool]).zip(now) {
            rows.push(now - *before);
            *sum += now - *before;
            *before = now;
        }
    }
    json::numbers(out, rows);
    out.push('}');
}

fn pools(out: &mut String, run: &Run<'_>, groups: &[Group]) {
    // In the order of the histories, as connections and requests refer to them.
    let mut group_of = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        group_of.extend(group.pools.iter().map(|pool| (*pool, number)));
    }
    let all = run.histories.iter().enumerate().flat_map(|(worker, (_, history))| {
        history.pools.iter().enumerate().map(move |(index, pool)| (worker, index, pool))
    });
    json::list(out, all, |out, (worker, index, pool)| {
        let group = group_of.get(&(worker, index)).copied().unwrap_or_default();
        _ = write!(out, "{{\"worker\":{worker},\"cluster\":{group},\"label\":");
        json::text(out, &pool.label);
        let gone = pool.gone_at.map_or(-1, |at| run.time(worker, at));
        _ = write!(out, ",\"made\":{},\"gone\":{gone}}}", run.time(worker, pool.made_at));
    });
}

/// Twelve numbers each, then four for each exchange; texts aside.
fn connections(out: &mut String, run: &Run<'_>) {
    let mut rows: Vec<i64> = Vec::new();
    let mut remarks: Vec<(usize, String)> = Vec::new();
    let (mut pools, mut requests, mut number) = (0, 0, 0);
    for (worker, (_, history)) in run.histories.iter().enumerate() {
        for connection in &history.connections {
            let time = |at: Instant| run.time(worker, at);
            let ordered = time(connection.ordered_at);
            let after = |at: Option<Instant>| at.map_or(-1, |at| time(at) - ordered);
            let cause = connection.cause.map_or(-1, |cause| (requests + cause) as i64);
            rows.extend([
                (pools + connection.pool) as i64,
                i64::from(connection.id.index),
                i64::from(connection.id.generation),
                ordered,
                position(&CONNECT, &connection.reason),
                cause,
                after(connection.connected_at),
                after(connection.close_ordered.map(|(at, _)| at)),
                connection.close_ordered.map_or(-1, |(_, reason)| position(&CLOSE, &reason)),
                after(connection.closed.map(|(at, _)| at)),
                connection.closed.map_or(-1, |(_, by)| i64::from(by == ClosedBy::Remote)),
                connection.exchanges.len() as i64,
            ]);
            let mut last = ordered;
            for exchange in &connection.exchanges {
                let from = time(exchange.from);
                rows.extend([(requests + exchange.request) as i64, from - last]);
                rows.push(exchange.ended.map_or(-1, |(at, _)| time(at) - from));
                rows.push(exchange.ended.map_or(-1, |(_, how)| position(&END, &how)));
                last = from;
            }
            if let Some(words) = &connection.words {
                remarks.push((number, words.clone()));
            }
            for (at, report) in &connection.remarks {
                remarks.push((number, format!("{} ms: {}", millis(time(*at)), remark_words(*report))));
            }
            number += 1;
        }
        pools += history.pools.len();
        requests += history.requests.len();
    }
    out.push_str("{\"rows\":");
    json::numbers(out, rows);
    out.push_str(",\"remarks\":");
    json::list(out, &remarks, |out, (connection, words)| {
        _ = write!(out, "[{connection},");
        json::text(out, words);
        out.push(']');
    });
    out.push('}');
}

fn millis(nanos: i64) -> String {
    format!("{}.{:03}", nanos / 1_000_000, nanos / 1000 % 1000)
}

fn remark_words(report: Report) -> String {
    match report {
        Report::CapacityChanged { limit } => format!("the peer allows {limit:?} streams at a time"),
        Report::GoAwayReceived => "the peer sent GOAWAY".to_owned(),
        Report::ProtocolError => "the peer broke the protocol".to_owned(),
        Report::Connected { .. } | Report::StreamEnded(_) | Report::Closed(_) => String::new(),
    }
}

/// Worker, number and count of chapters of each, then a kind, a time and arguments of each chapter.
fn requests(out: &mut String, run: &Run<'_>) {
    let mut rows: Vec<i64> = Vec::new();
    let (mut pools, mut connections) = (0, 0);
    for (worker, (_, history)) in run.histories.iter().enumerate() {
        for request in &history.requests {
            let number = i64::try_from(request.number).unwrap_or(i64::MAX);
            rows.extend([worker as i64, number, request.chapters.len() as i64]);
            let mut last = 0;
            for chapter in &request.chapters {
                let at = run.time(worker, chapter.at);
                put_chapter(&mut rows, at - last, &chapter.what, pools, connections);
                last = at;
            }
        }
        pools += history.pools.len();
        connections += history.connections.len();
    }
    json::numbers(out, rows);
}

fn put_chapter(rows: &mut Vec<i64>, since: i64, what: &What, pools: usize, connections: usize) {
    match what {
        What::Asked { pool, again, triple, counts } => {
            let there = [counts.connecting + counts.early_data, counts.ready, counts.busy, counts.draining];
            rows.extend([0, since, (pools + pool) as i64, i64::from(*again)]);
            rows.extend([triple.active as i64, triple.pending as i64]);
            rows.extend(there.map(i64::from));
        }
        What::Queued(reason) => rows.extend([1, since, position(&QUEUE, reason)]),
        What::Bound { connection, reason, usage } => {
            let connection = (connections + connection) as i64;
            let reused = i64::from(*usage == Usage::Reused);
            rows.extend([2, since, connection, position(&BIND, reason), reused]);
        }
        What::Refused(reason) => rows.extend([3, since, position(&FAIL, reason)]),
        What::Cancelled => rows.extend([4, since]),
        What::Answered(status) => rows.extend([5, since, i64::from(*status)]),
        What::Ended(how) => rows.extend([6, since, position(&END, how)]),
        What::Broke { progress, next } => {
            rows.extend([7, since, position(&PROGRESS, progress), position(&NEXT, next)]);
        }
        What::Failed(verdict) => rows.extend([8, since, position(&VERDICT, verdict)]),
    }
}

const CONNECT: [ConnectReason; 4] =
    [ConnectReason::Demand, ConnectReason::Preconnect, ConnectReason::Predictive, ConnectReason::Forced];
const CLOSE: [CloseReason; 17] = [
    CloseReason::ConnectTimeout,
    CloseReason::IdleTimeout,
    CloseReason::MaxAge,
    CloseReason::MaxRequests,
    CloseReason::GoAway,
    CloseReason::CloseNotified,
    CloseReason::FinalExchange,
    CloseReason::RequestUnfinished,
    CloseReason::StreamReset,
    CloseReason::ProtocolError,
    CloseReason::Drained,
    CloseReason::HostUnhealthy,
    CloseReason::Retired,
    CloseReason::Suspect,
    CloseReason::DrainTimeout,
    CloseReason::Excess,
    CloseReason::Aborted,
];
const END: [StreamEnd; 7] = [
    StreamEnd::Complete,
    StreamEnd::CloseNotified,
    StreamEnd::Final,
    StreamEnd::RequestUnfinished,
    StreamEnd::LocalReset,
    StreamEnd::RemoteReset,
    StreamEnd::RemoteRefused,
];
const QUEUE: [QueueReason; 5] = [
    QueueReason::Connecting,
    QueueReason::Settling,
    QueueReason::ConnectionLimit,
    QueueReason::Busy,
    QueueReason::Handshake,
];
const BIND: [BindReason; 6] = [
    BindReason::MostRecentlyUsed,
    BindReason::EarlyData,
    BindReason::Connected,
    BindReason::StreamEnded,
    BindReason::Settled,
    BindReason::CapacityRaised,
];
const FAIL: [FailReason; 8] = [
    FailReason::PendingLimit,
    FailReason::RequestLimit,
    FailReason::ConnectTimeout,
    FailReason::ConnectFailedLocally,
    FailReason::ConnectFailedRemotely,
    FailReason::PendingTimeout,
    FailReason::Deleted,
    FailReason::Aborted,
];
const PROGRESS: [Progress; 3] = [Progress::NothingSent, Progress::RequestSent, Progress::ResponseStarted];
const NEXT: [Afterwards; 3] = [Afterwards::Requeued, Afterwards::BackedOff, Afterwards::GaveUp];
const VERDICT: [Verdict; 5] =
    [Verdict::NeverSent, Verdict::Refused, Verdict::AboveGoAway, Verdict::NoResponseByte, Verdict::Unknown];

/// Where something stands in its list; -1 if it is newer than the list.
fn position<T: PartialEq>(list: &[T], one: &T) -> i64 {
    list.iter().position(|other| other == one).map_or(-1, |index| index as i64)
}

/// The words that the lists above stand for.
fn words(out: &mut String) {
    let mut put = |name: &str, words: Vec<&str>| {
        _ = write!(out, "{}\"{name}\":", if name == "connect" { "{" } else { "," });
        json::texts(out, words);
    };
    put("connect", CONNECT.map(story::connect_words).to_vec());
    put("close", CLOSE.map(story::close_words).to_vec());
    put("end", END.map(story::end_words).to_vec());
    put("queue", QUEUE.map(story::queue_words).to_vec());
    put("bind", BIND.map(story::bind_words).to_vec());
    put("fail", FAIL.map(story::fail_words).to_vec());
    put("progress", PROGRESS.map(story::progress_words).to_vec());
    put("next", NEXT.map(story::next_words).to_vec());
    put("verdict", VERDICT.map(story::verdict_words).to_vec());
    out.push('}');
}
