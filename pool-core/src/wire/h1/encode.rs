//! Heads and trailer sections to bytes.
//!
//! Framing and connection fields of the caller are read, checked and written anew, so that what
//! goes out is unambiguous whatever came in.

use http::{HeaderMap, StatusCode, header};

use super::fields::{content_length, is_forbidden_trailer, is_host, options};
use super::target::{is_authority_with_port, is_visible};
use super::{BodyLength, RequestHead, SendError, TargetForm};

/// What the caller's fields said that concerns framing and connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// `Content-Length`.
    pub(super) length: Option<u64>,
    /// `Transfer-Encoding: chunked`.
    pub(super) chunked: bool,
    /// `Connection: close`.
    pub(super) close: bool,
    /// An `Upgrade` field.
    pub(super) upgrade: bool,
    /// `trailers` in `TE`.
    pub(super) te_trailers: bool,
}

impl Said {
    /// The length of the content, as declared and by the caller's fields.
    pub(super) fn resolve(&self, body: BodyLength) -> Result<BodyLength, SendError> {
        if self.chunked && (body != BodyLength::Unknown || self.length.is_some()) {
            return Err(SendError::TransferEncoding);
        }
        match (body, self.length) {
            (BodyLength::None | BodyLength::Known(0), None | Some(0)) => Ok(BodyLength::None),
            (BodyLength::Known(known), None) => Ok(BodyLength::Known(known)),
            (BodyLength::Known(known), Some(said)) if known == said => Ok(body),
            (BodyLength::Unknown, Some(0)) => Ok(BodyLength::None),
            (BodyLength::Unknown, Some(said)) => Ok(BodyLength::Known(said)),
            (BodyLength::Unknown, None) => Ok(BodyLength::Unknown),
            (BodyLength::None | BodyLength::Known(_), Some(_)) => Err(SendError::ContentLength),
        }
    }
}

/// Request line and `Host`.
pub(super) fn request_line(into: &mut Vec<u8>, head: &RequestHead<'_>) -> Result<(), SendError> {
    into.extend_from_slice(head.method.as_str().as_bytes());
    into.push(b' ');
    let target = into.len();
    write_target(into, head)?;
    if !is_visible(&into[target..]) || into.len() == target {
        return Err(SendError::Target);
    }
    into.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(SendError::Host),
        (Some(host), None) if is_host(host.as_bytes()) => into.extend_from_slice(host.as_bytes()),
        (Some(_), None) => return Err(SendError::Host),
        (None, _) => {
            let authority = head.uri.authority().ok_or(SendError::NoHost)?.as_str();
            into.extend_from_slice(host_of(authority).ok_or(SendError::NoHost)?);
        }
    }
    into.extend_from_slice(b"\r\n");
    Ok(())
}

fn write_target(into: &mut Vec<u8>, head: &RequestHead<'_>) -> Result<(), SendError> {
    let uri = head.uri;
    if *head.method == http::Method::CONNECT {
        let authority = uri.authority().ok_or(SendError::Target)?.as_str().as_bytes();
        if !is_authority_with_port(authority) {
            return Err(SendError::Target);
        }
        into.extend_from_slice(authority);
        return Ok(());
    }
    let path = uri.path();
    if path == "*" {
        if *head.method != http::Method::OPTIONS {
            return Err(SendError::Target);
        }
        into.push(b'*');
        return Ok(());
    }
    if head.form == TargetForm::Absolute {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(SendError::Target);
        };
        let authority = authority.as_str();
        into.extend_from_slice(scheme.as_bytes());
        into.extend_from_slice(b"://");
        into.extend_from_slice(host_of(authority).ok_or(SendError::Target)?);
    }
    if path.is_empty() {
        into.push(b'/');
    } else if path.starts_with('/') {
        into.extend_from_slice(path.as_bytes());
    } else {
        return Err(SendError::Target);
    }
    if let Some(query) = uri.query() {
        into.push(b'?');
        into.extend_from_slice(query.as_bytes());
    }
    Ok(())
}

