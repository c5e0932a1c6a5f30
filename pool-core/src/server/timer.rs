//! One sleep per connection, moved only when it fires.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::runtime::Runtime;
use crate::time::Instant;

/// Waits for a deadline that moves with every request, without touching the runtime's timers for it:
/// a sleep that fires before the deadline is set anew, one that would fire behind it is replaced.
pub(crate) struct Timer<R: Runtime> {
    sleep: Option<(Instant, Pin<Box<R::Sleep>>)>,
}

impl<R: Runtime> Timer<R> {
    pub(crate) fn new() -> Self {
        Self { sleep: None }
    }

    /// Completes when `at` has come; never without one.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, runtime: &R, at: Option<Instant>) -> Poll<()> {
        let Some(at) = at else { return Poll::Pending };
        loop {
            match &mut self.sleep {
                Some((armed, sleep)) if *armed <= at => {
                    ready!(sleep.as_mut().poll(cx));
                    if runtime.now() >= at {
                        self.sleep = None;
                        return Poll::Ready(());
                    }
                    *armed = at;
                    sleep.set(runtime.sleep(at));
                }
                Some((armed, sleep)) => {
                    *armed = at;
                    sleep.set(runtime.sleep(at));
                }
                None => self.sleep = Some((at, Box::pin(runtime.sleep(at)))),
            }
        }
    }
}
