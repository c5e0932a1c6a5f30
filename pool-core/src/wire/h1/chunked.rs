//! The chunked transfer coding, received (RFC 9112 7.1).

use core::ops::Range;

use smallvec::SmallVec;

use super::fields::is_token;
use super::{Error, Exceeded, Limits, Violation};

/// Where chunk data lies within the bytes that were decoded.
pub(super) type Pieces = SmallVec<[Range<usize>; 8]>;

/// ```text
///   SizeStart -> Size -> [SizeSpace] -> { ExtStart -> ExtName ... } -> LineEnd --size > 0--> Data
///       ^                                                                |                    |
///       +------------------ DataLf <- DataCr <---------------------------|--------------------+
///                                                             size = 0 --+--> Trailers
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No digit of the size yet.
    SizeStart,
    /// Within the size.
    Size,
    /// Whitespace behind the size: only `;` may follow.
    SizeSpace,
    /// Behind `;`.
    ExtStart,
    /// Within the name of an extension.
    ExtName,
    /// Whitespace behind a name: `=` or `;`.
    ExtNameSpace,
    /// Behind `=`.
    ExtValueStart,
    /// Within a token as value.
    ExtToken,
    /// Within a quoted string as value.
    ExtQuoted,
    /// Behind a backslash in a quoted string.
    ExtEscape,
    /// Behind a quoted string.
    ExtQuotedEnd,
    /// Whitespace behind a value: only `;` may follow.
    ExtSpace,
    /// CR of the size line seen.
    LineEnd,
    /// This many bytes of data to come: `Chunked::size`.
    Data,
    /// Data complete, CR to come.
    DataCr,
    /// LF to come.
    DataLf,
    /// The last chunk has come; the rest is a field section.
    Trailers,
}

/// A decoder for one body, up to its trailer section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    state: State,
    /// The size being read, then the data still to come.
    size: u64,
    /// Bytes of the current size line.
    line: usize,
    /// Bytes of all extensions so far.
    extensions: usize,
}

impl Chunked {
    /// At the start of a body.
    pub(super) const fn new() -> Self {
        Self { state: State::SizeStart, size: 0, line: 0, extensions: 0 }
    }

    /// Whether the last chunk has come, so that the trailer section is next.
    pub(super) fn at_trailers(&self) -> bool {
        self.state == State::Trailers
    }

