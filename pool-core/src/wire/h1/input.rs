//! What the driver read: a cursor over its scratch buffer.

use bytes::Bytes;

/// Makes a copy that outlives the input: the whole slice, in a buffer of the driver's choice.
pub type Copier = fn(&[u8]) -> Bytes;

/// Bytes that were read, or the end of them; a connection takes from the front.
///
/// The bytes belong to the driver's scratch buffer, which serves many connections: whatever a
/// connection still needs after `poll_event` returned `None` it has copied.
#[derive(Debug)]
pub struct Input<'a> {
    bytes: &'a [u8],
    eof: bool,
    copier: Copier,
}

/// Without a word of the driver, every copy is an allocation of its own.
const PLAIN: Copier = Bytes::copy_from_slice;

impl<'a> Input<'a> {
    /// Bytes that were read.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, eof: false, copier: PLAIN }
    }

    /// The peer has finished sending (FIN).
    #[must_use]
    pub const fn eof() -> Input<'static> {
        Input { bytes: &[], eof: true, copier: PLAIN }
    }

    /// Nothing was read: asks a connection for events that need no further bytes.
    #[must_use]
    pub const fn nothing() -> Input<'static> {
        Input { bytes: &[], eof: false, copier: PLAIN }
    }

    /// The last bytes, with the peer's FIN behind them.
    #[must_use]
    pub const fn last(bytes: &'a [u8]) -> Self {
        Self { bytes, eof: true, copier: PLAIN }
    }

    /// Content is to be copied by `copier`, which may know better buffers than fresh ones.
    #[must_use]
    pub const fn copied_by(mut self, copier: Copier) -> Self {
        self.copier = copier;
        self
    }

    /// Who copies content.
    pub(super) const fn copier(&self) -> Copier {
        self.copier
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
