//! Every path but `/stats`.

use std::sync::Arc;
use std::time::Duration;

use pool_core::client::{ConnectionSnapshot, PoolSnapshot, Snapshot};
use pool_core::id::{ConnId, PoolId};
use pool_core::limits::UNLIMITED;
use pool_core::pool::{CloseReason, Counts, DrainCause, Handshake, Phase, State, Stats, Triple};
use pool_core::runtime::{Scheme, Target};
use pool_proxy::admin::{Action, ServerState};

use super::fake::{Fake, gauge};
use super::{ask, run};

#[test]
fn readiness_follows_the_state() {
    let fake = Fake::new();
    run(&fake, async |to| {
        for (state, status, body) in [
            (ServerState::Live, 200, "LIVE\n"),
            (ServerState::Draining, 503, "DRAINING\n"),
            (ServerState::PreInitializing, 503, "PRE_INITIALIZING\n"),
            (ServerState::Initializing, 503, "INITIALIZING\n"),
        ] {
            fake.set_state(state);
            let answer = ask(to, "GET", "/ready").await;
            assert_eq!((answer.status, answer.body.as_str()), (status, body));
            assert_eq!(answer.field("content-type"), Some("text/plain; charset=UTF-8"));
            assert_eq!(answer.field("cache-control"), Some("no-cache, max-age=0"));
            assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
            assert!(answer.field("date").is_some());
        }
    });
}

#[test]
fn changes_take_post_and_nothing_else() {
    let fake = Fake::new();
    let drain = |graceful, skip_exit| Action::DrainListeners { graceful, skip_exit };
    let changes = [
        ("/quitquitquit", Action::Quit),
        ("/healthcheck/fail", Action::HealthcheckFail),
        ("/healthcheck/ok", Action::HealthcheckOk),
        ("/reopen_logs", Action::ReopenLogs),
        ("/reset_counters", Action::CountersReset),
        ("/drain_listeners", drain(false, false)),
        ("/drain_listeners?graceful", drain(true, false)),
        ("/drain_listeners?graceful&skip_exit", drain(true, true)),
    ];
    run(&fake, async |to| {
        for (path, action) in changes {
            for method in ["GET", "HEAD", "PUT", "DELETE"] {
                let answer = ask(to, method, path).await;
                assert_eq!((answer.status, answer.field("allow")), (405, Some("POST")), "{method} {path}");
                assert_eq!(fake.actions(), [], "{method} {path}");
            }
            let answer = ask(to, "POST", path).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "OK\n"), "{path}");
            assert_eq!(fake.actions(), [action]);
        }
        let answer = ask(to, "POST", "/drain_listeners?skip_exit").await;
        assert_eq!((answer.status, answer.body.as_str()), (400, "skip_exit requires graceful\n"));
        let answer = ask(to, "POST", "/drain_listeners?inboundonly").await;
        assert_eq!(answer.status, 400, "closing all of them is not what was asked for");
        assert_eq!(fake.actions(), []);
    });
}

#[test]
fn help_is_everywhere() {
    let paths = [
        "/",
        "/certs",
        "/clusters",
        "/config_dump",
        "/drain_listeners",
        "/healthcheck/fail",
        "/healthcheck/ok",
        "/help",
        "/hot_restart_version",
        "/listeners",
        "/memory",
        "/pools",
        "/quitquitquit",
        "/ready",
        "/reopen_logs",
        "/reset_counters",
        "/runtime",
        "/server_info",
        "/stats",
        "/stats/prometheus",
    ];
    run(&Fake::new(), async |to| {
        let help = ask(to, "GET", "/help").await;
        assert_eq!(help.status, 200);
        let listed: Vec<&str> =
            help.body.lines().filter_map(|line| line.strip_prefix("  ")?.split([' ', ':']).next()).collect();
        assert_eq!(listed, paths);
        let unknown = ask(to, "GET", "/nowhere").await;
        assert_eq!((unknown.status, unknown.body), (404, format!("invalid path. {}", help.body)));
        let home = ask(to, "GET", "/").await;
        assert_eq!(home.field("content-type"), Some("text/html; charset=UTF-8"));
        assert!(home.body.contains("<a href=\"/stats/prometheus\">"));
        assert!(home.body.contains("<form action=\"/quitquitquit\" method=\"post\">"));
        assert!(!home.body.contains("<regex>"), "what is not markup is escaped");
    });
}

