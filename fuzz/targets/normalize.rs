//! Paths, patterns and templates as anybody may write them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fairway_fuzz::normalize::check(bytes));
