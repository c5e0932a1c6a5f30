//! A connection that speaks another protocol now (RFC 9110 7.8, 9.3.6).

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};

use super::counters::{add, count};
use super::house::{By, Phase, Place};
use super::link::Link;
use crate::runtime::Io;

/// Completes with the connection when the head of the response that switches protocols has been
/// written. Dropping it closes the connection instead.
pub struct Upgrade<I> {
    link: Arc<Link<I>>,
    serial: u64,
}

impl<I> fmt::Debug for Upgrade<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}

/// The service answered with an ordinary response, or the connection was gone before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUpgraded;

impl fmt::Display for NotUpgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was not upgraded")
    }
}

impl std::error::Error for NotUpgraded {}

impl<I> Upgrade<I> {
    /// Claims the connection; `None` if somebody has before.
    pub(crate) fn new(link: Arc<Link<I>>, serial: u64) -> Option<Self> {
        let is_first = link.claim(serial);
        is_first.then(|| Self { link, serial })
    }
}

impl<I> Drop for Upgrade<I> {
    fn drop(&mut self) {
        self.link.abandon(self.serial);
    }
}

impl<I> Future for Upgrade<I> {
    type Output = Result<Upgraded<I>, NotUpgraded>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.link.poll_tunnel(self.serial, cx).map(|upgraded| upgraded.ok_or(NotUpgraded))
    }
}

/// The byte stream after a 101 or a successful CONNECT. The server counts it as a connection until it
/// is dropped; a shutdown leaves it alone until its deadline.
pub struct Upgraded<I> {
    io: I,
    /// Read together with the head of the request.
    early: Bytes,
    place: Place,
}

impl<I> fmt::Debug for Upgraded<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

impl<I: Io> Upgraded<I> {
    pub(crate) fn new(io: I, early: Bytes, place: Place) -> Self {
        count(&place.house().counters.upgrades);
        Self { io, early, place }
    }

    /// The stream, unless the server has cut its connections.
    fn io(&mut self, cx: &Context<'_>) -> io::Result<&mut I> {
        self.place.register(cx.waker());
        match self.place.house().phase() {
            Phase::Open | Phase::Draining => Ok(&mut self.io),
            Phase::Cut => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

impl<I> Drop for Upgraded<I> {
    fn drop(&mut self) {
        count(&self.place.house().counters.upgrades_ended);
    }
}

impl<I: Io> Io for Upgraded<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let n = self.early.len().min(into.len());
            self.early.copy_to_slice(into.get_mut(..n).unwrap_or_default());
            return Poll::Ready(Ok(n));
        }
        let read = self.io(cx)?.poll_read(cx, into);
        match &read {
            Poll::Ready(Ok(0) | Err(_)) if !into.is_empty() => self.place.leaves.by = By::Client,
            Poll::Ready(Ok(n)) => add(&self.place.house().counters.rx_bytes, *n as u64),
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
        read
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = self.io(cx)?.poll_write_vectored(cx, bufs);
        match &written {
            Poll::Ready(Ok(n)) => add(&self.place.house().counters.tx_bytes, *n as u64),
            Poll::Ready(Err(_)) => self.place.leaves.by = By::Client,
            Poll::Pending => {}
        }
        written
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io(cx)?.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io(cx)?.poll_shutdown(cx)
    }
}
