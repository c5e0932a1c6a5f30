//! Command operators: what each takes from a record.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use http::header::HOST;
use http::{HeaderMap, HeaderName, Version};

use super::time::TimeFormat;
use crate::access_log::record::{Record, Timings};
use crate::access_log::{Request, ResponseFlags};

/// An operator, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `START_TIME`.
    StartTime(TimeFormat),
    /// `EMIT_TIME`.
    EmitTime(TimeFormat),
    /// `REQ(X?Y)`, with the query of a path or without it.
    Request(Pick, Query),
    /// `RESP(X?Y)`.
    Response(Pick),
    /// `TRAILER(X?Y)`.
    Trailer(Pick),
    /// `QUERY_PARAM(X)`.
    QueryParam(String),
    /// `COMMON_DURATION(from:to:unit)`.
    Between(Point, Point, Unit),
    /// What has no argument.
    Plain(Plain),
    /// What is known when the format is compiled: `HOSTNAME`, `ENVIRONMENT(X)`.
    Fixed(Option<String>),
}

/// Whether a path shows its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Query {
    Kept,
    Cut,
}

/// `X?Y`: a field, or else another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) main: Field,
    pub(super) other: Option<Field>,
}

/// A field of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Method,
    Scheme,
    Authority,
    Path,
    Status,
    Header(HeaderName),
}

/// A point in the life of a request (Envoy's names, [`Point::NAMES`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Start,
    RequestReceived,
    PoolAsked,
    PoolReady,
    UpstreamSending,
    UpstreamSent,
    UpstreamReceiving,
    UpstreamReceived,
    ResponseSending,
    ResponseSent,
}

impl Point {
    pub(super) const NAMES: [(&'static str, Self); 10] = [
        ("DS_RX_BEG", Self::Start),
        ("DS_RX_END", Self::RequestReceived),
        ("US_CX_BEG", Self::PoolAsked),
        ("US_CX_END", Self::PoolReady),
        ("US_TX_BEG", Self::UpstreamSending),
        ("US_TX_END", Self::UpstreamSent),
        ("US_RX_BEG", Self::UpstreamReceiving),
        ("US_RX_END", Self::UpstreamReceived),
        ("DS_TX_BEG", Self::ResponseSending),
        ("DS_TX_END", Self::ResponseSent),
    ];

    const fn of(self, timings: &Timings) -> Option<Duration> {
        match self {
            Self::Start => Some(Duration::ZERO),
            Self::RequestReceived => timings.request_received,
            Self::PoolAsked => timings.pool_asked,
            Self::PoolReady => timings.pool_ready,
            Self::UpstreamSending => timings.upstream_sending,
            Self::UpstreamSent => timings.upstream_sent,
            Self::UpstreamReceiving => timings.upstream_receiving,
            Self::UpstreamReceived => timings.upstream_received,
            Self::ResponseSending => timings.response_sending,
            Self::ResponseSent => timings.response_sent,
        }
    }
}

/// How a duration is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    pub(super) const NAMES: [(&'static str, Self); 3] =
        [("ms", Self::Millis), ("us", Self::Micros), ("ns", Self::Nanos)];

