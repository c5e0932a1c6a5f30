//! The task that takes connections in.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Task;
use super::connection::Connection;
use super::counters::count;
use super::house::{House, Phase};
use super::service::HttpService;
use super::timer::Timer;
use crate::runtime::{Accept, Runtime};
use crate::time::Instant;

/// Connections taken in one poll at most.
const AT_ONCE: usize = 32;
/// The first pause after an error of the listener; the next ones double.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Acceptor<R: Runtime, L: Accept, S: HttpService<L::Io>> {
    // First, so that the port is free before a shutdown is told that it is.
    listener: L,
    runtime: R,
    service: S,
    /// A function and no bound: a bound on `R` would ask whether this future is one, in a circle.
    spawn: fn(&R, Task<R, L, S>),
    pause: Pause,
    timer: Timer<R>,
    door: Door,
}

/// Tells the house when the acceptor is gone.
struct Door(Arc<House>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.acceptor_is_gone();
    }
}

/// Whether the listener is left alone for a while.
#[derive(Clone, Copy)]
enum Pause {
    /// It is not; after an error it will be for this long.
    No(Duration),
    /// Until then; after another error for this long.
    Until(Instant, Duration),
}

impl<R: Runtime, L: Accept, S: HttpService<L::Io>> Acceptor<R, L, S> {
    pub(super) fn new(
        house: Arc<House>,
        runtime: R,
        listener: L,
        service: S,
        spawn: fn(&R, Task<R, L, S>),
    ) -> Self {
        let (pause, timer) = (Pause::No(FIRST_PAUSE), Timer::new());
        Self { listener, runtime, service, spawn, pause, timer, door: Door(house) }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..AT_ONCE {
            // In this order: who registers first is woken by whatever changes after the look.
            let has_room = self.door.0.has_room(cx.waker());
            if self.door.0.phase() != Phase::Open {
                return Poll::Ready(());
            }
            if let Pause::Until(until, next) = self.pause {
                if self.timer.poll_until(cx, &self.runtime, Some(until), None).is_pending() {
                    return Poll::Pending;
                }
                self.pause = Pause::No(next);
            }
            if !has_room {
                return Poll::Pending;
            }
            match self.listener.poll_accept(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok((io, peer))) => {
                    self.pause = Pause::No(FIRST_PAUSE);
                    let house = &self.door.0;
                    count(&house.counters.accepted);
                    let connection =
                        Connection::new(self.runtime.clone(), io, peer, self.service.clone(), house.enter());
                    (self.spawn)(&self.runtime, Task::serve(connection));
                }
                Poll::Ready(Err(error)) => {
                    count(&self.door.0.counters.accept_errors);
                    if !concerns_one_connection(&error) {
                        self.hold_back(&error);
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// No descriptors, no memory: trying again at once would only burn the processor.
    fn hold_back(&mut self, error: &io::Error) {
        let pause = match self.pause {
            Pause::No(pause) | Pause::Until(_, pause) => pause,
        };
        tracing::warn!(%error, ?pause, "cannot accept connections");
        self.pause = Pause::Until(self.runtime.now() + pause, (pause * 2).min(LONGEST_PAUSE));
    }
}

/// Whether the error says that one connection was gone before it was taken.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
