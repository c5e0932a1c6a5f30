//! What a request's head becomes on its way to the upstream.
//!
//! | field | what is done |
//! |---|---|
//! | `Connection`, `Keep-Alive`, `Proxy-Connection`, `Transfer-Encoding` | removed (RFC 9110 7.6.1) |
//! | those that `Connection` names | removed; ten or more of them, `Host`, pseudo fields or `X-Forwarded-*` among them: 400 |
//! | `TE` | `trailers` stays, all else goes; 256 bytes and named by `Connection`: 400 |
//! | `Upgrade` | stays if it is one field and its protocol is configured; `h2c` and `TLS/` go; any other: 403 |
//! | `Expect: 100-continue` | removed: the proxy answers it; unless `proxy_100_continue` |
//! | `X-Forwarded-Proto` | set if missing; always with `use_remote_address` |
//! | `X-Forwarded-For`, `X-Envoy-External-Address` | with `use_remote_address` |
//! | `X-Request-Id` | made if missing, or from outside (`use_remote_address` without `preserve_external_request_id`) |
//! | `X-Envoy-*` | those that steer the router are removed: see [`is_control`] |

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Version};
use smallvec::SmallVec;

use super::names;
use super::random::RequestIds;
use crate::config::model::HttpManager;

/// `Connection` may name fewer fields than this (Envoy: `MAX_ALLOWED_NOMINATED_HEADERS`).
const NAMED_FIELDS: usize = 10;
/// A `TE` that `Connection` names is shorter than this (Envoy: `MAX_ALLOWED_TE_VALUE_SIZE`).
const TE_BYTES: usize = 256;

/// A request that is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `Connection` names what it may not.
    ConnectionField,
    /// The client wants to switch to a protocol that is not configured.
    Upgrade,
    /// No `Host`, and none to assume.
    NoHost,
}

/// What the client asked for besides the request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Nothing.
    Response,
    /// To switch to a protocol that is configured.
    Tunnel,
}

/// Fields that a pass over the head has met.
#[derive(Clone, Copy, Default)]
struct Met(u32);

impl Met {
    const CONNECTION: u32 = 1;
    const KEEP_ALIVE: u32 = 1 << 1;
    const PROXY_CONNECTION: u32 = 1 << 2;
    const TRANSFER_ENCODING: u32 = 1 << 3;
    const TE: u32 = 1 << 4;
    const UPGRADE: u32 = 1 << 5;
    const EXPECT: u32 = 1 << 6;
    const X_ENVOY: u32 = 1 << 7;
    const FORWARDED_PROTO: u32 = 1 << 8;
    const REQUEST_ID: u32 = 1 << 9;
    const HTTP2_SETTINGS: u32 = 1 << 10;
    const HOST: u32 = 1 << 11;

    fn of(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |met, name| {
            met | match name.as_str() {
                "connection" => Self::CONNECTION,
                "keep-alive" => Self::KEEP_ALIVE,
                "proxy-connection" => Self::PROXY_CONNECTION,
                "transfer-encoding" => Self::TRANSFER_ENCODING,
                "te" => Self::TE,
                "upgrade" => Self::UPGRADE,
                "expect" => Self::EXPECT,
                "x-forwarded-proto" => Self::FORWARDED_PROTO,
                "x-request-id" => Self::REQUEST_ID,
                "http2-settings" => Self::HTTP2_SETTINGS,
                "host" => Self::HOST,
                other if other.starts_with("x-envoy-") => Self::X_ENVOY,
                _ => 0,
            }
        }))
    }

    const fn has(self, field: u32) -> bool {
        self.0 & field != 0
    }
}