    fn of(self, duration: Duration) -> u64 {
        let count = match self {
            Self::Millis => duration.as_millis(),
            Self::Micros => duration.as_micros(),
            Self::Nanos => duration.as_nanos(),
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// What an operator found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    Nothing,
    Number(u64),
    /// Two numbers with a colon between them.
    Pair(u32, u64),
    Bool(bool),
    Text(&'a [u8]),
    /// Text without spaces: they become underscores, so that a line keeps its columns.
    Words(&'a str),
    Address(SocketAddr),
    Ip(IpAddr),
    Flags(ResponseFlags),
    LongFlags(ResponseFlags),
    Time(&'a TimeFormat, SystemTime),
}

impl<'a> Found<'a> {
    fn text(text: Option<&'a str>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Nothing, |text| Self::Text(text.as_bytes()))
    }

    fn words(text: Option<&'a str>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Nothing, Self::Words)
    }

    fn number(number: Option<u64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }

    fn millis(duration: Option<Duration>) -> Self {
        Self::number(duration.map(|duration| Unit::Millis.of(duration)))
    }

    fn address(address: Option<SocketAddr>) -> Self {
        address.map_or(Self::Nothing, Self::Address)
    }

    fn ip(address: Option<SocketAddr>) -> Self {
        address.map_or(Self::Nothing, |address| Self::Ip(address.ip()))
    }

    fn port(address: Option<SocketAddr>) -> Self {
        Self::number(address.map(|address| address.port().into()))
    }

    fn protocol(version: Option<Version>) -> Self {
        Self::text(version.map(|version| match version {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_11 => "HTTP/1.1",
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_3 => "HTTP/3",
            _ => "-",
        }))
    }
}

impl Operator {
    pub(super) fn find<'a>(&'a self, record: &Record<'a>) -> Found<'a> {
        match self {
            Self::StartTime(format) => Found::Time(format, record.start),
            Self::EmitTime(format) => {
                Found::Time(format, record.start + record.timings.total.unwrap_or_default())
            }
            Self::Request(pick, query) => {
                let found = pick.find(|field| request_field(field, &record.request));
                match (found, query) {
                    (Found::Text(path), Query::Cut) => {
                        Found::Text(path.split(|byte| *byte == b'?').next().unwrap_or(path))
                    }
                    (found, _) => found,
                }
            }
            Self::Response(pick) => pick.find(|field| match field {
                Field::Status => record.response.code.map(|code| Found::Number(code.into())),
                field => header(field, record.response.headers),
            }),
            Self::Trailer(pick) => pick.find(|field| header(field, record.response.trailers)),
            Self::QueryParam(name) => {
                let path = record.request.path.unwrap_or_default();
                let (_, query) = path.split_once('?').unwrap_or_default();
                let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                Found::text(pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value))
            }
            Self::Between(from, to, unit) => {
                let (from, to) = (from.of(&record.timings), to.of(&record.timings));
                let between = from.zip(to).and_then(|(from, to)| to.checked_sub(from));
                Found::number(between.map(|between| unit.of(between)))
            }
            Self::Plain(plain) => plain.find(record),
            Self::Fixed(text) => Found::text(text.as_deref()),
        }
    }
}

impl Pick {
    fn find<'a>(&'a self, find: impl Fn(&'a Field) -> Option<Found<'a>>) -> Found<'a> {
        let other = || self.other.as_ref().and_then(&find);
        find(&self.main).or_else(other).unwrap_or(Found::Nothing)
    }
}

fn request_field<'a>(field: &'a Field, request: &Request<'a>) -> Option<Found<'a>> {
    let text = |text: &'a str| Found::Text(text.as_bytes());
    match field {
        Field::Method => request.method.map(|method| text(method.as_str())),
        Field::Scheme => request.scheme.map(text),
        Field::Authority => {
            let host = || request.headers.and_then(|headers| headers.get(HOST));
            let host = || host().map(|host| Found::Text(host.as_bytes()));
            request.authority.map(text).or_else(host)
        }
        Field::Path => request.path.map(text),
        Field::Status | Field::Header(_) => header(field, request.headers),
    }
}

fn header<'a>(field: &Field, headers: Option<&'a HeaderMap>) -> Option<Found<'a>> {
    match field {
        Field::Header(name) => headers?.get(name).map(|value| Found::Text(value.as_bytes())),
        Field::Method | Field::Scheme | Field::Authority | Field::Path | Field::Status => None,
    }
}

macro_rules! plain {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal: |$record:ident| $found:expr;)*) => {
        /// Operators without an argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Plain {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Plain {
            /// Names and what they stand for.
            pub(super) const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),*];

            fn find<'a>(self, record: &Record<'a>) -> Found<'a> {
                match self {
                    $(Self::$variant => { let $record = record; $found })*
                }
            }
        }
    };
}

