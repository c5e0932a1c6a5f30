//! Content of a message being sent.

use bytes::Bytes;
use http::HeaderMap;

use super::{Outbox, SendError, encode};

/// How far the message being sent has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// No head has been written.
    Nothing,
    /// This many bytes of content to go, more than 0.
    Length(u64),
    /// Chunks, until ended.
    Chunked,
    /// Content until the connection closes, towards an HTTP/1.0 client.
    UntilClose,
    /// Raw bytes of another protocol.
    Raw,
    /// The message is complete; it has no content by its nature.
    Bodyless,
    /// The message is complete.
    Ended,
}

impl Sending {
    /// Whether a head has been written and the message is complete.
    pub(super) fn is_complete(self) -> bool {
        matches!(self, Self::Bodyless | Self::Ended)
    }

    /// Whether content may be written.
    pub(super) fn wants_data(self) -> bool {
        matches!(self, Self::Length(_) | Self::Chunked | Self::UntilClose | Self::Raw)
    }

    /// Writes content. The last byte of a declared length completes the message.
    pub(super) fn data(&mut self, data: Bytes, out: &mut Outbox) -> Result<(), SendError> {
        let len = data.len() as u64;
        match self {
            Self::Nothing => return Err(SendError::NoMessage),
            // An empty chunk would end the message.
            _ if len == 0 => {}
            Self::Bodyless => return Err(SendError::BodyNotAllowed),
            Self::Ended => return Err(SendError::BodyTooLong { excess: len }),
            Self::Length(left) => {
                if len > *left {
                    return Err(SendError::BodyTooLong { excess: len - *left });
                }
                *left -= len;
                if *left == 0 {
                    *self = Self::Ended;
                }
                out.push(data);
            }
            Self::Chunked => {
                out.write_with(|into| {
                    encode::chunk_size(into, len);
                    Ok::<_, SendError>(())
                })?;
                out.push(data);
                out.push_slice(b"\r\n");
            }
            Self::UntilClose | Self::Raw => out.push(data),
        }
        Ok(())
    }

    /// Completes the message. Towards an HTTP/1.0 client trailers are dropped: there is no place for
    /// them, and a sender may leave them out (RFC 9110 6.5.1).
    pub(super) fn end(&mut self, trailers: Option<&HeaderMap>, out: &mut Outbox) -> Result<(), SendError> {
        let trailers = trailers.filter(|trailers| !trailers.is_empty());
        match self {
            Self::Nothing => return Err(SendError::NoMessage),
            Self::Length(left) => return Err(SendError::BodyTooShort { missing: *left }),
            Self::Chunked => out.write_with(|into| {
                into.extend_from_slice(b"0\r\n");
                match trailers {
                    Some(trailers) => encode::trailers(into, trailers),
                    None => {
                        into.extend_from_slice(b"\r\n");
                        Ok(())
                    }
                }
            })?,
            Self::UntilClose => {}
            Self::Raw | Self::Bodyless | Self::Ended if trailers.is_some() => {
                return Err(SendError::TrailersNeedChunked);
            }
            Self::Raw | Self::Ended => {}
            Self::Bodyless => return Ok(()),
        }
        *self = Self::Ended;
        Ok(())
    }
}
