//! Inputs of other projects: llhttp's own tests and the payloads of the HTTP Garden. They are not
//! part of this repository; `POOL_CORPORA` names the folder that has `h1/llhttp.jsonl` and
//! `h1/http_garden_payloads.jsonl`. Unset: skipped, aloud. Set and unreadable: a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pool_core::wire::h1::{EofAt, Error, Limits, Violation};

use crate::transcript::{Role, Told, run_all_ways};

/// Where we judge otherwise than llhttp does, in groups, and why.
const LLHTTP_DIFFERENCES: &[(&str, &[&str])] = &[
    (
        "laxer: what follows a message that closes is discarded unread (RFC 9112 9.6), not an error",
        &[
            "connection: `keep-alive` / No restart when keep-alive is off (1.0)",
            "connection: HTTP/1.1 with keep-alive disabled and 204 status",
            "connection: HTTP/1.1 with keep-alive disabled, content-length",
        ],
    ),
    (
        "later: the input ends before the head does; we judge lines when the head is complete",
        &[
            "content-length: Error on `Content-Length` overflow",
            "content-length: Error on duplicate `Content-Length`",
            "invalid: Invalid HTTP version",
        ],
    ),
    (
        "same reading: content shorter than its length; llhttp counts at the head or the file lacks a byte",
        &[
            "content-length: Content-Length reset when no body is received",
            "connection: HTTP 103 first, then 200",
        ],
    ),
    ("laxer: methods are an open set (RFC 9110 9.1)", &["invalid: HTTP protocol and ANNOUNCE method"]),
    ("stricter: content of CONNECT or bytes of the tunnel (RFC 9110 9.3.6)", &["method: CONNECT with body"]),
    (
        "stricter: the asterisk form belongs to OPTIONS (RFC 9112 3.2.4)",
        &["method: M-SEARCH request", "method: PRI request HTTP2"],
    ),
    (
        "stricter: HTTP/1.1 and HTTP/1.0 only (RFC 9112 2.3)",
        &[
            "method: SOURCE request with ICE",
            "method: OPTIONS request with RTSP",
            "method: ANNOUNCE request with RTSP",
            "sample: No HTTP version",
            "sample: RTSP response",
            "sample: ICE response",
            "sample: HTTP version 0.9",
        ],
    ),
    (
        "stricter: chunked is the only coding implemented (RFC 9112 6.1)",
        &[
            "transfer-encoding: POST with `chunked` as last transfer-encoding",
            "transfer-encoding: POST with `chunked` as last transfer-encoding (multiple headers)",
            "transfer-encoding: `chunkedchunked` transfer-encoding does not enable chunked enconding",
        ],
    ),
    (
        "stricter: refused, not read until the end (RFC 9112 6.1)",
        &[
            "transfer-encoding: `chunked` before other transfer-encoding",
            "transfer-encoding: multiple transfer-encoding where chunked is not the last one",
        ],
    ),
    ("stricter: the http crate's Uri refuses a backslash (RFC 3986 2)", &["uri: Quotes in URI"]),
    ("stricter: a fragment is never sent (RFC 9110 7.1)", &["uri: Fragment in URI"]),
    (
        "stricter: user information is to be treated as an error (RFC 9110 4.2.4)",
        &["uri: `host:port` and basic auth"],
    ),
    (
        "stricter: our client asked once; what follows is unsolicited (RFC 9112 9.2)",
        &[
            "connection: HTTP/1.0 with keep-alive and 204 status",
            "connection: HTTP/1.1 with 204 status",
            "connection: HTTP 304 with Content-Length",
            "connection: HTTP 304 with Transfer-Encoding",
            "pipelining: Should parse multiple events",
            "sample: Google 301",
        ],
    ),
    (
        "stricter: an empty line is ignored before requests only (RFC 9112 2.2)",
        &["connection: HTTP 100 first, then 400", "sample: Response starting with CRLF"],
    ),
];

/// Payloads that we accept, known by how they begin, and why nothing in them is ambiguous.
const GARDEN_ACCEPTED: &[(&[u8], &str)] = &[
    (
        b"GET / HTTP/1.1\r\nHost: whatever\r\nContent-Length: 010\r\n\r\n01234567",
        "1*DIGIT, and decimal (RFC 9110 8.6): ten bytes are awaited, eight come, nothing is accepted",
    ),
    (
        b"GET /login HTTP/1.1\r\nHost: a\r\nUser: \x85admin\xa0\r\n\r\n",
        "obs-text in a value that nothing here interprets (RFC 9110 5.5); it is passed on unchanged",
    ),
    (
        b"POST / HTTP/1.1\r\nContent-Length: 0\r\nConnection:keep-alive\r\nHost: a\r\nid: 0\r\n\r\nPOST / ",
        "valid: an empty request and one whose content is awaited; the bug was to take the second for content",
    ),
    (b"GET / HTTP/1.1\r\nHost: a\r\nid: 2\r\n\r\n", "valid: the continuation of the one above"),
    (
        b"POST / HTTP/1.1\r\nHost: whatever\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZ\r\n0\r\n\r\n",
        "valid: one chunk; the bug was to echo it",
    ),
];

