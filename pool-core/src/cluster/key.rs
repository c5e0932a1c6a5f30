//! What two requests must share to share a connection, compared in full and never by hash alone.
//!
//! Envoy concatenates 64-bit hashes of the parts, so different options can alias (spec 7). Here the
//! parts are written one after the other, each with its length, into one byte string: equal bytes
//! mean equal keys and nothing else does. A hash only finds the place to compare.

use smallvec::SmallVec;

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

/// The full pool key, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// Transport.
    pub scheme: Scheme,
    /// Host name or IP literal, lower case.
    pub host: &'a str,
    /// Port.
    pub port: u16,
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
            priority: Priority::Default,
            protocols: Protocols::HTTP1,
            tls: None,
            socket_options: &[],
            shared_state: &[],
            downstream: None,
        }
    }
}

/// The exact byte form of a [`Key`]: equal if and only if the keys are.
///
/// 40 bytes are kept in place, so that a usual key (an SNI that is the host, a usual ALPN list, no
/// rare options) lies beside the pool that it names; longer ones spill.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalKey(SmallVec<[u8; 40]>);

impl CanonicalKey {
    /// Writes a key down.
    #[must_use]
    pub fn of(key: &Key<'_>) -> Self {
        Self(SmallVec::from_slice(&encode(key)))
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A key's bytes while it is looked up: on the stack, whatever the usual lengths are.
pub(super) type KeyBytes = SmallVec<[u8; 192]>;

/// ALPN lists that are written as one byte.
const USUAL_ALPN: [&[u8]; 3] = [b"\x02h2\x08http/1.1", b"\x08http/1.1", b"\x02h2"];

/// Writes a key down. The destructuring is exhaustive on purpose: a new option does not compile
/// until it is part of the identity.
#[inline]
pub(super) fn encode(key: &Key<'_>) -> KeyBytes {
    let Key { scheme, host, port, priority, protocols, tls, socket_options, shared_state, downstream } = *key;
    let Scheme::Http = scheme;
    let is_rare = !(socket_options.is_empty() && shared_state.is_empty() && downstream.is_none());
    let sections = u8::from(tls.is_some()) | u8::from(is_rare) << 1;
    let [low, high] = port.to_le_bytes();
    let mut out = KeyBytes::new();
    out.extend_from_slice(&[sections, priority as u8, protocols.0, low, high]);
    push(&mut out, host.as_bytes());
    if let Some(tls) = tls {
        push_tls(&mut out, tls, host);
    }
    if is_rare {
        push_rare(&mut out, socket_options, shared_state, downstream);
    }
    out
}

/// A length: one byte below 128, five above, so that no two lengths begin alike.
#[inline]
fn push_length(out: &mut KeyBytes, length: usize) {
    if length < 128 {
        out.push(length as u8);
    } else {
        // Nothing in a key comes near 4 GiB; if it did, the bytes would still be there to differ.
        out.push(0xff);
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
}

#[inline]
fn push(out: &mut KeyBytes, bytes: &[u8]) {
    push_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

#[inline]
fn push_tls(out: &mut KeyBytes, tls: TlsKey<'_>, host: &str) {
    let TlsKey { sni, sans, alpn, client_certificate, verify } = tls;
    let usual_alpn = USUAL_ALPN.iter().position(|usual| *usual == alpn);
    // The low bits name the ALPN list (0: written out), the others what else is written out.
    let form = usual_alpn.map_or(0, |index| index as u8 + 1)
        | u8::from(sni != host) << 2
        | u8::from(!sans.is_empty()) << 3
        | u8::from(client_certificate.is_some()) << 4
        | u8::from(verify == Verify::Nothing) << 5;
    out.push(form);
    if usual_alpn.is_none() {
        push(out, alpn);
    }
    if sni != host {
        push(out, sni.as_bytes());
    }
    if !sans.is_empty() {
        push_length(out, sans.len());
        for san in sans {
            push(out, san.as_bytes());
        }
    }
    if let Some(certificate) = client_certificate {
        out.extend_from_slice(&certificate.to_le_bytes());
    }
}

#[cold]
fn push_rare(
    out: &mut KeyBytes,
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
        ];
        for (i, a) in keys.iter().enumerate() {
            for (j, b) in keys.iter().enumerate() {
                assert_eq!(CanonicalKey::of(a) == CanonicalKey::of(b), i == j, "{a:?} against {b:?}");
            }
        }
    }
}
