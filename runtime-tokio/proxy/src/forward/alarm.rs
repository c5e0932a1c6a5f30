//! One timer per connection for all its requests.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pool_core::runtime::Runtime as _;
use pool_core::time::Instant;
use runtime_tokio::Tokio;
use tokio::time::Sleep;

/// Wakes a task at deadlines that nearly always are set later again before they are reached: every
/// request of a connection pushes its timeout on. The timer stays where it is then, and when it fires
/// early it is set anew, so that a request costs no insertion into the runtime's timers.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Armed>);

#[derive(Debug)]
struct Armed {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
    /// Who is woken.
    waker: Waker,
}

impl Alarm {
    /// Ready when `deadline` is reached; before, the task is woken then or earlier.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, clock: &Tokio, deadline: Instant) -> Poll<()> {
        if let Some(armed) = &self.0 {
            let is_quiet = !armed.sleep.is_elapsed() && armed.at <= deadline;
            if is_quiet && armed.waker.will_wake(cx.waker()) {
                return Poll::Pending;
            }
        }
        self.set(cx, clock, deadline)
    }

    #[cold]
    fn set(&mut self, cx: &mut Context<'_>, clock: &Tokio, deadline: Instant) -> Poll<()> {
        let now = clock.now();
        if now >= deadline {
            return Poll::Ready(());
        }
        let armed = self.0.get_or_insert_with(|| Armed {
            sleep: Box::pin(clock.sleep(deadline)),
            at: deadline,
            waker: cx.waker().clone(),
        });
        armed.waker.clone_from(cx.waker());
        if armed.at > deadline || armed.sleep.is_elapsed() {
            let at = tokio::time::Instant::now() + deadline.since(now);
            armed.sleep.as_mut().reset(at);
            armed.at = deadline;
        }
        match armed.sleep.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) if armed.at >= deadline => Poll::Ready(()),
            // It was over in between: the next look sets it anew.
            Poll::Ready(()) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
