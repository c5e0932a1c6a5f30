//! Seeded bytes.

pub(crate) use pool_sim::engines::bytes;
