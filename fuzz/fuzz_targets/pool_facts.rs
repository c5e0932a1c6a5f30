#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pool_sim::pool_facts::run(data));
