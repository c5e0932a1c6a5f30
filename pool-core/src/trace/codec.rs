//! Numbers as bytes: LEB128, the same on every machine.

use core::fmt;

/// Where bytes go.
pub(super) trait Sink {
    /// Appends one.
    fn push(&mut self, byte: u8);
}

impl Sink for Vec<u8> {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// Room for an entry of bounded length, on the stack: a vector would look at its capacity, and store
/// its length, for every byte.
pub(super) struct Short {
    bytes: [u8; Self::ROOM],
    length: usize,
}

impl Short {
    /// More than the longest that is written by way of it: 45 bytes, of two entries.
    const ROOM: usize = 64;

    #[inline]
    pub(super) const fn new() -> Self {
        Self { bytes: [0; Self::ROOM], length: 0 }
    }

    /// Appends them. The room is copied whole, which a few moves of registers do, and what is not used
    /// of it is cut off again.
    #[inline]
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        let length = out.len() + self.length;
        out.extend_from_slice(&self.bytes);
        out.truncate(length);
    }
}

impl Sink for Short {
    #[inline]
    fn push(&mut self, byte: u8) {
        // The remainder is a mask; it stands for the proof that the index is within bounds.
        self.bytes[self.length % Self::ROOM] = byte;
        self.length += 1;
    }
}

/// Appends a number: seven bits a byte, lowest first, the top bit says that more follows.
#[inline]
pub(super) fn put(out: &mut impl Sink, mut number: u64) {
    while number >= 0x80 {
        out.push((number as u8) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends text after its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number or that there is none.
pub(super) fn put_option(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        None => out.push(0),
        Some(number) => {
            out.push(1);
            put(out, number);
        }
    }
}

/// Bytes that are not what a recording of this version holds. Only a writer with a fault of its own
/// makes them: what the medium did to a chunk shows in its checksum first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
    /// Where in the chunk.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} at byte {} of the chunk", self.what, self.at)
    }
}

impl core::error::Error for Malformed {}

/// Reads what the functions above wrote.
#[derive(Clone, Debug)]
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(super) const fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.all.len()
    }

    pub(super) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, Malformed> {
        let byte = self.all.get(self.at).copied().ok_or_else(|| self.malformed(what))?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.malformed(what))
    }

    pub(super) fn small(&mut self, what: &'static str) -> Result<u32, Malformed> {
        u32::try_from(self.number(what)?).map_err(|_| self.malformed(what))
    }

    pub(super) fn option(&mut self, what: &'static str) -> Result<Option<u64>, Malformed> {
        match self.byte(what)? {
            0 => Ok(None),
            1 => self.number(what).map(Some),
            _ => Err(self.malformed(what)),
        }
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a str, Malformed> {
        let length = usize::try_from(self.number(what)?).map_err(|_| self.malformed(what))?;
        let end = self.at.checked_add(length).ok_or_else(|| self.malformed(what))?;
        let bytes = self.all.get(self.at..end).ok_or_else(|| self.malformed(what))?;
        let text = core::str::from_utf8(bytes).map_err(|_| self.malformed(what))?;
        self.at = end;
        Ok(text)
    }

    /// One of a list that was written by its rank.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T], what: &'static str) -> Result<T, Malformed> {
        let rank = usize::from(self.byte(what)?);
        of.get(rank).copied().ok_or_else(|| self.malformed(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        let mut out = Vec::new();
        for number in numbers {
            put(&mut out, number);
            put_option(&mut out, Some(number));
        }
        put_option(&mut out, None);
        put_text(&mut out, "ä b");
        let mut bytes = Bytes::new(&out);
        for number in numbers {
            assert_eq!(bytes.number("number"), Ok(number));
            assert_eq!(bytes.option("number"), Ok(Some(number)));
        }
        assert_eq!(bytes.option("number"), Ok(None));
        assert_eq!(bytes.text("text"), Ok("ä b"));
        assert!(bytes.is_at_end());
        assert_eq!(bytes.byte("byte"), Err(Malformed { what: "byte", at: out.len() }));
    }

    #[test]
    fn what_no_writer_writes_is_refused() {
        let too_long = [0x80; 10];
        assert!(Bytes::new(&too_long).number("number").is_err());
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert!(Bytes::new(&too_large).number("number").is_err());
        assert!(Bytes::new(&[2]).option("option").is_err());
        assert!(Bytes::new(&[4, b'a']).text("text").is_err());
        assert!(Bytes::new(&[1, 0xff]).text("text").is_err());
        assert!(Bytes::new(&[2]).pick(&[0, 1], "choice").is_err());
    }
}
