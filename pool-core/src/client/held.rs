//! A connection in a caller's hands: whatever happens to the caller, it comes back exactly once.

use std::sync::Arc;

use super::conn::Conn;
use super::shared::Shared;
use crate::exchange::Usage;
use crate::report::{ClosedBy, Report, StreamEnd};
use crate::runtime::{Connect, Runtime};
use crate::time::Instant;

/// Owns a bound connection. Dropping it anywhere ends the exchange: as if nothing had happened if
/// nothing was written, as a local reset otherwise.
pub(crate) struct Held<R: Runtime, C: Connect> {
    shared: Arc<Shared<R, C>>,
    conn: Option<Box<Conn<C::Io>>>,
    pub(crate) touched: Touched,
    /// When the exchange ended, if it did regularly.
    pub(crate) ended: Option<Instant>,
}

/// Whether bytes of the exchange may have been written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Touched {
    No,
    Yes,
}

impl<R: Runtime, C: Connect> Held<R, C> {
    pub(crate) fn new(shared: Arc<Shared<R, C>>, conn: Box<Conn<C::Io>>) -> Self {
        Self { shared, conn: Some(conn), touched: Touched::No, ended: None }
    }

    /// Moves the connection to another owner; what is left here holds nothing.
    pub(crate) fn take(&mut self) -> Self {
        Self { shared: self.shared.clone(), conn: self.conn.take(), touched: self.touched, ended: self.ended }
    }

    /// The connection; `None` once the exchange has ended.
    #[inline]
    pub(crate) fn conn(&mut self) -> Option<&mut Conn<C::Io>> {
        self.conn.as_deref_mut()
    }

    /// The exchange ended, and the protocol is at a point where the pool decides about reuse.
    pub(crate) fn finish(&mut self, end: StreamEnd) {
        if let Some(mut conn) = self.conn.take() {
            if self.touched == Touched::Yes {
                conn.usage = Usage::Reused;
            }
            let now = self.shared.runtime.now();
            self.ended = Some(now);
            self.shared.release(now, conn, end);
        }
    }

    /// The exchange or the connection broke.
    pub(crate) fn fail(&mut self, end: Option<StreamEnd>, report: Option<Report>, by: ClosedBy) {
        if let Some(conn) = self.conn.take() {
            self.shared.bury(self.shared.runtime.now(), conn, end, report, by);
        }
    }
}

impl<R: Runtime, C: Connect> Drop for Held<R, C> {
    fn drop(&mut self) {
        match self.touched {
            Touched::No => self.finish(StreamEnd::Complete),
            Touched::Yes => self.fail(Some(StreamEnd::LocalReset), None, ClosedBy::Local),
        }
    }
}