/// Edits the head of a request for the upstream.
pub(crate) fn prepare(
    head: &mut Parts,
    manager: &HttpManager,
    peer: IpAddr,
    ids: &RequestIds,
) -> Result<Wants, Refusal> {
    let met = Met::of(&head.headers);
    if head.uri.authority().is_some() || !met.has(Met::HOST) {
        name_the_host(head, manager)?;
    }
    let headers = &mut head.headers;
    let wants = upgrade(headers, met, &head.method, manager)?;
    hop_by_hop(headers, met)?;
    if met.has(Met::EXPECT) && !manager.proxy_100_continue {
        let awaits = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        if headers.get(header::EXPECT).is_some_and(awaits) {
            headers.remove(header::EXPECT);
        }
    }
    if met.has(Met::X_ENVOY) {
        remove_control(headers, manager.use_remote_address);
    }
    if manager.use_remote_address {
        append_forwarded_for(headers, peer);
    }
    if manager.use_remote_address || !met.has(Met::FORWARDED_PROTO) {
        headers.insert(names::X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if manager.generate_request_id {
        let is_foreign = manager.use_remote_address && !manager.preserve_external_request_id;
        if is_foreign || !met.has(Met::REQUEST_ID) || !headers.contains_key(names::X_REQUEST_ID) {
            headers.insert(names::X_REQUEST_ID, ids.next());
        }
    }
    Ok(wants)
}

/// Makes `Host` of the authority of the request (RFC 9112 3.2.2), or of what is to be assumed.
#[cold]
fn name_the_host(head: &mut Parts, manager: &HttpManager) -> Result<(), Refusal> {
    if let Some(authority) = head.uri.authority() {
        if head.method != Method::CONNECT {
            let host = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
            let host = HeaderValue::from_str(host).map_err(|_| Refusal::NoHost)?;
            head.headers.insert(header::HOST, host);
        }
        return Ok(());
    }
    match &manager.default_host_for_http_10 {
        Some(host) if head.version == Version::HTTP_10 => {
            head.headers.insert(header::HOST, host.clone());
            Ok(())
        }
        Some(_) | None => Err(Refusal::NoHost),
    }
}

/// Decides on `Upgrade` and CONNECT.
fn upgrade(
    headers: &mut HeaderMap,
    met: Met,
    method: &Method,
    manager: &HttpManager,
) -> Result<Wants, Refusal> {
    let is_configured = |protocol: &[u8]| {
        manager.upgrades.iter().any(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(protocol))
    };
    if method == Method::CONNECT {
        return if is_configured(b"connect") { Ok(Wants::Tunnel) } else { Err(Refusal::Upgrade) };
    }
    if !met.has(Met::UPGRADE) {
        return Ok(Wants::Response);
    }
    let names_upgrade = options(headers).any(|option| option.eq_ignore_ascii_case(b"upgrade"));
    let is_ignored = |protocol: &[u8]| {
        protocol.eq_ignore_ascii_case(b"h2c")
            || protocol.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"tls/"))
    };
    let asked = || headers.get_all(header::UPGRADE).into_iter().map(HeaderValue::as_bytes);
    if names_upgrade && asked().any(|protocol| !is_ignored(protocol)) {
        // With a second field the upstream could choose a protocol that is not configured.
        let mut asked = asked();
        return match (asked.next(), asked.next()) {
            (Some(protocol), None) if is_configured(protocol) => Ok(Wants::Tunnel),
            (_, _) => Err(Refusal::Upgrade),
        };
    }
    headers.remove(header::UPGRADE);
    headers.remove(names::HTTP2_SETTINGS);
    Ok(Wants::Response)
}

