//! The notation of durations.

use std::time::Duration;

use super::{seconds, server_timing};

#[test]
fn durations_are_written_with_their_unit_and_all_digits() {
    for (micros, expected) in [(0, "0.000000"), (7, "0.000007"), (1_500_000, "1.500000")] {
        assert_eq!(&seconds(Duration::from_micros(micros))[..], expected.as_bytes());
    }
    let ms = Duration::from_micros;
    assert_eq!(&server_timing(ms(50), None)[..], b"gw;dur=0.050");
    let both = server_timing(ms(12_345), Some(ms(12_000)));
    assert_eq!(&both[..], b"gw;dur=0.345, up;dur=12.000");
}
