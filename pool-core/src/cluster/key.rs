//! What two requests must share to share a connection, compared in full and never by hash alone.
//!
//! Envoy concatenates 64-bit hashes of the parts, so different options can alias (spec 7). Here the
//! parts are written one after the other, each with its length, into one byte string: equal bytes
//! mean equal keys and nothing else does. A hash only finds the place to compare.

use core::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use crate::id::HostId;
use crate::limits::Priority;

/// The transport that a URI scheme asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`: cleartext.
    Http,
}

/// The protocols that a pool may speak, as a set: pools of different sets never share connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocols(u8);

impl Protocols {
    /// HTTP/1.1 only (Envoy: `http_protocol_options`).
    pub const HTTP1: Self = Self(1);
    /// HTTP/2 only (Envoy: `http2_protocol_options`).
    pub const HTTP2: Self = Self(2);

    /// Both sets together (Envoy: `auto_config`).
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How the peer's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verify {
    /// Chain and name.
    Full,
    /// Not at all; only by an explicit dangerous option.
    Nothing,
}

/// Everything about TLS that makes two connections different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlsKey<'a> {
    /// Server Name Indication (RFC 6066 3).
    pub sni: &'a str,
    /// Subject alternative names accepted in place of the SNI; empty: the SNI itself.
    pub sans: &'a [&'a str],
    /// Protocols offered by ALPN, in order and in wire form (RFC 7301 3.1: each name after its length).
    pub alpn: &'a [u8],
    /// Names the client certificate and key; `None`: no client certificate.
    pub client_certificate: Option<u64>,
    /// How the peer is checked.
    pub verify: Verify,
}

/// One socket option that connections of a pool carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketOption<'a> {
    /// `level` of setsockopt(2).
    pub level: i32,
    /// `optname` of setsockopt(2).
    pub name: i32,
    /// `optval` of setsockopt(2).
    pub value: &'a [u8],
}

/// A host of a named cluster. Pools are never shared between clusters, and a host that was removed and
/// came back is another one, whatever its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The cluster: unique among all that lead to one set of pools.
    pub cluster: u64,
    /// The host: unique in its cluster, never given again.
    pub host: HostId,
}

/// The full pool key, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// Transport.
    pub scheme: Scheme,
    /// Host name or IP literal, lower case; empty for a host of a named cluster.
    pub host: &'a str,
    /// Port; 0 for a host of a named cluster.
    pub port: u16,
    /// A host of a named cluster, which may change its address; `None`: the origin of a URL.
    pub endpoint: Option<Endpoint>,
    /// Whose limits apply.
    pub priority: Priority,
    /// What may be spoken.
    pub protocols: Protocols,
    /// TLS identity; `None`: cleartext.
    pub tls: Option<TlsKey<'a>>,
    /// Socket options, in the order in which they are set.
    pub socket_options: &'a [SocketOption<'a>],
    /// Downstream state that connections are made with (Envoy: shared filter state), as its bytes.
    pub shared_state: &'a [&'a [u8]],
    /// The downstream connection, if every one has pools of its own
    /// (Envoy: `connection_pool_per_downstream_connection`).
    pub downstream: Option<u64>,
}

impl<'a> Key<'a> {
    /// The key of a plain HTTP/1.1 origin: all options at their defaults.
    #[must_use]
    pub const fn http1(host: &'a str, port: u16) -> Self {
        Self {
            scheme: Scheme::Http,
            host,
            port,
            endpoint: None,
            priority: Priority::Default,
            protocols: Protocols::HTTP1,
            tls: None,
            socket_options: &[],
            shared_state: &[],
            downstream: None,
        }
    }

    /// The key of a cleartext HTTP/1.1 host of a named cluster.
    #[must_use]
    pub const fn endpoint(endpoint: Endpoint, priority: Priority) -> Self {
        Self { endpoint: Some(endpoint), priority, ..Self::http1("", 0) }
    }
}

/// The exact form of a [`Key`]: equal if and only if the keys are.
///
/// One word tells the small parts and which others are unusual; the bytes are the host and, each
/// after its length, what is unusual. 32 bytes are kept in place, so that a usual key (an SNI that
/// is the host, a usual ALPN list, no rare options) lies beside the pool that it names; longer ones
/// spill.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalKey {
    head: u64,
    rest: Out,
}

type Out = SmallVec<[u8; 32]>;

// ALPN lists that are written as a number.
const H2_AND_HTTP11: &[u8] = b"\x02h2\x08http/1.1";
const HTTP11: &[u8] = b"\x08http/1.1";
const H2: &[u8] = b"\x02h2";

// The head, from its lowest byte: form of the TLS identity, sections, priority, protocols, port.
const OTHER_SNI: u64 = 1 << 2;
const WITH_SANS: u64 = 1 << 3;
const WITH_CERTIFICATE: u64 = 1 << 4;
const UNVERIFIED: u64 = 1 << 5;
const OTHER_ALPN: u64 = 1 << 6;
const WITH_TLS: u64 = 1 << 8;
const WITH_RARE: u64 = 1 << 9;
const WITH_ENDPOINT: u64 = 1 << 10;
/// Any of these: something follows the host, or the endpoint.
const UNUSUAL: u64 = OTHER_SNI | WITH_SANS | WITH_CERTIFICATE | OTHER_ALPN | WITH_RARE;

