//! A connection that speaks another protocol now (RFC 9110 7.8, 9.3.6).

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::Body as HttpBody;

use super::attempt::Attempt;
use super::error::BodyError;
use super::held::Held;
use crate::report::{ClosedBy, StreamEnd};
use crate::runtime::{Connect, Io, Runtime};
use crate::wire::h1::Input;

/// The byte stream after a 101 or a successful CONNECT. Dropping it closes the connection and tells
/// the pool that its exchange has ended; it is never used for HTTP again.
pub struct Upgraded<R: Runtime, C: Connect> {
    held: Held<R, C>,
    /// Read together with the head of the response.
    early: Bytes,
}

impl<R: Runtime, C: Connect> Upgraded<R, C> {
    pub(crate) fn new<B>(attempt: Attempt<R, C, B>) -> Self
    where
        B: HttpBody + Unpin,
        B::Error: Into<BodyError>,
    {
        let (mut held, ahead) = attempt.into_tunnel();
        let rest = held.conn().map(|conn| conn.wire.take_rest(&mut Input::nothing())).unwrap_or_default();
        let early = match ahead {
            first if rest.is_empty() => first,
            first if first.is_empty() => rest,
            first => [first, rest].concat().into(),
        };
        Self { held, early }
    }

    /// The stream, unless the pool wants it closed (abort, drain deadline).
    fn io(&mut self, cx: &Context<'_>) -> io::Result<&mut C::Io> {
        if let Some(conn) = self.held.conn() {
            conn.leash.register(cx.waker());
            if conn.leash.is_ordered_to_close() {
                self.held.fail(Some(StreamEnd::LocalReset), None, ClosedBy::Local);
            }
        }
        match self.held.conn() {
            Some(conn) => Ok(&mut conn.io),
            None => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

impl<R: Runtime, C: Connect> Io for Upgraded<R, C> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let n = self.early.len().min(into.len());
            self.early.copy_to_slice(into.get_mut(..n).unwrap_or_default());
            return Poll::Ready(Ok(n));
        }
        self.io(cx)?.poll_read(cx, into)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.io(cx)?.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io(cx)?.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io(cx)?.poll_shutdown(cx)
    }
}

impl<R: Runtime, C: Connect> Drop for Upgraded<R, C> {
    fn drop(&mut self) {
        self.held.finish(StreamEnd::Final);
    }
}
