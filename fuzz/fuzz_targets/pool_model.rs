#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pool_sim::model::duel::run(data));
