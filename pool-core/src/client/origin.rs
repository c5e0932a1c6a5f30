//! The origin of a request: whose connection may carry it (RFC 9110 4.3.2).

use std::borrow::Cow;
use std::sync::Arc;

use super::error::OriginFault;
use crate::cluster::{Key, Scheme};
use crate::runtime::Target;

/// Scheme, host and port, borrowed from a URI where that is already in lower case.
pub(crate) struct Origin<'a> {
    scheme: Scheme,
    host: Cow<'a, str>,
    port: u16,
}

impl<'a> Origin<'a> {
    #[inline]
    pub(crate) fn of(uri: &'a http::Uri) -> Result<Self, OriginFault> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(OriginFault::NotAbsolute);
        };
        if *scheme != http::uri::Scheme::HTTP {
            return Err(OriginFault::Scheme);
        }
        let (host, port) = split(authority.as_str());
        if host.is_empty() {
            return Err(OriginFault::NotAbsolute);
        }
        let port = match port {
            None => 80,
            Some(port) => u16::try_from(port).map_err(|_| OriginFault::Port)?,
        };
        Ok(Self { scheme: Scheme::Http, host, port })
    }

    #[inline]
    pub(crate) fn key(&self) -> Key<'_> {
        Key::http1(&self.host, self.port)
    }

    pub(crate) fn target(&self) -> Target {
        Target { scheme: self.scheme, host: Arc::from(&*self.host), port: self.port, address: None }
    }
}

/// Host (in lower case, without the brackets of a literal) and port of an authority that `http` has
/// accepted. Its own accessors search the text four times for the same answer, which showed in profiles.
#[inline]
fn split(authority: &str) -> (Cow<'_, str>, Option<u32>) {
    let bytes = authority.as_bytes();
    let mut port: u32 = 0;
    let mut tenfold: u32 = 1;
    let mut at = bytes.len();
    // From the end: digits, and a colon before them, are the port.
    while let Some(digit) = at.checked_sub(1).map(|last| bytes[last].wrapping_sub(b'0')) {
        if digit > 9 {
            break;
        }
        port = port.saturating_add(tenfold.saturating_mul(u32::from(digit)));
        tenfold = tenfold.saturating_mul(10);
        at -= 1;
    }
    let (host, port) = match authority.get(..at).and_then(|before| before.strip_suffix(':')) {
        Some(host) if tenfold > 1 => (host, Some(port)),
        Some(host) => (host, None),
        None => (authority, None),
    };
    // Without a branch per byte: most hosts have neither `@` nor upper case nor `[`, which are neighbours
    // in this order, and short texts are searched often.
    let is_plain = host.bytes().fold(true, |plain, byte| plain & !(b'@'..=b'[').contains(&byte));
    if is_plain { (Cow::Borrowed(host), port) } else { (unusual_host(host), port) }
}

/// Without user information and brackets. Hosts compare without case (RFC 3986 3.2.2).
#[cold]
fn unusual_host(host: &str) -> Cow<'_, str> {
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<(String, u16), OriginFault> {
        let uri: http::Uri = uri.parse().expect("a URI");
        Origin::of(&uri).map(|origin| (origin.host.into_owned(), origin.port))
    }

    #[test]
    fn origins_compare_without_case_and_with_the_default_port() {
        assert_eq!(parse("http://Example.TEST/a"), Ok(("example.test".into(), 80)));
        assert_eq!(parse("http://example.test:8080"), Ok(("example.test".into(), 8080)));
        assert_eq!(parse("http://[::1]:81/"), Ok(("::1".into(), 81)));
    }

    /// What `http`'s accessors say of every authority that it takes.
    #[test]
    fn the_authority_is_split_as_http_splits_it() {
        let hosts = ["a", "a.b-c", "1.2.3.4", "[::1]", "[2001:db8::a:1]", "A_~", "12", "a%20b"];
        let users = ["", "u@", "u:p@", "u:80@"];
        let ports = ["", ":", ":7", ":0080", ":65535", ":65536", ":99999", ":0000000000080"];
        let mut seen = 0;
        for place in 0..hosts.len() * users.len() * ports.len() {
            let host = hosts[place % hosts.len()];
            let user = users[place / hosts.len() % users.len()];
            let port = ports[place / hosts.len() / users.len()];
            let text = format!("{user}{host}{port}");
            let Ok(uri) = format!("http://{text}/").parse::<http::Uri>() else { continue };
            let authority = uri.authority().expect("an authority");
            let theirs = authority.host();
            let theirs = theirs.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(theirs);
            let (host, port) = split(&text);
            let port = port.and_then(|port| u16::try_from(port).ok());
            assert_eq!((&*host, port), (&*theirs.to_ascii_lowercase(), authority.port_u16()), "{text}");
            seen += 1;
        }
        assert!(seen > 100, "{seen} authorities");
    }

    #[test]
    fn what_names_no_origin_is_refused() {
        assert_eq!(parse("/only/a/path"), Err(OriginFault::NotAbsolute));
        assert_eq!(parse("ftp://example.test/"), Err(OriginFault::Scheme));
        assert_eq!(parse("https://example.test/"), Err(OriginFault::Scheme));
        assert_eq!(parse("http://example.test:65536/"), Err(OriginFault::Port));
    }
}
