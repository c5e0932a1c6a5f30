//! What connections tell their driver, and what the driver hands them.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use crate::report::StreamEnd;

/// How the content of a received message is delimited (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// No content: rules 1 and 7 of RFC 9112 6.3, or a length of 0.
    Empty,
    /// This many bytes: `Content-Length`, more than 0.
    Length(u64),
    /// Chunked transfer coding; trailers may follow.
    Chunked,
    /// Until the peer closes (responses only). The connection is not reused.
    UntilEof,
    /// No message follows: 101, or success of CONNECT. `Data` events carry the raw bytes of what was
    /// switched to, until the peer closes.
    Tunnel,
}

/// How much content a message to be sent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyLength {
    /// No content.
    None,
    /// Exactly this many bytes; more or fewer is an error.
    Known(u64),
    /// Not known yet: chunked, or until the end of the connection towards an HTTP/1.0 client. With
    /// a `Content-Length` field from the caller the same as `Known`.
    Unknown,
}

/// Which form of request target a client writes (RFC 9112 3.2). CONNECT always takes the authority
/// form, and OPTIONS with the path `*` the asterisk form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TargetForm {
    /// Path and query: to an origin server.
    #[default]
    Origin,
    /// The whole URI: to a proxy.
    Absolute,
}

/// The head of a request to be sent. Borrowed: nothing of it is kept.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target; its authority becomes `Host` unless `headers` has one.
    pub uri: &'a Uri,
    /// The form of the request target.
    pub form: TargetForm,
    /// Fields. Framing and connection fields in here are checked and written anew, see
    /// [`Client::send_request`](super::Client::send_request).
    pub headers: &'a HeaderMap,
}

/// The head of a response to be sent. Borrowed: nothing of it is kept.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: StatusCode,
    /// Fields. Framing and connection fields in here are checked and written anew, see
    /// [`Server::send_response`](super::Server::send_response).
    pub headers: &'a HeaderMap,
}

/// How a peer ended an idle connection without breaking a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdleClose {
    /// It closed: a FIN.
    Eof,
    /// It sent 408 (RFC 9110 15.5.9): it will wait no longer for a request. Not a protocol error.
    RequestTimeout,
}

/// What a [`Client`](super::Client) received.
#[derive(Debug)]
pub enum Event {
    /// An interim response (1xx, not 101).
    Informational(Response<()>),
    /// The final response's head, or 101. Fields named in `Connection` are still in it.
    Head(Response<()>, BodyKind),
    /// Content, never empty.
    Data(Bytes),
    /// The trailer section; only if there is at least one field in it.
    Trailers(HeaderMap),
    /// The exchange has ended; told exactly once.
    End(StreamEnd),
    /// The peer ended the idle connection.
    Idle(IdleClose),
}

/// What a [`Server`](super::Server) received.
#[derive(Debug)]
pub enum ServerEvent {
    /// A request's head. Fields named in `Connection` are still in it.
    Head(Request<()>, BodyKind),
    /// Content, never empty. After a response that switched protocols: raw bytes.
    Data(Bytes),
    /// The trailer section; only if there is at least one field in it.
    Trailers(HeaderMap),
    /// The request was received completely.
    RequestEnd,
    /// The exchange has ended: response sent, request received or given up. Told exactly once.
    End(StreamEnd),
    /// The client closed between requests.
    Closed,
}
