//! Counters, gauges and histograms under Envoy's names.
//!
//! Each worker writes cells of its own ([`WorkerStats`]), typed fields without any look-up or lock;
//! they are added up when somebody reads ([`Store`]). What the pools and the server count themselves
//! is asked of them at the same moment ([`Readings`]).

mod block;
mod cell;
mod codes;
mod core;
mod distribution;
mod fields;
mod histogram;
mod hosts;
mod memory;
mod read;
mod store;

pub use block::{Count, Described, Kind, Level};
pub use cell::{Counter, Gauge};
pub use codes::{CodeValues, Codes};
pub use distribution::Distribution;
pub use fields::{
    ClusterManagerValues, ClusterStats, ClusterValues, FilesystemValues, HttpStats, HttpValues,
    ListenerManagerValues, ListenerStats, ListenerValues, SCOPES, ServerValues,
};
pub use histogram::Histogram;
pub use hosts::{HostCells, HostResults};
pub use memory::physical_memory;
pub use read::{Sample, Value};
pub use store::{Readings, Store, WorkerStats};
