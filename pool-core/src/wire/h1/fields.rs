//! What the fields of a head say about framing, routing and the connection.

use super::Violation;

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
    pub(super) fn see(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host || !is_host(value) {
                    return Err(Violation::Host);
                }
                self.host = true;
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expect_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            10 if name.eq_ignore_ascii_case(b"connection") => {
                for option in options(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    self.upgrade_option |= option.eq_ignore_ascii_case(b"upgrade");
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Violation::ContentLengths);
                }
                self.length = Some(content_length(value)?);
            }
            16 if name.eq_ignore_ascii_case(b"proxy-connection") => {
                self.close |= options(value).any(|option| option.eq_ignore_ascii_case(b"close"));
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked {
                    return Err(Violation::TransferEncoding);
                }
                transfer_encoding(value)?;
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
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
    if value.is_empty() {
        return Err(Violation::ContentLength);
    }
    let mut length = 0_u64;
    for byte in value {
        if *byte == b',' {
            return Err(Violation::ContentLengths);
        }
        if !byte.is_ascii_digit() {
            return Err(Violation::ContentLength);
        }
        length = length
            .checked_mul(10)
            .and_then(|length| length.checked_add(u64::from(byte - b'0')))
            .ok_or(Violation::ContentLength)?;
    }
    Ok(length)
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
    let port_is_valid = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    port_is_valid && is_registered_name(host)
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
