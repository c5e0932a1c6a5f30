//! Field names that come in nearly every message, recognised without hashing or copying.
//!
//! A name is compared in words of eight bytes with bit 5 of every byte set, which makes letters lower
//! case. Among the bytes that a token may have, that bit tells nothing else apart but `^` from `~`
//! and `_` from DEL, and no name here has any of them.

use http::{HeaderName, header};

/// The names, those that concern framing and connection first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Host,
    Expect,
    Upgrade,
    Connection,
    ContentLength,
    ProxyConnection,
    TransferEncoding,
    Date,
    Etag,
    Vary,
    Accept,
    Server,
    UserAgent,
    SetCookie,
    ContentType,
    CacheControl,
    LastModified,
    AcceptRanges,
    AcceptEncoding,
    ContentEncoding,
}

/// First and last four or eight bytes of a name; they overlap or meet where it is short.
const fn ends(name: &[u8]) -> (u64, u64) {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let len = name.len();
    if len >= 8 {
        let mut first = [0; 8];
        let mut last = [0; 8];
        let mut at = 0;
        while at < 8 {
            first[at] = name[at];
            last[at] = name[len - 8 + at];
            at += 1;
        }
        (u64::from_le_bytes(first) | LOWER, u64::from_le_bytes(last) | LOWER)
    } else if len >= 4 {
        let first = u32::from_le_bytes([name[0], name[1], name[2], name[3]]);
        let last = u32::from_le_bytes([name[len - 4], name[len - 3], name[len - 2], name[len - 1]]);
        (first as u64 | LOWER, last as u64 | LOWER)
    } else {
        (0, 0)
    }
}

/// The names by length, as what [`ends`] makes of them.
macro_rules! table {
    ($name:ident, $($len:literal: $($text:literal => $known:ident),+;)+) => {{
        let (first, last) = ends($name);
        match $name.len() {
            $($len => {
                $({
                    const ENDS: (u64, u64) = ends($text);
                    const { assert!($text.len() == $len && ($len <= 17)) };
                    if first == ENDS.0 && last == ENDS.1 {
                        return Some(Known::$known);
                    }
                })+
                None
            })+
            _ => None,
        }
    }};
}

impl Known {
    /// The name, in any case, if it is one of these. `name` is a token.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        // The one byte of a name of 17 that its ends do not cover.
        if name.len() == 17 && name[8] != b'-' {
            return None;
        }
        table!(name,
            4: b"date" => Date, b"host" => Host, b"etag" => Etag, b"vary" => Vary;
            6: b"server" => Server, b"accept" => Accept, b"expect" => Expect;
            7: b"upgrade" => Upgrade;
            10: b"connection" => Connection, b"user-agent" => UserAgent, b"set-cookie" => SetCookie;
            12: b"content-type" => ContentType;
            13: b"cache-control" => CacheControl, b"last-modified" => LastModified, b"accept-ranges" => AcceptRanges;
            14: b"content-length" => ContentLength;
            15: b"accept-encoding" => AcceptEncoding;
            16: b"content-encoding" => ContentEncoding, b"proxy-connection" => ProxyConnection;
            17: b"transfer-encoding" => TransferEncoding;
        )
    }

    /// As the `http` crate has it; `None` for the one that it does not know.
    #[inline]
    pub(super) fn header_name(self) -> Option<HeaderName> {
        Some(match self {
            Self::Host => header::HOST,
            Self::Expect => header::EXPECT,
            Self::Upgrade => header::UPGRADE,
            Self::Connection => header::CONNECTION,
            Self::ContentLength => header::CONTENT_LENGTH,
            Self::ProxyConnection => return None,
            Self::TransferEncoding => header::TRANSFER_ENCODING,
            Self::Date => header::DATE,
            Self::Etag => header::ETAG,
            Self::Vary => header::VARY,
            Self::Accept => header::ACCEPT,
            Self::Server => header::SERVER,
            Self::UserAgent => header::USER_AGENT,
            Self::SetCookie => header::SET_COOKIE,
            Self::ContentType => header::CONTENT_TYPE,
            Self::CacheControl => header::CACHE_CONTROL,
            Self::LastModified => header::LAST_MODIFIED,
            Self::AcceptRanges => header::ACCEPT_RANGES,
            Self::AcceptEncoding => header::ACCEPT_ENCODING,
            Self::ContentEncoding => header::CONTENT_ENCODING,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_no_neighbour_of_it() {
        let names = [
            "host",
            "expect",
            "upgrade",
            "connection",
            "content-length",
            "proxy-connection",
            "transfer-encoding",
            "date",
            "etag",
            "vary",
            "accept",
            "server",
            "user-agent",
            "set-cookie",
            "content-type",
            "cache-control",
            "last-modified",
            "accept-ranges",
            "accept-encoding",
            "content-encoding",
        ];
        for name in names {
            let known = Known::of(name.as_bytes()).expect(name);
            assert_eq!(Known::of(name.to_ascii_uppercase().as_bytes()), Some(known));
            if let Some(header) = known.header_name() {
                assert_eq!(header.as_str(), name);
            }
            for at in 0..name.len() {
                for byte in (0..=255_u8).filter(|byte| super::super::fields::is_token(*byte)) {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = byte;
                    let same = other.eq_ignore_ascii_case(name.as_bytes());
                    assert_eq!(Known::of(&other) == Some(known), same, "{name} at {at}: {byte}");
                }
            }
        }
    }
}
