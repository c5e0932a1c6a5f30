//! What is logged and counted of requests, by how they ended.
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pool_core::limits::{Limits, Thresholds};
use pool_proxy::config::model::{AccessLog, AccessLogFormat, AccessLogSink, Bootstrap};
use pool_proxy::stats::Value;
use pool_proxy::{RunOptions, Running, run};
use support::config::{forwarding, http, retry, simple};
use support::socket::nobody;
use support::{Peer, Upstream};

const GET: &str = "GET /p?q HTTP/1.1\r\nhost: h.test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const SOON: Duration = Duration::from_millis(100);

/// A proxy that logs.
struct Logged {
    running: Running,
    path: PathBuf,
}

/// What it has logged and counted in the end.
struct Accounts {
    lines: Vec<String>,
    counted: BTreeMap<String, u64>,
}

impl Logged {
    fn start(name: &str, mut config: Bootstrap) -> Self {
        let path = std::env::temp_dir().join(format!("pool-proxy-{}-{name}.log", std::process::id()));
        let format = "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %REQ(:METHOD)% %REQ(:PATH)% \
                      %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n";
        http(&mut config).access_log = vec![AccessLog {
            sink: AccessLogSink::File(path.clone()),
            format: AccessLogFormat::Text(format.to_owned()),
        }];
        let mut options = RunOptions::default();
        options.concurrency = Some(1);
        Self { running: run(config, options).expect("a proxy"), path }
    }

    fn connect(&self) -> Peer {
        Peer::connect(self.running.addresses()[0])
    }

    fn end(self) -> Accounts {
        let proxy = self.running.proxy().clone();
        self.running.stop();
        self.running.wait().expect("an end in order");
        let text = std::fs::read_to_string(&self.path).expect("a log");
        std::fs::remove_file(&self.path).expect("a log");
        let counted = proxy.samples().into_iter().filter_map(|sample| match sample.value {
            Value::Counter(value) | Value::Gauge(value) => Some((sample.name, value)),
            Value::Histogram { .. } => None,
        });
        Accounts { lines: text.lines().map(str::to_owned).collect(), counted: counted.collect() }
    }
}

impl Accounts {
    #[track_caller]
    fn assert_counted(&self, expected: &[(&str, u64)]) {
        for (name, value) in expected {
            assert_eq!(self.counted.get(*name), Some(value), "{name}");
        }
    }
}

/// The only line of a log after one exchange.
fn line_of(name: &str, config: Bootstrap, request: &str, exchange: impl FnOnce(&mut Peer)) -> String {
    let proxy = Logged::start(name, config);
    let mut client = proxy.connect();
    client.send(request);
    exchange(&mut client);
    drop(client);
    let accounts = proxy.end();
    assert_eq!(accounts.lines.len(), 1, "{:?}", accounts.lines);
    accounts.lines.into_iter().next().expect("a line")
}

