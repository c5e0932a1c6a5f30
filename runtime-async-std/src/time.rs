//! Clock, sleep and spawn.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Timer;
use pool_core::runtime::{Runtime, Spawn};
use pool_core::time::Instant;

/// A background task, as spawners get it.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// `async-io`'s timers with an executor of choice. Clones share an epoch.
#[derive(Clone, Copy, Debug)]
pub struct AsyncIo<S> {
    epoch: std::time::Instant,
    spawner: S,
}

/// async-std's executor.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl<S> AsyncIo<S> {
    /// A clock that starts now; `spawner` is [`AsyncStd`] or a function that runs a [`Task`].
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "an adapter is where a clock is read")]
    pub fn new(spawner: S) -> Self {
        Self { epoch: std::time::Instant::now(), spawner }
    }
}

impl<S: Clone + 'static> Runtime for AsyncIo<S> {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    fn sleep(&self, at: Instant) -> Sleep {
        Sleep(Timer::at(self.epoch + Duration::from_nanos(at.as_nanos())))
    }
}

/// A wait for an instant.
#[derive(Debug)]
pub struct Sleep(Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

impl<F> Spawn<F> for AsyncIo<AsyncStd>
where
    F: Future<Output = ()> + Send + 'static,
{
    fn spawn(&self, future: F) {
        drop(async_std::task::spawn(future));
    }
}

impl<F, S> Spawn<F> for AsyncIo<S>
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(Task),
{
    fn spawn(&self, future: F) {
        (self.spawner)(Box::pin(future));
    }
}