/// The members of all `Connection` fields.
pub(super) fn options(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let fields = headers.get_all(header::CONNECTION).into_iter();
    let members = fields.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// Whether the option is not the name of a field, or of one that is treated by itself.
pub(super) fn is_plain_option(option: &[u8]) -> bool {
    [&b"close"[..], b"keep-alive", b"upgrade", b"te", b"connection"]
        .iter()
        .any(|plain| option.eq_ignore_ascii_case(plain))
}

/// Removes what concerns the connection that the request came on.
fn hop_by_hop(headers: &mut HeaderMap, met: Met) -> Result<(), Refusal> {
    let mut names_te = false;
    if met.has(Met::CONNECTION) {
        if options(headers).nth(NAMED_FIELDS - 1).is_some() {
            return Err(Refusal::ConnectionField);
        }
        let mut named: SmallVec<[HeaderName; 2]> = SmallVec::new();
        for option in options(headers) {
            names_te |= option.eq_ignore_ascii_case(b"te");
            if is_plain_option(option) {
                continue;
            }
            let is_protected = option.starts_with(b":")
                || [&b"host"[..], b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"]
                    .iter()
                    .any(|field| option.eq_ignore_ascii_case(field));
            match HeaderName::from_bytes(option) {
                Ok(name) if !is_protected => named.push(name),
                Ok(_) | Err(_) => return Err(Refusal::ConnectionField),
            }
        }
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    if met.has(Met::TE) {
        keep_trailers_only(headers, names_te)?;
    }
    if met.has(Met::KEEP_ALIVE) {
        headers.remove(names::KEEP_ALIVE);
    }
    if met.has(Met::PROXY_CONNECTION) {
        headers.remove(names::PROXY_CONNECTION);
    }
    if met.has(Met::TRANSFER_ENCODING) {
        headers.remove(header::TRANSFER_ENCODING);
    }
    if met.has(Met::HTTP2_SETTINGS) {
        headers.remove(names::HTTP2_SETTINGS);
    }
    Ok(())
}

/// Reduces `TE` to `trailers`, or removes it.
fn keep_trailers_only(headers: &mut HeaderMap, is_named: bool) -> Result<(), Refusal> {
    let fields = || headers.get_all(header::TE).into_iter().map(HeaderValue::as_bytes);
    if is_named && fields().map(<[u8]>::len).sum::<usize>() >= TE_BYTES {
        return Err(Refusal::ConnectionField);
    }
    let takes_trailers = fields()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|member| member.trim_ascii().eq_ignore_ascii_case(b"trailers"));
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    } else {
        headers.remove(header::TE);
    }
    Ok(())
}

/// `X-Envoy-` fields with which a request may steer a proxy that trusts its clients. Nobody is trusted
/// here, as in Envoy without `internal_address_config`.
fn is_control(name: &str) -> bool {
    matches!(
        name,
        "x-envoy-retriable-status-codes"
            | "x-envoy-retriable-header-names"
            | "x-envoy-retry-on"
            | "x-envoy-retry-grpc-on"
            | "x-envoy-max-retries"
            | "x-envoy-upstream-alt-stat-name"
            | "x-envoy-upstream-rq-timeout-ms"
            | "x-envoy-upstream-rq-per-try-timeout-ms"
            | "x-envoy-upstream-rq-timeout-alt-response"
            | "x-envoy-upstream-stream-duration-ms"
            | "x-envoy-expected-rq-timeout-ms"
            | "x-envoy-hedge-on-per-try-timeout"
            | "x-envoy-force-trace"
            | "x-envoy-ip-tags"
            | "x-envoy-internal"
            | "x-envoy-original-url"
    )
}

/// Further fields that the first proxy of a network removes (Envoy: an edge request).
fn is_inner(name: &str) -> bool {
    matches!(
        name,
        "x-envoy-decorator-operation"
            | "x-envoy-downstream-service-cluster"
            | "x-envoy-downstream-service-node"
            | "x-envoy-original-path"
    )
}

#[cold]
fn remove_control(headers: &mut HeaderMap, is_edge: bool) {
    let unwanted = |name: &&HeaderName| is_control(name.as_str()) || (is_edge && is_inner(name.as_str()));
    let unwanted: SmallVec<[HeaderName; 4]> = headers.keys().filter(unwanted).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
}

/// Tells the upstream who the client is.
fn append_forwarded_for(headers: &mut HeaderMap, peer: IpAddr) {
    let mut list = String::new();
    for earlier in headers.get_all(names::X_FORWARDED_FOR) {
        // Not a list of addresses then; it ends with what we know in any case.
        if let Ok(earlier) = earlier.to_str() {
            list.push_str(earlier);
            list.push(',');
        }
    }
    let start = list.len();
    // Writing to a string cannot fail.
    let _ = write!(list, "{peer}");
    if let Ok(value) = HeaderValue::from_str(list.get(start..).unwrap_or_default()) {
        headers.insert(names::EXTERNAL_ADDRESS, value);
    }
    if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(list)) {
        headers.insert(names::X_FORWARDED_FOR, value);
    }
}