#[test]
fn a_request_that_was_served() {
    let upstream = Upstream::bind();
    let proxy = Logged::start("served", simple(upstream.address()));
    let mut client = proxy.connect();
    client.send("POST /p?q HTTP/1.1\r\nhost: h.test\r\ncontent-length: 3\r\n\r\nabc");
    let mut server = upstream.accept();
    server.head();
    server.exactly(3);
    server.send(OK);
    client.response();
    client.send(GET);
    server.head();
    server.send("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    client.response();
    drop(client);
    let accounts = proxy.end();
    assert_eq!(
        accounts.lines,
        ["200 - via_upstream POST /p?q 3 2 upstream 1", "404 - via_upstream GET /p?q 0 0 upstream 1"]
    );
    accounts.assert_counted(&[
        ("http.test.downstream_rq_total", 2),
        ("http.test.downstream_rq_completed", 2),
        ("http.test.downstream_rq_2xx", 1),
        ("http.test.downstream_rq_4xx", 1),
        ("http.test.downstream_rq_active", 0),
        ("http.test.downstream_cx_total", 1),
        ("http.test.downstream_cx_active", 0),
        ("http.test.rq_total", 2),
        ("cluster.upstream.upstream_rq_total", 2),
        ("cluster.upstream.upstream_rq_completed", 2),
        ("cluster.upstream.upstream_rq_200", 1),
        ("cluster.upstream.upstream_rq_404", 1),
        ("cluster.upstream.upstream_cx_total", 1),
        ("cluster.upstream.upstream_rq_active", 0),
        ("cluster.upstream.membership_total", 1),
    ]);
}

#[test]
fn requests_that_were_not_forwarded() {
    let mut config = simple(nobody());
    http(&mut config).routes.virtual_hosts[0].domains = vec!["other.test".to_owned()];
    let line = line_of("route", config, GET, |client| drop(client.response()));
    assert_eq!(line, "404 NR route_not_found GET /p?q 0 0 - 0");

    let mut config = simple(nobody());
    config.clusters[0].endpoints.clear();
    let line = line_of("host", config, GET, |client| drop(client.response()));
    assert!(line.starts_with("503 UH no_healthy_upstream GET /p?q 0 19 upstream"), "{line}");

    let bad = "GET / HTTP/1.1\r\nhost: h\r\nhost: i\r\n\r\n";
    let line = line_of("codec", simple(nobody()), bad, |client| drop(client.response()));
    assert!(line.starts_with("400 DPE http1.codec_error "), "{line}");

    let line =
        line_of("version", simple(nobody()), "GET /x HTTP/1.0\r\n\r\n", |client| drop(client.response()));
    assert!(line.starts_with("426 - low_version "), "{line}");
}

#[test]
fn requests_whose_upstream_failed() {
    let line = line_of("refused", simple(nobody()), GET, |client| drop(client.response()));
    let details = "upstream_reset_before_response_started\
                   {remote_connection_failure|delayed_connect_error:_Connection_refused}";
    assert!(line.starts_with(&format!("503 UF {details} GET /p?q 0 ")), "{line}");

    let mut config = simple(nobody());
    forwarding(&mut config).retry = Some(retry(2));
    let line = line_of("retried", config.clone(), GET, |client| drop(client.response()));
    let flags = line.split(' ').nth(1).expect("flags");
    assert_eq!(flags.split(',').collect::<std::collections::BTreeSet<_>>(), ["UF", "URX"].into(), "{line}");
    assert!(line.ends_with(" 3"), "attempts: {line}");

    config.clusters[0].limits = Limits::both(Thresholds::default().max_retries(0));
    let line = line_of("unretried", config, GET, |client| drop(client.response()));
    let flags = line.split(' ').nth(1).expect("flags");
    assert_eq!(flags.split(',').collect::<std::collections::BTreeSet<_>>(), ["UF", "UO"].into(), "{line}");

    for (name, sent, expected) in [
        ("closed", "", "503 UC upstream_reset_before_response_started{connection_termination} "),
        ("garbage", "SSH-2.0\r\n\r\n", "502 UPE upstream_reset_before_response_started{protocol_error} "),
    ] {
        let upstream = Upstream::bind();
        let line = line_of(name, simple(upstream.address()), GET, |client| {
            let mut server = upstream.accept();
            server.head();
            server.send(sent);
            drop(server);
            client.response();
        });
        assert!(line.starts_with(expected), "{line}");
    }

    let upstream = Upstream::bind();
    let line = line_of("broken", simple(upstream.address()), GET, |client| {
        let mut server = upstream.accept();
        server.head();
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
        client.until("half");
        drop(server);
        assert!(client.is_closed());
    });
    let expected = "200 UC upstream_reset_after_response_started{connection_termination} GET /p?q 0 4 ";
    assert!(line.starts_with(expected), "{line}");
}

#[test]
fn requests_that_took_too_long() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    forwarding(&mut config).timeout = Some(SOON);
    let line = line_of("timeout", config.clone(), GET, |client| drop(client.response()));
    assert!(line.starts_with("504 UT response_timeout "), "{line}");

    let mut policy = retry(1);
    policy.per_try_timeout = Some(SOON / 2);
    forwarding(&mut config).retry = Some(policy);
    let line = line_of("attempt", config, GET, |client| drop(client.response()));
    assert!(line.starts_with("504 UT upstream_per_try_timeout "), "{line}");

    let mut config = simple(upstream.address());
    http(&mut config).stream_idle_timeout = Some(SOON);
    let line = line_of("idle", config, GET, |client| drop(client.response()));
    assert!(line.starts_with("504 SI stream_idle_timeout GET /p?q 0 14 "), "{line}");
}

#[test]
fn clients_that_left() {
    let upstream = Upstream::bind();
    let line = line_of("left", simple(upstream.address()), GET, |client| {
        let mut server = upstream.accept();
        server.head();
        client.finish();
        assert!(server.is_closed());
    });
    assert!(line.starts_with("0 DC downstream_remote_disconnect GET /p?q 0 0 upstream"), "{line}");
}

#[test]
fn breakers_are_told_apart() {
    let mut config = simple(Upstream::bind().address());
    config.clusters[0].limits =
        Limits::both(Thresholds::default().max_connections(1).max_pending_requests(0));
    let line = line_of("overflow", config, GET, |client| drop(client.response()));
    assert!(line.starts_with("503 UO upstream_reset_before_response_started{overflow} "), "{line}");
}

#[test]
fn tunnels_are_logged_when_they_end() {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    http(&mut config).upgrades = vec!["x".to_owned()];
    let proxy = Logged::start("tunnel", config);
    let mut client = proxy.connect();
    client.send("GET /t HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    client.head();
    client.send("12345");
    server.exactly(5);
    server.send("123");
    client.exactly(3);
    drop(server);
    assert!(client.is_closed());
    drop(client);
    let accounts = proxy.end();
    assert_eq!(accounts.lines, ["101 - via_upstream GET /t 5 3 upstream 1"]);
    accounts.assert_counted(&[
        ("http.test.downstream_cx_upgrades_total", 1),
        ("http.test.downstream_cx_upgrades_active", 0),
    ]);
}
