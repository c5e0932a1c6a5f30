//! What a worker counts of each host of a cluster; the rest the pools know.

use super::cell::Counter;

/// Results of requests at one host, one worker (Envoy: `HostStats`).
#[derive(Debug, Default)]
pub struct HostCells {
    /// Responses other than 5xx.
    pub rq_success: Counter,
    /// 5xx, and requests that ended without a response for another reason than that no connection could
    /// be made: those the pools count.
    pub rq_error: Counter,
    /// Requests that ran into a timeout of the route.
    pub rq_timeout: Counter,
}

/// Results of requests at one host, all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostResults {
    /// As [`HostCells::rq_success`].
    pub rq_success: u64,
    /// As [`HostCells::rq_error`].
    pub rq_error: u64,
    /// As [`HostCells::rq_timeout`].
    pub rq_timeout: u64,
}

impl HostResults {
    pub(super) fn absorb(&mut self, cells: &HostCells) {
        self.rq_success += cells.rq_success.get();
        self.rq_error += cells.rq_error.get();
        self.rq_timeout += cells.rq_timeout.get();
    }
}
