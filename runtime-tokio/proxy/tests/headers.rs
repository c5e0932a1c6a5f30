//! Every row of the table of header fields, in both directions, and what the proxy adds.

mod support;

use http::HeaderValue;
use pool_proxy::config::model::{Bootstrap, PathMatch, ServerHeader};
use support::config::{forwarding, http, simple};
use support::socket::{field, fields};
use support::{Proxy, Upstream};

type Change = fn(&mut Bootstrap);

const AS_IT_IS: Change = |_| {};

/// Sends a request through a proxy and answers it; the head that the upstream got, and the response's.
fn pass(change: Change, request: &str, answer: &str) -> (String, String) {
    let upstream = Upstream::bind();
    let mut config = simple(upstream.address());
    change(&mut config);
    let proxy = Proxy::start(config);
    let mut client = proxy.connect();
    client.send(request);
    let mut server = upstream.accept();
    let asked = server.head();
    server.send(answer);
    let (answered, _) = client.response();
    (asked, answered)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn get(fields: &str) -> String {
    format!("GET /p HTTP/1.1\r\nhost: h.test\r\n{fields}\r\n")
}

/// The request's fields, and what the upstream gets: names with their value, or none.
type Row = (&'static str, Change, &'static str, &'static [(&'static str, Option<&'static str>)]);

#[test]
fn requests() {
    let rows: &[Row] = &[
        ("Connection", AS_IT_IS, "connection: keep-alive\r\n", &[("connection", None)]),
        ("Connection: close", AS_IT_IS, "connection: close\r\n", &[("connection", None)]),
        (
            "named by Connection",
            AS_IT_IS,
            "connection: x-hop , close,X-Other\r\nx-hop: 1\r\nx-other: 2\r\nx-stays: 3\r\n",
            &[("x-hop", None), ("x-other", None), ("x-stays", Some("3")), ("connection", None)],
        ),
        ("nine named", AS_IT_IS, "connection: a,b,c,d,e,f,g,h,i\r\ni: 1\r\n", &[("i", None)]),
        ("Keep-Alive", AS_IT_IS, "keep-alive: timeout=5\r\n", &[("keep-alive", None)]),
        ("Proxy-Connection", AS_IT_IS, "proxy-connection: keep-alive\r\n", &[("proxy-connection", None)]),
        ("TE", AS_IT_IS, "te: gzip, trailers;q=0.5\r\n", &[("te", None)]),
        ("TE: trailers", AS_IT_IS, "te: gzip, Trailers\r\nconnection: te\r\n", &[("te", Some("trailers"))]),
        ("Trailer", AS_IT_IS, "trailer: x-sum\r\n", &[("trailer", Some("x-sum"))]),
        (
            "Upgrade: h2c",
            AS_IT_IS,
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
            &[("upgrade", None), ("http2-settings", None), ("connection", None)],
        ),
        ("Upgrade: TLS", AS_IT_IS, "connection: upgrade\r\nupgrade: TLS/1.2\r\n", &[("upgrade", None)]),
        ("Upgrade not named", AS_IT_IS, "upgrade: websocket\r\n", &[("upgrade", None)]),
        (
            "Proxy-Authorization",
            AS_IT_IS,
            "proxy-authorization: x\r\n",
            &[("proxy-authorization", Some("x"))],
        ),
        ("other Expect", AS_IT_IS, "expect: nothing\r\n", &[("expect", Some("nothing"))]),
        ("proto", AS_IT_IS, "", &[("x-forwarded-proto", Some("http")), ("x-forwarded-for", None)]),
        ("proto kept", AS_IT_IS, "x-forwarded-proto: https\r\n", &[("x-forwarded-proto", Some("https"))]),
        ("timeout told", AS_IT_IS, "", &[("x-envoy-expected-rq-timeout-ms", Some("15000"))]),
        (
            "no timeout",
            |config| forwarding(config).timeout = None,
            "x-envoy-expected-rq-timeout-ms: 7\r\n",
            &[("x-envoy-expected-rq-timeout-ms", None)],
        ),
        ("attempts not told", AS_IT_IS, "", &[("x-envoy-attempt-count", None)]),
        (
            "attempts told",
            |config| http(config).routes.virtual_hosts[0].include_request_attempt_count = true,
            "x-envoy-attempt-count: 9\r\n",
            &[("x-envoy-attempt-count", Some("1"))],
        ),
        (
            "control fields",
            AS_IT_IS,
            "x-envoy-upstream-rq-timeout-ms: 1\r\nx-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 9\r\n\
             x-envoy-original-path: /o\r\nx-envoy-other: 1\r\n",
            &[
                ("x-envoy-upstream-rq-timeout-ms", None),
                ("x-envoy-retry-on", None),
                ("x-envoy-max-retries", None),
                ("x-envoy-original-path", Some("/o")),
                ("x-envoy-other", Some("1")),
            ],
        ),
        (
            "at the edge",
            |config| http(config).use_remote_address = true,
            "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: https\r\nx-envoy-original-path: /o\r\n",
            &[
                ("x-forwarded-for", Some("192.0.2.1,127.0.0.1")),
                ("x-forwarded-proto", Some("http")),
                ("x-envoy-external-address", Some("127.0.0.1")),
                ("x-envoy-original-path", None),
            ],
        ),
        (
            "Host rewritten",
            |config| forwarding(config).host_rewrite = Some(HeaderValue::from_static("other.test")),
            "",
            &[("host", Some("other.test"))],
        ),
        (
            "Host of the endpoint",
            |config| {
                config.clusters[0].endpoints[0].hostname = "endpoint.test".to_owned();
                forwarding(config).auto_host_rewrite = true;
            },
            "",
            &[("host", Some("endpoint.test"))],
        ),
    ];
    for (name, change, sent, expected) in rows {
        let (asked, _) = pass(*change, &get(sent), OK);
        for (field_name, value) in *expected {
            let got = fields(&asked, field_name);
            let expected: Vec<&str> = value.iter().copied().collect();
            assert_eq!(got, expected, "{name}: {field_name} in {asked}");
        }
    }
}

#[test]
fn refused_requests() {
    let many = format!("connection: {}\r\n", "x,".repeat(10));
    let te = format!("connection: te\r\nte: {}\r\n", "g".repeat(256));
    let rows: &[(&str, &str)] = &[
        ("ten named", &many),
        ("pseudo field", "connection: :path\r\n"),
        ("forwarded", "connection: X-Forwarded-For\r\nx-forwarded-for: 192.0.2.1\r\n"),
        ("forwarded host", "connection: x-forwarded-host\r\n"),
        ("forwarded proto", "connection: close, x-forwarded-proto\r\n"),
        ("host", "connection: host\r\n"),
        ("long TE", &te),
        ("Content-Length and Transfer-Encoding", "content-length: 1\r\ntransfer-encoding: chunked\r\n"),
    ];
    let upstream = Upstream::bind();
    let proxy = Proxy::start(simple(upstream.address()));
    for (name, sent) in rows {
        let mut client = proxy.connect();
        client.send(get(sent));
        let (head, _) = client.response();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{name}: {head}");
        assert_eq!(field(&head, "connection"), Some("close"), "{name}");
        assert!(client.is_closed(), "{name}");
    }
    assert!(!upstream.has_connection());
}

#[test]
fn responses() {
    let rows: &[Row] = &[
        ("Connection", AS_IT_IS, "connection: close\r\n", &[("connection", None)]),
        (
            "named by Connection",
            AS_IT_IS,
            "connection: x-hop, keep-alive\r\nx-hop: 1\r\nkeep-alive: timeout=9\r\nx-stays: 1\r\n",
            &[("connection", None), ("x-hop", None), ("keep-alive", None), ("x-stays", Some("1"))],
        ),
        ("Proxy-Connection", AS_IT_IS, "proxy-connection: close\r\n", &[("proxy-connection", None)]),
        ("Upgrade", AS_IT_IS, "upgrade: h2c\r\n", &[("upgrade", None)]),
        ("Proxy-Authenticate", AS_IT_IS, "proxy-authenticate: x\r\n", &[("proxy-authenticate", Some("x"))]),
        ("Trailer", AS_IT_IS, "trailer: x-sum\r\n", &[("trailer", Some("x-sum"))]),
        ("Date kept", AS_IT_IS, "date: then\r\n", &[("date", Some("then"))]),
        ("Server", AS_IT_IS, "server: theirs\r\n", &[("server", Some("envoy"))]),
        (
            "Server if absent",
            |config| http(config).server_header = ServerHeader::AppendIfAbsent,
            "server: theirs\r\n",
            &[("server", Some("theirs"))],
        ),
        (
            "Server absent",
            |config| http(config).server_header = ServerHeader::AppendIfAbsent,
            "",
            &[("server", Some("envoy"))],
        ),
        (
            "Server passed",
            |config| http(config).server_header = ServerHeader::PassThrough,
            "",
            &[("server", None)],
        ),
        (
            "attempts told",
            |config| http(config).routes.virtual_hosts[0].include_attempt_count_in_response = true,
            "",
            &[("x-envoy-attempt-count", Some("1"))],
        ),
    ];
    for (name, change, sent, expected) in rows {
        let answer = format!("HTTP/1.1 200 OK\r\n{sent}content-length: 0\r\n\r\n");
        let (_, answered) = pass(*change, &get(""), &answer);
        for (field_name, value) in *expected {
            let got = fields(&answered, field_name);
            let expected: Vec<&str> = value.iter().copied().collect();
            assert_eq!(got, expected, "{name}: {field_name} in {answered}");
        }
        let time = field(&answered, "x-envoy-upstream-service-time").expect("told");
        assert!(time.parse::<u64>().expect("a number") < 10_000);
        assert!(field(&answered, "date").is_some(), "{name}");
    }
}

#[test]
fn request_ids_are_made_kept_and_replaced() {
    let edge: Change = |config| http(config).use_remote_address = true;
    let kept: Change = |config| {
        http(config).use_remote_address = true;
        http(config).preserve_external_request_id = true;
    };
    let off: Change = |config| http(config).generate_request_id = false;
    let id = |change, sent: &str| field(&pass(change, &get(sent), OK).0, "x-request-id").map(str::to_owned);
    let theirs = "x-request-id: theirs\r\n";
    assert_eq!(id(AS_IT_IS, "").map(|id| id.len()), Some(36));
    assert_ne!(id(AS_IT_IS, ""), id(AS_IT_IS, ""), "seeds differ");
    assert_eq!(id(AS_IT_IS, theirs).as_deref(), Some("theirs"));
    assert_eq!(id(edge, theirs).map(|id| id.len()), Some(36));
    assert_eq!(id(kept, theirs).as_deref(), Some("theirs"));
    assert_eq!(id(off, ""), None);
    assert_eq!(id(off, theirs).as_deref(), Some("theirs"));
}

#[test]
fn targets() {
    let rewriting: Change = |config| {
        let route = &mut http(config).routes.virtual_hosts[0].routes[0];
        route.matches.path = PathMatch::Prefix("/p".to_owned());
        forwarding(config).prefix_rewrite = Some("/new".to_owned());
    };
    let (asked, _) = pass(rewriting, "GET /p/a?b=/p HTTP/1.1\r\nhost: h\r\n\r\n", OK);
    assert!(asked.starts_with("GET /new/a?b=/p HTTP/1.1\r\n"), "{asked}");
    assert_eq!(field(&asked, "x-envoy-original-path"), Some("/p/a?b=/p"));

    let emptied: Change = |config| {
        let route = &mut http(config).routes.virtual_hosts[0].routes[0];
        route.matches.path = PathMatch::Prefix("/p/".to_owned());
        forwarding(config).prefix_rewrite = Some(String::new());
    };
    let (asked, _) = pass(emptied, "GET /p/a HTTP/1.1\r\nhost: h\r\n\r\n", OK);
    assert!(asked.starts_with("GET /a HTTP/1.1\r\n"), "{asked}");

    // RFC 9112 3.2.2: the authority of the target counts, not `Host`.
    let absolute = "GET http://there.test:81/x?y HTTP/1.1\r\nhost: here.test\r\n\r\n";
    let (asked, _) = pass(AS_IT_IS, absolute, OK);
    assert!(asked.starts_with("GET /x?y HTTP/1.1\r\n"), "{asked}");
    assert_eq!(fields(&asked, "host"), ["there.test:81"]);
}
