//! Counters of one rule. Each worker writes to a shard of its own, so that counting is a load and
//! a store without contention; a scrape adds the shards up.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use fairway_snapshot::RuleId;

use crate::mirror::Outcome;

/// Upper ends of the buckets of durations, in microseconds: 1 ms to 10 s.
pub const BUCKETS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// Statuses that a shard counts one by one; a rule that answers with more kinds is rare, and the
/// rest are counted together.
const STATUSES: usize = 12;
/// A slot holds the status above these bits and its count below.
const COUNT_BITS: u32 = 48;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Counters of one rule.
#[derive(Debug)]
pub struct RuleMetrics {
    /// The rule.
    pub id: RuleId,
    shards: Box<[OnceLock<Box<Shard>>]>,
}

/// Counters of one rule on one worker, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    statuses: [AtomicU64; STATUSES],
    other: AtomicU64,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
    /// What became of copies; made when there is one, for few rules have mirrors.
    mirrored: OnceLock<Box<Mirrored>>,
}

/// What became of the copies of requests, on one worker. A lock that only a scrape contends for is
/// cheap beside a request that is sent once more.
#[derive(Debug, Default)]
struct Mirrored {
    sent: AtomicU64,
    others: Mutex<MirrorTotals>,
}

/// What became of the copies of a rule's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorTotals {
    /// Those that a mirror answered.
    pub sent: u64,
    /// Those that it did not, by reason.
    pub failed: BTreeMap<&'static str, u64>,
    /// Those that were given up, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// The sum over all workers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleTotals {
    /// Requests by status; 0 stands for statuses that were not counted one by one.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests by duration, not cumulative; the last is beyond all ends.
    pub buckets: [u64; BUCKETS.len() + 1],
    /// Sum of all durations in microseconds.
    pub microseconds: u64,
}

/// Adds to a counter that only the calling thread writes.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}

impl RuleMetrics {
    /// Counters for a rule on so many workers. A worker's shard is made when it first counts.
    pub(crate) fn new(id: RuleId, workers: usize) -> Self {
        Self { id, shards: (0..workers).map(|_| OnceLock::new()).collect() }
    }

    /// Counts a request on the worker with this index.
    pub(crate) fn record(&self, worker: usize, status: u16, duration: Duration) {
        let Some(shard) = self.shards.get(worker) else { return };
        let shard = shard.get_or_init(Box::default);
        shard.count_status(status);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|end| *end < micros);
        add(&shard.buckets[bucket], 1);
        add(&shard.microseconds, micros);
    }

    /// Counts what became of a copy on the worker with this index.
    pub(crate) fn mirrored(&self, worker: usize, outcome: Outcome) {
        let Some(shard) = self.shards.get(worker) else { return };
        let mirrored = shard.get_or_init(Box::default).mirrored.get_or_init(Box::default);
        let others = || mirrored.others.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Sent => add(&mirrored.sent, 1),
            Outcome::Failed(error) => *others().failed.entry(error.reason()).or_default() += 1,
            Outcome::Dropped(reason) => *others().dropped.entry(reason.as_str()).or_default() += 1,
        }
    }

    /// What became of copies, over all workers; `None` where there were none.
    #[must_use]
    pub fn mirrors(&self) -> Option<MirrorTotals> {
        let shards = self.shards.iter().filter_map(OnceLock::get);
        let mut totals: Option<MirrorTotals> = None;
        for mirrored in shards.filter_map(|shard| shard.mirrored.get()) {
            let totals = totals.get_or_insert_default();
            totals.sent += mirrored.sent.load(Relaxed);
            let others = mirrored.others.lock().unwrap_or_else(PoisonError::into_inner);
            for (sum, more) in
                [(&mut totals.failed, &others.failed), (&mut totals.dropped, &others.dropped)]
            {
                for (reason, count) in more {
                    *sum.entry(reason).or_default() += count;
                }
            }
        }
        totals
    }

    /// The sum over all workers.
    #[must_use]
    pub fn totals(&self) -> RuleTotals {
        let mut totals = RuleTotals::default();
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            for slot in &shard.statuses {
                let slot = slot.load(Relaxed);
                if slot != 0 {
                    let status = u16::try_from(slot >> COUNT_BITS).unwrap_or_default();
                    *totals.statuses.entry(status).or_default() += slot & COUNT_MASK;
                }
            }
            let other = shard.other.load(Relaxed);
            if other != 0 {
                *totals.statuses.entry(0).or_default() += other;
            }
            for (sum, bucket) in totals.buckets.iter_mut().zip(&shard.buckets) {
                *sum += bucket.load(Relaxed);
            }
            totals.microseconds += shard.microseconds.load(Relaxed);
        }
        totals
    }
}

impl Shard {
    fn count_status(&self, status: u16) {
        let tag = u64::from(status) << COUNT_BITS;
        for slot in &self.statuses {
            let current = slot.load(Relaxed);
            if current == 0 {
                return slot.store(tag | 1, Relaxed);
            }
            if current & !COUNT_MASK == tag {
                return slot.store(current + 1, Relaxed);
            }
        }
        add(&self.other, 1);
    }
}

impl RuleTotals {
    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Requests that ended with 500 or more.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.statuses.iter().filter(|(status, _)| **status >= 500).map(|(_, count)| count).sum()
    }
}
