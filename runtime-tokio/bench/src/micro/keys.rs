//! Full pool keys, and the order in which they are visited.

use crate::cases::Pattern;

/// The identity of a pool as every HTTP client needs it. Borrowed, so that making a key is no part of
/// what is timed, while hashing and comparing all of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) host: &'static str,
    pub(crate) port: u16,
    pub(crate) sni: &'static str,
    pub(crate) alpn: &'static [u8],
}

/// What is offered by ALPN, in wire format.
const ALPN: &[u8] = b"\x02h2\x08http/1.1";

/// Keys whose text lies together in memory of their own.
pub(crate) struct Keys {
    text: String,
    ends: Vec<usize>,
}

impl Keys {
    pub(crate) fn new(count: usize) -> Self {
        let mut keys = Self { text: String::with_capacity(count * 40), ends: Vec::with_capacity(count) };
        for index in 0..count {
            keys.text.push_str(&format!("upstream-{index:05}.example.test"));
            keys.ends.push(keys.text.len());
        }
        keys
    }

    /// The keys, for the rest of the process: it measures one case and ends.
    pub(crate) fn leak(self) -> &'static [Key] {
        let text: &'static str = self.text.leak();
        let alpn: &'static [u8] = ALPN.to_vec().leak();
        let mut begin = 0;
        let key = |(index, end): (usize, usize)| {
            let host = &text[begin..end];
            begin = end;
            Key { host, port: 8000 + (index % 7) as u16, sni: host, alpn }
        };
        self.ends.into_iter().enumerate().map(key).collect::<Vec<_>>().leak()
    }
}

/// The order of visits to `count` things, long enough to defeat a branch predictor's memory. The same
/// seed gives the same order.
pub(crate) fn sequence(pattern: Pattern, count: usize, seed: u64) -> Vec<u32> {
    const SHORTEST: usize = 1 << 16;
    const STRIDE: usize = 7919;
    let length = (2 * count).max(SHORTEST).next_multiple_of(super::BATCH);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let visit = |step: usize| match pattern {
        Pattern::Strided => step * STRIDE % count,
        Pattern::Random | Pattern::Churn => (random.next() % count as u64) as usize,
    };
    (0..length).map(visit).map(|visit| visit as u32).collect()
}

/// Marsaglia's xorshift64: plenty for a benchmark's shuffle.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn copies_of_the_keys_are_equal_but_not_the_same_memory() {
        let (one, other) = (Keys::new(100).leak(), Keys::new(100).leak());
        assert_eq!(one, other);
        assert_eq!(one.iter().map(|key| key.host).collect::<BTreeSet<_>>().len(), 100);
        assert!(one.iter().zip(other).all(|(one, other)| !std::ptr::eq(one.host, other.host)));
    }

    #[test]
    fn every_key_is_visited() {
        for pattern in [Pattern::Strided, Pattern::Random] {
            let visited: BTreeSet<u32> = sequence(pattern, 1000, 1).into_iter().collect();
            assert_eq!(visited.len(), 1000, "{pattern:?}");
        }
        assert_eq!(sequence(Pattern::Random, 1000, 1), sequence(Pattern::Random, 1000, 1));
        assert_ne!(sequence(Pattern::Random, 1000, 1), sequence(Pattern::Random, 1000, 2));
    }
}