/// The lines of a corpus, or nothing if there are no corpora here.
fn corpus(name: &str) -> Option<Vec<BTreeMap<String, String>>> {
    let Some(folder) = std::env::var_os("POOL_CORPORA") else {
        eprintln!("SKIPPED: POOL_CORPORA is not set, {name} is not run");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(text.lines().map(flat_object).collect())
}

#[test]
fn corpus_llhttp_agrees_but_for_the_listed_differences() {
    let Some(lines) = corpus("h1/llhttp.jsonl") else { return };
    let mut unlisted = Vec::new();
    let mut met = BTreeSet::new();
    for line in &lines {
        let bytes = base64(&line["input_b64"]);
        let role = if line["type"] == "request" { Role::Server } else { Role::Get };
        let mut told = run_all_ways(role, &Limits::default(), &bytes);
        if told.error() == Some(Error::Peer(Violation::Host)) && line["expect"] == "ok" {
            // llhttp does not ask for Host (RFC 9112 3.2); with one added the rest is compared.
            told = run_all_ways(role, &Limits::default(), &with_host(&bytes));
        }
        if told.error() == Some(Error::Peer(Violation::UnexpectedSwitch)) {
            told = run_all_ways(Role::Upgrade, &Limits::default(), &bytes);
        }
        let refused = matches!(told.error(), Some(Error::Peer(_) | Error::Limit(_)));
        let until_eof =
            told.0.iter().any(|told| matches!(told, Told::Head(head) if head.ends_with("UntilEof")));
        // llhttp leaves a response that ends with the connection uncounted.
        let messages = told.messages() - usize::from(until_eof);
        let agrees = match line["expect"].as_str() {
            "ok" => !refused && messages.to_string() == line["messages"],
            "error" => refused,
            other => panic!("unknown expectation {other}"),
        };
        let name = line["name"].as_str();
        let listed = LLHTTP_DIFFERENCES.iter().any(|(_, names)| names.contains(&name));
        if listed && !agrees {
            met.insert(name);
        }
        if !agrees && !listed {
            unlisted.push(format!(
                "{} {name}: {} {} there, {:?} {messages} here",
                line["type"],
                line["expect"],
                line["messages"],
                told.error()
            ));
        }
    }
    assert!(unlisted.is_empty(), "{} of {}:\n{}", unlisted.len(), lines.len(), unlisted.join("\n"));
    let listed: BTreeSet<_> = LLHTTP_DIFFERENCES.iter().flat_map(|(_, names)| *names).copied().collect();
    assert_eq!(met, listed, "a listed difference is none any more");
}

/// The same requests with a `Host` behind each HTTP/1.1 request line.
fn with_host(bytes: &[u8]) -> Vec<u8> {
    let line_end = b" HTTP/1.1\r\n";
    let mut with = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        with.push(*byte);
        if bytes[..=at].ends_with(line_end) {
            with.extend_from_slice(b"Host: a\r\n");
        }
    }
    with
}

#[test]
fn corpus_http_garden_payloads_are_refused_or_unambiguous() {
    let Some(lines) = corpus("h1/http_garden_payloads.jsonl") else { return };
    let mut unlisted = Vec::new();
    for line in &lines {
        let bytes = base64(&line["input_b64"]);
        let told = run_all_ways(Role::Server, &Limits::default(), &bytes);
        let refused = matches!(told.error(), Some(Error::Peer(_) | Error::Limit(_)));
        let listed = GARDEN_ACCEPTED.iter().any(|(begin, _)| bytes.starts_with(begin));
        assert!(!(refused && listed), "listed as accepted, and refused: {:?}", line["bug"]);
        if !refused && !listed {
            unlisted.push(format!("{:?} {:?}: {:?}", line["bug"], String::from_utf8_lossy(&bytes), told));
        }
    }
    assert!(unlisted.is_empty(), "{} of {}:\n{}", unlisted.len(), lines.len(), unlisted.join("\n"));
    // What is accepted of the numeric one is its head; the content is awaited.
    let awaited = run_all_ways(Role::Server, &Limits::default(), GARDEN_ACCEPTED[0].0);
    assert_eq!((awaited.messages(), awaited.error()), (0, Some(Error::Eof(EofAt::Body))));
}

/// A JSON object whose values are strings, numbers, `true`, `false` or `null`.
fn flat_object(line: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = line.trim().strip_prefix('{').expect("object");
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if rest.starts_with('}') {
            return fields;
        }
        let (key, after) = string(rest);
        rest = after.trim_start().strip_prefix(':').expect("colon").trim_start();
        let value;
        if rest.starts_with('"') {
            (value, rest) = string(rest);
        } else {
            let end = rest.find([',', '}']).expect("end of value");
            value = rest[..end].trim().to_owned();
            rest = &rest[end..];
        }
        fields.insert(key, value);
    }
}

/// A JSON string at the front of `text`, and what follows it.
fn string(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.strip_prefix('"').expect("string").chars();
    loop {
        match chars.next().expect("end of string") {
            '"' => return (value, chars.as_str()),
            '\\' => match chars.next().expect("escape") {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).expect("digits");
                    value.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

/// Base64 with padding.
fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            other => panic!("not base64: {other}"),
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
