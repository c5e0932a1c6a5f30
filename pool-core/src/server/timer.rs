//! One sleep per connection, moved only when it fires.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use crate::runtime::Runtime;
use crate::time::Instant;

/// Waits for a deadline that moves with every request, without touching the runtime's timers for it:
/// a sleep that fires before the deadline is set anew, one that would fire behind it is replaced.
pub(crate) struct Timer<R: Runtime> {
    sleep: Option<Armed<R>>,
}

struct Armed<R: Runtime> {
    at: Instant,
    sleep: Pin<Box<R::Sleep>>,
    /// Whom the sleep will wake.
    waker: Option<Waker>,
}

impl<R: Runtime> Timer<R> {
    pub(crate) fn new() -> Self {
        Self { sleep: None }
    }

    /// Completes when `at` has come; never without one. `now` is the time if somebody has just looked:
    /// then a sleep that cannot have fired and knows whom to wake need not be asked.
    pub(crate) fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        runtime: &R,
        at: Option<Instant>,
        now: Option<Instant>,
    ) -> Poll<()> {
        let Some(at) = at else { return Poll::Pending };
        loop {
            match &mut self.sleep {
                Some(armed) if armed.at <= at => {
                    let knows = armed.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
                    if knows && now.is_some_and(|now| now < armed.at) {
                        return Poll::Pending;
                    }
                    if !knows {
                        armed.waker = Some(cx.waker().clone());
                    }
                    ready!(armed.sleep.as_mut().poll(cx));
                    if runtime.now() >= at {
                        self.sleep = None;
                        return Poll::Ready(());
                    }
                    armed.set(runtime, at);
                }
                Some(armed) => armed.set(runtime, at),
                None => {
                    self.sleep = Some(Armed { at, sleep: Box::pin(runtime.sleep(at)), waker: None });
                }
            }
        }
    }
}

impl<R: Runtime> Armed<R> {
    fn set(&mut self, runtime: &R, at: Instant) {
        self.at = at;
        self.waker = None;
        self.sleep.set(runtime.sleep(at));
    }
}
