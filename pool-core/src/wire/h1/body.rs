//! Content of a received message, as events.

use bytes::Bytes;
use http::HeaderMap;

use super::chunked::{Chunked, Pieces};
use super::head_parse::parse_trailers;
use super::rest::Source;
use super::scan::Scan;
use super::{BodyKind, EofAt, Error, Exceeded, Limits};

/// What remains to be received of one message.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing.
    Ended,
    /// This many bytes.
    Length(u64),
    /// Everything until the end of input.
    UntilEof,
    /// Chunks, then trailers.
    Chunked(Chunked, Scan),
}

/// The next thing to tell of a body.
#[derive(Debug)]
pub(super) enum BodyStep {
    /// Content.
    Data(Bytes),
    /// Trailers; the body has ended.
    Trailers(HeaderMap),
    /// The body has ended.
    End,
    /// More input is needed.
    Starved,
}

impl Body {
    /// A body of this kind, of which `already` bytes have been taken. A tunnel is no body: it is
    /// read until the end of input, too.
    pub(super) fn new(kind: BodyKind, already: usize) -> Self {
        match kind {
            BodyKind::Empty => Self::Ended,
            BodyKind::Length(length) => match length.saturating_sub(already as u64) {
                0 => Self::Ended,
                left => Self::Length(left),
            },
            BodyKind::Chunked => Self::Chunked(Chunked::new(), Scan::default()),
            BodyKind::UntilEof | BodyKind::Tunnel => Self::UntilEof,
        }
    }

    /// The next step with what `source` has. Content is copied out of it, one allocation and one
    /// copy, or is a part of the buffer that the driver lent.
    pub(super) fn step(&mut self, source: &mut Source<'_, '_>, limits: &Limits) -> Result<BodyStep, Error> {
        match self {
            Self::Ended => return Ok(BodyStep::End),
            Self::Length(left) => {
                let bytes = source.bytes();
                let n = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                if n > 0 {
                    let data = source.lasting(n);
                    source.consume(n);
                    *left -= n as u64;
                    if *left == 0 {
                        *self = Self::Ended;
                    }
                    return Ok(BodyStep::Data(data));
                }
            }
            Self::UntilEof => {
                let n = source.bytes().len();
                if n > 0 {
                    let data = source.lasting(n);
                    source.consume(data.len());
                    return Ok(BodyStep::Data(data));
                }
                if source.is_eof() {
                    *self = Self::Ended;
                    return Ok(BodyStep::End);
                }
            }
            Self::Chunked(chunked, scan) => match chunked_step(chunked, scan, source, limits)? {
                BodyStep::Starved => {}
                step @ BodyStep::Data(_) => return Ok(step),
                step @ (BodyStep::Trailers(_) | BodyStep::End) => {
                    *self = Self::Ended;
                    return Ok(step);
                }
            },
        }
        if source.ends() { Err(Error::Eof(EofAt::Body)) } else { Ok(BodyStep::Starved) }
    }
}

/// All data of the chunks at hand becomes one piece, so that small chunks cost no allocation each.
fn chunked_step(
    chunked: &mut Chunked,
    scan: &mut Scan,
    source: &mut Source<'_, '_>,
    limits: &Limits,
) -> Result<BodyStep, Error> {
    if !chunked.at_trailers() {
        let bytes = source.bytes();
        let mut pieces = Pieces::new();
        let used = chunked.decode(bytes, limits, &mut pieces)?;
        let data = match pieces.as_slice() {
            [] => Bytes::new(),
            [piece] => Bytes::copy_from_slice(&bytes[piece.clone()]),
            pieces => {
                // Exactly sized, so that it becomes `Bytes` as it is.
                let mut data = Vec::with_capacity(pieces.iter().map(ExactSizeIterator::len).sum());
                for piece in pieces {
                    data.extend_from_slice(&bytes[piece.clone()]);
                }
                Bytes::from(data)
            }
        };
        source.consume(used);
        if !data.is_empty() {
            return Ok(BodyStep::Data(data));
        }
        if !chunked.at_trailers() {
            return Ok(BodyStep::Starved);
        }
    }
    let section = source.bytes();
    match scan.advance(section, limits.max_trailer_bytes, Exceeded::TrailerBytes)? {
        Some(2) => {
            source.consume(2);
            Ok(BodyStep::End)
        }
        Some(length) => {
            let trailers = parse_trailers(&section[..length], limits)?;
            source.consume(length);
            Ok(BodyStep::Trailers(trailers))
        }
        None => {
            source.keep();
            Ok(BodyStep::Starved)
        }
    }
}
