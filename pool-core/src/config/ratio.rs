//! Small exact numbers: a ratio in thousandths and a jitter in percent.

use core::fmt;

/// A ratio in thousandths. Envoy computes preconnect ratios in 32-bit floats; integers make the same
/// decision on every machine and in every replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(u32);

impl Ratio {
    /// Nothing: what `predictive_preconnect_ratio` is when predictive preconnect is off.
    pub const OFF: Self = Self(0);
    /// 1.0: as many as needed, no spares.
    pub const ONE: Self = Self(1000);

    /// `thousandths` / 1000; 1.5 is `from_thousandths(1500)`.
    #[must_use]
    pub const fn from_thousandths(thousandths: u32) -> Self {
        Self(thousandths)
    }

    /// The nearest thousandth; `None` for what is negative, not a number, or too large.
    #[must_use]
    pub fn nearest(ratio: f64) -> Option<Self> {
        let thousandths = (ratio * 1000.0).round();
        (0.0..=f64::from(u32::MAX)).contains(&thousandths).then_some(Self(thousandths as u32))
    }

    /// The ratio in thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// By how much a configured length may be shortened, in percent of it (0 to 100).
///
/// Jitter only ever shortens, so that a configured maximum stays a maximum. What a connection draws
/// depends on the pool's seed and the connection's serial number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Jitter(u8);

impl Jitter {
    /// Exactly the configured length.
    pub const NONE: Self = Self(0);

    /// Up to `percent` shorter; checked to be at most 100 when the configuration is built.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self(percent)
    }

    /// The jitter in percent.
    #[must_use]
    pub const fn as_percent(self) -> u8 {
        self.0
    }

    /// `length` less a share of it, `draw` saying how much: 0 nothing, `u32::MAX` (almost) all of
    /// the jitter.
    #[must_use]
    pub const fn shorten(self, length: u64, draw: u32) -> u64 {
        if self.0 == 0 {
            return length;
        }
        let cut = (length as u128 * self.0 as u128 * draw as u128) / (100 << 32);
        length.saturating_sub(cut as u64)
    }
}

/// One well mixed word from a seed, by one step of `SplitMix64`: what every jitter is drawn with.
pub(crate) fn split_mix(seed: u64) -> u64 {
    let mut word = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_round_to_thousandths_and_refuse_nonsense() {
        assert_eq!(Ratio::nearest(1.05), Some(Ratio::from_thousandths(1050)));
        assert_eq!(Ratio::nearest(0.0), Some(Ratio::OFF));
        assert_eq!(Ratio::nearest(-0.1), None);
        assert_eq!(Ratio::nearest(f64::NAN), None);
        assert_eq!(Ratio::nearest(f64::INFINITY), None);
        assert_eq!(Ratio::from_thousandths(2100).to_string(), "2.100");
    }

    #[test]
    fn jitter_shortens_within_its_share() {
        let jitter = Jitter::percent(20);
        assert_eq!(jitter.shorten(1000, 0), 1000);
        assert_eq!(jitter.shorten(1000, 1 << 31), 900);
        assert_eq!(jitter.shorten(1000, u32::MAX), 801);
        assert_eq!(Jitter::NONE.shorten(1000, u32::MAX), 1000);
        assert_eq!(Jitter::percent(100).shorten(u64::MAX, 0), u64::MAX);
    }
}
