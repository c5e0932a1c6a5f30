//! `/stats`: exact output.

use std::time::Duration;

use pool_proxy::admin::Source;

use super::fake::{Fake, bootstrap};
use super::{ask, run};

/// Two workers count.
fn count(fake: &Fake) {
    for (number, worker) in (0..2).filter_map(|worker| Some((worker as u64, fake.stats().worker(worker)?))) {
        let (http, cluster) = (worker.http(0), worker.cluster(0));
        http.downstream_rq_total.add(3 + number);
        http.downstream_rq_active.inc();
        http.count_response(200);
        http.count_response(503);
        http.count_interim(103);
        http.downstream_rq_time.record(Duration::from_micros(300));
        cluster.count_response(200);
        cluster.count_response(404 + number as u16);
        cluster.upstream_rq_time.record(Duration::from_millis(20));
    }
}

const USED: &str = "\
cluster.service_b.circuit_breakers.default.cx_open: 1
cluster.service_b.circuit_breakers.default.remaining_rq: 1000
cluster.service_b.external.upstream_rq_200: 2
cluster.service_b.external.upstream_rq_2xx: 2
cluster.service_b.external.upstream_rq_404: 1
cluster.service_b.external.upstream_rq_405: 1
cluster.service_b.external.upstream_rq_4xx: 2
cluster.service_b.external.upstream_rq_completed: 4
cluster.service_b.upstream_cx_total: 5
cluster.service_b.upstream_rq_200: 2
cluster.service_b.upstream_rq_2xx: 2
cluster.service_b.upstream_rq_404: 1
cluster.service_b.upstream_rq_405: 1
cluster.service_b.upstream_rq_4xx: 2
cluster.service_b.upstream_rq_completed: 4
cluster_manager.active_clusters: 1
filesystem.write_buffered: 9
http.ingress.downstream_cx_total: 21
http.ingress.downstream_rq_1xx: 2
http.ingress.downstream_rq_2xx: 2
http.ingress.downstream_rq_5xx: 2
http.ingress.downstream_rq_active: 2
http.ingress.downstream_rq_completed: 4
http.ingress.downstream_rq_total: 7
listener.0.0.0.0_10000.downstream_cx_active: 2
listener.0.0.0.0_10000.downstream_cx_total: 21
listener.0.0.0.0_10000.http.ingress.downstream_rq_1xx: 2
listener.0.0.0.0_10000.http.ingress.downstream_rq_2xx: 2
listener.0.0.0.0_10000.http.ingress.downstream_rq_5xx: 2
listener.0.0.0.0_10000.http.ingress.downstream_rq_completed: 4
listener.0.0.0.0_10000.worker_0.downstream_cx_active: 1
listener.0.0.0.0_10000.worker_0.downstream_cx_total: 10
listener.0.0.0.0_10000.worker_1.downstream_cx_active: 1
listener.0.0.0.0_10000.worker_1.downstream_cx_total: 11
listener_manager.total_listeners_active: 1
server.live: 1
server.uptime: 12
server.version: 1000
cluster.service_b.external.upstream_rq_time: P0(nan,19.968) P25(nan,20.096) P50(nan,20.224) P75(nan,20.352) P90(nan,20.429) P95(nan,20.454) P99(nan,20.475) P99.5(nan,20.477) P99.9(nan,20.479) P100(nan,20.48)
cluster.service_b.upstream_cx_length_ms: P0(nan,1000) P25(nan,1750) P50(nan,2500) P75(nan,3250) P90(nan,3700) P95(nan,3850) P99(nan,3970) P99.5(nan,3985) P99.9(nan,3997) P100(nan,4000)
cluster.service_b.upstream_rq_time: P0(nan,19.968) P25(nan,20.096) P50(nan,20.224) P75(nan,20.352) P90(nan,20.429) P95(nan,20.454) P99(nan,20.475) P99.5(nan,20.477) P99.9(nan,20.479) P100(nan,20.48)
http.ingress.downstream_rq_time: P0(nan,0.296) P25(nan,0.298) P50(nan,0.3) P75(nan,0.302) P90(nan,0.303) P95(nan,0.304) P99(nan,0.304) P99.5(nan,0.304) P99.9(nan,0.304) P100(nan,0.304)
";

