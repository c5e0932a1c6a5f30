//! What is tolerated, and what `--strict` says to it.

use std::time::Duration;

use super::*;

/// The sample as many files have it: with a field that Envoy does not know.
fn with_alias() -> String {
    SAMPLE.replace("          idle_timeout: 30s", "          idle_connection_timeout: 60s")
}

#[test]
fn idle_connection_timeout_is_taken_for_idle_timeout() {
    let text = with_alias();
    let line = text.lines().position(|line| line.contains("idle_connection_timeout")).expect("there") + 1;
    let options = "static_resources.clusters[0](shop).typed_extension_protocol_options\
        [envoy.extensions.upstreams.http.v3.HttpProtocolOptions].common_http_protocol_options";
    let warning = format!(
        "f:{line}:11: {options}: 'idle_connection_timeout' is not an Envoy field; using it as 'idle_timeout: 60s'"
    );
    assert_eq!(warnings(&text, Mode::Lenient), [warning]);
    let (bootstrap, _) = load(&text, "f", Mode::Lenient).expect("loads");
    assert_eq!(bootstrap.clusters[0].pool.idle_timeout(), Some(Duration::from_secs(60)));
    let problem = format!(
        "f:{line}:11: {options}.idle_connection_timeout: no such field: 'idle_connection_timeout' in \
         envoy.config.core.v3.HttpProtocolOptions; did you mean 'idle_timeout'?"
    );
    assert_eq!(problems(&text, Mode::Strict), [problem]);

    let beside = |value: &str| {
        text.replace(
            "60s\n          max_req",
            &format!("60s\n          idle_timeout: {value}\n          max_req"),
        )
    };
    assert_ne!(beside("60s"), text);
    assert_eq!(problems(&beside("60s"), Mode::Lenient), Vec::<String>::new());
    let contradiction = problems(&beside("61s"), Mode::Lenient);
    assert_eq!(contradiction.len(), 1);
    assert!(
        contradiction[0].ends_with(
            "'idle_connection_timeout' is not an Envoy field, and contradicts 'idle_timeout' beside it"
        ),
        "{contradiction:?}"
    );
}

#[test]
fn protocols_that_are_not_here_are_rejected_never_downgraded() {
    for (instead, sentence) in [
        (
            "http3_protocol_options: {}",
            "HTTP/3 is not in this build; write 'http_protocol_options: {}' for HTTP/1.1",
        ),
        (
            "http2_protocol_options: {}",
            "HTTP/2 to upstreams is not in this build; write 'http_protocol_options: {}' for HTTP/1.1",
        ),
    ] {
        let text = SAMPLE.replace("http_protocol_options: {}\n", &format!("{instead}\n"));
        for mode in [Mode::Lenient, Mode::Strict] {
            let said = problems(&text, mode);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].ends_with(sentence), "{said:?}");
        }
    }
    let text =
        SAMPLE.replace("explicit_http_config:\n          http_protocol_options: {}", "auto_config: {}");
    assert_ne!(text, SAMPLE);
    assert_eq!(problems(&text, Mode::Lenient).len(), 1);
    let text = SAMPLE.replace("http_protocol_options: {}\n", "http_protocol_options:\n");
    assert!(problems(&text, Mode::Lenient)[0].ends_with("write 'http_protocol_options: {}'"));
}

#[test]
fn what_is_only_tolerated_is_a_warning_or_a_problem() {
    for (text, warning, problem) in [
        (
            in_cluster("conect_timeout: 1s"),
            "unknown field, ignored; did you mean 'connect_timeout'?",
            "no such field: 'conect_timeout' in envoy.config.cluster.v3.Cluster; did you mean 'connect_timeout'?",
        ),
        (
            in_cluster("max_pending_requests: 5"),
            "unknown field, ignored; it is a field of Thresholds",
            "no such field: 'max_pending_requests' in envoy.config.cluster.v3.Cluster; it is a field of Thresholds",
        ),
        (
            in_cluster("rate_limit_settings: {}"),
            "unknown field, ignored",
            "no such field: 'rate_limit_settings' in envoy.config.cluster.v3.Cluster",
        ),
        (in_cluster("upstream_connection_options: {}"), "not supported, ignored", "not supported"),
        (in_manager("http2_protocol_options: {},"), "not supported, ignored", "not supported"),
        (
            in_route("retry_policy: {retry_on: 'connect-failure,retriable-4xx'},"),
            "'retriable-4xx' is not supported, ignored",
            "'retriable-4xx' is not supported, ignored",
        ),
        (
            in_route("retry_policy: {retry_on: 5xx},"),
            "'5xx' is honoured only as far as connect-failure,reset-before-request,refused-stream",
            "'5xx' is honoured only as far as connect-failure,reset-before-request,refused-stream",
        ),
    ] {
        let (warnings, problems) = (warnings(&text, Mode::Lenient), problems(&text, Mode::Strict));
        assert_eq!((warnings.len(), problems.len()), (1, 1), "{warnings:?} {problems:?}");
        assert!(warnings[0].ends_with(&format!(": {warning}")), "{warnings:?}");
        assert!(problems[0].ends_with(&format!(": {problem}")), "{problems:?}");
    }
}

#[test]
fn deprecated_fields_are_told_of_only_when_strict() {
    let text = in_cluster(
        "lb_policy: ROUND_ROBIN\n    dns_lookup_family: V4_ONLY\n    max_requests_per_connection: 3",
    );
    assert_eq!(warnings(&text, Mode::Lenient), Vec::<String>::new());
    let warnings = warnings(&text, Mode::Strict);
    assert_eq!(warnings.len(), 3);
    assert_eq!(
        warnings[0],
        "f:21:5: static_resources.clusters[0](c).lb_policy: deprecated in Envoy's API: use load_balancing_policy"
    );
}
