//! The proxy's own numbers, from `GET /stats` of its admin port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use runtime_tokio::Client;
use tokio::time::{Instant, sleep};

/// How long the proxy may take to have counted what its clients have seen.
const PATIENCE: Duration = Duration::from_secs(5);

/// Counters and gauges at a moment, or what came between two moments.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures(BTreeMap<String, u64>);

impl Figures {
    /// A stat of the listener's connection manager.
    pub(super) fn http(&self, name: &str) -> u64 {
        self.get(&format!("http.demo.{name}"))
    }

    /// A stat of the cluster.
    pub(super) fn cluster(&self, name: &str) -> u64 {
        self.get(&format!("cluster.upstream.{name}"))
    }

    pub(super) fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Connections that were made, without those that failed.
    pub(super) fn connections(&self) -> u64 {
        self.cluster("upstream_cx_total").saturating_sub(self.cluster("upstream_cx_connect_fail"))
    }

    /// What came since an earlier moment; of gauges this is no number to use.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let difference =
            |(name, value): (&String, &u64)| (name.clone(), value.wrapping_sub(earlier.get(name)));
        Self(self.0.iter().map(difference).collect())
    }

    /// Nothing is in progress, and `requests` have been counted.
    fn is_settled(&self, requests: u64) -> bool {
        let total = self.http("downstream_rq_total");
        total >= requests
            && self.http("downstream_rq_completed") == total
            && self.http("downstream_rq_active") == 0
            && self.cluster("upstream_rq_active") == 0
            && self.cluster("upstream_rq_pending_active") == 0
    }
}

/// Asks the admin port, again until everything in progress is over: the last byte of a response is with
/// the client a little before it is counted.
pub(super) async fn settled(client: &Client, admin: SocketAddr, requests: u64) -> Result<Figures, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let figures = read(client, admin).await?;
        if figures.is_settled(requests) || Instant::now() > end {
            return Ok(figures);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn read(client: &Client, admin: SocketAddr) -> Result<Figures, String> {
    let request = Request::get(format!("http://{admin}/stats")).body(runtime_tokio::empty());
    let request = request.map_err(|error| error.to_string())?;
    let response = client.call(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(format!("GET /stats: {status}"));
    }
    let text = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(Figures(parse(&String::from_utf8_lossy(&text))))
}

/// Counters and gauges; a histogram has no number behind its name.
fn parse(text: &str) -> BTreeMap<String, u64> {
    let number = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(number).collect()
}
