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
        let scheme = uri.scheme().ok_or(OriginFault::NotAbsolute)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(OriginFault::NotAbsolute)?;
        if *scheme != http::uri::Scheme::HTTP {
            return Err(OriginFault::Scheme);
        }
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        // Hosts compare without case (RFC 3986 3.2.2).
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        Ok(Self { scheme: Scheme::Http, host, port: uri.port_u16().unwrap_or(80) })
    }

    #[inline]
    pub(crate) fn key(&self) -> Key<'_> {
        Key::http1(&self.host, self.port)
    }

    pub(crate) fn target(&self) -> Target {
        Target { scheme: self.scheme, host: Arc::from(&*self.host), port: self.port, address: None }
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

    #[test]
    fn what_names_no_origin_is_refused() {
        assert_eq!(parse("/only/a/path"), Err(OriginFault::NotAbsolute));
        assert_eq!(parse("ftp://example.test/"), Err(OriginFault::Scheme));
        assert_eq!(parse("https://example.test/"), Err(OriginFault::Scheme));
    }
}
