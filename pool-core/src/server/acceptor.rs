//! The task that takes connections in.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Task;
use super::connection::Connection;
use super::counters::count;
use super::house::{House, LAST_LOOK, Phase};
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

/// Connections taken at most once the server drains: more than a queue holds (Linux: 4096).
const LAST: u32 = 8192;

pub(super) struct Acceptor<R: Runtime, L: Accept, S: HttpService<L::Io>> {
    // First, so that the port is free before a shutdown is told that it is.
    listener: L,
    runtime: R,
    service: S,
    /// A function and no bound: a bound on `R` would ask whether this future is one, in a circle.
    spawn: fn(&R, Task<R, L, S>),
    pause: Pause,
    last_call: Option<LastCall>,
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

/// The server drains, and what is in the accept queue is still taken: those clients think themselves
/// connected, and closing the listener would reset them.
#[derive(Clone, Copy)]
struct LastCall {
    /// The listener may not have been told of the queue before this.
    until: Instant,
    /// Connections that are still taken.
    left: u32,
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
        Self { listener, runtime, service, spawn, pause, last_call: None, timer, door: Door(house) }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..AT_ONCE {
            // In this order: who registers first is woken by whatever changes after the look.
            let has_room = self.door.0.has_room(cx.waker());
            match self.door.0.phase() {
                Phase::Open => {}
                Phase::Draining => match self.take_last(cx, has_room) {
                    Some(poll) => return poll,
                    None => continue,
                },
                Phase::Cut => return Poll::Ready(()),
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
                    self.take(io, peer);
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

    fn take(&self, io: L::Io, peer: SocketAddr) {
        let house = &self.door.0;
        count(&house.counters.accepted);
        let connection = Connection::new(self.runtime.clone(), io, peer, self.service.clone(), house.enter());
        (self.spawn)(&self.runtime, Task::serve(connection));
    }

    /// Takes one of the connections that were let in before the server drained; `None` if there may be
    /// another one.
    fn take_last(&mut self, cx: &mut Context<'_>, has_room: bool) -> Option<Poll<()>> {
        let last = match self.last_call {
            Some(last) => last,
            None => LastCall { until: self.runtime.now() + LAST_LOOK, left: LAST },
        };
        self.last_call = Some(last);
        // Before the queue is looked at: what comes until then is found by that look.
        let is_over = self.timer.poll_until(cx, &self.runtime, Some(last.until), None).is_ready();
        let empty = if is_over { Poll::Ready(()) } else { Poll::Pending };
        if last.left == 0 {
            return Some(Poll::Ready(()));
        }
        if !has_room {
            return Some(empty);
        }
        match self.listener.poll_accept(cx) {
            Poll::Pending => return Some(empty),
            Poll::Ready(Ok((io, peer))) => self.take(io, peer),
            Poll::Ready(Err(error)) => {
                count(&self.door.0.counters.accept_errors);
                if !concerns_one_connection(&error) {
                    tracing::warn!(%error, "cannot accept the last connections");
                    return Some(Poll::Ready(()));
                }
            }
        }
        self.last_call = Some(LastCall { left: last.left - 1, ..last });
        None
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
