//! Clusters, their pools, and the full keys that lead to them: one [`PoolSet`] per worker.
//!
//! A set owns every pool of one worker and is the one owner that sees all facts. It holds no socket
//! and no byte; the driver keeps connections in tables of its own, indexed by the ids that the
//! actions carry. Sets of different workers share nothing but the ledgers that they were given.
//!
//! An origin becomes a cluster on demand and is forgotten, counters included, when its last pool is
//! idle. A named cluster has any number of hosts ([`Hosts`]) and chooses among them ([`RoundRobin`]).

mod balance;
mod hosts;
mod key;
mod set;
#[cfg(test)]
mod tests;

pub use balance::RoundRobin;
pub use hosts::{Hosts, Identity, Standing};
pub use key::{CanonicalKey, Endpoint, Key, Protocols, Scheme, SocketOption, TlsKey, Verify};
pub use set::{ClusterId, PoolSet};
