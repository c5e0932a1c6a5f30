//! nginx goes away, comes back and is reloaded while requests run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::process::until;
use crate::programs::Nginx;
use crate::proxy::{Config, RETRIES};
use crate::socket::Peer;
use crate::turn;

const CLIENTS: usize = 16;

/// Clients that ask again and again on connections that they keep, until told to stop. How many
/// answers there were of each status; the proxy never ends a connection of theirs.
fn clients(address: SocketAddr, is_over: &AtomicBool, done: &AtomicUsize) -> BTreeMap<u16, usize> {
    thread::scope(|scope| {
        let ask = || {
            let mut statuses = BTreeMap::new();
            let mut peer = Peer::connect(address);
            while !is_over.load(Ordering::Relaxed) {
                let answer = peer.ask("GET", "/100");
                assert!(answer.status != 200 || answer.content == [b'a'; 100], "{answer:?}");
                *statuses.entry(answer.status).or_insert(0) += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            statuses
        };
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        let mut total = BTreeMap::new();
        for thread in threads {
            for (status, count) in thread.join().expect("a client that never loses its connection") {
                *total.entry(status).or_insert(0) += count;
            }
        }
        total
    })
}

/// Runs `disturb` in the middle of a load, and gives the statuses.
fn disturbed(address: SocketAddr, disturb: impl FnOnce(&dyn Fn(usize))) -> BTreeMap<u16, usize> {
    let (is_over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let load = scope.spawn(|| clients(address, &is_over, &done));
        // Until so many more requests were answered.
        let more = |count: usize| {
            let from = done.load(Ordering::Relaxed);
            until("progress", || (done.load(Ordering::Relaxed) >= from + count).then_some(()));
        };
        more(500);
        disturb(&more);
        more(500);
        is_over.store(true, Ordering::Relaxed);
        load.join().expect("the load")
    })
}

/// A reload cuts no exchange; what meets a connection that nginx just closed is sent again.
#[test]
fn a_reload_is_not_noticed() {
    let _turn = turn();
    let Some(nginx) = Nginx::start() else { return };
    let proxy = Config { route: RETRIES, ..Config::new(nginx.address()) }.start();
    let statuses = disturbed(proxy.address, |more| {
        for _ in 0..5 {
            nginx.reload();
            more(300);
        }
    });
    eprintln!("reloads: {statuses:?}");
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200], "{statuses:?}");
    proxy.terminate();
}

/// While nobody listens requests fail with 503 and UF (or UC, cut in the middle); as soon as somebody
/// does, they succeed.
#[test]
fn a_restart_fails_only_what_it_must() {
    let _turn = turn();
    let Some(mut nginx) = Nginx::start() else { return };
    // As many retries at a time as there are clients: the default is 3, and beyond it UO.
    let cluster = "circuit_breakers: { thresholds: [{ max_retries: 64 }] }";
    let proxy = Config { route: RETRIES, cluster, ..Config::new(nginx.address()) }.start();
    let statuses = disturbed(proxy.address, |more| {
        nginx.stop();
        more(3 * CLIENTS);
        nginx.rise();
        // Those that began while nobody listened.
        more(2 * CLIENTS);
        let failed = proxy.http("downstream_rq_5xx");
        more(1000);
        let later = proxy.http("downstream_rq_5xx");
        assert!(later - failed <= CLIENTS, "{} failed though nginx is back", later - failed);
    });
    eprintln!("restart: {statuses:?}");
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200, &503], "{statuses:?}");
    let failed = statuses[&503];
    assert_eq!(proxy.http("downstream_rq_5xx"), failed);
    assert!(proxy.cluster("upstream_cx_connect_fail") > 0);
    assert!(proxy.cluster("upstream_rq_retry") > 0);

    let total: usize = statuses.values().sum();
    let mut flags: BTreeMap<String, usize> = BTreeMap::new();
    for line in proxy.log(total) {
        let fields: Vec<_> = line.split(' ').collect();
        *flags.entry(format!("{} {}", fields[3], fields[4])).or_default() += 1;
    }
    eprintln!("restart: {flags:?}");
    // A refused connect was retried as often as it may be; an exchange that was cut was not.
    for found in flags.keys() {
        assert!(["200 -", "503 UF,URX", "503 UC"].contains(&found.as_str()), "{flags:?}");
    }
    assert!(flags["503 UF,URX"] > 0);
    assert_eq!(flags.values().sum::<usize>(), total);
    proxy.terminate();
}

/// A proxy that starts before its upstream.
#[test]
fn an_upstream_that_comes_later_is_found() {
    let _turn = turn();
    let Some(mut nginx) = Nginx::start() else { return };
    nginx.stop();
    let proxy = Config::new(nginx.address()).start();
    let mut peer = Peer::connect(proxy.address);
    let answer = peer.ask("GET", "/100");
    assert_eq!(answer.status, 503);
    let text = String::from_utf8_lossy(&answer.content);
    assert!(text.contains("remote connection failure") && text.contains("refused"), "{text}");
    nginx.rise();
    assert_eq!(peer.ask("GET", "/100").status, 200);
    let log = proxy.log(2);
    assert!(log[0].contains(" 503 UF ") && log[1].contains(" 200 - "), "{log:?}");
    proxy.terminate();
}
