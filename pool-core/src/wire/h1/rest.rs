//! The bytes a connection keeps between two reads, and the view of kept and new bytes as one.

use bytes::Bytes;

use super::Input;
use super::input::LENT_FROM;

/// What was read and could not be used yet. Holds no memory while empty.
#[derive(Debug, Default)]
pub(super) struct Rest {
    buffer: Vec<u8>,
    /// How much of `buffer` has been used.
    at: usize,
    /// Whether the peer's FIN came behind these bytes.
    eof: bool,
}

/// Kept bytes, if there are any, otherwise the input: one front to parse from.
#[derive(Debug)]
pub(super) struct Source<'s, 'i> {
    rest: &'s mut Rest,
    input: &'s mut Input<'i>,
}

impl Rest {
    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.at
    }

    /// Whether no bytes are kept.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether the peer's FIN has been seen.
    pub(super) fn ends(&self) -> bool {
        self.eof
    }

    /// Keeps up to `n` bytes of `input`, and its end if all of it was taken.
    pub(super) fn keep(&mut self, input: &mut Input<'_>, n: usize) {
        let bytes = input.take(n);
        if !bytes.is_empty() {
            if self.at > 0 {
                self.buffer.drain(..self.at);
                self.at = 0;
            }
            self.buffer.extend_from_slice(bytes);
        }
        if input.is_empty() {
            self.eof |= input.ends();
        }
    }

    /// Everything kept and everything in `input`, for whoever takes the connection over.
    pub(super) fn take_all(&mut self, input: &mut Input<'_>) -> Bytes {
        if self.is_empty() {
            self.eof |= input.ends();
            return Bytes::copy_from_slice(input.take(usize::MAX));
        }
        self.keep(input, usize::MAX);
        let mut buffer = core::mem::take(&mut self.buffer);
        buffer.drain(..core::mem::take(&mut self.at));
        Bytes::from(buffer)
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
        if self.at >= self.buffer.len() {
            self.buffer = Vec::new();
            self.at = 0;
        }
    }
}

impl<'s, 'i> Source<'s, 'i> {
    /// Kept bytes go first; if there are any, the input is appended to them.
    pub(super) fn new(rest: &'s mut Rest, input: &'s mut Input<'i>) -> Self {
        if !rest.is_empty() {
            rest.keep(input, usize::MAX);
        }
        Self { rest, input }
    }

    /// The bytes in front.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.rest.is_empty() { self.input.remaining() } else { &self.rest.buffer[self.rest.at..] }
    }

    /// The first `n` of them for the driver to have: a part of its own buffer, or a copy.
    pub(super) fn lasting(&self, n: usize) -> Bytes {
        let bytes = &self.bytes()[..n];
        match self.lender() {
            Some(buffer) if n >= LENT_FROM => buffer.slice_ref(bytes),
            Some(_) | None => Bytes::copy_from_slice(bytes),
        }
    }

    /// The driver's buffer, if [`bytes`](Self::bytes) lie in it and parts of it may be kept.
    pub(super) fn lender(&self) -> Option<&'i Bytes> {
        if self.rest.is_empty() { self.input.lender() } else { None }
    }

    /// The first `n` of them have been used.
    pub(super) fn consume(&mut self, n: usize) {
        if self.rest.is_empty() {
            self.input.take(n);
        } else {
            self.rest.consume(n);
        }
    }

    /// All bytes are kept until more come.
    pub(super) fn keep(&mut self) {
        self.rest.keep(self.input, usize::MAX);
    }

    /// Whether no bytes are left and none will come.
    pub(super) fn is_eof(&self) -> bool {
        self.bytes().is_empty() && self.ends()
    }

    /// Whether none will come after these bytes.
    pub(super) fn ends(&self) -> bool {
        self.rest.ends() || self.input.ends()
    }
}
