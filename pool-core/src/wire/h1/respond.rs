//! The head of a response: framing, and what becomes of the connection.

use http::{Method, Request, StatusCode};

use super::framing::Version;
use super::head_parse::Head;
use super::sending::Sending;
use super::{BodyKind, BodyLength, Outbox, ResponseHead, SendError, encode};

/// What of a request decides on its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// HEAD: the response has no content.
    Head,
    /// CONNECT: success makes a tunnel.
    Connect,
    /// An upgrade was offered: 101 makes a tunnel.
    Upgrade,
    /// Anything else.
    Plain,
}

/// What becomes of the connection after the current exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The next request.
    Next,
    /// The client said that it sends no other.
    ClientCloses,
    /// We close.
    WeClose,
}

/// Whether the client waits for 100 (RFC 9110 10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continue {
    /// It does not, or not any more.
    NotExpected,
    /// It does.
    Expected,
}

/// What the server role knows of the request that it answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    asked: Asked,
    pub(super) version: Version,
    pub(super) after: After,
    pub(super) expect: Continue,
    /// Bytes of the request's head.
    pub(super) head_bytes: usize,
}

/// What writing a response's head has decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// How content is sent; [`Sending::Raw`] after a switch of protocols.
    pub(super) sending: Sending,
    /// What becomes of the connection.
    pub(super) after: After,
}

/// Writes the last response of a connection that is in no exchange.
pub(super) fn write_refusal(
    head: ResponseHead<'_>,
    content: &[u8],
    out: &mut Outbox,
) -> Result<(), SendError> {
    if head.status.is_informational() {
        return Err(SendError::Status);
    }
    out.write_with(|into| {
        encode::status_line(into, head.status);
        let said = encode::fields(into, head.headers)?;
        if said.chunked {
            return Err(SendError::TransferEncoding);
        }
        said.resolve(BodyLength::Known(content.len() as u64))?;
        if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            if !content.is_empty() {
                return Err(SendError::BodyNotAllowed);
            }
        } else {
            encode::length(into, content.len() as u64);
        }
        encode::field(into, b"connection", b"close");
        into.extend_from_slice(b"\r\n");
        into.extend_from_slice(content);
        Ok(())
    })
}

impl Default for Context {
    fn default() -> Self {
        Self {
            asked: Asked::Plain,
            version: Version::Http11,
            after: After::Next,
            expect: Continue::NotExpected,
            head_bytes: 0,
        }
    }
}

impl Context {
    /// Takes in the head of the next request.
    pub(super) fn read_request(&mut self, head: &Head<Request<()>>) {
        self.version = head.version;
        self.head_bytes = head.head_bytes();
        // Upgrade is ignored in HTTP/1.0 (RFC 9110 7.8), and so is Expect (10.1.1).
        let offers_upgrade = head.facts.upgrade && head.facts.upgrade_option;
        self.asked = match (head.message.method(), head.version) {
            (&Method::HEAD, _) => Asked::Head,
            (&Method::CONNECT, _) => Asked::Connect,
            (_, Version::Http11) if offers_upgrade => Asked::Upgrade,
            (_, Version::Http10 | Version::Http11) => Asked::Plain,
        };
        if !head.keeps_alive && self.after == After::Next {
            self.after = After::ClientCloses;
        }
        let waits = head.facts.expect_continue
            && head.version == Version::Http11
            && head.kind != BodyKind::Empty
            && head.content.is_empty();
        self.expect = if waits { Continue::Expected } else { Continue::NotExpected };
    }

    /// Writes the head of a final response, or of 101, which needs the request to be complete.
    pub(super) fn write_response(
        &self,
        into: &mut Vec<u8>,
        head: ResponseHead<'_>,
        body: BodyLength,
        request_complete: bool,
    ) -> Result<Answer, SendError> {
        let status = head.status;
        let switching = status == StatusCode::SWITCHING_PROTOCOLS;
        if switching && !(self.asked == Asked::Upgrade && request_complete) {
            return Err(SendError::Status);
        }
        if status.is_informational() && !switching {
            return Err(SendError::Status);
        }
        encode::status_line(into, status);
        let said = encode::fields(into, head.headers)?;
        let mut after = self.after;
        let sending;
        if switching || (self.asked == Asked::Connect && status.is_success()) {
            // RFC 9110 9.3.6, 15.2.2: neither length nor coding.
            if said.length.is_some() || said.chunked || said.resolve(body)? != BodyLength::None {
                return Err(SendError::BodyNotAllowed);
            }
            if switching {
                encode::field(into, b"connection", b"upgrade");
            }
            sending = Sending::Raw;
        } else {
            sending = self.write_framing(into, status, said, body)?;
            let ends_here = said.close
                || sending == Sending::UntilClose
                // The client may or may not send the content now: nobody can tell where it would end.
                || self.expect == Continue::Expected
                // Refused CONNECT: what follows may be the tunnel's bytes, sent in good hope.
                || self.asked == Asked::Connect;
            if ends_here && after == After::Next {
                after = After::WeClose;
            }
            self.write_connection(into, after, said.upgrade);
        }
        into.extend_from_slice(b"\r\n");
        Ok(Answer { sending, after })
    }

    /// Writes the framing fields (RFC 9112 6.1, 6.2; RFC 9110 8.6).
    fn write_framing(
        &self,
        into: &mut Vec<u8>,
        status: StatusCode,
        said: encode::Said,
        body: BodyLength,
    ) -> Result<Sending, SendError> {
        if status == StatusCode::NO_CONTENT {
            return match (said.length, body) {
                (None | Some(0), BodyLength::None | BodyLength::Known(0) | BodyLength::Unknown) => {
                    Ok(Sending::Bodyless)
                }
                (Some(_), _) | (_, BodyLength::Known(_)) => Err(SendError::BodyNotAllowed),
            };
        }
        if self.asked == Asked::Head || status == StatusCode::NOT_MODIFIED {
            let length = match (said.length, body) {
                (Some(said), BodyLength::Known(known)) if said != known => {
                    return Err(SendError::ContentLength);
                }
                (Some(said), _) => Some(said),
                (None, BodyLength::Known(known)) => Some(known),
                (None, BodyLength::None | BodyLength::Unknown) => None,
            };
            if let Some(length) = length {
                encode::length(into, length);
            }
            return Ok(Sending::Bodyless);
        }
        Ok(match (said.resolve(body)?, self.version) {
            (BodyLength::None | BodyLength::Known(0), _) => {
                encode::length(into, 0);
                Sending::Ended
            }
            (BodyLength::Known(length), _) => {
                encode::length(into, length);
                Sending::Length(length)
            }
            (BodyLength::Unknown, Version::Http11) => {
                encode::field(into, b"transfer-encoding", b"chunked");
                Sending::Chunked
            }
            // RFC 9112 6.1: never a transfer coding towards HTTP/1.0.
            (BodyLength::Unknown, Version::Http10) => Sending::UntilClose,
        })
    }

    fn write_connection(&self, into: &mut Vec<u8>, after: After, upgrade: bool) {
        match (after, self.version) {
            (After::Next, Version::Http11) => {}
            (After::Next, Version::Http10) => encode::field(into, b"connection", b"keep-alive"),
            (After::ClientCloses | After::WeClose, _) => encode::field(into, b"connection", b"close"),
        }
        if upgrade {
            encode::field(into, b"connection", b"upgrade");
        }
    }
}
