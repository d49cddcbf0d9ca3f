//! Requests in worlds of routes, found by the table and by a scan.

#![no_main]

use fairway_fuzz::find_route::{self, World};

libfuzzer_sys::fuzz_target!(|world: World<'_>| find_route::check(&world));
