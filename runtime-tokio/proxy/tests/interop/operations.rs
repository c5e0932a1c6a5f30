//! What an operator does and sees: the log, signals, validation, and starts that fail.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::process::{run, until};
use crate::proxy::{Config, PROGRAM};
use crate::socket::{Peer, friendly_origin, nobody, origin};
use crate::turn;

/// The field of a log line that has the response flags, and those around it.
fn status_and_flags(line: &str) -> String {
    let fields: Vec<_> = line.split(' ').collect();
    format!("{} {}", fields[3], fields[4])
}

#[test]
fn a_line_of_the_log() {
    let upstream = friendly_origin();
    let proxy = Config::new(upstream).start();
    let mut peer = Peer::connect(proxy.address);
    peer.ask("GET", "/first?a=b");
    peer.send("POST /second HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nabcde");
    peer.message().expect("an answer");
    assert_eq!(
        proxy.log(2),
        [
            format!("GET /first?a=b HTTP/1.1 200 - 0 2 via_upstream {upstream} false"),
            format!("POST /second HTTP/1.1 200 - 5 2 via_upstream {upstream} true"),
        ]
    );
    proxy.terminate();
}

/// An origin that does what the path says.
fn moody_origin() -> std::net::SocketAddr {
    origin(|mut peer| {
        while let Some(message) = peer.message() {
            match message.head.split(' ').nth(1).unwrap_or_default() {
                "/close" => return,
                "/nonsense" => peer.send("NONSENSE\r\n\r\n"),
                "/never" => {
                    // Until the proxy gives up.
                    peer.read_to_end();
                }
                _ => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            }
        }
    })
}

#[test]
fn flags_of_real_situations() {
    let route = "timeout: 0.2s";
    let proxy = Config { route, prefix: "/shop/", ..Config::new(moody_origin()) }.start();
    let unrouted = Peer::connect(proxy.address).ask("GET", "/elsewhere");
    assert_eq!((unrouted.status, unrouted.content.len()), (404, 0));
    assert_eq!(status_and_flags(&proxy.log(1)[0]), "404 NR");
    proxy.terminate();

    let proxy = Config { route, ..Config::new(moody_origin()) }.start();
    let mut lines = 0;
    for (request, status, flags) in [
        ("POST /close", 503, "503 UC"),
        ("GET /never", 504, "504 UT"),
        ("GET /nonsense", 502, "502 UPE"),
        ("GET /fine", 200, "200 -"),
    ] {
        let (method, path) = request.split_once(' ').expect("two words");
        let answer = Peer::connect(proxy.address).ask(method, path);
        assert_eq!(answer.status, status, "{request}");
        lines += 1;
        assert_eq!(status_and_flags(&proxy.log(lines)[lines - 1]), flags, "{request}");
    }
    let mut peer = Peer::connect(proxy.address);
    peer.send("GET /broken\r\n\r\n");
    assert_eq!(peer.message().expect("an answer").status, 400);
    assert_eq!(status_and_flags(&proxy.log(lines + 1)[lines]), "400 DPE");
    proxy.terminate();

    let proxy = Config::new(nobody()).start();
    assert_eq!(Peer::connect(proxy.address).ask("GET", "/").status, 503);
    assert_eq!(status_and_flags(&proxy.log(1)[0]), "503 UF");
    proxy.terminate();
}

#[test]
fn a_client_that_leaves_is_logged() {
    let proxy = Config::new(moody_origin()).start();
    let mut peer = Peer::connect(proxy.address);
    peer.send("GET /never HTTP/1.1\r\nHost: test\r\n\r\n");
    until("the request upstream", || (proxy.cluster("upstream_rq_active") == 1).then_some(()));
    drop(peer);
    assert_eq!(status_and_flags(&proxy.log(1)[0]), "0 DC");
    assert_eq!(proxy.cluster("upstream_rq_active"), 0);
    assert_eq!(proxy.http("downstream_cx_destroy_remote_active_rq"), 1);
    proxy.terminate();
}

#[test]
fn a_full_queue_is_logged() {
    let cluster = "circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 1 }] }";
    let proxy = Config { cluster, ..Config::new(moody_origin()) }.start();
    let mut first = Peer::connect(proxy.address);
    first.send("GET /never HTTP/1.1\r\nHost: test\r\n\r\n");
    until("a busy connection", || (proxy.cluster("upstream_rq_active") == 1).then_some(()));
    let mut second = Peer::connect(proxy.address);
    second.send("GET /waits HTTP/1.1\r\nHost: test\r\n\r\n");
    until("a full queue", || (proxy.cluster("upstream_rq_pending_active") == 1).then_some(()));
    let refused = Peer::connect(proxy.address).ask("GET", "/refused");
    assert_eq!((refused.status, refused.field("x-envoy-overloaded")), (503, Some("true")));
    assert_eq!(status_and_flags(&proxy.log(1)[0]), "503 UO");
    assert_eq!(proxy.cluster("upstream_rq_pending_overflow"), 1);
    // The connection that the first one leaves cannot be used again: the second gets a new one.
    drop(first);
    assert_eq!(second.message().expect("an answer").status, 200);
    proxy.terminate();
}

