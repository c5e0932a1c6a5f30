use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Method, Version};

use super::{Fault, Format, FormatError};
use crate::access_log::{Downstream, Record, Request, Response, ResponseFlags, Timings, Upstream};

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| ((*name).parse().expect("name"), HeaderValue::from_static(value)))
        .collect()
}

struct Heads {
    request: HeaderMap,
    response: HeaderMap,
    trailers: HeaderMap,
}

fn heads() -> Heads {
    Heads {
        request: headers(&[
            ("host", "in.the.host"),
            ("user-agent", "curl/8 \"quoted\""),
            ("x-forwarded-for", "10.0.35.28"),
            ("x-request-id", "cc21d9b0"),
        ]),
        response: headers(&[("x-envoy-upstream-service-time", "13"), ("server", "envoy")]),
        trailers: headers(&[("x-sum", "abc")]),
    }
}

fn record(heads: &Heads) -> Record<'_> {
    let ms = |ms: u64| Some(Duration::from_micros(ms * 1000 + 999));
    let address = |text: &str| Some(text.parse().expect("address"));
    Record {
        start: UNIX_EPOCH + Duration::from_millis(1_545_173_282_123),
        timings: Timings {
            request_received: ms(1),
            pool_asked: ms(2),
            pool_ready: ms(6),
            upstream_sending: ms(6),
            upstream_sent: ms(7),
            upstream_receiving: ms(20),
            upstream_received: ms(28),
            response_sending: ms(21),
            response_sent: ms(29),
            total: ms(30),
        },
        request: Request {
            method: Some(&Method::POST),
            scheme: Some("http"),
            authority: Some("locations"),
            path: Some("/api/v1?a=1&b=two&c"),
            protocol: Some(Version::HTTP_11),
            headers: Some(&heads.request),
            headers_bytes: 110,
            body_bytes: 154,
            wire_bytes: 264,
        },
        response: Response {
            code: Some(503),
            code_details: Some("upstream_reset_before_response_started{connection termination}"),
            flags: ResponseFlags::UF | ResponseFlags::URX,
            headers: Some(&heads.response),
            trailers: Some(&heads.trailers),
            headers_bytes: 55,
            trailers_bytes: 12,
            body_bytes: 91,
            wire_bytes: 158,
        },
        upstream: Upstream {
            cluster: Some("service_b"),
            host: address("10.0.2.1:80"),
            hostname: Some("b.example"),
            remote_address: address("10.0.2.2:81"),
            local_address: address("10.0.0.9:4711"),
            connection_id: Some(77),
            request_id: Some((1, 4_711)),
            connection_reused: Some(true),
            protocol: Some(Version::HTTP_11),
            attempts: 3,
            transport_failure: Some("delayed connect error: Connection refused"),
            headers_bytes_sent: 120,
            headers_bytes_received: 60,
            wire_bytes_sent: 274,
            wire_bytes_received: 163,
        },
        downstream: Downstream {
            remote_address: address("[2001:db8::1]:5555"),
            direct_remote_address: address("127.0.0.1:5556"),
            local_address: address("127.0.0.1:10000"),
            connection_id: Some(5),
            termination_details: Some("idle too long"),
        },
        route_name: Some("to_b"),
        virtual_host_name: Some("all"),
        stream_id: Some("cc21d9b0"),
    }
}

