//! What one exchange has moved so far.

use http::StatusCode;

use super::report::{Outcome, Report, Volume};
use crate::time::Instant;

/// Bytes and status of the exchange in progress.
#[derive(Debug, Default)]
pub(super) struct Tally {
    state: State,
    pub(super) status: Option<StatusCode>,
    pub(super) received: Volume,
    pub(super) sent: Volume,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No exchange, or it is over.
    #[default]
    Closed,
    Open,
}

impl Tally {
    /// A request's head of so many bytes was read.
    #[inline]
    pub(super) fn begin(&mut self, head: usize) {
        let received = Volume { head: head as u64, content: 0 };
        *self = Self { state: State::Open, status: None, received, sent: Volume::default() };
    }

    /// Whether an exchange is in progress.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The exchange is over; whether it was in progress.
    pub(super) fn close(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Closed) == State::Open
    }

    /// A head of so many bytes was written.
    pub(super) fn head_sent(&mut self, bytes: usize, status: Option<StatusCode>) {
        self.sent.head += bytes as u64;
        self.status = self.status.or(status);
    }

    pub(super) fn report(&self, outcome: Outcome, ended: Instant) -> Report {
        Report { outcome, status: self.status, received: self.received, sent: self.sent, ended }
    }
}