#[test]
fn head_tells_the_length_and_sends_nothing() {
    run(&Fake::new(), async |to| {
        for path in ["/ready", "/help", "/server_info"] {
            let (get, head) = (ask(to, "GET", path).await, ask(to, "HEAD", path).await);
            assert_eq!((head.status, head.body.as_str()), (200, ""));
            assert_eq!(head.field("content-length"), Some(get.body.len().to_string().as_str()));
            assert_eq!(head.field("content-type"), get.field("content-type"));
        }
        let answer = ask(to, "DELETE", "/stats").await;
        assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD, POST")));
        assert_eq!(ask(to, "POST", "/help").await.status, 200);
    });
}

#[test]
fn server_info_and_what_is_empty() {
    run(&Fake::new(), async |to| {
        let info = ask(to, "GET", "/server_info").await;
        assert_eq!(info.field("content-type"), Some("application/json"));
        let version = env!("CARGO_PKG_VERSION");
        let wanted = format!(
            "{{\n \"version\": \"pool-proxy/{version}\",\n \"state\": \"LIVE\",\n \
             \"hot_restart_version\": \"disabled\",\n \"uptime_current_epoch\": \"12s\",\n \
             \"uptime_all_epochs\": \"12s\",\n \"command_line_options\": {{\n  \
             \"config_path\": \"proxy.yaml\",\n  \"concurrency\": \"2\"\n }},\n \"node\": {{\n  \
             \"id\": \"node-1\",\n  \"cluster\": \"edge\"\n }}\n}}\n"
        );
        assert_eq!(info.body, wanted);
        assert_eq!(ask(to, "GET", "/certs").await.body, "{\n \"certificates\": []\n}\n");
        assert_eq!(ask(to, "GET", "/runtime").await.body, "{\n \"layers\": [],\n \"entries\": {}\n}\n");
        assert_eq!(ask(to, "GET", "/hot_restart_version").await.body, "disabled");
        let memory = ask(to, "GET", "/memory").await.body;
        assert_eq!(memory.contains("\"total_physical_bytes\": \""), cfg!(target_os = "linux"));
    });
}

#[test]
fn listeners() {
    run(&Fake::new(), async |to| {
        assert_eq!(ask(to, "GET", "/listeners").await.body, "listener_0::127.0.0.1:10000\n");
        assert_eq!(
            ask(to, "GET", "/listeners?format=json").await.body,
            "{\n \"listener_statuses\": [\n  {\n   \"name\": \"listener_0\",\n   \"local_address\": {\n    \
             \"socket_address\": {\n     \"address\": \"127.0.0.1\",\n     \"port_value\": 10000\n    }\n   \
             }\n  }\n ]\n}\n"
        );
        let answer = ask(to, "GET", "/listeners?format=xml").await;
        assert_eq!((answer.status, answer.body.as_str()), (400, "usage: ?format=(json|text)\n"));
    });
}

#[test]
fn clusters() {
    let wanted = "\
service_b::observability_name::b
service_b::default_priority::max_connections::7
service_b::default_priority::max_pending_requests::1024
service_b::default_priority::max_requests::1024
service_b::default_priority::max_retries::3
service_b::high_priority::max_connections::7
service_b::high_priority::max_pending_requests::1024
service_b::high_priority::max_requests::1024
service_b::high_priority::max_retries::3
service_b::added_via_api::false
service_b::127.0.0.1:8080::cx_active::1
service_b::127.0.0.1:8080::cx_connect_fail::2
service_b::127.0.0.1:8080::cx_total::3
service_b::127.0.0.1:8080::rq_active::4
service_b::127.0.0.1:8080::rq_error::5
service_b::127.0.0.1:8080::rq_success::6
service_b::127.0.0.1:8080::rq_timeout::7
service_b::127.0.0.1:8080::rq_total::8
service_b::127.0.0.1:8080::hostname::b.example
service_b::127.0.0.1:8080::health_flags::healthy
service_b::127.0.0.1:8080::weight::3
service_b::127.0.0.1:8080::region::
service_b::127.0.0.1:8080::zone::
service_b::127.0.0.1:8080::sub_zone::
service_b::127.0.0.1:8080::canary::false
service_b::127.0.0.1:8080::priority::0
service_b::127.0.0.1:8080::success_rate::-1
service_b::127.0.0.1:8080::local_origin_success_rate::-1
";
    run(&Fake::new(), async |to| {
        assert_eq!(ask(to, "GET", "/clusters").await.body, wanted);
        let json = ask(to, "GET", "/clusters?format=json").await.body;
        for part in [
            "  \"cluster_statuses\": [\n",
            "\"observability_name\": \"b\"",
            "     \"priority\": \"HIGH\",\n      \"max_connections\": 7,\n",
            "\"type\": \"GAUGE\",\n       \"value\": \"1\",\n       \"name\": \"cx_active\"\n",
            "\"eds_health_status\": \"HEALTHY\"",
        ] {
            assert!(json.contains(part.trim_start()), "{part} is not in\n{json}");
        }
    });
}