fn show(format: &str, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    Format::parse(format).unwrap_or_else(|error| panic!("{format}: {error}")).write(record, &mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn default_line() {
    let heads = heads();
    let mut out = Vec::new();
    Format::default().write(&record(&heads), &mut out);
    assert_eq!(
        String::from_utf8(out).expect("text"),
        "[2018-12-18T22:48:02.123Z] \"POST /api/v1?a=1&b=two&c HTTP/1.1\" 503 UF,URX 154 91 30 13 \
         \"10.0.35.28\" \"curl/8 \"quoted\"\" \"cc21d9b0\" \"locations\" \"10.0.2.1:80\"\n"
    );
}

#[test]
fn default_line_of_nothing() {
    let mut out = Vec::new();
    Format::default().write(&Record::new(UNIX_EPOCH), &mut out);
    assert_eq!(
        String::from_utf8(out).expect("text"),
        "[1970-01-01T00:00:00.000Z] \"- - -\" 0 - 0 0 - - \"-\" \"-\" \"-\" \"-\" \"-\"\n"
    );
}

/// Every operator without an argument: what it shows of the record above, and of an empty one.
const PLAIN: &[(&str, &str, &str)] = &[
    ("PROTOCOL", "HTTP/1.1", "-"),
    ("UPSTREAM_PROTOCOL", "HTTP/1.1", "-"),
    ("RESPONSE_CODE", "503", "0"),
    ("RESPONSE_CODE_DETAILS", "upstream_reset_before_response_started{connection_termination}", "-"),
    ("RESPONSE_FLAGS", "UF,URX", "-"),
    ("RESPONSE_FLAGS_LONG", "UpstreamConnectionFailure,UpstreamRetryLimitExceeded", "-"),
    ("BYTES_RECEIVED", "154", "0"),
    ("BYTES_SENT", "91", "0"),
    ("REQUEST_HEADERS_BYTES", "110", "0"),
    ("RESPONSE_HEADERS_BYTES", "55", "0"),
    ("RESPONSE_TRAILERS_BYTES", "12", "0"),
    ("DOWNSTREAM_WIRE_BYTES_RECEIVED", "264", "0"),
    ("DOWNSTREAM_WIRE_BYTES_SENT", "158", "0"),
    ("DOWNSTREAM_HEADER_BYTES_RECEIVED", "110", "0"),
    ("DOWNSTREAM_HEADER_BYTES_SENT", "55", "0"),
    ("UPSTREAM_WIRE_BYTES_SENT", "274", "0"),
    ("UPSTREAM_WIRE_BYTES_RECEIVED", "163", "0"),
    ("UPSTREAM_HEADER_BYTES_SENT", "120", "0"),
    ("UPSTREAM_HEADER_BYTES_RECEIVED", "60", "0"),
    ("DURATION", "30", "-"),
    ("REQUEST_DURATION", "1", "-"),
    ("REQUEST_TX_DURATION", "7", "-"),
    ("RESPONSE_DURATION", "20", "-"),
    ("RESPONSE_TX_DURATION", "9", "-"),
    ("UPSTREAM_CONNECTION_POOL_READY_DURATION", "4", "-"),
    ("UPSTREAM_HOST", "10.0.2.1:80", "-"),
    ("UPSTREAM_HOST_NAME", "b.example", "-"),
    ("UPSTREAM_CLUSTER", "service_b", "-"),
    ("UPSTREAM_CONNECTION_ID", "77", "-"),
    ("UPSTREAM_CONNECTION_REUSED", "true", "-"),
    ("UPSTREAM_REQUEST_ID", "1:4711", "-"),
    ("UPSTREAM_LOCAL_ADDRESS", "10.0.0.9:4711", "-"),
    ("UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "10.0.0.9", "-"),
    ("UPSTREAM_LOCAL_PORT", "4711", "-"),
    ("UPSTREAM_REMOTE_ADDRESS", "10.0.2.2:81", "-"),
    ("UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "10.0.2.2", "-"),
    ("UPSTREAM_REMOTE_PORT", "81", "-"),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", "3", "0"),
    ("UPSTREAM_TRANSPORT_FAILURE_REASON", "delayed_connect_error:_Connection_refused", "-"),
    ("DOWNSTREAM_REMOTE_ADDRESS", "[2001:db8::1]:5555", "-"),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "2001:db8::1", "-"),
    ("DOWNSTREAM_REMOTE_PORT", "5555", "-"),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "127.0.0.1:5556", "-"),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "127.0.0.1", "-"),
    ("DOWNSTREAM_DIRECT_REMOTE_PORT", "5556", "-"),
    ("DOWNSTREAM_LOCAL_ADDRESS", "127.0.0.1:10000", "-"),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "127.0.0.1", "-"),
    ("DOWNSTREAM_LOCAL_PORT", "10000", "-"),
    ("CONNECTION_ID", "5", "-"),
    ("CONNECTION_TERMINATION_DETAILS", "idle_too_long", "-"),
    ("ROUTE_NAME", "to_b", "-"),
    ("VIRTUAL_HOST_NAME", "all", "-"),
    ("STREAM_ID", "cc21d9b0", "-"),
];

