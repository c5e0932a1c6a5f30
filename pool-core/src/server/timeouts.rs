//! How long a connection waits, for what.

use http::StatusCode;

use super::connection::{Content, Inner, Over, Stage};
use super::counters::count;
use super::house::By;
use super::pace::{Request, head_limit};
use super::service::HttpService;
use crate::runtime::{Io, Runtime};
use crate::time::Instant;

impl<R: Runtime, I: Io, S: HttpService<I>> Inner<R, I, S> {
    /// Until when it waits at most. The clock is read if something has happened since it was, and then
    /// told in `now`.
    #[inline]
    pub(super) fn deadline(&mut self, now: &mut Option<Instant>) -> Option<Instant> {
        let options = &self.place.house().options;
        let runtime = &self.runtime;
        let look = || *now.insert(runtime.now());
        let limit = match &self.stage {
            Stage::Head => match self.head_since {
                Some(since) => head_limit(options, since).map(|(at, _)| at),
                None if self.last_look.is_some() => self.last_look,
                None => options.idle_timeout.map(|limit| *self.idle_since.get_or_insert_with(look) + limit),
            },
            Stage::Waiting | Stage::Serving | Stage::Sending | Stage::Flushing => {
                let request = self.awaited();
                self.pace.deadline(request, look)
            }
            Stage::HandingOver => return None,
            Stage::Closing(closing) => return closing.deadline(),
        };
        match (limit, self.lives_until) {
            (Some(limit), Some(until)) => Some(limit.min(until)),
            (limit, until) => limit.or(until),
        }
    }

    /// Something has taken long enough.
    pub(super) fn handle_timeout(&mut self) -> Result<(), Over> {
        let now = self.runtime.now();
        let counters = &self.place.house().counters;
        match &self.stage {
            Stage::Head if self.socket.wire.is_idle() && self.last_look.is_some_and(|at| now >= at) => {
                Err(Over::Close(By::Us))
            }
            Stage::Head if self.socket.wire.is_idle() => {
                let is_old = self.lives_until.is_some_and(|until| now >= until);
                count(if is_old { &counters.max_connection_durations } else { &counters.idle_timeouts });
                Err(Over::Close(By::Us))
            }
            Stage::Head => {
                let options = &self.place.house().options;
                let limit = self.head_since.and_then(|since| head_limit(options, since));
                match limit.filter(|(at, _)| now >= *at) {
                    Some((_, reason)) => {
                        self.reject(reason, StatusCode::REQUEST_TIMEOUT);
                        self.close();
                    }
                    // Only its age: the request that is coming in is the last one.
                    None => self.outlive(),
                }
                Ok(())
            }
            Stage::Waiting | Stage::Serving | Stage::Sending | Stage::Flushing => {
                let late = self.pace.overdue(self.awaited(), now);
                match late {
                    Some(reason) => self.stop(reason, None).map(drop),
                    None => {
                        self.outlive();
                        Ok(())
                    }
                }
            }
            Stage::HandingOver => {
                self.outlive();
                Ok(())
            }
            Stage::Closing(_) => {
                count(&counters.delayed_close_timeouts);
                Err(Over::Close(By::Us))
            }
        }
    }

    /// Whether the rest of the request is waited for before a response begins.
    #[inline]
    fn awaited(&self) -> Request {
        match (self.content, &self.stage) {
            (Content::Open, Stage::Waiting | Stage::Serving) => Request::Awaited,
            _ => Request::Settled,
        }
    }

    /// The connection has reached its age: its current exchange is the last.
    fn outlive(&mut self) {
        if self.lives_until.take().is_some() {
            count(&self.place.house().counters.max_connection_durations);
        }
        self.socket.wire.close_after();
    }
}