plain! {
    /// The version of the request.
    Protocol = "PROTOCOL": |record| Found::protocol(record.request.protocol);
    /// The version spoken upstream.
    UpstreamProtocol = "UPSTREAM_PROTOCOL": |record| Found::protocol(record.upstream.protocol);
    /// The status; 0 without a response.
    ResponseCode = "RESPONSE_CODE": |record| Found::Number(record.response.code.unwrap_or(0).into());
    /// Who gave the status and why.
    ResponseCodeDetails = "RESPONSE_CODE_DETAILS": |record| Found::words(record.response.code_details);
    /// What went wrong, short.
    ResponseFlags = "RESPONSE_FLAGS": |record| Found::Flags(record.response.flags);
    /// What went wrong, long.
    ResponseFlagsLong = "RESPONSE_FLAGS_LONG": |record| Found::LongFlags(record.response.flags);
    /// Content of the request.
    BytesReceived = "BYTES_RECEIVED": |record| Found::Number(record.request.body_bytes);
    /// Content of the response.
    BytesSent = "BYTES_SENT": |record| Found::Number(record.response.body_bytes);
    /// Head of the request.
    RequestHeadersBytes = "REQUEST_HEADERS_BYTES": |record| Found::Number(record.request.headers_bytes);
    /// Head of the response.
    ResponseHeadersBytes = "RESPONSE_HEADERS_BYTES": |record| Found::Number(record.response.headers_bytes);
    /// Trailers of the response.
    ResponseTrailersBytes = "RESPONSE_TRAILERS_BYTES": |record| Found::Number(record.response.trailers_bytes);
    /// The whole request on the wire.
    DownstreamWireBytesReceived = "DOWNSTREAM_WIRE_BYTES_RECEIVED": |record| Found::Number(record.request.wire_bytes);
    /// The whole response on the wire.
    DownstreamWireBytesSent = "DOWNSTREAM_WIRE_BYTES_SENT": |record| Found::Number(record.response.wire_bytes);
    /// Head of the request on the wire.
    DownstreamHeaderBytesReceived = "DOWNSTREAM_HEADER_BYTES_RECEIVED": |record| Found::Number(record.request.headers_bytes);
    /// Head of the response on the wire.
    DownstreamHeaderBytesSent = "DOWNSTREAM_HEADER_BYTES_SENT": |record| Found::Number(record.response.headers_bytes);
    /// The whole request on the wire upstream.
    UpstreamWireBytesSent = "UPSTREAM_WIRE_BYTES_SENT": |record| Found::Number(record.upstream.wire_bytes_sent);
    /// The whole response on the wire upstream.
    UpstreamWireBytesReceived = "UPSTREAM_WIRE_BYTES_RECEIVED": |record| Found::Number(record.upstream.wire_bytes_received);
    /// Head of the request upstream.
    UpstreamHeaderBytesSent = "UPSTREAM_HEADER_BYTES_SENT": |record| Found::Number(record.upstream.headers_bytes_sent);
    /// Head of the response upstream.
    UpstreamHeaderBytesReceived = "UPSTREAM_HEADER_BYTES_RECEIVED": |record| Found::Number(record.upstream.headers_bytes_received);
    /// Start to end, in milliseconds.
    Duration = "DURATION": |record| Found::millis(record.timings.total);
    /// Start to the last byte of the request.
    RequestDuration = "REQUEST_DURATION": |record| Found::millis(record.timings.request_received);
    /// Start to the last byte of the request upstream.
    RequestTxDuration = "REQUEST_TX_DURATION": |record| Found::millis(record.timings.upstream_sent);
    /// Start to the first byte of the response from upstream.
    ResponseDuration = "RESPONSE_DURATION": |record| Found::millis(record.timings.upstream_receiving);
    /// First byte of the response from upstream to the last one to the client.
    ResponseTxDuration = "RESPONSE_TX_DURATION": |record| {
        let times = record.timings.upstream_receiving.zip(record.timings.response_sent);
        Found::millis(times.and_then(|(from, to)| to.checked_sub(from)))
    };
    /// Time spent waiting for a connection.
    PoolReadyDuration = "UPSTREAM_CONNECTION_POOL_READY_DURATION": |record| {
        let times = record.timings.pool_asked.zip(record.timings.pool_ready);
        Found::millis(times.and_then(|(from, to)| to.checked_sub(from)))
    };
    /// The host.
    UpstreamHost = "UPSTREAM_HOST": |record| Found::address(record.upstream.host);
    /// The name of the host.
    UpstreamHostName = "UPSTREAM_HOST_NAME": |record| Found::text(record.upstream.hostname);
    /// The cluster.
    UpstreamCluster = "UPSTREAM_CLUSTER": |record| Found::text(record.upstream.cluster);
    /// The connection upstream.
    UpstreamConnectionId = "UPSTREAM_CONNECTION_ID": |record| Found::number(record.upstream.connection_id);
    /// Ours: whether that connection had served another request before.
    UpstreamConnectionReused = "UPSTREAM_CONNECTION_REUSED": |record| record.upstream.connection_reused.map_or(Found::Nothing, Found::Bool);
    /// Ours: the request's name in a recording.
    UpstreamRequestId = "UPSTREAM_REQUEST_ID": |record| record.upstream.request_id.map_or(Found::Nothing, |(worker, number)| Found::Pair(worker, number));
    /// This side of the connection upstream.
    UpstreamLocalAddress = "UPSTREAM_LOCAL_ADDRESS": |record| Found::address(record.upstream.local_address);
    /// Without the port.
    UpstreamLocalIp = "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": |record| Found::ip(record.upstream.local_address);
    /// The port alone.
    UpstreamLocalPort = "UPSTREAM_LOCAL_PORT": |record| Found::port(record.upstream.local_address);
    /// The other side of the connection upstream.
    UpstreamRemoteAddress = "UPSTREAM_REMOTE_ADDRESS": |record| Found::address(record.upstream.remote_address);
    /// Without the port.
    UpstreamRemoteIp = "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": |record| Found::ip(record.upstream.remote_address);
    /// The port alone.
    UpstreamRemotePort = "UPSTREAM_REMOTE_PORT": |record| Found::port(record.upstream.remote_address);
    /// Attempts.
    UpstreamAttempts = "UPSTREAM_REQUEST_ATTEMPT_COUNT": |record| Found::Number(record.upstream.attempts.into());
    /// Why the transport failed.
    TransportFailure = "UPSTREAM_TRANSPORT_FAILURE_REASON": |record| Found::words(record.upstream.transport_failure);
    /// The client.
    RemoteAddress = "DOWNSTREAM_REMOTE_ADDRESS": |record| Found::address(record.downstream.remote_address);
    /// Without the port.
    RemoteIp = "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": |record| Found::ip(record.downstream.remote_address);
    /// The port alone.
    RemotePort = "DOWNSTREAM_REMOTE_PORT": |record| Found::port(record.downstream.remote_address);
    /// The peer of the connection.
    DirectAddress = "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": |record| Found::address(record.downstream.direct_remote_address);
    /// Without the port.
    DirectIp = "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": |record| Found::ip(record.downstream.direct_remote_address);
    /// The port alone.
    DirectPort = "DOWNSTREAM_DIRECT_REMOTE_PORT": |record| Found::port(record.downstream.direct_remote_address);
    /// The address that the client came to.
    LocalAddress = "DOWNSTREAM_LOCAL_ADDRESS": |record| Found::address(record.downstream.local_address);
    /// Without the port.
    LocalIp = "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": |record| Found::ip(record.downstream.local_address);
    /// The port alone.
    LocalPort = "DOWNSTREAM_LOCAL_PORT": |record| Found::port(record.downstream.local_address);
    /// The connection of the client.
    ConnectionId = "CONNECTION_ID": |record| Found::number(record.downstream.connection_id);
    /// Why the connection was ended.
    TerminationDetails = "CONNECTION_TERMINATION_DETAILS": |record| Found::words(record.downstream.termination_details);
    /// The route.
    RouteName = "ROUTE_NAME": |record| Found::text(record.route_name);
    /// The virtual host.
    VirtualHostName = "VIRTUAL_HOST_NAME": |record| Found::text(record.virtual_host_name);
    /// The id of the request.
    StreamId = "STREAM_ID": |record| Found::text(record.stream_id);
}
