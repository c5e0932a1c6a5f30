//! What a recording keeps besides the steps of the pools. Without the feature `trace`, nothing.

use super::conn::Conn;
use super::shared::Shared;
use super::state::State;
use crate::error::Verdict;
use crate::exchange::{Next, Progress};
use crate::report::StreamEnd;
use crate::runtime::{Connect, Runtime};
#[cfg(feature = "trace")]
use crate::trace::{Afterwards, Note};

impl<R: Runtime, C: Connect> Shared<R, C> {
    /// The head of a response came. If its end came with it, `conn` takes the note along to where it
    /// is given back, which is now: that saves a lock and a look at the clock.
    #[inline]
    pub(crate) fn note_answered<I>(&self, request: u64, status: u16, conn: Option<&mut Conn<I>>) {
        #[cfg(feature = "trace")]
        if self.options.recording.is_some() {
            match conn {
                Some(conn) => conn.answered = Answered { request, status },
                None => self.note(|| Note::Answered { request, status }),
            }
        }
        #[cfg(not(feature = "trace"))]
        let _ = (request, status, conn);
    }

    /// What a connection that is over brought along.
    #[inline]
    pub(crate) fn note_buried(&self, now: crate::time::Instant, conn: &mut Conn<C::Io>) {
        #[cfg(feature = "trace")]
        if conn.answered.status != 0 {
            let Answered { request, status } = conn.take_answered();
            self.look(|state| state.set.note(now, || Note::Answered { request, status }));
        }
        #[cfg(not(feature = "trace"))]
        let _ = (now, conn);
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

/// A note that a connection takes along.
#[cfg(feature = "trace")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered {
    request: u64,
    /// Zero if there is nothing to note.
    status: u16,
}

/// There is none.
#[cfg(not(feature = "trace"))]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answered;

impl<I> Conn<I> {
    /// The note that it took along.
    #[inline]
    #[cfg_attr(
        not(feature = "trace"),
        expect(clippy::needless_pass_by_ref_mut, clippy::unused_self, reason = "there is none")
    )]
    pub(crate) fn take_answered(&mut self) -> Answered {
        #[cfg(feature = "trace")]
        return std::mem::take(&mut self.answered);
        #[cfg(not(feature = "trace"))]
        Answered
    }
}

impl<C: Connect> State<C> {
    /// An exchange ended on a connection that goes on; `answered` is what the connection brought along.
    #[inline]
    pub(crate) fn finish(
        &mut self,
        now: crate::time::Instant,
        place: super::leash::Place,
        end: StreamEnd,
        answered: Answered,
    ) {
        #[cfg(feature = "trace")]
        if answered.status != 0 {
            let Answered { request, status } = answered;
            return self.set.finish_answered(now, place.pool, place.conn, end, request, status);
        }
        #[cfg(not(feature = "trace"))]
        let Answered = answered;
        self.set.finish(now, place.pool, place.conn, end);
    }

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
