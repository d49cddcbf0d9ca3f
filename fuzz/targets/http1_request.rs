//! Requests, one behind the other, as clients may send them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fairway_fuzz::http1::request::check(bytes));
