//! Inputs of other projects: llhttp's own tests and the payloads of the HTTP Garden. They are not
//! part of this repository; `POOL_CORPORA` names the folder that has `h1/llhttp.jsonl` and
//! `h1/http_garden_payloads.jsonl`. Unset: skipped, aloud. Set and unreadable: a failure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pool_core::wire::h1::{Error, Limits};

use crate::transcript::{Role, run_all_ways};

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
    for line in &lines {
        let role = if line["type"] == "request" { Role::Server } else { Role::Get };
        let told = run_all_ways(role, &Limits::default(), &base64(&line["input_b64"]));
        let refused = told.error().filter(|error| matches!(error, Error::Peer(_) | Error::Limit(_)));
        let agrees = match line["expect"].as_str() {
            "ok" => refused.is_none() && told.messages().to_string() == line["messages"],
            "error" => refused.is_some(),
            other => panic!("unknown expectation {other}"),
        };
        if !agrees {
            unlisted.push(format!("{} {} {:?} {} {} ours {:?} {}", line["type"], line["name"], line["expect"], line["messages"], line["reason"], refused, told.messages()));
        }
    }
    assert!(unlisted.is_empty(), "{} of {}:\n{}", unlisted.len(), lines.len(), unlisted.join("\n"));
}

#[test]
fn corpus_http_garden_payloads_are_refused_or_unambiguous() {
    let Some(lines) = corpus("h1/http_garden_payloads.jsonl") else { return };
    let mut unlisted = Vec::new();
    for line in &lines {
        let bytes = base64(&line["input_b64"]);
        let told = run_all_ways(Role::Server, &Limits::default(), &bytes);
        if !matches!(told.error(), Some(Error::Peer(_) | Error::Limit(_))) {
            unlisted.push(format!("{:?} {:?}: {:?}", line["bug"], String::from_utf8_lossy(&bytes), told));
        }
    }
    assert!(unlisted.is_empty(), "{} of {}:\n{}", unlisted.len(), lines.len(), unlisted.join("\n"));
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
