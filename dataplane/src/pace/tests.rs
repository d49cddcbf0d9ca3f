//! Who is behind by how much, for clients that send and wait as they like.

use std::time::{Duration, Instant};

use super::{Pace, time_of};

/// A pace that waits since so many seconds ago, and was behind by this before.
fn pace(waits: Option<u64>, behind: u64) -> Pace {
    let pace = Pace::default();
    pace.behind.set(Duration::from_secs(behind));
    let now = Instant::now();
    pace.since.set(waits.map(|waits| now.checked_sub(Duration::from_secs(waits)).unwrap()));
    pace
}

#[test]
fn waiting_puts_behind_and_bytes_bring_back() {
    for (waits, behind, bytes, rate, expected) in [
        // Bytes that take as long as was waited are in time, more of them earn nothing.
        (Some(10), 0, 5_000, 500, 0),
        (Some(10), 0, 500_000, 500, 0),
        (Some(10), 0, 500, 500, 9),
        (Some(10), 5, 500, 500, 14),
        (Some(10), 5, 0, 500, 15),
        // Without a wait only the bytes count, without a rate any movement is enough.
        (None, 5, 1_000, 500, 3),
        (None, 0, 1_000, 500, 0),
        (Some(10), 5, 1, 0, 0),
        (None, 5, 0, 0, 0),
        (Some(10), 0, u64::MAX, 1, 0),
    ] {
        let pace = pace(waits, behind);
        pace.moved(bytes, || rate);
        assert_eq!(pace.behind.get().as_secs(), expected, "{waits:?} {behind} {bytes} {rate}");
        assert_eq!(pace.is_slow(Duration::from_secs(40)), expected > 10, "{expected}");
        assert_eq!(pace.deadline(Duration::from_secs(60)), None, "nobody is waited for");
    }
    assert_eq!(time_of(1, 3), Duration::from_nanos(333_333_333));
}

#[test]
fn the_time_that_is_left_is_what_it_is_not_behind() {
    let most = Duration::from_secs(60);
    for (waits, behind, left) in [(0, 0, 60), (20, 0, 40), (20, 30, 10), (0, 90, 0)] {
        let pace = pace(Some(waits), behind);
        let at = pace.deadline(most).unwrap();
        let left = Duration::from_secs(left);
        let now = Instant::now();
        assert!(at <= now + left && at + Duration::from_secs(5) > now + left, "{waits} {behind}");
        // Who waits already waits since then.
        pace.wait();
        assert_eq!(pace.deadline(most), Some(at));
    }
    let pace = pace(None, 10);
    pace.wait();
    assert!(pace.deadline(most).is_some());
}
