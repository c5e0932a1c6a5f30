//! The request target (RFC 9112 3.2): which form goes with which method, received and sent.

use bytes::Bytes;
use http::{Method, Uri};

use super::Violation;
use super::fields::is_host;

/// The URI of a received request target. Refused: bytes outside of visible ASCII, fragments, user
/// information, and forms that the method does not allow.
pub(super) fn parse_target(method: &Method, target: Bytes) -> Result<Uri, Violation> {
    if !is_visible(&target) {
        return Err(Violation::Target);
    }
    if *method == Method::CONNECT {
        return if is_authority_with_port(&target) { to_uri(target) } else { Err(Violation::Target) };
    }
    match target.first() {
        Some(b'/') => to_uri(target),
        Some(b'*') if target.len() == 1 && *method == Method::OPTIONS => to_uri(target),
        Some(_) => {
            let uri = to_uri(target)?;
            let authority = uri.authority().map(http::uri::Authority::as_str);
            match (uri.scheme(), authority) {
                (Some(_), Some(authority)) if !authority.is_empty() && is_host(authority.as_bytes()) => {
                    Ok(uri)
                }
                _ => Err(Violation::Target),
            }
        }
        None => Err(Violation::Target),
    }
}

/// Whether every byte may stand in a request target at all: visible ASCII, and no fragment, which
/// is never sent (RFC 9110 7.1).
pub(super) fn is_visible(target: &[u8]) -> bool {
    target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#')
}

/// `uri-host ":" port`, both present (RFC 9112 3.2.3).
pub(super) fn is_authority_with_port(target: &[u8]) -> bool {
    let Some(colon) = target.iter().rposition(|byte| *byte == b':') else { return false };
    let (host, port) = (&target[..colon], &target[colon + 1..]);
    !host.is_empty() && !port.is_empty() && port.iter().all(u8::is_ascii_digit) && is_host(target)
}

fn to_uri(target: Bytes) -> Result<Uri, Violation> {
    Uri::from_maybe_shared(target).map_err(|_| Violation::Target)
}
