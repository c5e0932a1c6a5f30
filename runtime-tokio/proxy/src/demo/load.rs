//! Clients of the proxy, and what they saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use pool_core::client::ConnectionInfo;
use runtime_tokio::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::acts::{Act, Load};
use super::upstream::{BODY, SLOW_PATH};

/// How long a client waits after a refusal: one that came back at once would only be refused again.
const PAUSE: Duration = Duration::from_millis(20);
/// Between bursts.
const BETWEEN: Duration = Duration::from_millis(100);

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    /// 200, with all of the content.
    pub(super) answered: u64,
    /// 503: the proxy had no room for it.
    pub(super) overflow: u64,
    /// 503: the proxy could not connect.
    pub(super) unconnected: u64,
    /// 503: the upstream closed the connection before it answered.
    pub(super) cut: u64,
    /// Other statuses, other contents, no response: nothing of this belongs here.
    pub(super) wrong: Vec<String>,
    /// How often the client sent a request again because the proxy had closed the connection.
    pub(super) repeated: u64,
    /// From request to end of content, of what was answered.
    pub(super) times: Vec<Duration>,
    /// The same of what was refused for want of room.
    pub(super) refusal_times: Vec<Duration>,
}

impl Tally {
    /// Requests that were given a 503.
    pub(super) fn refused(&self) -> u64 {
        self.overflow + self.unconnected + self.cut
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.overflow += other.overflow;
        self.unconnected += other.unconnected;
        self.cut += other.cut;
        self.wrong.extend_from_slice(&other.wrong);
        self.repeated += other.repeated;
        self.times.extend_from_slice(&other.times);
        self.refusal_times.extend_from_slice(&other.refusal_times);
    }

    fn count(&mut self, seen: Result<Seen, String>) {
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return self.wrong.push(error),
        };
        self.repeated += seen.repeated;
        match seen.answer {
            Answer::Content => {
                self.answered += 1;
                self.times.push(seen.took);
            }
            Answer::Overflow => {
                self.overflow += 1;
                self.refusal_times.push(seen.took);
            }
            Answer::Unconnected => self.unconnected += 1,
            Answer::Cut => self.cut += 1,
        }
    }
}

/// One exchange as its client saw it.
struct Seen {
    answer: Answer,
    took: Duration,
    repeated: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Content,
    Overflow,
    Unconnected,
    Cut,
}

/// Sends requests to a proxy and counts what comes of them.
#[derive(Clone)]
pub(super) struct Caller {
    client: Client,
    url: Arc<str>,
    /// Names the act in the access log.
    act: usize,
    tally: Arc<Mutex<Tally>>,
}

impl Caller {
    pub(super) fn new(client: Client, proxy: SocketAddr, act: usize) -> Self {
        Self { client, url: format!("http://{proxy}").into(), act, tally: Arc::default() }
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs an act; ends when its time is over and all requests are answered.
    pub(super) async fn perform(self, act: Act, end: Instant) {
        match act.load {
            Load::Loop(clients) => {
                let mut all = JoinSet::new();
                for _ in 0..clients {
                    all.spawn(self.clone().call_in_turn(end));
                }
                // A client that panicked left a request without a result, which is noticed.
                while all.join_next().await.is_some() {}
            }
            Load::Bursts(size) => {
                while Instant::now() < end {
                    let mut all = JoinSet::new();
                    for _ in 0..size {
                        let caller = self.clone();
                        all.spawn(async move { caller.call(SLOW_PATH).await });
                    }
                    while all.join_next().await.is_some() {}
                    sleep_until((Instant::now() + BETWEEN).min(end)).await;
                }
            }
        }
    }

    async fn call_in_turn(self, end: Instant) {
        while Instant::now() < end {
            if !self.call("/").await {
                sleep(PAUSE).await;
            }
        }
    }

    /// True if there was an answer.
    async fn call(&self, path: &str) -> bool {
        self.tally().sent += 1;
        let seen = self.exchange(path).await;
        let is_answered = matches!(&seen, Ok(seen) if seen.answer == Answer::Content);
        self.tally().count(seen);
        is_answered
    }

    async fn exchange(&self, path: &str) -> Result<Seen, String> {
        let began = Instant::now();
        let request = Request::get(format!("{}{path}", self.url)).header("x-demo-act", self.act);
        let request = request.body(runtime_tokio::empty()).map_err(|error| error.to_string())?;
        let response = self.client.call(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let info = response.extensions().get::<ConnectionInfo>();
        let repeated = info.map_or(0, |info| u64::from(info.replays()) + u64::from(info.retries()));
        let content = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        let answer = match status {
            StatusCode::OK if content == BODY => Answer::Content,
            StatusCode::SERVICE_UNAVAILABLE => reason(&String::from_utf8_lossy(&content))?,
            status => return Err(format!("{status} with {} bytes", content.len())),
        };
        Ok(Seen { answer, took: began.elapsed(), repeated })
    }
}

/// Why there was no answer: the proxy says it in Envoy's words.
fn reason(content: &str) -> Result<Answer, String> {
    let is = |reason: &str| content.contains(&format!("reset reason: {reason}"));
    if is("overflow") {
        Ok(Answer::Overflow)
    } else if is("remote connection failure") || is("local connection failure") {
        Ok(Answer::Unconnected)
    } else if is("connection termination") {
        Ok(Answer::Cut)
    } else {
        Err(format!("503 with '{content}'"))
    }
}