/// A key with its head written down, ready to be looked up. The rest is written down only if a pool
/// is made or an unusual key is compared.
pub(super) struct Probe<'a> {
    key: &'a Key<'a>,
    head: u64,
    /// Where to look; what decides is the comparison.
    pub(super) hash: u64,
}

impl<'a> Probe<'a> {
    // Always: a key that the caller writes down for this call alone then never leaves registers.
    #[inline(always)]
    pub(super) fn new(key: &'a Key<'a>, hasher: &FixedState) -> Self {
        let head = head(key);
        let mut hasher = hasher.build_hasher();
        match key.endpoint {
            None => hasher.write(key.host.as_bytes()),
            Some(Endpoint { cluster, host }) => {
                hasher.write(key.host.as_bytes());
                hasher.write_u64(cluster);
                hasher.write_u32(host.0);
            }
        }
        hasher.write_u64(head);
        Self { key, head, hash: hasher.finish() }
    }

    /// Whether the stored key is this one.
    #[inline]
    pub(super) fn matches(&self, stored: &CanonicalKey) -> bool {
        if stored.head != self.head {
            return false;
        }
        if self.head & UNUSUAL == 0 {
            return match &self.key.endpoint {
                // The host is all there is.
                None => *stored.rest == *self.key.host.as_bytes(),
                Some(endpoint) => {
                    stored.rest.strip_prefix(&endpoint_bytes(endpoint)) == Some(self.key.host.as_bytes())
                }
            };
        }
        *stored == CanonicalKey::of(self.key)
    }
}

#[inline(always)]
fn head(key: &Key<'_>) -> u64 {
    let Key {
        scheme,
        host,
        port,
        endpoint,
        priority,
        protocols,
        tls,
        socket_options,
        shared_state,
        downstream,
    } = *key;
    let Scheme::Http = scheme;
    let is_rare = !(socket_options.is_empty() && shared_state.is_empty() && downstream.is_none());
    let mut head = u64::from(port) << 32 | u64::from(protocols.0) << 24 | (priority as u64) << 16;
    if let Some(tls) = &tls {
        head |= WITH_TLS | form(tls, host);
    }
    if is_rare {
        head |= WITH_RARE;
    }
    if endpoint.is_some() {
        head |= WITH_ENDPOINT;
    }
    head
}

/// Of one length, so that whatever follows is told apart.
#[inline(always)]
fn endpoint_bytes(endpoint: &Endpoint) -> [u8; 12] {
    let Endpoint { cluster, host } = *endpoint;
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&cluster.to_le_bytes());
    bytes[8..].copy_from_slice(&host.0.to_le_bytes());
    bytes
}

/// What of a TLS identity differs from the usual, and which usual ALPN list it has.
#[inline(always)]
fn form(tls: &TlsKey<'_>, host: &str) -> u64 {
    let TlsKey { sni, sans, alpn, client_certificate, verify } = *tls;
    let mut form = if alpn == H2_AND_HTTP11 {
        0
    } else if alpn == HTTP11 {
        1
    } else if alpn == H2 {
        2
    } else {
        OTHER_ALPN
    };
    if sni != host {
        form |= OTHER_SNI;
    }
    if !sans.is_empty() {
        form |= WITH_SANS;
    }
    if client_certificate.is_some() {
        form |= WITH_CERTIFICATE;
    }
    match verify {
        Verify::Full => form,
        Verify::Nothing => form | UNVERIFIED,
    }
}

impl CanonicalKey {
    /// Writes a key down. All destructuring here and in the head is exhaustive on purpose: a new
    /// option does not compile until it is part of the identity.
    #[must_use]
    pub fn of(key: &Key<'_>) -> Self {
        let Key {
            scheme: _,
            host,
            port: _,
            endpoint,
            priority: _,
            protocols: _,
            tls,
            socket_options,
            shared_state,
            downstream,
        } = *key;
        let head = head(key);
        let mut rest = Out::new();
        if let Some(endpoint) = &endpoint {
            rest.extend_from_slice(&endpoint_bytes(endpoint));
        }
        if head & UNUSUAL == 0 {
            rest.extend_from_slice(host.as_bytes());
            return Self { head, rest };
        }
        push(&mut rest, host.as_bytes());
        if let Some(tls) = tls {
            push_tls(&mut rest, tls, head);
        }
        if head & WITH_RARE != 0 {
            push_rare(&mut rest, socket_options, shared_state, downstream);
        }
        Self { head, rest }
    }
}

