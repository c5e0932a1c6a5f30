//! A load by wrk on the proxy in front of nginx: nothing fails, no more connections than allowed, and
//! everybody counts the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::programs::{Nginx, Status, wrk};
use crate::proxy::{Config, Proxy};
use crate::{number, turn};

/// Connections of wrk.
const CLIENTS: usize = 64;

/// What was seen of connections upstream while the load ran.
#[derive(Debug, Default)]
struct Peak {
    proxy: usize,
    nginx: usize,
    samples: usize,
}

fn watch(proxy: &Proxy, nginx: &Nginx, is_over: &AtomicBool) -> Peak {
    let mut peak = Peak::default();
    while !is_over.load(Ordering::Relaxed) {
        peak.proxy = peak.proxy.max(proxy.cluster("upstream_cx_active"));
        // This question has a connection of its own.
        peak.nginx = peak.nginx.max(nginx.status().active - 1);
        peak.samples += 1;
        thread::sleep(Duration::from_millis(20));
    }
    peak
}

fn under_wrk(cluster: &'static str, limit: usize, workers: usize) {
    let _turn = turn();
    let Some(nginx) = Nginx::start() else { return };
    let proxy = Config { cluster, workers, ..Config::new(nginx.address()) }.start();
    let before = nginx.status();
    let is_over = AtomicBool::new(false);
    let seconds = number("POOL_PROXY_LOAD_SECONDS", 1);
    let (load, peak) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&proxy, &nginx, &is_over));
        let load = wrk(&proxy.url("/100"), CLIENTS, seconds);
        is_over.store(true, Ordering::Relaxed);
        (load, watching.join().expect("a thread that reads figures"))
    });
    let Some(load) = load else { return };
    eprintln!("{workers} workers, limit {limit}: {} requests, {peak:?}", load.requests);
    assert!(!load.has_socket_errors && load.bad_statuses == 0, "{}", load.said);
    assert!(load.requests > 500, "{}", load.said);

    // wrk leaves its last requests half done, and each question to nginx's status is a request and a
    // connection of its own.
    crate::process::until("the end of the last requests", || {
        (proxy.cluster("upstream_rq_active") == 0 && proxy.http("downstream_cx_active") == 0).then_some(())
    });
    let after: Status = nginx.status();
    let questions = peak.samples + 1;
    let at_nginx = after.requests - before.requests - questions;
    let (total, connections) = (proxy.cluster("upstream_rq_total"), proxy.cluster("upstream_cx_total"));
    assert!((load.requests..=load.requests + CLIENTS).contains(&total), "{total} {load:?}");
    assert!((total - CLIENTS..=total).contains(&at_nginx), "{total} here, {at_nginx} at nginx");
    assert_eq!(after.accepted - before.accepted - questions, connections, "connections: nginx and /stats");
    // Each is used 100 times, but for those of the last moment: when wrk leaves, each client may cost the
    // connection that it uses, and those who waited get new ones until they leave, too.
    assert!(connections <= total / 100 + 2 * CLIENTS, "{connections} for {total}");
    // As in Envoy, a pool without a connection may have one above the limit, or the other workers' pools
    // would starve it: at most one worker finds all sixteen taken by each of the others.
    let allowed = limit + workers - 1;
    assert!(peak.proxy <= allowed, "{peak:?}");
    // nginx hears of a connection's end a little later than the proxy, which replaces it at once.
    assert!(peak.nginx <= allowed + 2, "{peak:?}");
    assert!(peak.proxy > 0 && peak.samples > 3, "{peak:?}");

    // What wrk left half done was answered, or cost its connection, or had not left its queue.
    let answered = proxy.cluster("upstream_rq_2xx");
    assert_eq!(answered + proxy.cluster("upstream_cx_destroy_local_with_active_rq"), total);
    assert_eq!(proxy.http("downstream_rq_5xx"), 0);
    for none in ["upstream_cx_connect_fail", "upstream_rq_pending_overflow", "upstream_cx_protocol_error"] {
        assert_eq!(proxy.cluster(none), 0, "{none}");
    }
    if limit < CLIENTS {
        assert!(proxy.cluster("upstream_rq_pending_total") > 0, "requests waited");
        assert!(peak.proxy >= limit, "all that is allowed is used: {peak:?}");
    }
    let flagged = |line: &&String| line.split(' ').nth(4).is_none_or(|flags| flags != "-" && flags != "DC");
    let log = proxy.log(load.requests);
    assert_eq!(log.iter().find(flagged), None);
    proxy.terminate();
}

#[test]
fn sixty_four_clients() {
    under_wrk("", 1024, 1);
}

/// Fewer connections than clients: requests wait for one, and none fails.
#[test]
fn sixty_four_clients_share_sixteen_connections() {
    under_wrk("circuit_breakers: { thresholds: [{ max_connections: 16 }] }", 16, 1);
}

/// The limit is of the cluster, not of each worker: 16 and one for the other worker, not 32.
#[test]
fn two_workers_share_sixteen_connections() {
    under_wrk("circuit_breakers: { thresholds: [{ max_connections: 16 }] }", 16, 2);
}
