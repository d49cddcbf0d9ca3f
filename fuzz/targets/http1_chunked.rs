//! Bodies in chunks, cut in every way.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fairway_fuzz::http1::chunked::check(bytes));
