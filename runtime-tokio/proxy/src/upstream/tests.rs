//! Names, addresses and time.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_core::config::PoolConfig;
use pool_core::limits::Limits;
use tokio::time::Instant;

use super::lookup::{Lookup, choose};
use super::make;
use crate::config::model::{Cluster, Discovery, Dns, DnsLookupFamily, Endpoint};

fn endpoint(host: &str) -> Endpoint {
    Endpoint { host: host.to_owned(), port: 80, hostname: host.to_owned(), weight: 1 }
}

fn cluster(discovery: Discovery, endpoints: Vec<Endpoint>) -> Cluster {
    Cluster {
        name: "c".to_owned(),
        stat_name: "c".to_owned(),
        discovery,
        endpoints,
        pool: Arc::new(PoolConfig::default()),
        limits: Limits::default(),
        buffer_limit: 1 << 20,
        max_headers_count: 100,
        max_response_headers_kb: 60,
        enable_trailers: false,
    }
}

const DNS: Dns = Dns {
    family: DnsLookupFamily::Auto,
    refresh_rate: Duration::from_secs(5),
    failure_base: Duration::from_secs(2),
    failure_max: Duration::from_secs(6),
};

fn at(address: &str) -> SocketAddr {
    address.parse().expect("an address")
}

/// Answers from a script, then fails; remembers when it was asked.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Vec<SocketAddr>>>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Lookup for Scripted {
    async fn lookup(&self, _: &Arc<str>, _: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().expect("alive").push(Instant::now());
        let answer = self.answers.lock().expect("alive").pop_front();
        answer.ok_or_else(|| io::Error::other("no such name"))
    }
}

#[test]
fn the_family_chooses_from_an_answer() {
    let (v4, v6) = (at("192.0.2.1:80"), at("[2001:db8::1]:80"));
    let both = [v4, v6];
    for (family, of_both, of_v4) in [
        (DnsLookupFamily::Auto, Some(v6), Some(v4)),
        (DnsLookupFamily::V4Only, Some(v4), Some(v4)),
        (DnsLookupFamily::V6Only, Some(v6), None),
        (DnsLookupFamily::V4Preferred, Some(v4), Some(v4)),
        (DnsLookupFamily::All, Some(v4), Some(v4)),
    ] {
        assert_eq!(choose(&both, family), of_both, "{family:?}");
        assert_eq!(choose(&[v4], family), of_v4, "{family:?}");
        assert_eq!(choose(&[], family), None, "{family:?}");
    }
}

#[test]
fn addresses_are_their_own_answer() {
    for (host, expected) in [("192.0.2.7", "192.0.2.7:80"), ("::1", "[::1]:80"), ("[::1]", "[::1]:80")] {
        let made = make(&cluster(Discovery::LogicalDns(DNS), vec![endpoint(host)]));
        assert!(made.refresh.is_none(), "nothing to look up");
        assert_eq!(made.cluster.hosts()[0].address(), Some(at(expected)));
        let made = make(&cluster(Discovery::Static, vec![endpoint(host)]));
        assert_eq!(made.cluster.hosts()[0].address(), Some(at(expected)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_for_again_and_failures_keep_the_address() {
    let made = make(&cluster(Discovery::LogicalDns(DNS), vec![endpoint("name.test")]));
    let host = made.cluster.hosts()[0].clone();
    assert_eq!(host.address(), None);
    let refresh = made.refresh.expect("a name");
    let (mut first, counts) = (refresh.first(), refresh.counts().clone());
    let script = Scripted::default();
    script.answers.lock().expect("alive").extend([
        vec![at("192.0.2.1:80"), at("192.0.2.9:80")],
        vec![at("192.0.2.1:80")],
        vec![at("192.0.2.2:80")],
        vec![],
    ]);
    let task = tokio::spawn(refresh.run(script.clone(), 7));
    first.wait_for(|asked| *asked).await.expect("it runs");
    assert_eq!(host.address(), Some(at("192.0.2.1:80")), "the first of the answer");
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(host.address(), Some(at("192.0.2.2:80")), "the first of the latest answer");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(host.address(), Some(at("192.0.2.2:80")), "an empty answer and failures change nothing");
    task.abort();

    let asked = script.asked.lock().expect("alive");
    let waits: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() > 6, "{waits:?}");
    assert!(waits[..3].iter().all(|wait| wait.as_secs() == 5), "the refresh rate: {waits:?}");
    let within = |wait: Duration, ceiling: u64| {
        let ceiling = Duration::from_secs(ceiling) + Duration::from_millis(5);
        wait >= ceiling / 2 - Duration::from_millis(5) && wait <= ceiling
    };
    assert!(within(waits[3], 2) && within(waits[4], 4), "doubled: {waits:?}");
    assert!(waits[5..].iter().all(|wait| within(*wait, 6)), "no longer than the most: {waits:?}");
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((read(&counts.successes), read(&counts.empty), read(&counts.unchanged)), (3, 1, 1));
    assert_eq!(read(&counts.attempts), 4 + read(&counts.failures));
}
