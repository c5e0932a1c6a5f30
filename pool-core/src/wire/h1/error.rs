//! What can go wrong, by whose fault it is.

use core::fmt;

use http::StatusCode;

use crate::report::StreamEnd;

/// Why a connection cannot go on. The driver closes it; a server may first answer with
/// [`Error::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The peer broke a rule, or sent what could be read in two ways.
    Peer(Violation),
    /// The peer sent more than we are willing to hold.
    Limit(Exceeded),
    /// The peer closed in the middle of an exchange.
    Eof(EofAt),
}

/// A rule that the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// LF without CR as a line end. RFC 9112 2.2.
    BareLf,
    /// CR without LF. RFC 9112 2.2.
    BareCr,
    /// NUL or another control byte in a head or trailer section. RFC 9110 5.5.
    ControlByte,
    /// The request line does not follow its grammar. RFC 9112 3.
    RequestLine,
    /// The method is not a token. RFC 9112 3.1.
    Method,
    /// The request target is no valid URI, or its form does not fit the method. RFC 9112 3.2.
    Target,
    /// Neither HTTP/1.1 nor HTTP/1.0. RFC 9112 2.3.
    Version,
    /// The status line does not follow its grammar. RFC 9112 4.
    StatusLine,
    /// A field name is not a token, is empty, or is followed by whitespace. RFC 9112 5.1.
    FieldName,
    /// A line begins with whitespace: an obsolete fold, or whitespace before the first field.
    /// RFC 9112 5.2, 2.2.
    Fold,
    /// A field line without colon or with an invalid value. RFC 9112 5.
    FieldLine,
    /// `Host` missing, repeated or invalid. RFC 9112 3.2.
    Host,
    /// `Content-Length` is not one decimal number. RFC 9112 6.3.
    ContentLength,
    /// More than one `Content-Length`, equal or not. RFC 9112 6.3.
    ContentLengths,
    /// Both `Content-Length` and `Transfer-Encoding`. RFC 9112 6.1.
    LengthAndCoding,
    /// `Transfer-Encoding` is malformed, repeated, or chunked is not final. RFC 9112 6.1.
    TransferEncoding,
    /// A transfer coding other than chunked. RFC 9112 6.1.
    UnknownCoding,
    /// `Transfer-Encoding` in an HTTP/1.0 message. RFC 9112 6.1.
    CodingInHttp10,
    /// CONNECT with content. RFC 9110 9.3.6.
    ConnectWithContent,
    /// A chunk size that is not a hexadecimal number below 2^64. RFC 9112 7.1.
    ChunkSize,
    /// A malformed chunk extension. RFC 9112 7.1.1.
    ChunkExtension,
    /// Chunk data is not followed by CRLF. RFC 9112 7.1.
    ChunkEnd,
    /// A trailer field that would change framing, routing or the connection. RFC 9110 6.5.1.
    ForbiddenTrailer,
    /// 101 although the request offered no upgrade, or from an HTTP/1.0 server. RFC 9110 7.8.
    UnexpectedSwitch,
    /// Bytes on an idle client connection. RFC 9112 9.2.
    Unsolicited,
}

/// A limit that the peer exceeded (fields of [`Limits`](super::Limits)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exceeded {
    /// `max_head_bytes`.
    HeadBytes,
    /// `max_headers`, in the head or the trailer section.
    Headers,
    /// `max_trailer_bytes`.
    TrailerBytes,
    /// `max_chunk_line_bytes`.
    ChunkLineBytes,
    /// `max_chunk_extension_bytes`.
    ChunkExtensionBytes,
    /// `max_informational`.
    Informational,
}

/// Where the peer's end of input cut an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EofAt {
    /// Client role: before any byte of a response. Verdict `NoResponseByte` on a reused connection.
    BeforeResponse,
    /// Within a head, or after an interim response.
    Head,
    /// Within content or trailers.
    Body,
}

/// A wish that cannot be granted; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// An exchange is in progress.
    Busy,
    /// The connection serves no further exchange: closing, broken or handed over.
    NotReusable,
    /// There is no message that this could belong to, or it has ended.
    NoMessage,
    /// The request target is not valid in this form, or the method does not allow it.
    Target,
    /// Neither the URI nor the fields name a host. RFC 9112 3.2.
    NoHost,
    /// More than one `Host`, or an invalid one. RFC 9112 3.2.
    Host,
    /// `Content-Length` from the caller is invalid or contradicts the length of the content.
    ContentLength,
    /// `Transfer-Encoding` from the caller: framing is written here. Only `chunked` together with
    /// [`BodyLength::Unknown`](super::BodyLength::Unknown) agrees with it.
    TransferEncoding,
    /// A status that this call does not send: 1xx as a final response, others as an interim one,
    /// 101 to a request without `Upgrade`.
    Status,
    /// Content in a message that has none: CONNECT, 1xx, 204, 304, a response to HEAD.
    BodyNotAllowed,
    /// More content than was declared.
    BodyTooLong {
        /// Bytes too many.
        excess: u64,
    },
    /// The message was ended before the declared length was reached.
    BodyTooShort {
        /// Bytes that are missing.
        missing: u64,
    },
    /// Trailers on a message that is not chunked. RFC 9112 7.1.2.
    TrailersNeedChunked,
    /// A trailer field that must not be one. RFC 9110 6.5.1.
    ForbiddenTrailer,
}

