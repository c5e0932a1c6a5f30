//! The instruments. Each says on its own what it cannot see.

pub mod alloc;
pub(crate) mod cpu;
pub(crate) mod heap_calls;
pub(crate) mod instructions;
pub(crate) mod memory;
pub(crate) mod noise;
pub(crate) mod syscalls;
