//! The least code that does the job: no limits, no timers, no counters.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{Key, Setup, Worker};

/// A hash table from full key to a stack of connections, under one mutex.
#[derive(Clone)]
pub(crate) struct Map(Arc<Mutex<HashMap<Key, Vec<u32>, RandomState>>>);

pub(crate) fn map(setup: &Setup) -> Vec<Map> {
    let stacks = setup.connections_of().map(|(_, key, connections)| (*key, connections.collect()));
    vec![Map(Arc::new(Mutex::new(stacks.collect()))); setup.threads]
}

impl Worker for Map {
    type Handle = u32;

    fn acquire(&mut self, key: &'static Key, _: usize) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key)?.pop()
    }

    fn release(&mut self, key: &'static Key, _: usize, handle: u32) {
        if let Some(stack) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key) {
            stack.push(handle);
        }
    }
}

/// An array of stacks under one mutex; it has no keys at all.
#[derive(Clone)]
pub(crate) struct Index(Arc<Mutex<Vec<Vec<u32>>>>);

pub(crate) fn index(setup: &Setup) -> Vec<Index> {
    let stacks = setup.connections_of().map(|(_, _, connections)| connections.collect());
    vec![Index(Arc::new(Mutex::new(stacks.collect()))); setup.threads]
}

impl Worker for Index {
    type Handle = u32;

    fn acquire(&mut self, _: &'static Key, index: usize) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index)?.pop()
    }

    fn release(&mut self, _: &'static Key, index: usize, handle: u32) {
        if let Some(stack) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            stack.push(handle);
        }
    }
}
