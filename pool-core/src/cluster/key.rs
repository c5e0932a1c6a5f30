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
    /// Protocols offered by ALPN (RFC 7301), in order.
    pub alpn: &'a [&'a [u8]],
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
/// 40 bytes are kept in place, so that a usual key lies beside the pool that it names; longer or
/// rarer ones spill.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalKey(SmallVec<[u8; 40]>);

impl CanonicalKey {
    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Writes a key down. The destructuring is exhaustive on purpose: a new option does not compile
    /// until it is part of the identity.
    #[inline]
    #[must_use]
    pub fn of(key: &Key<'_>) -> Self {
        let Key { scheme, host, port, priority, protocols, tls, socket_options, shared_state, downstream } =
            *key;
        let Scheme::Http = scheme;
        let rare = Rare {
            tls: tls.is_some(),
            options: !socket_options.is_empty(),
            state: !shared_state.is_empty(),
            downstream: downstream.is_some(),
        };
        let mut out = SmallVec::new();
        let [p0, p1] = port.to_le_bytes();
        let [h0, h1, h2, h3] = length(host.len());
        out.extend_from_slice(&[rare.bits(), priority as u8, protocols.0, p0, p1, h0, h1, h2, h3]);
        out.extend_from_slice(host.as_bytes());
        if let Some(tls) = tls {
            push_tls(&mut out, tls);
        }
        if rare.bits() != 0 {
            push_rare(&mut out, socket_options, shared_state, downstream);
        }
        Self(out)
    }
}

/// Which of the rare sections follow, as one tag byte.
struct Rare {
    tls: bool,
    options: bool,
    state: bool,
    downstream: bool,
}

impl Rare {
    fn bits(&self) -> u8 {
        u8::from(self.tls)
            | u8::from(self.options) << 1
            | u8::from(self.state) << 2
            | u8::from(self.downstream) << 3
    }
}

/// A length as four bytes. Nothing in a key comes near 4 GiB; if it did, the bytes would still be
/// there to differ.
fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

fn push(out: &mut SmallVec<[u8; 40]>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

fn push_tls(out: &mut SmallVec<[u8; 40]>, tls: TlsKey<'_>) {
    let TlsKey { sni, sans, alpn, client_certificate, verify } = tls;
    push(out, sni.as_bytes());
    out.extend_from_slice(&length(sans.len()));
    for san in sans {
        push(out, san.as_bytes());
    }
    out.extend_from_slice(&length(alpn.len()));
    for protocol in alpn {
        push(out, protocol);
    }
    push_optional(out, client_certificate);
    out.push(match verify {
        Verify::Full => 0,
        Verify::Nothing => 1,
    });
}

#[cold]
fn push_rare(
    out: &mut SmallVec<[u8; 40]>,
    socket_options: &[SocketOption<'_>],
    shared_state: &[&[u8]],
    downstream: Option<u64>,
) {
    out.extend_from_slice(&length(socket_options.len()));
    for SocketOption { level, name, value } in socket_options {
        out.extend_from_slice(&level.to_le_bytes());
        out.extend_from_slice(&name.to_le_bytes());
        push(out, value);
    }
    out.extend_from_slice(&length(shared_state.len()));
    for state in shared_state {
        push(out, state);
    }
    push_optional(out, downstream);
}

fn push_optional(out: &mut SmallVec<[u8; 40]>, value: Option<u64>) {
    match value {
        Some(value) => {
            out.push(1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        None => out.push(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS: TlsKey<'static> = TlsKey {
        sni: "a",
        sans: &["b"],
        alpn: &[b"h2", b"http/1.1"],
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
            Key { tls: Some(TlsKey { alpn: &[b"h2"], ..TLS }), ..base },
            Key { tls: Some(TlsKey { alpn: &[b"h2http/1.1"], ..TLS }), ..base },
            Key { tls: Some(TlsKey { client_certificate: Some(0), ..TLS }), ..base },
            Key { tls: Some(TlsKey { verify: Verify::Nothing, ..TLS }), ..base },
            Key { socket_options: &[option], ..base },
            Key { socket_options: &[option, option], ..base },
            Key { socket_options: &[SocketOption { level: 2, ..option }], ..base },
            Key { socket_options: &[SocketOption { name: 1, ..option }], ..base },
            Key { socket_options: &[SocketOption { value: &[], ..option }], ..base },
            Key { shared_state: &[b"x"], ..base },
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
