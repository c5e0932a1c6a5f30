//! Addresses of listeners and endpoints.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::schema;
use crate::config::walk::{Choice, Cursor, Fields};

/// Stands in for an address that is missing or wrong.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// An `Address` that can be bound.
pub(super) fn listening(cursor: &Cursor<'_>) -> SocketAddr {
    let Some((host, port, at)) = host_and_port(cursor) else { return NOWHERE };
    match host.parse() {
        Ok(address) => SocketAddr::new(address, port),
        Err(_) => {
            let hint = if host == "localhost" { "; write 127.0.0.1" } else { "" };
            at.problem(format!("malformed IP address: {host}{hint}"));
            NOWHERE
        }
    }
}

/// Host, port, and where the host is written.
pub(super) fn host_and_port<'a>(cursor: &Cursor<'a>) -> Option<(String, u16, Cursor<'a>)> {
    let fields = cursor.message(&schema::ADDRESS);
    let (_, socket) = fields.one_of(&["socket_address"], &["pipe", "envoy_internal_address"])?;
    let fields = socket.message(&schema::SOCKET_ADDRESS);
    if let Some(protocol) = fields.get("protocol") {
        protocol.choice(&[
            ("TCP", 0, Choice::Take(())),
            ("UDP", 1, Choice::NotHere("HTTP/3 is not in this build")),
        ]);
    }
    let port = port(&fields);
    let host = fields.required("address")?;
    let text = host.string()?;
    if text.is_empty() {
        host.problem("must not be empty");
        return None;
    }
    Some((text, port?, host))
}

fn port(fields: &Fields<'_>) -> Option<u16> {
    let (_, port) = fields.one_of(&["port_value"], &["named_port"])?;
    u16::try_from(port.number(0, u16::MAX.into())?).ok()
}
