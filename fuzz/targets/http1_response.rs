//! Responses as backends may send them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fairway_fuzz::http1::response::check(bytes));
