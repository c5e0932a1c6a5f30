//! Finds the end of a head or trailer section, byte by byte, and refuses bad lines on the way.
//!
//! This is the slow path: a section that came complete and clean in one read never gets here. It
//! remembers how far it came, so that a peer that sends single bytes costs linear work; and its
//! verdict depends on the bytes alone, not on how they were cut.

use super::{Error, Exceeded, Violation};

/// A scanner within one section.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    at: usize,
    line_start: usize,
}

impl Scan {
    /// Whether nothing has been looked at.
    pub(super) fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// Goes on over `section`, which begins where it began last time. Gives the section's length,
    /// its final empty line included, or `None` if the end has not come.
    pub(super) fn advance(
        &mut self,
        section: &[u8],
        max: usize,
        exceeded: Exceeded,
    ) -> Result<Option<usize>, Error> {
        while let Some(&byte) = section.get(self.at) {
            // The line end that must still come counts, so that the verdict does not wait for it.
            if self.at + 2 > max {
                return Err(exceeded.into());
            }
            match byte {
                b'\r' => match section.get(self.at + 1) {
                    None => return Ok(None),
                    Some(b'\n') if self.at == self.line_start => return Ok(Some(self.at + 2)),
                    Some(b'\n') => {
                        self.at += 2;
                        self.line_start = self.at;
                    }
                    Some(_) => return Err(Violation::BareCr.into()),
                },
                b'\n' => return Err(Violation::BareLf.into()),
                b' ' | b'\t' if self.at == self.line_start && self.at > 0 => {
                    return Err(Violation::Fold.into());
                }
                0..=8 | 11 | 12 | 14..=31 | 127 => return Err(Violation::ControlByte.into()),
                b'\t' | b' '..=126 | 128..=255 => self.at += 1,
            }
        }
        Ok(None)
    }
}