#[test]
fn operators_without_arguments() {
    let heads = heads();
    let (full, empty) = (record(&heads), Record::new(UNIX_EPOCH));
    for (name, of_full, of_empty) in PLAIN {
        let format = format!("<%{name}%>");
        assert_eq!(show(&format, &full), format!("<{of_full}>"), "{name}");
        assert_eq!(show(&format, &empty), format!("<{of_empty}>"), "{name}");
    }
    let known: Vec<_> = super::operator::Plain::NAMES.iter().map(|(name, _)| *name).collect();
    let tested: Vec<_> = PLAIN.iter().map(|(name, ..)| *name).collect();
    assert_eq!(known, tested);
}

#[test]
fn operators_with_arguments() {
    let heads = heads();
    let record = record(&heads);
    for (format, shown) in [
        ("%START_TIME(%Y/%m/%d %s.%3f)%", "2018/12/18 1545173282.123"),
        ("%START_TIME()%", "2018-12-18T22:48:02.123Z"),
        ("%EMIT_TIME(%s.%3f)%", "1545173282.153"),
        ("%REQ(:METHOD)% %REQ(:scheme)% %REQ(:AUTHORITY)%", "POST http locations"),
        ("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "/api/v1?a=1&b=two&c"),
        ("%REQ(:PATH):7%", "/api/v1"),
        ("%REQ(:PATH):0%", ""),
        ("%REQ(User-Agent?X)%", "curl/8 \"quoted\""),
        ("%REQ(X-NOT?X-NEITHER)%", "-"),
        ("%REQ_WITHOUT_QUERY(:PATH)%", "/api/v1"),
        ("%RESP(SERVER):3% %RESP(:STATUS)% %RESP(X-NOT?SERVER)%", "env 503 envoy"),
        ("%TRAILER(X-SUM)% %TRAILER(X-NOT)%", "abc -"),
        ("%QUERY_PARAM(b)% %QUERY_PARAM(c)% %QUERY_PARAM(d)%", "two - -"),
        ("%COMMON_DURATION(US_CX_BEG:US_CX_END:ms)%", "4"),
        ("%COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)%", "1999"),
        ("%COMMON_DURATION(US_RX_BEG:DS_TX_END:ns)%", "9000000"),
        ("%COMMON_DURATION(DS_TX_END:DS_RX_END:ms)%", "-"),
        ("100%% of %PROTOCOL%%%", "100% of HTTP/1.1%"),
        ("%ENVIRONMENT(POOL_PROXY_IS_NOT_SET)%", "-"),
        ("no operator", "no operator"),
        ("", ""),
    ] {
        assert_eq!(show(format, &record), shown, "{format}");
    }
    let path = std::env::var("PATH").expect("every test has a PATH");
    assert_eq!(show("%ENVIRONMENT(PATH)%", &record), path);
    assert_ne!(show("%HOSTNAME%", &record), "");
}

#[test]
fn mistakes_are_located_and_explained() {
    let bad = |name, wanted| Fault::BadArgument { name, wanted };
    let field = "a field name, or two with `?` between them";
    for (format, position, fault) in [
        ("50% off", 2, Fault::NotClosed),
        ("%PROTOCOL", 0, Fault::NotClosed),
        ("%REQ(X%", 0, Fault::NotClosed),
        ("ab %", 3, Fault::NotClosed),
        ("%PROTOCOL%% x", 10, Fault::NotClosed),
        ("x %PROTOCL%", 2, Fault::Unknown { name: "PROTOCL".into(), nearest: Some("PROTOCOL") }),
        (
            "%RESPONSE_FLAG%",
            0,
            Fault::Unknown { name: "RESPONSE_FLAG".into(), nearest: Some("RESPONSE_FLAGS") },
        ),
        ("%XYZZY%", 0, Fault::Unknown { name: "XYZZY".into(), nearest: None }),
        ("%DYNAMIC_METADATA(a:b)%", 0, Fault::Unsupported { name: "DYNAMIC_METADATA".into() }),
        ("%DOWNSTREAM_TLS_VERSION%", 0, Fault::Unsupported { name: "DOWNSTREAM_TLS_VERSION".into() }),
        ("%REQ%", 0, Fault::MissingArgument { name: "REQ" }),
        ("%ENVIRONMENT()%", 0, Fault::MissingArgument { name: "ENVIRONMENT" }),
        ("%DURATION(x)%", 0, Fault::NeedlessArgument { name: "DURATION" }),
        ("%HOSTNAME(x)%", 0, Fault::NeedlessArgument { name: "HOSTNAME" }),
        ("%RESP(a b)%", 0, bad("RESP", field)),
        ("%RESP(:METHOD)%", 0, bad("RESP", field)),
        ("%REQ(X?)%", 0, bad("REQ", field)),
        ("%REQ(X):y%", 0, Fault::BadLength),
        ("%REQ(X):%", 0, Fault::BadLength),
        ("a %START_TIME(%Y %Q)%", 17, bad("START_TIME", "a time format, and this specifier is not known")),
        (
            "%COMMON_DURATION(A:B:ms)%",
            0,
            bad("COMMON_DURATION", "two points and a unit, as `DS_RX_BEG:DS_RX_END:ms`"),
        ),
    ] {
        assert_eq!(Format::parse(format), Err(FormatError { position, fault }), "{format}");
    }
    let error = Format::parse("x %PROTOCL%").expect_err("unknown");
    assert_eq!(error.to_string(), "at offset 2: unknown operator `PROTOCL`, did you mean `PROTOCOL`?");
    let error = Format::json([("fine", "%DURATION%"), ("k", "%REQ%")]).expect_err("no argument");
    assert_eq!(error.to_string(), "key `k`: at offset 0: operator `REQ` needs an argument");
}

#[test]
fn nothing_from_outside_breaks_the_line() {
    let heads = Heads {
        request: [(
            "x-evil".parse().expect("name"),
            HeaderValue::from_bytes(b"a\tb\xff\xc3\xa4\"\\").expect("value"),
        )]
        .into_iter()
        .collect(),
        response: HeaderMap::new(),
        trailers: HeaderMap::new(),
    };
    let mut record = record(&heads);
    record.upstream.transport_failure = Some("bad\r\n[fake] line\u{1b}[31m");
    let mut out = Vec::new();
    Format::parse("%REQ(X-EVIL)% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n")
        .expect("format")
        .write(&record, &mut out);
    assert_eq!(out, b"a\tb\xff\xc3\xa4\"\\ bad\\x0d\\x0a[fake]_line\\x1b[31m\n");

    let mut out = Vec::new();
    let fields = [("evil", "%REQ(X-EVIL)%"), ("why", "because %UPSTREAM_TRANSPORT_FAILURE_REASON%")];
    Format::json(fields).expect("format").write(&record, &mut out);
    assert_eq!(
        String::from_utf8(out).expect("JSON is UTF-8"),
        "{\"evil\":\"a\\tb\u{fffd}ä\\\"\\\\\",\"why\":\"because bad\\r\\n[fake]_line\\u001b[31m\"}\n"
    );
}

#[test]
fn json_is_ordered_and_typed() {
    let heads = heads();
    let fields = [
        ("z \"key\"", "%DURATION%"),
        ("a", "%DURATION% ms"),
        ("reused", "%UPSTREAM_CONNECTION_REUSED%"),
        ("flags", "%RESPONSE_FLAGS%"),
        ("short", "%REQ(:PATH):4%"),
        ("fixed", "text"),
        ("absent", "%REQ(X-NOT)%"),
        ("empty", ""),
    ];
    let format = Format::json(fields).expect("format");
    let mut out = Vec::new();
    format.write(&record(&heads), &mut out);
    assert_eq!(
        String::from_utf8(out).expect("text"),
        "{\"z \\\"key\\\"\":30,\"a\":\"30 ms\",\"reused\":true,\"flags\":\"UF,URX\",\"short\":\"/api\",\
         \"fixed\":\"text\",\"absent\":null,\"empty\":\"\"}\n"
    );
    let mut out = Vec::new();
    format.write(&Record::new(UNIX_EPOCH), &mut out);
    assert_eq!(
        String::from_utf8(out).expect("text"),
        "{\"z \\\"key\\\"\":null,\"a\":\"- ms\",\"reused\":null,\"flags\":null,\"short\":null,\
         \"fixed\":\"text\",\"absent\":null,\"empty\":\"\"}\n"
    );
    let mut out = Vec::new();
    Format::json::<&str, &str>([]).expect("format").write(&Record::new(UNIX_EPOCH), &mut out);
    assert_eq!(out, b"{}\n");
}