impl Violation {
    /// The section that has the rule.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::BareLf | Self::BareCr => "RFC 9112 2.2",
            Self::ControlByte => "RFC 9110 5.5",
            Self::RequestLine => "RFC 9112 3",
            Self::Method => "RFC 9112 3.1",
            Self::Target | Self::Host => "RFC 9112 3.2",
            Self::Version => "RFC 9112 2.3",
            Self::StatusLine => "RFC 9112 4",
            Self::FieldName => "RFC 9112 5.1",
            Self::Fold => "RFC 9112 5.2",
            Self::FieldLine => "RFC 9112 5",
            Self::ContentLength | Self::ContentLengths => "RFC 9112 6.3",
            Self::LengthAndCoding | Self::TransferEncoding | Self::UnknownCoding | Self::CodingInHttp10 => {
                "RFC 9112 6.1"
            }
            Self::ConnectWithContent => "RFC 9110 9.3.6",
            Self::ChunkSize | Self::ChunkEnd => "RFC 9112 7.1",
            Self::ChunkExtension => "RFC 9112 7.1.1",
            Self::ForbiddenTrailer => "RFC 9110 6.5.1",
            Self::UnexpectedSwitch => "RFC 9110 7.8",
            Self::Unsolicited => "RFC 9112 9.2",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::BareLf => "line ends with LF alone",
            Self::BareCr => "CR without LF",
            Self::ControlByte => "control byte in a field section",
            Self::RequestLine => "malformed request line",
            Self::Method => "method is not a token",
            Self::Target => "request target invalid or of the wrong form for the method",
            Self::Version => "version is neither HTTP/1.1 nor HTTP/1.0",
            Self::StatusLine => "malformed status line",
            Self::FieldName => "invalid field name",
            Self::Fold => "line begins with whitespace",
            Self::FieldLine => "malformed field line",
            Self::Host => "Host missing, repeated or invalid",
            Self::ContentLength => "Content-Length is not one decimal number",
            Self::ContentLengths => "more than one Content-Length",
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            Self::TransferEncoding => "malformed Transfer-Encoding",
            Self::UnknownCoding => "transfer coding other than chunked",
            Self::CodingInHttp10 => "Transfer-Encoding in an HTTP/1.0 message",
            Self::ConnectWithContent => "CONNECT with content",
            Self::ChunkSize => "invalid chunk size",
            Self::ChunkExtension => "malformed chunk extension",
            Self::ChunkEnd => "chunk data not followed by CRLF",
            Self::ForbiddenTrailer => "field not allowed in a trailer section",
            Self::UnexpectedSwitch => "protocol switch that was not asked for",
            Self::Unsolicited => "bytes on an idle connection",
        }
    }
}

impl Error {
    /// How the exchange ended that this error hit: by the peer's close, or given up by us.
    #[must_use]
    pub const fn stream_end(self) -> StreamEnd {
        match self {
            Self::Eof(_) => StreamEnd::RemoteReset,
            Self::Peer(_) | Self::Limit(_) => StreamEnd::LocalReset,
        }
    }

    /// Server role: the status with which to answer before closing. `None` after an end of input,
    /// when nobody may be left to read it.
    #[must_use]
    pub const fn status(self) -> Option<StatusCode> {
        match self {
            Self::Peer(Violation::Version) => Some(StatusCode::HTTP_VERSION_NOT_SUPPORTED),
            Self::Peer(Violation::UnknownCoding) => Some(StatusCode::NOT_IMPLEMENTED),
            Self::Limit(Exceeded::HeadBytes | Exceeded::Headers) => {
                Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            }
            Self::Peer(_) | Self::Limit(_) => Some(StatusCode::BAD_REQUEST),
            Self::Eof(_) => None,
        }
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Peer(violation)
    }
}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        Self::Limit(exceeded)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.section())
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadBytes => "head larger than max_head_bytes",
            Self::Headers => "more field lines than max_headers",
            Self::TrailerBytes => "trailers larger than max_trailer_bytes",
            Self::ChunkLineBytes => "chunk line longer than max_chunk_line_bytes",
            Self::ChunkExtensionBytes => "more chunk extensions than max_chunk_extension_bytes",
            Self::Informational => "more interim responses than max_informational",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(violation) => write!(f, "protocol error by the peer: {violation}"),
            Self::Limit(exceeded) => write!(f, "limit exceeded by the peer: {exceeded}"),
            Self::Eof(EofAt::BeforeResponse) => f.write_str("peer closed before any byte of a response"),
            Self::Eof(EofAt::Head) => f.write_str("peer closed within a head"),
            Self::Eof(EofAt::Body) => f.write_str("peer closed within content"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("an exchange is in progress"),
            Self::NotReusable => f.write_str("the connection serves no further exchange"),
            Self::NoMessage => f.write_str("no message is being sent"),
            Self::Target => f.write_str("request target invalid, or of the wrong form for the method"),
            Self::NoHost => f.write_str("neither URI nor fields name a host"),
            Self::Host => f.write_str("Host repeated or invalid"),
            Self::ContentLength => f.write_str("Content-Length contradicts the content"),
            Self::TransferEncoding => f.write_str("Transfer-Encoding is not for the caller to set"),
            Self::Status => f.write_str("status not allowed here"),
            Self::BodyNotAllowed => f.write_str("this message has no content"),
            Self::BodyTooLong { excess } => {
                write!(f, "content exceeds its declared length by {excess} bytes")
            }
            Self::BodyTooShort { missing } => write!(f, "content ended {missing} bytes short"),
            Self::TrailersNeedChunked => f.write_str("trailers need the chunked transfer coding"),
            Self::ForbiddenTrailer => f.write_str("field not allowed as a trailer"),
        }
    }
}

impl core::error::Error for Error {}
impl core::error::Error for SendError {}
