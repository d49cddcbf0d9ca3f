//! Counting equals what was counted.

use std::sync::Arc;
use std::time::Duration;

use fairway_snapshot::{ObjectId, RuleId};

use super::{BUCKETS, RuleMetrics};

fn metrics(workers: usize) -> RuleMetrics {
    let object = Arc::new(ObjectId::new("market", "finance"));
    RuleMetrics::new(RuleId { object, index: 0, name: "quotes".into() }, workers)
}

#[test]
fn workers_are_added_up() {
    let metrics = metrics(2);
    for worker in [0, 0, 1] {
        metrics.record(worker, 200, Duration::from_micros(900));
    }
    metrics.record(1, 503, Duration::from_secs(11));
    let totals = metrics.totals();
    assert_eq!(totals.statuses, [(200, 3), (503, 1)].into());
    assert_eq!((totals.requests(), totals.errors()), (4, 1));
    assert_eq!(totals.buckets[0], 3);
    assert_eq!(totals.buckets[BUCKETS.len()], 1);
    assert_eq!(totals.microseconds, 2_700 + 11_000_000);
}

#[test]
fn a_duration_at_the_end_of_a_bucket_belongs_to_it() {
    let metrics = metrics(1);
    metrics.record(0, 200, Duration::from_micros(1_000));
    metrics.record(0, 200, Duration::from_micros(1_001));
    assert_eq!(metrics.totals().buckets[..2], [1, 1]);
}

#[test]
fn more_kinds_of_statuses_than_slots_are_counted_together() {
    let metrics = metrics(1);
    for status in 200..220 {
        metrics.record(0, status, Duration::ZERO);
    }
    let totals = metrics.totals();
    assert_eq!(totals.statuses.values().sum::<u64>(), 20);
    assert_eq!(totals.statuses[&0], 8);
}
