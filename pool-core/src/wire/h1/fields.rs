//! What the fields of a head say about framing, routing and the connection.

use super::Violation;
use super::known::Known;

/// Facts gathered from the field lines of one head, in their order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// The one `Content-Length`.
    pub(super) length: Option<u64>,
    /// The one `Transfer-Encoding`, and it is `chunked`.
    pub(super) chunked: bool,
    /// `close` in `Connection` or `Proxy-Connection`.
    pub(super) close: bool,
    /// `keep-alive` in `Connection`.
    pub(super) keep_alive: bool,
    /// `upgrade` in `Connection`.
    pub(super) upgrade_option: bool,
    /// An `Upgrade` field.
    pub(super) upgrade: bool,
    /// One valid `Host`.
    pub(super) host: bool,
    /// `Expect: 100-continue`.
    pub(super) expect_continue: bool,
}

impl Facts {
    /// Takes in one field line.
    #[inline]
    pub(super) fn see(&mut self, name: Known, value: &[u8]) -> Result<(), Violation> {
        match name {
            Known::Host => {
                if self.host || !is_host(value) {
                    return Err(Violation::Host);
                }
                self.host = true;
            }
            Known::Expect => self.expect_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            Known::Upgrade => self.upgrade = true,
            Known::Connection => self.see_connection(value),
            Known::ContentLength => {
                if self.length.is_some() {
                    return Err(Violation::ContentLengths);
                }
                self.length = Some(content_length(value)?);
            }
            Known::ProxyConnection => {
                self.close |= options(value).any(|option| option.eq_ignore_ascii_case(b"close"));
            }
            Known::TransferEncoding => {
                if self.chunked {
                    return Err(Violation::TransferEncoding);
                }
                transfer_encoding(value)?;
                self.chunked = true;
            }
            Known::Date
            | Known::Etag
            | Known::Vary
            | Known::Accept
            | Known::Server
            | Known::UserAgent
            | Known::SetCookie
            | Known::ContentType
            | Known::CacheControl
            | Known::LastModified
            | Known::AcceptRanges
            | Known::AcceptEncoding
            | Known::ContentEncoding => {}
        }
        Ok(())
    }

    fn see_connection(&mut self, value: &[u8]) {
        // Nearly always it is this.
        if value == b"keep-alive" {
            self.keep_alive = true;
            return;
        }
        for option in options(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

/// The members of a comma-separated list, trimmed; empty ones are left out (RFC 9110 5.6.1).
pub(super) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Without optional whitespace (SP and HTAB, nothing else: RFC 9110 5.6.3) at both ends.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Digits only; a sign, a list, a prefix or an overflow is refused (RFC 9110 8.6).
pub(super) fn content_length(value: &[u8]) -> Result<u64, Violation> {
    let mut length = 0_u64;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(if value.contains(&b',') {
                Violation::ContentLengths
            } else {
                Violation::ContentLength
            });
        }
        // Up to 18 digits cannot overflow; a longer number takes care.
        length = if value.len() < 19 {
            length * 10 + u64::from(digit)
        } else {
            let tenfold = length.checked_mul(10).ok_or(Violation::ContentLength)?;
            tenfold.checked_add(u64::from(digit)).ok_or(Violation::ContentLength)?
        };
    }
    if value.is_empty() { Err(Violation::ContentLength) } else { Ok(length) }
}

/// Exactly `chunked`. A list that is well formed and ends in chunked is a coding we do not know;
/// everything else is malformed.
fn transfer_encoding(value: &[u8]) -> Result<(), Violation> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let is_name = |member: &[u8]| {
        let end = member.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(member.len());
        end > 0 && member[..end].iter().copied().all(is_token)
    };
    let mut members = value.split(|byte| *byte == b',').map(trim);
    let well_formed = members.clone().all(is_name);
    let chunked = members.clone().filter(|member| member.eq_ignore_ascii_case(b"chunked")).count();
    let last = members.next_back().is_some_and(|member| member.eq_ignore_ascii_case(b"chunked"));
    match (well_formed, chunked) {
        (true, 0) => Err(Violation::UnknownCoding),
        (true, 1) if last => Err(Violation::UnknownCoding),
        _ => Err(Violation::TransferEncoding),
    }
}

/// `tchar` (RFC 9110 5.6.2).
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// `uri-host [ ":" port ]` (RFC 9110 7.2), possibly empty. A comma, which RFC 3986 lets a name have,
/// is refused: it is what joined `Host` lines look like.
pub(super) fn is_host(value: &[u8]) -> bool {
    // A name or IPv4 address and perhaps a port, in one pass.
    let plain = |byte: &u8| PLAIN_HOST[usize::from(*byte)];
    match value.iter().position(|byte| !plain(byte)) {
        None => true,
        Some(at) if value[at] == b':' => is_port(&value[at..]),
        Some(_) => is_unusual_host(value),
    }
}

/// Bytes of a host that need no second look.
const PLAIN_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.');
        byte += 1;
    }
    table
};

/// Nothing, or a colon and up to five digits.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// An address in brackets, or a name with bytes that are rare in names.
fn is_unusual_host(value: &[u8]) -> bool {
    let (host, port) = match value {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let literal = &rest[..end];
            let is_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            if !literal.contains(&b':') || !literal.iter().all(is_address) {
                return false;
            }
            (&value[..0], &rest[end + 1..])
        }
        _ => value.split_at(value.iter().position(|byte| *byte == b':').unwrap_or(value.len())),
    };
    is_port(port) && is_registered_name(host)
}

/// `reg-name` without comma (RFC 3986 3.2.2), possibly empty.
fn is_registered_name(host: &[u8]) -> bool {
    let mut bytes = host.iter();
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            b'%' => {
                bytes.next().is_some_and(u8::is_ascii_hexdigit)
                    && bytes.next().is_some_and(u8::is_ascii_hexdigit)
            }
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=' => true,
            byte => byte.is_ascii_alphanumeric(),
        };
        if !valid {
            return false;
        }
    }
    true
}

/// Fields that must not come as trailers because they would change framing, routing or the
/// connection after the fact (RFC 9110 6.5.1).
pub(super) fn is_forbidden_trailer(name: &[u8]) -> bool {
    const FORBIDDEN: [&[u8]; 10] = [
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ];
    FORBIDDEN.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}