#[test]
fn logs_are_rotated() {
    let proxy = Config::new(friendly_origin()).start();
    let mut peer = Peer::connect(proxy.address);
    peer.ask("GET", "/before");
    proxy.log(1);
    let folder = proxy.folder.path();
    fs::rename(folder.join("access.log"), folder.join("access.log.1")).expect("renamed");
    peer.ask("GET", "/between");
    proxy.process.signal("USR1");
    until("a new file", || folder.join("access.log").exists().then_some(()));
    peer.ask("GET", "/after");
    let after = proxy.log(1);
    assert!(after.len() == 1 && after[0].starts_with("GET /after "), "{after:?}");
    let before = proxy.folder.lines("access.log.1");
    let paths: Vec<_> = before.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(paths, ["/before", "/between"]);
    proxy.terminate();
}

/// Every request that reached the upstream is answered; a client sees no end of a connection but
/// between requests.
#[test]
fn a_stop_under_load_loses_nothing() {
    let _turn = turn();
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let upstream = origin(move |mut peer| {
        while peer.message().is_some() {
            // Long enough that most clients have a request in flight at any moment.
            thread::sleep(Duration::from_millis(5));
            count.fetch_add(1, Ordering::Relaxed);
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let mut proxy = Config { workers: 2, ..Config::new(upstream) }.start();
    let address = proxy.address;
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let mut peer = Peer::connect(address);
            thread::spawn(move || {
                let mut answers = 0;
                let request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
                // A request that meets a closed connection is one that was never taken.
                while std::io::Write::write_all(&mut peer.stream, request).is_ok() {
                    let Some(answer) = peer.message() else { break };
                    assert_eq!((answer.status, &answer.content[..]), (200, &b"ok"[..]));
                    answers += 1;
                    if answer.field("connection") == Some("close") {
                        assert_eq!(peer.read_to_end(), b"");
                        break;
                    }
                }
                answers
            })
        })
        .collect();
    until("a load", || (served.load(Ordering::Relaxed) > 500).then_some(()));
    proxy.process.signal("TERM");
    let status = proxy.process.wait();
    assert_eq!(status.code(), Some(0), "{}", proxy.output());
    let answers: usize = clients.into_iter().map(|client| client.join().expect("a client")).sum();
    assert_eq!(answers, served.load(Ordering::Relaxed));
    let mut flags = BTreeMap::new();
    for line in proxy.folder.lines("access.log") {
        *flags.entry(status_and_flags(&line)).or_insert(0) += 1;
    }
    assert_eq!(flags, BTreeMap::from([("200 -".to_owned(), answers)]), "the log is whole");
}

#[test]
fn a_stop_waits_for_a_long_answer_and_a_second_one_does_not() {
    let slow = || {
        origin(|mut peer| {
            peer.message();
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
            // The rest follows when the other side says so, by a request for it.
            peer.read_to_end();
        })
    };
    let mut proxy = Config::new(slow()).start();
    let mut peer = Peer::connect(proxy.address);
    peer.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    peer.head().expect("an answer");
    proxy.process.signal("TERM");
    until("no listener", || std::net::TcpStream::connect(proxy.address).is_err().then_some(()));
    assert!(proxy.process.ended().is_none(), "an exchange is in progress");
    proxy.process.signal("TERM");
    assert_eq!(proxy.process.wait().code(), Some(0));
    assert_eq!(peer.read_to_end(), b"ab", "cut");
}

#[test]
fn validation() {
    let (_folder, file) = Config::new(nobody()).file();
    let (code, out, err) = run(Command::new(PROGRAM).arg("-c").arg(&file).args(["--mode", "validate"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, format!("configuration '{}' OK\n", file.display()));
}

#[test]
fn five_mistakes_are_all_told() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/five-mistakes.yaml");
    let mut said = Vec::new();
    for mode in ["validate", "serve"] {
        let (code, out, err) = run(Command::new(PROGRAM).arg("-c").arg(&file).args(["--mode", mode]));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        said.push(err);
    }
    assert_eq!(said[0], said[1]);
    let prefix = format!("{}:", file.display());
    let lines: Vec<u32> = said[0]
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix)?.split(':').next()?.parse().ok())
        .collect();
    assert_eq!(lines, [8, 13, 21, 28, 29], "{}", said[0]);
    for hint in ["100000", "stat_prefix", "shpo", "STATIC"] {
        assert!(said[0].contains(hint), "{hint} in {}", said[0]);
    }
}

#[test]
fn ports_in_use_and_files_that_are_not_there_are_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let (_folder, file) = Config { listener_port: address.port(), ..Config::new(nobody()) }.file();
    let (code, _, err) = run(Command::new(PROGRAM).arg("-c").arg(&file));
    assert_eq!(code, Some(1));
    let telling = err.lines().find(|line| line.contains(&address.to_string())).unwrap_or(&err);
    assert!(telling.contains("ingress") && telling.contains("in use"), "{err}");

    let (code, _, err) = run(Command::new(PROGRAM).args(["-c", "/nowhere/proxy.yaml"]));
    assert_eq!(code, Some(1));
    assert!(err.contains("/nowhere/proxy.yaml: unable to read: No such file"), "{err}");
    let (code, _, err) = run(Command::new(PROGRAM).arg("--cnfig-path"));
    assert_eq!(code, Some(1));
    assert!(err.contains("cnfig-path") && err.contains("config-path"), "{err}");
}
