//! Random walks over the machines of pool-core, with the invariants that must hold after every
//! step. The same code is the body of the fuzz targets and of tests that replay on stable.
//!
//! # Reading order
//!
//! 1. [`alphabet`]: everything that can happen to a pool, as one enum, readable from any bytes.
//! 2. [`book`]: a second, naive account of a pool, kept from facts and orders alone.
//! 3. [`invariants`]: what must hold; each function carries its number in the specification.
//! 4. [`mod@bench`]: pools on one ledger, driven as a faithful driver does.
//! 5. [`pool_facts`]: the walk itself.
//! 6. [`fuzz_h1`]: bytes of HTTP/1, cut anywhere.
//! 7. [`workload`]: pools under load of a model; [`whatif`]: under recorded load with other settings.
#![forbid(unsafe_code)]

pub mod alphabet;
pub mod bench;
pub mod book;
pub mod fuzz_h1;
pub mod invariants;
pub mod pool_facts;
pub mod whatif;
pub mod workload;
