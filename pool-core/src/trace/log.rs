//! The file: a header, then chunks, each with its length and checksum.
//!
//! ```text
//! file     "POOLTRC1" | header as a chunk | chunk...
//! chunk    length u32 | entries u32 | digest u64 | crc32 of these u32 | crc32 of the payload u32 | payload
//! header   version, worker, workers, epoch, seed, program
//! ```
//!
//! Fixed numbers are little-endian. The length has a checksum of its own, so that damage to it does not
//! look like an early end: a file that ends in the middle of a chunk is one whose writer was cut off,
//! and what is before is good.

use core::fmt;

use super::codec::{Bytes, Malformed, put, put_text};

const MAGIC: &[u8; 8] = b"POOLTRC1";
/// Of the entries' encoding. A reader refuses what it does not know.
const VERSION: u64 = 1;
/// Before the payload of a chunk.
const CHUNK_HEAD: usize = 4 + 4 + 8 + 4 + 4;

/// What a recording says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The worker that wrote it, from 0.
    pub worker: u32,
    /// How many workers the program has: as many recordings belong together.
    pub workers: u32,
    /// Unix time at the runtime's epoch, in nanoseconds: for people, replay does not need it.
    pub epoch_unix_nanos: u64,
    /// The seed of the set of pools.
    pub seed: u64,
    /// The program that recorded, and its version.
    pub program: String,
}

impl Header {
    /// The bytes at the beginning of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, VERSION);
        put(&mut body, u64::from(self.worker));
        put(&mut body, u64::from(self.workers));
        put(&mut body, self.epoch_unix_nanos);
        put(&mut body, self.seed);
        put_text(&mut body, &self.program);
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&seal(&body, 0, 0));
        out
    }
}

/// One chunk, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Where in the file it begins.
    pub at: usize,
    /// How many entries it holds.
    pub entries: u32,
    /// Of everything that the pools answered and ordered, to the end of this chunk.
    pub digest: u64,
    /// The entries.
    pub payload: &'a [u8],
}

/// Puts a chunk around entries.
#[must_use]
pub fn seal(payload: &[u8], entries: u32, digest: u64) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(CHUNK_HEAD + payload.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&digest.to_le_bytes());
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(payload);
    out
}

/// Why a file cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// It does not begin as a recording does.
    NotARecording,
    /// It was written by another version.
    Version(u64),
    /// It ends in the middle: the writer was cut off here.
    Truncated {
        /// Where the cut piece begins.
        at: usize,
    },
    /// Bytes were changed after they had been written.
    Damaged {
        /// Where the damaged piece begins.
        at: usize,
    },
    /// The header is whole and makes no sense.
    Header(Malformed),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => f.write_str("this is no recording"),
            Self::Version(version) => {
                write!(f, "recorded in format {version}; this program reads format {VERSION}")
            }
            Self::Truncated { at } => write!(f, "the recording was cut off: nothing whole after byte {at}"),
            Self::Damaged { at } => write!(f, "the recording is damaged: wrong checksum at byte {at}"),
            Self::Header(malformed) => write!(f, "unreadable header: {malformed}"),
        }
    }
}

impl core::error::Error for LogError {}

/// Reads a file that is in memory.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    header: Header,
}

impl<'a> Reader<'a> {
    /// Begins with the header.
    ///
    /// # Errors
    /// If it is not whole, not of this version, or not a recording's.
    pub fn new(file: &'a [u8]) -> Result<Self, LogError> {
        let begin = file.get(..MAGIC.len()).unwrap_or(file);
        if !MAGIC.starts_with(begin) {
            return Err(LogError::NotARecording);
        }
        let cut = LogError::Truncated { at: 0 };
        if file.len() < MAGIC.len() {
            return Err(cut);
        }
        let at = |error| match error {
            LogError::Damaged { .. } => LogError::Damaged { at: 0 },
            _ => cut,
        };
        let (chunk, end) = read_chunk(file, MAGIC.len()).map_err(at)?;
        Ok(Self { file, at: end, header: read_header(chunk.payload)? })
    }

    /// What the recording says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next chunk; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LogError::Truncated`] or [`LogError::Damaged`]; nothing can be read after either.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk<'a>>, LogError> {
        let at = self.at;
        if at >= self.file.len() {
            return Ok(None);
        }
        let (chunk, end) = read_chunk(self.file, at)?;
        self.at = end;
        Ok(Some(chunk))
    }
}

/// The chunk that begins at `at`, and where it ends.
fn read_chunk(file: &[u8], at: usize) -> Result<(Chunk<'_>, usize), LogError> {
    let mut rest = Rest { file, at };
    let (cut, damaged) = (LogError::Truncated { at }, LogError::Damaged { at });
    let head: [u8; 16] = rest.array().ok_or(cut)?;
    let crc_of_head = u32::from_le_bytes(rest.array().ok_or(cut)?);
    let crc_of_payload = u32::from_le_bytes(rest.array().ok_or(cut)?);
    if crc32fast::hash(&head) != crc_of_head {
        return Err(damaged);
    }
    let mut fields = Rest { file: &head, at: 0 };
    let length = u32::from_le_bytes(fields.array().ok_or(damaged)?);
    let entries = u32::from_le_bytes(fields.array().ok_or(damaged)?);
    let digest = u64::from_le_bytes(fields.array().ok_or(damaged)?);
    let payload = usize::try_from(length).ok().and_then(|length| rest.slice(length)).ok_or(cut)?;
    if crc32fast::hash(payload) != crc_of_payload {
        return Err(damaged);
    }
    Ok((Chunk { at, entries, digest, payload }, rest.at))
}

fn read_header(body: &[u8]) -> Result<Header, LogError> {
    let mut bytes = Bytes::new(body);
    let version = bytes.number("version").map_err(LogError::Header)?;
    if version != VERSION {
        return Err(LogError::Version(version));
    }
    let mut read = || -> Result<Header, Malformed> {
        Ok(Header {
            worker: bytes.small("worker")?,
            workers: bytes.small("number of workers")?,
            epoch_unix_nanos: bytes.number("epoch")?,
            seed: bytes.number("seed")?,
            program: bytes.text("program")?.to_owned(),
        })
    };
    read().map_err(LogError::Header)
}

struct Rest<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let slice = self.file.get(self.at..end)?;
        self.at = end;
        Some(slice)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests;
