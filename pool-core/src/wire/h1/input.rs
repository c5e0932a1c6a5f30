//! What the driver read: a cursor over its scratch buffer.

use bytes::Bytes;
use http::HeaderMap;

/// Bytes that were read, or the end of them; a connection takes from the front.
///
/// The bytes belong to the driver's scratch buffer, which serves many connections: whatever a
/// connection still needs after `poll_event` returned `None` it has copied. A driver that can spare
/// the buffer lends it as [`Bytes`] instead ([`Input::lent`]); large content is then a part of it.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a [u8],
    eof: bool,
    /// The buffer that `bytes` lie in, if parts of it may be kept.
    lent: Option<&'a Bytes>,
    /// Where the map of a head comes from.
    maps: fn() -> HeaderMap,
}

/// Content from this size on is taken out of a lent buffer; less is copied, so that a small chunk
/// never keeps a large buffer alive.
pub(super) const LENT_FROM: usize = 8192;

impl<'a> Input<'a> {
    /// Bytes that were read.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, eof: false, lent: None, maps: HeaderMap::new }
    }

    /// The peer has finished sending (FIN).
    #[must_use]
    pub const fn eof() -> Input<'static> {
        Input { bytes: &[], eof: true, lent: None, maps: HeaderMap::new }
    }

    /// Nothing was read: asks a connection for events that need no further bytes.
    #[must_use]
    pub const fn nothing() -> Input<'static> {
        Input { bytes: &[], eof: false, lent: None, maps: HeaderMap::new }
    }

    /// The last bytes, with the peer's FIN behind them.
    #[must_use]
    pub const fn last(bytes: &'a [u8]) -> Self {
        Self { bytes, eof: true, lent: None, maps: HeaderMap::new }
    }

    /// Bytes that were read into a buffer of which parts may be kept. Worth it from 8 KiB on.
    #[must_use]
    pub fn lent(buffer: &'a Bytes) -> Self {
        Self { bytes: buffer, eof: false, lent: Some(buffer), maps: HeaderMap::new }
    }

    /// Takes the map of a head from `maps`, which gives empty ones, instead of making one: a driver that
    /// keeps those of earlier heads spares the allocations.
    #[cfg(any(feature = "client", feature = "server"))]
    pub(crate) fn maps_from(self, maps: fn() -> HeaderMap) -> Self {
        Self { maps, ..self }
    }

    /// Where the map of a head comes from.
    pub(super) const fn maps(&self) -> fn() -> HeaderMap {
        self.maps
    }

    /// The buffer that the bytes lie in, if parts of it may be kept.
    pub(super) const fn lender(&self) -> Option<&'a Bytes> {
        self.lent
    }

    /// Bytes not taken yet.
    #[must_use]
    pub const fn remaining(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether no bytes are left (the end of input may still be to come).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the peer has finished sending and no bytes are left.
    #[must_use]
    pub const fn is_eof(&self) -> bool {
        self.eof && self.bytes.is_empty()
    }

    /// Whether the peer's FIN follows these bytes.
    pub(super) const fn ends(&self) -> bool {
        self.eof
    }

    /// Takes up to `n` bytes from the front.
    pub(super) fn take(&mut self, n: usize) -> &'a [u8] {
        let (front, rest) = self.bytes.split_at(n.min(self.bytes.len()));
        self.bytes = rest;
        front
    }
}
