//! `pingora-pool`, bare: without the watcher task that pingora-core starts at every release.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use pingora_pool::{ConnectionMeta, ConnectionPool};

use super::{Key, Setup, Worker};

/// pingora keys are 64-bit hashes, and equality of the hash is all it checks. The hasher is at least
/// as fast as the one in pingora-core.
#[derive(Clone)]
pub(crate) struct Pingora {
    pool: Arc<ConnectionPool<u32>>,
    hasher: RandomState,
}

pub(crate) fn workers(setup: &Setup) -> Vec<Pingora> {
    let pingora = Pingora {
        pool: Arc::new(ConnectionPool::new(setup.connections() + 1)),
        hasher: RandomState::default(),
    };
    let mut worker = pingora.clone();
    for (index, key, connections) in setup.connections_of() {
        connections.for_each(|connection| worker.release(key, index, connection));
    }
    vec![pingora; setup.threads]
}

impl Worker for Pingora {
    type Handle = u32;

    fn acquire(&mut self, key: &'static Key, _: usize) -> Option<u32> {
        self.pool.get(&self.hasher.hash_one(key))
    }

    fn release(&mut self, key: &'static Key, _: usize, handle: u32) {
        // A connection's number stands for its file descriptor, which fits an i32.
        let meta = ConnectionMeta::new(self.hasher.hash_one(key), handle as i32);
        drop(self.pool.put(&meta, handle));
    }
}
