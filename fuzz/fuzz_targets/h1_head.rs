#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pool_sim::fuzz_h1::h1_head(data));
