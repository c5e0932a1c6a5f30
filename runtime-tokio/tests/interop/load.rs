//! A closed loop of requests with bodies that are checked, and the judgement of what came of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use pool_core::error::Verdict;

use crate::chaos::Account;

/// The wait after a failure: without it, a loop that fails fast would spend its requests on outages.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Whatever can send a request and read the whole answer: the one place where a client is plugged
/// into this harness.
pub(crate) trait Caller: Clone + Send + Sync + 'static {
    fn call(&self, request: Request<Bytes>) -> impl Future<Output = Result<Response<Bytes>, Failure>> + Send;
}

/// Why there was no complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) what: String,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GET of 100 bytes.
    Small,
    /// GET of 16 KiB.
    Large,
    /// POST with an id of its own and a body: must never be acted on twice.
    Post,
}

/// How much, from whom, how many at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    pub(crate) requests: usize,
    pub(crate) concurrency: usize,
    /// Taken in turn.
    pub(crate) mix: &'static [Kind],
}

/// A request that got no complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) id: usize,
    pub(crate) kind: Kind,
    pub(crate) failure: Failure,
    pub(crate) ended: Instant,
}

/// What came of a load: each request is in exactly one of the lists.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Ids that were answered as they should be.
    pub(crate) answered: Vec<(usize, Kind)>,
    pub(crate) failed: Vec<Failed>,
    /// Answers with a wrong status or body: a mix-up between requests, or a torn body.
    pub(crate) wrong: Vec<String>,
    /// The longest that the runtime let a task wait that had to run.
    pub(crate) lateness: Duration,
}

impl Tally {
    /// How many failed, by kind and verdict.
    pub(crate) fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for Failed { kind, failure, .. } in &self.failed {
            *reasons.entry(format!("{kind:?} {}", failure.verdict)).or_default() += 1;
        }
        reasons
    }
}

/// Runs the plan to its end.
pub(crate) async fn run(caller: impl Caller, plan: Plan) -> Tally {
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> =
        (0..plan.concurrency).map(|_| tokio::spawn(work(caller.clone(), plan, Arc::clone(&next)))).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let lateness = tokio::spawn(measure_lateness(is_over.clone()));
    let mut total = Tally::default();
    for worker in workers {
        let part = worker.await.expect("a worker never panics");
        total.answered.extend(part.answered);
        total.failed.extend(part.failed);
        total.wrong.extend(part.wrong);
    }
    is_over.store(true, Ordering::Relaxed);
    total.lateness = lateness.await.expect("a clock never panics");
    assert_eq!(total.answered.len() + total.failed.len() + total.wrong.len(), plan.requests);
    total
}

/// Asks to be woken in a millisecond, again and again, and notes how much later it was.
async fn measure_lateness(is_over: Arc<AtomicBool>) -> Duration {
    let tick = Duration::from_millis(1);
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let due = Instant::now() + tick;
        tokio::time::sleep(tick).await;
        longest = longest.max(due.elapsed());
    }
    longest
}

async fn work(caller: impl Caller, plan: Plan, next: Arc<AtomicUsize>) -> Tally {
    let mut tally = Tally::default();
    loop {
        let id = next.fetch_add(1, Ordering::Relaxed);
        if id >= plan.requests {
            return tally;
        }
        let kind = plan.mix[id % plan.mix.len()];
        match caller.call(request(plan.server, id, kind)).await {
            Ok(answer) => match fault(kind, &answer) {
                None => tally.answered.push((id, kind)),
                Some(fault) => tally.wrong.push(format!("{kind:?} {id}: {fault}")),
            },
            Err(failure) => {
                tally.failed.push(Failed { id, kind, failure, ended: Instant::now() });
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

fn request(server: SocketAddr, id: usize, kind: Kind) -> Request<Bytes> {
    let (method, path, body) = match kind {
        Kind::Small => (Method::GET, "100", Bytes::new()),
        Kind::Large => (Method::GET, "16k", Bytes::new()),
        Kind::Post => (Method::POST, "post", Bytes::from(format!("body of {id}"))),
    };
    let request = Request::builder().method(method).uri(format!("http://{server}/{path}"));
    request.header("x-id", id).body(body).expect("a request of fixed parts")
}

fn fault(kind: Kind, answer: &Response<Bytes>) -> Option<String> {
    let (length, byte) = match kind {
        Kind::Small => (100, b'a'),
        Kind::Large => (16 * 1024, b'b'),
        Kind::Post => return (answer.body() != "ok").then(|| format!("{answer:?}")),
    };
    if answer.status() != StatusCode::OK {
        return Some(format!("status {}", answer.status()));
    }
    let body = answer.body();
    let intact = body.len() == length && body.iter().all(|&b| b == byte);
    (!intact).then(|| format!("body of {} bytes", body.len()))
}

/// How often each id reached the server.
pub(crate) fn arrivals(log: &[String]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for id in log.iter().filter_map(|id| id.parse().ok()) {
        *counts.entry(id).or_insert(0) += 1;
    }
    counts
}

/// How much a server's log of ids may be believed after a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// An id is written before anything else happens (the node script).
    BeforeActing,
    /// An id is written after the answer was sent, so a kill may lose it (nginx's access log).
    AfterAnswering,
}

/// Everything that contradicts the promise: no request with a safe verdict and a replayable body
/// fails while the server can be reached, and no unsafe one is sent twice. All bodies here are
/// replayable.
pub(crate) fn breaches(
    tally: &Tally,
    account: &Account,
    arrived: &BTreeMap<usize, usize>,
    log: Log,
    slack: Duration,
) -> Vec<String> {
    let mut found = tally.wrong.clone();
    for failed in &tally.failed {
        let Failed { id, kind, failure, ended } = failed;
        let Failure { verdict, what } = failure;
        let safe = verdict.is_safe(*kind != Kind::Post);
        if safe && !account.unreachable_at(*ended, slack) {
            let since = account.since_outage(*ended);
            found.push(format!(
                "{kind:?} {id} failed {since:?} after an outage though safe to repeat ({verdict}): {what}"
            ));
        }
        if *verdict == Verdict::NeverSent && arrived.contains_key(id) {
            found.push(format!("{kind:?} {id} arrived and was called never sent: {what}"));
        }
    }
    for (id, times) in arrived.iter().filter(|&(_, &times)| times > 1) {
        found.push(format!("POST {id} was sent {times} times"));
    }
    if log == Log::BeforeActing {
        let posts = tally.answered.iter().filter(|(_, kind)| *kind == Kind::Post);
        for (id, _) in posts.filter(|(id, _)| !arrived.contains_key(id)) {
            found.push(format!("POST {id} was answered and never arrived"));
        }
    }
    found
}
