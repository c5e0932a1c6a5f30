//! `deadpool::unmanaged`: one pool per index. It has no keys, so it is spared hashing and comparing.

use deadpool::unmanaged::{Object, Pool};

use super::{Key, Setup, Worker};

#[derive(Clone)]
pub(crate) struct Deadpool(Vec<Pool<u32>>);

pub(crate) fn workers(setup: &Setup) -> Vec<Deadpool> {
    let pools = setup.connections_of().map(|(_, _, connections)| Pool::from(connections.collect::<Vec<_>>()));
    vec![Deadpool(pools.collect()); setup.threads]
}

impl Worker for Deadpool {
    type Handle = Object<u32>;

    fn acquire(&mut self, _: &'static Key, index: usize) -> Option<Object<u32>> {
        self.0[index].try_get().ok()
    }

    fn release(&mut self, _: &'static Key, _: usize, handle: Object<u32>) {
        drop(handle);
    }
}
