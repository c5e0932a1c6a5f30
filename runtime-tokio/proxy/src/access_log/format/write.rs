//! Values as bytes: in text and in JSON.

use std::io::Write as _;

use super::Part;
use super::operator::Found;
use super::time::digits;
use crate::access_log::ResponseFlags;
use crate::access_log::record::Record;

/// What stands where there is nothing to show.
const NOTHING: &[u8] = b"-";

/// Appends a line of text.
pub(super) fn text(parts: &[Part], record: &Record<'_>, out: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Literal(literal) => out.extend_from_slice(literal.as_bytes()),
            Part::Operator { operator, length } => {
                let start = out.len();
                show(operator.find(record), *length, out);
                escape_controls(start, out);
            }
        }
    }
}

/// Appends a line with an object.
pub(super) fn json(fields: &[(Vec<u8>, Vec<Part>)], record: &Record<'_>, out: &mut Vec<u8>) {
    if fields.is_empty() {
        out.push(b'{');
    }
    for (key, parts) in fields {
        out.extend_from_slice(key);
        match &parts[..] {
            [Part::Operator { operator, length }] => typed(operator.find(record), *length, out),
            parts => {
                out.push(b'"');
                let start = out.len();
                for part in parts {
                    match part {
                        Part::Literal(literal) => out.extend_from_slice(literal.as_bytes()),
                        Part::Operator { operator, length } => show(operator.find(record), *length, out),
                    }
                }
                escape_json(start, out);
                out.push(b'"');
            }
        }
    }
    out.extend_from_slice(b"}\n");
}

/// `{"key":` or `,"key":`.
pub(super) fn json_key(before: char, key: &str) -> Vec<u8> {
    let mut out = vec![before as u8, b'"'];
    let start = out.len();
    out.extend_from_slice(key.as_bytes());
    escape_json(start, &mut out);
    out.extend_from_slice(b"\":");
    out
}

/// A JSON value of its own type.
fn typed(found: Found<'_>, length: Option<usize>, out: &mut Vec<u8>) {
    match found {
        Found::Nothing => out.extend_from_slice(b"null"),
        Found::Flags(flags) | Found::LongFlags(flags) if flags.is_empty() => out.extend_from_slice(b"null"),
        Found::Number(_) | Found::Bool(_) => show(found, None, out),
        found => {
            out.push(b'"');
            let start = out.len();
            show(found, length, out);
            escape_json(start, out);
            out.push(b'"');
        }
    }
}

/// Appends a value as it is, shortened to `length` bytes.
fn show(found: Found<'_>, length: Option<usize>, out: &mut Vec<u8>) {
    let start = out.len();
    match found {
        Found::Nothing => out.extend_from_slice(NOTHING),
        Found::Number(number) => digits(number, 1, out),
        Found::Pair(one, other) => {
            digits(u64::from(one), 1, out);
            out.push(b':');
            digits(other, 1, out);
        }
        Found::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Found::Text(text) => out.extend_from_slice(text),
        Found::Words(words) => out.extend(words.bytes().map(|byte| if byte == b' ' { b'_' } else { byte })),
        // Writing to a `Vec` does not fail.
        Found::Address(address) => drop(write!(out, "{address}")),
        Found::Ip(ip) => drop(write!(out, "{ip}")),
        Found::Flags(flags) => show_flags(flags, |(short, _)| short, out),
        Found::LongFlags(flags) => show_flags(flags, |(_, long)| long, out),
        Found::Time(format, time) => format.write(time, out),
    }
    if let Some(length) = length {
        out.truncate(out.len().min(start.saturating_add(length)));
    }
}

fn show_flags(
    flags: ResponseFlags,
    name: fn((&'static str, &'static str)) -> &'static str,
    out: &mut Vec<u8>,
) {
    if flags.is_empty() {
        out.extend_from_slice(NOTHING);
    }
    for (position, names) in flags.names().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name(names).as_bytes());
    }
}

/// Makes what was appended since `start` safe within a line: a control character that came from
/// outside must not begin a new line or steer a terminal. A tab stays.
fn escape_controls(start: usize, out: &mut Vec<u8>) {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if !out[start..].iter().any(is_control) {
        return;
    }
    for byte in out.split_off(start) {
        if is_control(&byte) {
            let _ = write!(out, "\\x{byte:02x}");
        } else {
            out.push(byte);
        }
    }
}

/// Makes what was appended since `start` the inside of a JSON string. Bytes that are not UTF-8 become
/// U+FFFD.
fn escape_json(start: usize, out: &mut Vec<u8>) {
    let needs = |byte: &u8| *byte < 0x20 || *byte >= 0x7f || matches!(byte, b'"' | b'\\');
    if !out[start..].iter().any(needs) {
        return;
    }
    let raw = out.split_off(start);
    for char in String::from_utf8_lossy(&raw).chars() {
        match char {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            char if char.is_control() => drop(write!(out, "\\u{:04x}", char as u32)),
            char => drop(write!(out, "{char}")),
        }
    }
}
