//! How long a received message is (RFC 9112 6.3), and whether its connection lives on (9.3).

use http::{Method, StatusCode};

use super::fields::Facts;
use super::{BodyKind, Violation};

/// The two versions spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    /// Of httparse's minor number, which is 0 or 1.
    pub(super) const fn of_minor(minor: u8) -> Self {
        if minor == 0 { Self::Http10 } else { Self::Http11 }
    }

    /// As the `http` crate names it.
    pub(super) const fn to_http(self) -> http::Version {
        match self {
            Self::Http10 => http::Version::HTTP_10,
            Self::Http11 => http::Version::HTTP_11,
        }
    }
}

/// What a client must remember of its request to read the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// HEAD: the response has no content.
    Head,
    /// CONNECT: success makes a tunnel.
    Connect,
    /// A request with `Upgrade`: 101 makes a tunnel.
    Upgrade,
    /// Anything else.
    Plain,
}

/// Refuses what could be read in two ways, whichever rule would win.
fn refuse_ambiguity(facts: &Facts, version: Version) -> Result<(), Violation> {
    match (facts.chunked, facts.length, version) {
        (true, Some(_), _) => Err(Violation::LengthAndCoding),
        (true, None, Version::Http10) => Err(Violation::CodingInHttp10),
        (true, None, Version::Http11) | (false, _, _) => Ok(()),
    }
}

fn of_length(length: u64) -> BodyKind {
    if length == 0 { BodyKind::Empty } else { BodyKind::Length(length) }
}

/// The framing of a request: without length or coding there is no content.
pub(super) fn of_request(method: &Method, facts: &Facts, version: Version) -> Result<BodyKind, Violation> {
    refuse_ambiguity(facts, version)?;
    let kind = match facts.length {
        _ if facts.chunked => BodyKind::Chunked,
        Some(length) => of_length(length),
        None => BodyKind::Empty,
    };
    // A tunnel would begin where the content begins: whose bytes are these?
    if *method == Method::CONNECT && kind != BodyKind::Empty {
        return Err(Violation::ConnectWithContent);
    }
    Ok(kind)
}

/// The framing of a response, interim ones included.
pub(super) fn of_response(
    asked: Asked,
    status: StatusCode,
    facts: &Facts,
    version: Version,
) -> Result<BodyKind, Violation> {
    // Length and coding of a successful answer to CONNECT are ignored, RFC 9110 9.3.6.
    if asked == Asked::Connect && status.is_success() {
        return Ok(BodyKind::Tunnel);
    }
    refuse_ambiguity(facts, version)?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return match (asked, version) {
            (Asked::Upgrade, Version::Http11) if facts.upgrade && facts.upgrade_option => {
                Ok(BodyKind::Tunnel)
            }
            _ => Err(Violation::UnexpectedSwitch),
        };
    }
    let never_content = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || asked == Asked::Head;
    Ok(match facts.length {
        _ if never_content => BodyKind::Empty,
        _ if facts.chunked => BodyKind::Chunked,
        Some(length) => of_length(length),
        None => BodyKind::UntilEof,
    })
}

/// Whether the sender of this head lets the connection live on (RFC 9112 9.3; Envoy also reads
/// `Proxy-Connection: close`).
pub(super) fn keeps_alive(facts: &Facts, version: Version) -> bool {
    match version {
        Version::Http11 => !facts.close,
        Version::Http10 => facts.keep_alive && !facts.close,
    }
}