/// Host and port of an authority: user information never goes on the wire (RFC 9110 4.2.4).
fn host_of(authority: &str) -> Option<&[u8]> {
    let host = authority.as_bytes();
    if is_host(host) {
        return Some(host).filter(|host| !host.is_empty());
    }
    let (_, host) = authority.rsplit_once('@')?;
    Some(host.as_bytes()).filter(|host| !host.is_empty() && is_host(host))
}

/// Status line.
pub(super) fn status_line(into: &mut Vec<u8>, status: StatusCode) {
    into.extend_from_slice(b"HTTP/1.1 ");
    into.extend_from_slice(status.as_str().as_bytes());
    into.push(b' ');
    into.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
    into.extend_from_slice(b"\r\n");
}

/// The caller's fields, without those that are written by us.
pub(super) fn fields(into: &mut Vec<u8>, headers: &HeaderMap) -> Result<Said, SendError> {
    let mut said = Said::default();
    for (name, value) in headers {
        let name = name.as_str();
        let value = value.as_bytes();
        match name.len() {
            // In a request it has been written; a response has none.
            4 if name == "host" => continue,
            2 if name == "te" => {
                said.te_trailers |= options(value).any(|member| member.eq_ignore_ascii_case(b"trailers"));
                continue;
            }
            7 if name == "upgrade" => said.upgrade = true,
            10 if name == "keep-alive" => continue,
            10 if name == "connection" => {
                connection_options(into, value, &mut said);
                continue;
            }
            14 if name == "content-length" => {
                let length = content_length(value).map_err(|_| SendError::ContentLength)?;
                if said.length.is_some() {
                    return Err(SendError::ContentLength);
                }
                said.length = Some(length);
                continue;
            }
            16 if name == "proxy-connection" => continue,
            17 if name == "transfer-encoding" => {
                if said.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(SendError::TransferEncoding);
                }
                said.chunked = true;
                continue;
            }
            _ => {}
        }
        field(into, name.as_bytes(), value);
    }
    Ok(said)
}

/// Passes on the options that name fields of the caller; those that we decide on are noted.
fn connection_options(into: &mut Vec<u8>, value: &[u8], said: &mut Said) {
    for option in options(value) {
        if option.eq_ignore_ascii_case(b"close") {
            said.close = true;
        } else if ![&b"keep-alive"[..], b"upgrade", b"te"]
            .iter()
            .any(|ours| option.eq_ignore_ascii_case(ours))
        {
            field(into, b"connection", option);
        }
    }
}

/// One field line.
pub(super) fn field(into: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    into.reserve(name.len() + value.len() + 4);
    into.extend_from_slice(name);
    into.extend_from_slice(b": ");
    into.extend_from_slice(value);
    into.extend_from_slice(b"\r\n");
}

/// `Content-Length`.
pub(super) fn length(into: &mut Vec<u8>, length: u64) {
    into.extend_from_slice(b"content-length: ");
    decimal(into, length);
    into.extend_from_slice(b"\r\n");
}

/// A trailer section, its final empty line included.
pub(super) fn trailers(into: &mut Vec<u8>, trailers: &HeaderMap) -> Result<(), SendError> {
    for (name, value) in trailers {
        if is_forbidden_trailer(name.as_str().as_bytes()) {
            return Err(SendError::ForbiddenTrailer);
        }
        field(into, name.as_str().as_bytes(), value.as_bytes());
    }
    into.extend_from_slice(b"\r\n");
    Ok(())
}

fn decimal(into: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    into.extend_from_slice(&digits[at..]);
}

/// A chunk size and its line end.
pub(super) fn chunk_size(into: &mut Vec<u8>, mut size: u64) {
    let mut digits = [0_u8; 16];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(size & 15) as usize];
        size >>= 4;
        if size == 0 {
            break;
        }
    }
    into.extend_from_slice(&digits[at..]);
    into.extend_from_slice(b"\r\n");
}
