//! What a response's head becomes on its way to the client.
//!
//! Fields of the upstream's connection are removed: `Connection` and what it names, `Keep-Alive`,
//! `Proxy-Connection`, `Transfer-Encoding`, and `Upgrade` unless the response switches protocols.
//! `Date` is added where it is missing, `Server` as configured.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::names;
use super::request::{is_plain_option, options};
use crate::config::model::{HttpManager, ServerHeader};

/// Whether the origin has dated its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Date {
    There,
    Missing,
}

/// Removes the fields that belong to the upstream's connection.
pub(crate) fn hop_by_hop(headers: &mut HeaderMap, switches: bool) -> Date {
    const CONNECTION: u8 = 1;
    const KEEP_ALIVE: u8 = 1 << 1;
    const PROXY_CONNECTION: u8 = 1 << 2;
    const TRANSFER_ENCODING: u8 = 1 << 3;
    const UPGRADE: u8 = 1 << 4;
    const DATE: u8 = 1 << 5;
    let met = headers.keys().fold(0, |met, name| {
        met | match name.as_str() {
            "connection" => CONNECTION,
            "keep-alive" => KEEP_ALIVE,
            "proxy-connection" => PROXY_CONNECTION,
            "transfer-encoding" => TRANSFER_ENCODING,
            "upgrade" => UPGRADE,
            "date" => DATE,
            _ => 0,
        }
    });
    let date = if met & DATE == 0 { Date::Missing } else { Date::There };
    if met & !DATE == 0 {
        return date;
    }
    if met & CONNECTION != 0 {
        // These are of the message, whatever the upstream says.
        let keeps = |name: &HeaderName| *name == header::CONTENT_LENGTH || *name == header::DATE;
        let named: SmallVec<[HeaderName; 2]> = options(headers)
            .filter(|option| !is_plain_option(option))
            .filter_map(|option| HeaderName::from_bytes(option).ok())
            .filter(|name| !keeps(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    if met & KEEP_ALIVE != 0 {
        headers.remove(names::KEEP_ALIVE);
    }
    if met & PROXY_CONNECTION != 0 {
        headers.remove(names::PROXY_CONNECTION);
    }
    if met & TRANSFER_ENCODING != 0 {
        headers.remove(header::TRANSFER_ENCODING);
    }
    if met & UPGRADE != 0 && !switches {
        headers.remove(header::UPGRADE);
    }
    date
}

/// Says who answers.
pub(crate) fn set_server(headers: &mut HeaderMap, manager: &HttpManager) {
    match manager.server_header {
        ServerHeader::Overwrite => {
            headers.insert(header::SERVER, manager.server_name.clone());
        }
        ServerHeader::AppendIfAbsent => {
            headers.entry(header::SERVER).or_insert_with(|| manager.server_name.clone());
        }
        ServerHeader::PassThrough => {}
    }
}

/// Sets `Date` unless the origin did (RFC 9110 6.6.1).
pub(crate) fn set_date(headers: &mut HeaderMap, now: impl FnOnce() -> HeaderValue) {
    headers.entry(header::DATE).or_insert_with(now);
}

/// The value of a field that is a small number most of the time.
pub(crate) fn number(number: u64) -> HeaderValue {
    const SMALL: [&str; 16] =
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"];
    match usize::try_from(number).ok().and_then(|number| SMALL.get(number)) {
        Some(text) => HeaderValue::from_static(text),
        None => HeaderValue::from(number),
    }
}
