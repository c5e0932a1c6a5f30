//! hyper-util's composable pools: a `map` of `cache`s. (The pool of its legacy client is private and
//! only measured as part of that client.)

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use hyper_util::client::pool::{cache, map};
use tower_service::Service;

use super::{Key, Setup, Worker};

/// Acquires by a closure, because the types of both pools cannot be named.
pub(crate) enum HyperUtil<A> {
    /// One thread: the map is its own.
    Own(A),
    /// The map needs `&mut`, so threads share it behind a mutex.
    Shared(Arc<Mutex<A>>),
}

pub(crate) fn workers(setup: &Setup) -> Vec<impl Worker> {
    // `keys` hands out the request's key by reference: hashed and compared in full, not copied.
    let mut map = map::Map::builder::<&'static Key>()
        .keys(|key: &&'static Key| *key)
        .values(|_: &&'static Key| cache::builder().build(Connect))
        .build();
    let mut acquire = move |key: &'static Key| {
        let cache = map.service(&key);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(())) = Service::<()>::poll_ready(cache, &mut context) else { return None };
        let cached = std::pin::pin!(cache.call(()));
        match cached.poll(&mut context) {
            Poll::Ready(Ok(connection)) => Some(connection),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    };
    for (_, key, connections) in setup.connections_of() {
        // All at once, so that each is a connection of its own; dropped, they go to the cache.
        drop(connections.map(|_| acquire(key)).collect::<Vec<_>>());
    }
    if setup.threads == 1 {
        return vec![HyperUtil::Own(acquire)];
    }
    let shared = Arc::new(Mutex::new(acquire));
    (0..setup.threads).map(|_| HyperUtil::Shared(Arc::clone(&shared))).collect()
}

impl<A, H> Worker for HyperUtil<A>
where
    A: FnMut(&'static Key) -> Option<H> + Send,
    H: Send,
{
    type Handle = H;

    fn acquire(&mut self, key: &'static Key, _: usize) -> Option<H> {
        match self {
            Self::Own(acquire) => acquire(key),
            Self::Shared(acquire) => (acquire.lock().unwrap_or_else(PoisonError::into_inner))(key),
        }
    }

    fn release(&mut self, _: &'static Key, _: usize, handle: H) {
        drop(handle);
    }
}

/// A connect that succeeds at once.
struct Connect;

impl Service<()> for Connect {
    type Response = u32;
    type Error = Infallible;
    type Future = Ready<Result<u32, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(0))
    }
}
