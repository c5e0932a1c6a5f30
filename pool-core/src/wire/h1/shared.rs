//! One allocation for a head and the content that came with it.

use bytes::Bytes;

/// Bytes that live within their reference-counted block: `Bytes` of a `Vec` would take a second
/// allocation as soon as it is sliced.
struct Inline<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> AsRef<[u8]> for Inline<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn inline<const N: usize>(from: &[u8]) -> Bytes {
    let mut bytes = [0; N];
    bytes[..from.len()].copy_from_slice(from);
    Bytes::from_owner(Inline { len: from.len(), bytes })
}

/// A copy of `from` that can be sliced without further allocation; one allocation up to 4 KiB,
/// two above.
pub(super) fn copy(from: &[u8]) -> Bytes {
    match from.len() {
        0 => Bytes::new(),
        1..=256 => inline::<256>(from),
        257..=512 => inline::<512>(from),
        513..=1024 => inline::<1024>(from),
        1025..=2048 => inline::<2048>(from),
        2049..=4096 => inline::<4096>(from),
        _ => Bytes::copy_from_slice(from),
    }
}
