//! Request ids.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::HeaderValue;

/// Makes the values of `x-request-id`: UUIDs of version 4 in form (RFC 9562 5.4), from a generator that
/// was seeded. They name requests; nothing may be kept secret by them.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: u64,
    drawn: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// A number.
    pub(crate) fn draw(&self) -> u64 {
        let number = self.drawn.load(Ordering::Relaxed);
        self.drawn.store(number.wrapping_add(1), Ordering::Relaxed);
        mix(self.seed.wrapping_add(number.wrapping_mul(GOLDEN)))
    }

    /// The next one.
    pub(crate) fn next(&self) -> HeaderValue {
        // One thread draws, so that a load and a store do; were there more, ids could come twice.
        let number = self.drawn.load(Ordering::Relaxed);
        self.drawn.store(number.wrapping_add(2), Ordering::Relaxed);
        let high = mix(self.seed.wrapping_add(number.wrapping_mul(GOLDEN)));
        let low = mix(self.seed.wrapping_add(number.wrapping_add(1).wrapping_mul(GOLDEN)));
        let text = uuid(high, low);
        let value = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&text));
        value.unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn uuid(high: u64, low: u64) -> [u8; 36] {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let mut text = [b'-'; 36];
    let mut at = 0;
    for byte in high.to_be_bytes().into_iter().chain(low.to_be_bytes()) {
        if matches!(at, 8 | 13 | 18 | 23) {
            at += 1;
        }
        text[at] = b"0123456789abcdef"[usize::from(byte >> 4)];
        text[at + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_look_like_uuids_of_version_4_and_do_not_repeat() {
        let ids = RequestIds::new(7);
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let id = ids.next();
            let id = id.to_str().expect("text").to_owned();
            assert_eq!(id.len(), 36);
            let dashes: Vec<usize> = id.match_indices('-').map(|(at, _)| at).collect();
            assert_eq!(dashes, [8, 13, 18, 23], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
            assert!(id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "{id}");
            assert!(seen.insert(id));
        }
        assert_ne!(RequestIds::new(8).next(), RequestIds::new(7).next());
    }
}