    /// Decodes `bytes`, notes in `pieces` where data lies, and gives how many bytes were used: all
    /// of them, or up to the trailer section.
    ///
    /// An error that comes after data waits: the data in front of it is given first, and the next
    /// call meets the same byte in the same state. So the events do not depend on how bytes were cut.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        pieces: &mut Pieces,
    ) -> Result<usize, Error> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Trailers => break,
                State::Data => {
                    let left = bytes.len() - at;
                    let n = usize::try_from(self.size).map_or(left, |size| size.min(left));
                    pieces.push(at..at + n);
                    at += n;
                    self.size -= n as u64;
                    if self.size == 0 {
                        self.state = State::DataCr;
                    }
                }
                _ => match self.framing_byte(bytes[at], limits) {
                    Ok(state) => {
                        self.state = state;
                        at += 1;
                    }
                    Err(_) if !pieces.is_empty() => break,
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(at)
    }

    /// The state after one byte outside of chunk data.
    fn framing_byte(&mut self, byte: u8, limits: &Limits) -> Result<State, Error> {
        match self.state {
            State::DataCr if byte == b'\r' => return Ok(State::DataLf),
            State::DataLf if byte == b'\n' => {
                self.line = 0;
                self.size = 0;
                return Ok(State::SizeStart);
            }
            State::DataCr | State::DataLf => return Err(Violation::ChunkEnd.into()),
            State::LineEnd => {
                return match byte {
                    b'\n' if self.size == 0 => Ok(State::Trailers),
                    b'\n' => Ok(State::Data),
                    _ => Err(Violation::BareCr.into()),
                };
            }
            State::SizeStart
            | State::Size
            | State::SizeSpace
            | State::ExtStart
            | State::ExtName
            | State::ExtNameSpace
            | State::ExtValueStart
            | State::ExtToken
            | State::ExtQuoted
            | State::ExtEscape
            | State::ExtQuotedEnd
            | State::ExtSpace
            | State::Data
            | State::Trailers => {}
        }
        let next = self.line_byte(byte)?;
        if self.line >= limits.max_chunk_line_bytes {
            return Err(Exceeded::ChunkLineBytes.into());
        }
        self.line += 1;
        if !matches!(next, State::Size | State::LineEnd) {
            if self.extensions >= limits.max_chunk_extension_bytes {
                return Err(Exceeded::ChunkExtensionBytes.into());
            }
            self.extensions += 1;
        }
        if next == State::Size {
            // The digit was checked by `line_byte`; four bits of room as well.
            self.size = (self.size << 4) | u64::from(hex_value(byte).unwrap_or(0));
        }
        Ok(next)
    }

    /// The state after one byte of a size line.
    fn line_byte(&self, byte: u8) -> Result<State, Violation> {
        let space = matches!(byte, b' ' | b'\t');
        match (self.state, byte) {
            (State::ExtQuoted | State::ExtEscape, b'\r' | b'\n') => Err(Violation::ChunkExtension),
            (_, b'\n') => Err(Violation::BareLf),
            (State::SizeStart | State::Size, _) if byte.is_ascii_hexdigit() => {
                if self.size >> 60 == 0 {
                    Ok(State::Size)
                } else {
                    Err(Violation::ChunkSize)
                }
            }
            (State::SizeStart, _) => Err(Violation::ChunkSize),
            (State::Size | State::ExtName | State::ExtToken | State::ExtQuotedEnd, b'\r') => {
                Ok(State::LineEnd)
            }
            (
                State::Size
                | State::SizeSpace
                | State::ExtName
                | State::ExtNameSpace
                | State::ExtToken
                | State::ExtQuotedEnd
                | State::ExtSpace,
                b';',
            ) => Ok(State::ExtStart),
            (State::Size | State::SizeSpace, _) if space => Ok(State::SizeSpace),
            (State::Size | State::SizeSpace, _) => Err(Violation::ChunkSize),
            (State::ExtStart, _) if space => Ok(State::ExtStart),
            (State::ExtStart | State::ExtName, _) if is_token(byte) => Ok(State::ExtName),
            (State::ExtName | State::ExtNameSpace, _) if space => Ok(State::ExtNameSpace),
            (State::ExtName | State::ExtNameSpace, b'=') => Ok(State::ExtValueStart),
            (State::ExtValueStart, _) if space => Ok(State::ExtValueStart),
            (State::ExtValueStart, b'"') => Ok(State::ExtQuoted),
            (State::ExtValueStart | State::ExtToken, _) if is_token(byte) => Ok(State::ExtToken),
            (State::ExtQuoted, b'"') => Ok(State::ExtQuotedEnd),
            (State::ExtQuoted, b'\\') => Ok(State::ExtEscape),
            (State::ExtQuoted | State::ExtEscape, b'\t' | b' '..=126 | 128..) => Ok(State::ExtQuoted),
            (State::ExtToken | State::ExtQuotedEnd | State::ExtSpace, _) if space => Ok(State::ExtSpace),
            (
                State::ExtStart
                | State::ExtName
                | State::ExtNameSpace
                | State::ExtValueStart
                | State::ExtToken
                | State::ExtQuoted
                | State::ExtEscape
                | State::ExtQuotedEnd
                | State::ExtSpace,
                _,
            ) => Err(Violation::ChunkExtension),
            // Not states of a size line; `framing_byte` has dealt with them.
            (State::LineEnd | State::Data | State::DataCr | State::DataLf | State::Trailers, _) => {
                Err(Violation::ChunkEnd)
            }
        }
    }
}

const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
