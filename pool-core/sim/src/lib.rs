//! Random walks over the machines of pool-core, with the invariants that must hold after every
//! step. The same code is the body of the fuzz targets and of tests that replay on stable.
//!
//! # Reading order
//!
//! 1. [`alphabet`]: everything that can happen to a pool, as one enum, readable from any bytes.
//! 2. [`book`]: a second, naive account of a pool, kept from facts and orders alone.
//! 3. [`invariants`]: what must hold; each function carries its number in the specification.
//! 4. [`mod@bench`]: pools on one ledger, driven as a faithful driver does.
//! 5. [`steps`]: what a step of the alphabet does to a bench.
//! 6. [`pool_facts`]: the walk itself.
//! 7. [`search`]: every interleaving of a small alphabet, instead of a walk through a large one.
//! 8. [`table`]: what a connection does, state by state, as data.
//! 9. [`model`]: a second pool, naive and slow, and the machine against it.
//! 10. [`engines`] and [`mutants`]: what looks for broken laws, and bugs that it must find.
//! 11. [`fuzz_h1`]: bytes of HTTP/1, cut anywhere.
//! 12. [`net`]: whole clients and servers on a simulated network, from one seed (`README.md`).
//! 13. [`workload`]: pools under load of a model; [`whatif`]: under recorded load with other settings.
#![forbid(unsafe_code)]

pub mod alphabet;
pub mod bench;
pub mod book;
pub mod engines;
pub mod fuzz_h1;
pub mod invariants;
pub mod model;
pub mod mutants;
pub mod net;
pub mod pool_facts;
pub mod search;
pub mod shrink;
pub mod steps;
pub mod table;
pub mod whatif;
pub mod workload;