#[test]
fn config_dump() {
    run(&Fake::new(), async |to| {
        let yaml = ask(to, "GET", "/config_dump?format=yaml").await;
        assert_eq!(yaml.body, "static_resources: {}\n");
        let json = ask(to, "GET", "/config_dump").await.body;
        for part in [
            "\"@type\": \"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump\"",
            "\"@type\": \"type.googleapis.com/envoy.admin.v3.ClustersConfigDump\"",
            "\"@type\": \"type.googleapis.com/envoy.admin.v3.ListenersConfigDump\"",
            "\"@type\": \"type.googleapis.com/envoy.admin.v3.RoutesConfigDump\"",
            "\"stat_prefix\": \"ingress\"",
            "\"idle_timeout\": \"3600s\"",
            "\"request_timeout\": \"0s\"",
            "\"timeout\": \"2.500s\"",
            "\"cluster\": \"service_b\"",
            "\"inline_string\": \"pong\"",
            "\"prefix\": \"/\"",
            "\"upgrade_type\": \"websocket\"",
            "\"lb_policy\": \"ROUND_ROBIN\"",
            "\"drain_type\": \"DEFAULT\"",
            "\"connect_timeout\": \"5s\"",
            "\"max_connection_pools\": null",
        ] {
            assert!(json.contains(part), "{part} is not in\n{json}");
        }
        assert_eq!(ask(to, "GET", "/config_dump?format=x").await.status, 400);
    });
}

fn pools() -> Snapshot {
    let connection = |index, state, millis, active| ConnectionSnapshot {
        id: ConnId { index, generation: 2 },
        state,
        age: Duration::from_millis(millis),
        active,
    };
    let target = Target {
        scheme: Scheme::Http,
        host: Arc::from("127.0.0.1"),
        port: 8080,
        address: Some("127.0.0.1:8080".parse().expect("address")),
    };
    let pool = PoolSnapshot {
        id: PoolId(4),
        target,
        triple: Triple { active: 2, pending: 1, capacity: 1 },
        counts: Counts { ready: 1, busy: 1, draining: 1, closing: 1, ..Counts::default() },
        stats: Stats::default(),
        connections: vec![
            connection(0, State::Ready(Phase::Open), 61_250, 0),
            connection(1, State::Busy(Handshake::Complete), 5, 1),
            connection(2, State::Draining(DrainCause::MaxRequests), 7, 1),
            connection(3, State::Closed(CloseReason::GoAway), 9, 0),
        ],
        waiters: vec![Duration::from_micros(1500)],
        connections_breaker: gauge(4, 1024),
        pending_breaker: gauge(1, 8),
        requests_breaker: gauge(2, UNLIMITED),
    };
    Snapshot { pools: vec![pool] }
}

#[test]
fn the_pool_is_no_black_box() {
    let fake = Fake::new();
    run(&fake, async |to| {
        assert_eq!(ask(to, "GET", "/pools").await.body, "no pools\n");
        assert_eq!(ask(to, "GET", "/pools?format=json").await.body, "{\n \"pools\": []\n}\n");
        fake.set_pools(pools());
        let wanted = "\
worker 1 pool 4: 127.0.0.1:8080
  requests: 2 active, 1 pending; 1 unused streams
  breaker connections: 4 of 1024
  breaker pending: 1 of 8
  breaker requests: 2, no limit
  connection 0.2: ready, age 61.250 s, 0 active
  connection 1.2: busy, age 0.005 s, 1 active
  connection 2.2: draining (max requests), age 0.007 s, 1 active
  connection 3.2: closing (go away), age 0.009 s, 0 active
  waiter: 0.002 s
";
        assert_eq!(ask(to, "GET", "/pools").await.body, wanted);
        let json = ask(to, "GET", "/pools?format=json").await.body;
        for part in [
            "\"worker\": 1",
            "\"rq_pending_active\": 1",
            "\"state\": \"draining (max requests)\"",
            "\"age_ms\": 61250",
            "\"waiters_ms\": [\n    1.5\n   ]",
            "\"requests\": {\n     \"current\": 2,\n     \"max\": null\n    }",
        ] {
            assert!(json.contains(part), "{part} is not in\n{json}");
        }
    });
}
