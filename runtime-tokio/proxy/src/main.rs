//! The `pool-proxy` program.
#![forbid(unsafe_code)]

fn main() {}
