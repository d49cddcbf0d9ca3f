//! The notation of durations.

use std::time::Duration;

use super::{decimal, seconds, server_timing};

#[test]
fn durations_are_written_with_their_unit_and_all_digits() {
    let text = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut text = Vec::new();
        write(&mut text);
        String::from_utf8(text).unwrap()
    };
    let us = Duration::from_micros;
    for (micros, expected) in [(0, "0.000000"), (7, "0.000007"), (1_500_000, "1.500000")] {
        assert_eq!(text(&|text| seconds(text, us(micros))), expected);
    }
    for (total, upstream, expected) in [
        (us(50), None, "gw;dur=0.050"),
        (us(12_345), Some(us(12_000)), "gw;dur=0.345, up;dur=12.000"),
    ] {
        assert_eq!(text(&|text| server_timing(text, total, upstream)), expected);
    }
    let greatest = text(&|text| decimal::<3>(text, u64::MAX, 999));
    assert_eq!(greatest, "18446744073709551615.999");
}