/// A length: one byte below 128, five above, so that no two lengths begin alike.
fn push_length(out: &mut Out, length: usize) {
    if length < 128 {
        out.push(length as u8);
    } else {
        // Nothing in a key comes near 4 GiB; if it did, the bytes would still be there to differ.
        out.push(0xff);
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
}

fn push(out: &mut Out, bytes: &[u8]) {
    push_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// What the head only says to be unusual.
fn push_tls(out: &mut Out, tls: TlsKey<'_>, form: u64) {
    let TlsKey { sni, sans, alpn, client_certificate, verify: _ } = tls;
    if form & OTHER_ALPN != 0 {
        push(out, alpn);
    }
    if form & OTHER_SNI != 0 {
        push(out, sni.as_bytes());
    }
    if form & WITH_SANS != 0 {
        push_length(out, sans.len());
        for san in sans {
            push(out, san.as_bytes());
        }
    }
    if let Some(certificate) = client_certificate {
        out.extend_from_slice(&certificate.to_le_bytes());
    }
}

fn push_rare(
    out: &mut Out,
    socket_options: &[SocketOption<'_>],
    shared_state: &[&[u8]],
    downstream: Option<u64>,
) {
    push_length(out, socket_options.len());
    for SocketOption { level, name, value } in socket_options {
        out.extend_from_slice(&level.to_le_bytes());
        out.extend_from_slice(&name.to_le_bytes());
        push(out, value);
    }
    push_length(out, shared_state.len());
    for state in shared_state {
        push(out, state);
    }
    if let Some(downstream) = downstream {
        out.extend_from_slice(&downstream.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host name as long as DNS allows (RFC 1035 2.3.4).
    const LONG: &str = match core::str::from_utf8(&[b'a'; 253]) {
        Ok(host) => host,
        Err(_) => "",
    };

    const TLS: TlsKey<'static> = TlsKey {
        sni: "a",
        sans: &["b"],
        alpn: b"\x02h2\x08http/1.1",
        client_certificate: None,
        verify: Verify::Full,
    };

    /// P4: every option of the key separates pools, and none of two different keys alias.
    #[test]
    fn every_part_of_the_key_makes_a_difference() {
        let base = Key::http1("example.test", 80);
        let tls = Key { tls: Some(TLS), ..base };
        let option = SocketOption { level: 1, name: 2, value: &[3] };
        let keys = [
            base,
            Key { host: "example.tes", ..base },
            Key { host: LONG, ..base },
            Key { host: &LONG[1..], ..base },
            Key { port: 81, ..base },
            Key { priority: Priority::High, ..base },
            Key { protocols: Protocols::HTTP2, ..base },
            Key { protocols: Protocols::HTTP1.union(Protocols::HTTP2), ..base },
            tls,
            Key { tls: Some(TlsKey { sni: "ab", ..TLS }), ..base },
            Key { tls: Some(TlsKey { sans: &["b", "c"], ..TLS }), ..base },
            Key { tls: Some(TlsKey { sans: &["bc"], ..TLS }), ..base },
            Key { tls: Some(TlsKey { sni: "", sans: &["a", "b"], ..TLS }), ..base },
            Key { tls: Some(TlsKey { alpn: b"\x02h2", ..TLS }), ..base },
            Key { tls: Some(TlsKey { alpn: b"\x05other", ..TLS }), ..base },
            Key { tls: Some(TlsKey { alpn: b"", ..TLS }), ..base },
            Key { tls: Some(TlsKey { sni: "example.test", ..TLS }), ..base },
            Key { tls: Some(TlsKey { sni: "example.test", sans: &[], ..TLS }), ..base },
            Key { tls: Some(TlsKey { client_certificate: Some(0), ..TLS }), ..base },
            Key { tls: Some(TlsKey { verify: Verify::Nothing, ..TLS }), ..base },
            Key { socket_options: &[option], ..base },
            Key { socket_options: &[option, option], ..base },
            Key { socket_options: &[SocketOption { level: 2, ..option }], ..base },
            Key { socket_options: &[SocketOption { name: 1, ..option }], ..base },
            Key { socket_options: &[SocketOption { value: &[], ..option }], ..base },
            Key { shared_state: &[b"x"], ..base },
            Key { shared_state: &[&[b'y'; 200]], ..base },
            Key { shared_state: &[&[b'y'; 127], &[b'y'; 72]], ..base },
            Key { shared_state: &[b"x", b""], ..base },
            Key { downstream: Some(0), ..base },
            Key { downstream: Some(1), ..base },
            Key::endpoint(Endpoint { cluster: 0, host: HostId(0) }, Priority::Default),
            Key::endpoint(Endpoint { cluster: 0, host: HostId(0) }, Priority::High),
            Key::endpoint(Endpoint { cluster: 0, host: HostId(1) }, Priority::Default),
            Key::endpoint(Endpoint { cluster: 1 << 32, host: HostId(0) }, Priority::Default),
            Key { endpoint: Some(Endpoint { cluster: 0, host: HostId(0) }), ..base },
            Key { endpoint: Some(Endpoint { cluster: 0, host: HostId(0) }), downstream: Some(0), ..base },
        ];
        let hasher = FixedState::with_seed(3);
        for (i, a) in keys.iter().enumerate() {
            for (j, b) in keys.iter().enumerate() {
                let (written, other) = (CanonicalKey::of(a), CanonicalKey::of(b));
                assert_eq!(written == other, i == j, "{a:?} against {b:?}");
                assert_eq!(Probe::new(a, &hasher).matches(&other), i == j, "{a:?} against {b:?}");
            }
        }
    }
}
