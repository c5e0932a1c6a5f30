#![no_main]

use pool_proxy::config::{Mode, load};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for mode in [Mode::Lenient, Mode::Strict] {
        let _ = load(text, "fuzz", mode);
    }
});