/// Without the line that differs from run to run.
fn without_memory(body: &str) -> String {
    body.lines().filter(|line| !line.starts_with("server.memory_")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_was_used_is_named_as_envoy_names_it() {
    let fake = Fake::new();
    count(&fake);
    run(&fake, async |to| {
        let answer = ask(to, "GET", "/stats?usedonly").await;
        assert_eq!(without_memory(&answer.body), USED);
        assert_eq!(answer.field("content-type"), Some("text/plain; charset=UTF-8"));
        let all = ask(to, "GET", "/stats").await.body;
        for line in [
            "cluster.service_b.upstream_rq_timeout: 0",
            "cluster.service_b.upstream_cx_connect_ms: No recorded values",
            "cluster.service_b.circuit_breakers.default.rq_open: 0",
            "cluster.service_b.circuit_breakers.high.cx_pool_open: 0",
            "http.ingress.downstream_cx_destroy_remote_active_rq: 0",
            "server.state: 0",
        ] {
            assert!(all.lines().any(|shown| shown == line), "{line} is not in\n{all}");
        }
        assert!(!all.contains("remaining_cx_pools"), "nothing remains of no limit");
    });
}

#[test]
fn intervals_follow_the_flush() {
    let fake = Fake::new();
    count(&fake);
    fake.stats().flush(&fake);
    run(&fake, async |to| {
        let path = "/stats?filter=http.*rq_time$";
        let first = ask(to, "GET", path).await.body;
        assert!(first.starts_with("http.ingress.downstream_rq_time: P0(0.296,0.296) "), "{first}");
        fake.stats().flush(&fake);
        let second = ask(to, "GET", path).await.body;
        assert!(second.starts_with("http.ingress.downstream_rq_time: P0(nan,0.296) "), "{second}");
        let http = fake.stats().worker(1).expect("a worker");
        http.http(0).downstream_rq_time.record(Duration::from_micros(50));
        fake.stats().flush(&fake);
        let third = ask(to, "GET", path).await.body;
        assert!(third.starts_with("http.ingress.downstream_rq_time: P0(0.05,0.05) "), "{third}");
    });
}

#[test]
fn filters_kinds_and_mistakes() {
    let fake = Fake::new();
    count(&fake);
    run(&fake, async |to| {
        for (path, wanted) in [
            ("/stats?filter=rq_40[45]$&usedonly&type=Counters", 4),
            ("/stats?filter=^server\\.", 8),
            ("/stats?filter=%5Eserver%5C.up", 1),
            ("/stats?filter=rq_active&type=gauges", 2),
            ("/stats?usedonly&type=Histograms", 4),
            ("/stats?filter=nothing_like_it", 0),
        ] {
            let answer = ask(to, "GET", path).await;
            assert_eq!(
                (answer.status, answer.body.lines().count()),
                (200, wanted),
                "{path}\n{}",
                answer.body
            );
        }
        let answer = ask(to, "GET", "/stats?filter=(").await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.starts_with("Invalid regex: \""), "{}", answer.body);
        let answer = ask(to, "GET", "/stats?format=xml").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (400, "usage: /stats?format=(text|json|prometheus)\n")
        );
        let answer = ask(to, "GET", "/stats?type=Nothing").await;
        assert_eq!(answer.status, 400);
    });
}

#[test]
fn json() {
    let fake = Fake::new();
    count(&fake);
    run(&fake, async |to| {
        let answer =
            ask(to, "GET", "/stats?format=json&filter=cluster.service_b.upstream_(rq_200|cx_total)").await;
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(
            answer.body,
            "{\n \"stats\": [\n  {\n   \"name\": \"cluster.service_b.upstream_cx_total\",\n   \"value\": 5\n  \
             },\n  {\n   \"name\": \"cluster.service_b.upstream_rq_200\",\n   \"value\": 2\n  }\n ]\n}"
        );
        let answer = ask(to, "GET", "/stats?format=json&filter=http.ingress.downstream_rq_time$").await;
        let packed: String = answer.body.split_whitespace().collect();
        for part in [
            "{\"stats\":[{\"histograms\":{\"supported_quantiles\":[0,25,50,75,90,95,99,99.5,99.9,100],",
            "\"computed_quantiles\":[{\"name\":\"http.ingress.downstream_rq_time\",\"values\":[",
            "{\"interval\":null,\"cumulative\":0.3},",
        ] {
            assert!(packed.contains(part), "{part} is not in\n{packed}");
        }
    });
}

