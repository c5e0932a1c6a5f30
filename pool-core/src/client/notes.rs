//! What a recording keeps besides the steps of the pools. Without the feature `trace`, nothing.

use super::shared::Shared;
use super::state::State;
use crate::error::Verdict;
use crate::exchange::{Next, Progress};
use crate::runtime::{Connect, Runtime};
#[cfg(feature = "trace")]
use crate::trace::{Afterwards, Note};

impl<R: Runtime, C: Connect> Shared<R, C> {
    /// The head of a response came.
    #[inline]
    pub(crate) fn note_answered(&self, request: u64, status: u16) {
        #[cfg(feature = "trace")]
        self.note(|| Note::Answered { request, status });
        #[cfg(not(feature = "trace"))]
        let _ = (request, status);
    }

    /// An exchange broke on its connection.
    #[cold]
    pub(crate) fn note_broken(&self, request: u64, progress: Progress, next: &Next) {
        #[cfg(feature = "trace")]
        self.note(|| {
            let next = match next {
                Next::Requeue { .. } => Afterwards::Requeued,
                Next::RetryAt(_) => Afterwards::BackedOff,
                Next::Fail(_) => Afterwards::GaveUp,
            };
            Note::AttemptFailed { request, progress, next }
        });
        #[cfg(not(feature = "trace"))]
        let _ = (request, progress, next);
    }

    /// A request ended without a response.
    #[cold]
    pub(crate) fn note_failed(&self, request: u64, verdict: Verdict) {
        #[cfg(feature = "trace")]
        self.note(|| Note::Failed { request, verdict });
        #[cfg(not(feature = "trace"))]
        let _ = (request, verdict);
    }

    #[cfg(feature = "trace")]
    #[inline]
    fn note(&self, note: impl FnOnce() -> Note) {
        if self.options.recording.is_some() {
            let now = self.runtime.now();
            self.look(|state| state.set.note(now, note));
        }
    }

    /// Hands over what was recorded so far.
    #[cfg(feature = "trace")]
    pub(crate) fn flush_recording(&self) {
        self.look(|state| state.set.flush());
    }
}

impl<C: Connect> State<C> {
    /// A connection attempt failed.
    #[cold]
    #[cfg_attr(
        not(feature = "trace"),
        expect(clippy::needless_pass_by_ref_mut, reason = "what a recording writes down changes it")
    )]
    pub(crate) fn note_connect_failed(
        &mut self,
        now: crate::time::Instant,
        place: super::leash::Place,
        error: &std::io::Error,
    ) {
        #[cfg(feature = "trace")]
        self.set.note(now, || Note::ConnectFailed {
            pool: place.pool,
            conn: place.conn,
            words: error.to_string(),
        });
        #[cfg(not(feature = "trace"))]
        let _ = (now, place, error);
    }
}
