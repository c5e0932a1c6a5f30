//! placeholder

pub mod fuzz_h1;