const EXPOSED: &str = "\
# TYPE envoy_cluster_external_upstream_rq counter
envoy_cluster_external_upstream_rq{envoy_cluster_name=\"service_b\",envoy_response_code=\"404\"} 1
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_cluster_name=\"service_b\",envoy_response_code=\"404\"} 1
# TYPE envoy_http_downstream_rq_xx counter
envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix=\"ingress\",envoy_response_code_class=\"2\"} 2
# TYPE envoy_listener_downstream_cx_active gauge
envoy_listener_downstream_cx_active{envoy_listener_address=\"0.0.0.0_10000\"} 2
envoy_listener_downstream_cx_active{envoy_listener_address=\"0.0.0.0_10000\",envoy_worker_id=\"0\"} 1
envoy_listener_downstream_cx_active{envoy_listener_address=\"0.0.0.0_10000\",envoy_worker_id=\"1\"} 1
# TYPE envoy_listener_http_downstream_rq_xx counter
envoy_listener_http_downstream_rq_xx{envoy_http_conn_manager_prefix=\"ingress\",envoy_listener_address=\"0.0.0.0_10000\",envoy_response_code_class=\"2\"} 2
# TYPE envoy_server_uptime gauge
envoy_server_uptime 12
";

#[test]
fn prometheus() {
    let fake = Fake::new();
    count(&fake);
    run(&fake, async |to| {
        let wanted = "rq_404|downstream_rq_2xx|listener.*cx_active|server.uptime";
        for path in ["/stats/prometheus?", "/stats?format=prometheus&"] {
            let answer = ask(to, "GET", &format!("{path}filter={wanted}")).await;
            assert_eq!(answer.body, EXPOSED);
            assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=UTF-8"));
        }
        let answer = ask(to, "GET", "/stats/prometheus?filter=http.ingress.downstream_rq_time$").await;
        let tag = "envoy_http_conn_manager_prefix=\"ingress\"";
        let mut lines = answer.body.lines();
        assert_eq!(lines.next(), Some("# TYPE envoy_http_downstream_rq_time histogram"));
        let borders = [
            "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000",
            "60000", "300000", "600000", "1800000", "3600000", "+Inf",
        ];
        for border in borders {
            let line = format!("envoy_http_downstream_rq_time_bucket{{{tag},le=\"{border}\"}} 2");
            assert_eq!(lines.next(), Some(line.as_str()));
        }
        assert_eq!(lines.next(), Some(format!("envoy_http_downstream_rq_time_sum{{{tag}}} 0.6").as_str()));
        assert_eq!(lines.next(), Some(format!("envoy_http_downstream_rq_time_count{{{tag}}} 2").as_str()));
        assert_eq!(lines.next(), None);
        let answer = ask(to, "GET", "/stats/prometheus?filter=b.upstream_rq_time$").await;
        assert!(
            answer.body.contains("le=\"10\"} 0\n") && answer.body.contains("le=\"25\"} 2\n"),
            "{}",
            answer.body
        );
    });
}

#[test]
fn counters_are_reset_and_nothing_else() {
    let fake = Fake::new();
    count(&fake);
    run(&fake, async |to| {
        assert_eq!(ask(to, "POST", "/reset_counters").await.body, "OK\n");
        let path = "/stats?usedonly&filter=^http.ingress.downstream_(rq_(total|active|time|2xx)|cx_total)$";
        let line = "http.ingress.downstream_rq_time: P0(nan,0.296)";
        let zero = "http.ingress.downstream_cx_total: 0\nhttp.ingress.downstream_rq_2xx: 0\n\
            http.ingress.downstream_rq_active: 2\nhttp.ingress.downstream_rq_total: 0\n";
        let after = ask(to, "GET", path).await.body;
        assert!(after.starts_with(&format!("{zero}{line}")), "{after}");
        count(&fake);
        let again = ask(to, "GET", "/stats?filter=downstream_rq_total").await.body;
        assert_eq!(again, "http.ingress.downstream_rq_total: 7\n");
    });
}

#[test]
fn scopes_of_the_same_name_are_one() {
    let fake = Fake::with(bootstrap(&["same", "same"], &["a:b", "a:b"]));
    for listener in 0..2 {
        let worker = fake.stats().worker(listener).expect("a worker");
        worker.http(listener).downstream_rq_total.inc();
        worker.cluster(listener).count_response(200);
    }
    run(&fake, async |to| {
        let body = ask(to, "GET", "/stats?usedonly&filter=rq_total|b.upstream_rq_200|b.upstream_cx_total")
            .await
            .body;
        assert_eq!(
            body,
            "cluster.a_b.upstream_cx_total: 10\ncluster.a_b.upstream_rq_200: 2\nhttp.same.downstream_rq_total: 2\n"
        );
    });
}
