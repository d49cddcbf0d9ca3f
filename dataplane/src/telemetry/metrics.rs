//! All counters of the data plane. Those of the request path belong to one worker each; the rest
//! change seldom.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fairway_snapshot::{ObjectId, RuleId};

use super::rule_metrics::{RuleMetrics, add};
use crate::error::ProxyError;
use crate::overload::Full;

/// Counters of a rule that is gone are kept for so long, so that a last scrape sees them and a
/// rule that comes back goes on counting.
const KEEP_GONE: Duration = Duration::from_secs(300);

/// A rule by the name of its object and its own.
type RuleKey = (Arc<ObjectId>, Arc<str>);

/// All counters of the data plane.
#[derive(Debug)]
pub struct Metrics {
    workers: Vec<Arc<WorkerCounters>>,
    rules: Mutex<HashMap<RuleKey, Kept>>,
    /// Log lines that nobody took in time.
    dropped_lines: AtomicU64,
    revision: AtomicU64,
    apply_microseconds: AtomicU64,
    failed_listeners: AtomicU64,
    /// The certificates, and when they end.
    certificates: Mutex<[Vec<(String, i64)>; 2]>,
    /// Lookups that gave addresses, and those that did not.
    pub(crate) lookups: [AtomicU64; 2],
}

#[derive(Debug)]
struct Kept {
    metrics: Arc<RuleMetrics>,
    gone: Option<Instant>,
}

/// Counters of one worker, written by it alone.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct WorkerCounters {
    pub(super) started: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) connections_opened: AtomicU64,
    pub(super) connections_closed: AtomicU64,
    /// Handshakes of TLS: whole ones, resumed ones, failed ones.
    pub(super) tls: [AtomicU64; 3],
    /// The same with backends.
    pub(super) upstream_tls: [AtomicU64; 3],
    pub(super) accept_failures: AtomicU64,
    /// Connections that were refused, by the reason.
    pub(super) refused: [AtomicU64; 3],
    /// Requests that were cut because their client sent too slowly, and because it read too slowly.
    pub(super) slow: [AtomicU64; 2],
    pub(super) connects: AtomicU64,
    pub(super) retries: AtomicU64,
    /// Failed connects by reason, and requests without a rule by reason and status. They are
    /// answered without a backend, so a lock that only a scrape contends for is cheap enough.
    pub(super) connect_failures: Mutex<HashMap<&'static str, u64>>,
    pub(super) unrouted: Mutex<HashMap<(&'static str, u16), u64>>,
    /// Requests that a policy only counted.
    pub(super) observed: Mutex<HashMap<&'static str, u64>>,
}

/// A worker's end of the metrics.
#[derive(Clone, Debug)]
pub struct WorkerMetrics(Arc<WorkerCounters>);

/// What holds certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Folders of the operator.
    Folders,
    /// Secrets that routes name.
    Secrets,
}

impl Metrics {
    /// Counters for so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Arc::default()).collect(),
            rules: Mutex::default(),
            dropped_lines: AtomicU64::new(0),
            revision: AtomicU64::new(0),
            apply_microseconds: AtomicU64::new(0),
            failed_listeners: AtomicU64::new(0),
            certificates: Mutex::default(),
            lookups: Default::default(),
        }
    }

    /// The end of the worker with this index.
    pub(crate) fn worker(&self, index: usize) -> WorkerMetrics {
        WorkerMetrics(Arc::clone(&self.workers[index]))
    }

    /// The counters of a rule; they outlive snapshots.
    pub(crate) fn rule(&self, id: &RuleId) -> Arc<RuleMetrics> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(&id.object), Arc::clone(&id.name));
        let kept = rules.entry(key).or_insert_with(|| Kept {
            metrics: Arc::new(RuleMetrics::new(id.clone(), self.workers.len())),
            gone: None,
        });
        kept.gone = None;
        Arc::clone(&kept.metrics)
    }

    /// Forgets the counters of rules that have been gone for a while: those that no table holds.
    pub(crate) fn retain(&self) {
        let now = Instant::now();
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, kept| {
            if Arc::strong_count(&kept.metrics) > 1 {
                kept.gone = None;
                return true;
            }
            now.duration_since(*kept.gone.get_or_insert(now)) < KEEP_GONE
        });
    }

    /// All rules that are counted, in the order of their names.
    #[must_use]
    pub fn rules(&self) -> Vec<Arc<RuleMetrics>> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = rules.values().map(|kept| Arc::clone(&kept.metrics)).collect();
        drop(rules);
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// These certificates are used from now on.
    pub(crate) fn set_certificates(&self, held: Held, ends: Vec<(String, i64)>) {
        let mut known = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        let [folders, secrets] = &mut *known;
        match held {
            Held::Folders => *folders = ends,
            Held::Secrets => *secrets = ends,
        }
    }

    /// Each certificate, and when it ends, in seconds since 1970.
    pub(crate) fn certificates(&self) -> Vec<(String, i64)> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).concat()
    }

    pub(crate) fn log_lines_dropped(&self, count: usize) {
        self.dropped_lines.fetch_add(u64::try_from(count).unwrap_or_default(), Relaxed);
    }

    pub(crate) fn applied(&self, revision: u64, failed_listeners: usize, took: Duration) {
        self.revision.store(revision, Relaxed);
        self.failed_listeners.store(u64::try_from(failed_listeners).unwrap_or_default(), Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or_default();
        self.apply_microseconds.store(micros, Relaxed);
    }

    pub(super) fn workers(&self) -> &[Arc<WorkerCounters>] {
        &self.workers
    }

    pub(super) fn sum(&self, counter: impl Fn(&WorkerCounters) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|worker| counter(worker).load(Relaxed)).sum()
    }

    pub(super) fn globals(&self) -> Globals {
        Globals {
            dropped_lines: self.dropped_lines.load(Relaxed),
            revision: self.revision.load(Relaxed),
            apply_microseconds: self.apply_microseconds.load(Relaxed),
            failed_listeners: self.failed_listeners.load(Relaxed),
        }
    }
}

/// How a handshake of TLS ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    Full,
    Resumed,
    Failed,
}

/// What belongs to no worker.
pub(super) struct Globals {
    pub(super) dropped_lines: u64,
    pub(super) revision: u64,
    pub(super) apply_microseconds: u64,
    pub(super) failed_listeners: u64,
}

impl WorkerMetrics {
    pub(crate) fn request_started(&self) {
        add(&self.0.started, 1);
    }

    pub(crate) fn request_ended(&self) {
        add(&self.0.ended, 1);
    }

    /// Requests of this worker that have begun and not ended.
    pub(crate) fn in_flight(&self) -> u64 {
        self.0.started.load(Relaxed).saturating_sub(self.0.ended.load(Relaxed))
    }

    pub(crate) fn connection_opened(&self) {
        add(&self.0.connections_opened, 1);
    }

    pub(crate) fn connection_closed(&self) {
        add(&self.0.connections_closed, 1);
    }

    /// A handshake of TLS has ended.
    pub(crate) fn tls_handshake(&self, handshake: Handshake) {
        add(&self.0.tls[handshake as usize], 1);
    }

    /// The same with a backend.
    pub(crate) fn upstream_tls_handshake(&self, handshake: Handshake) {
        add(&self.0.upstream_tls[handshake as usize], 1);
    }

    pub(crate) fn connection_refused(&self, full: Full) {
        add(&self.0.refused[full as usize], 1);
    }

    /// A request was cut for its client's pace.
    pub(crate) fn slow_client(&self, error: ProxyError) {
        add(&self.0.slow[usize::from(error == ProxyError::ClientReadsSlowly)], 1);
    }

    pub(crate) fn accept_failed(&self) {
        add(&self.0.accept_failures, 1);
    }

    pub(crate) fn retried(&self) {
        add(&self.0.retries, 1);
    }

    /// A policy would have refused a request, had it not only been asked to count.
    pub(crate) fn observed(&self, refusal: ProxyError) {
        let mut observed = self.0.observed.lock().unwrap_or_else(PoisonError::into_inner);
        *observed.entry(refusal.reason()).or_default() += 1;
    }

    /// A connection to a backend was opened, or failed.
    pub(crate) fn connect(&self, failed: Option<ProxyError>) {
        match failed {
            None => add(&self.0.connects, 1),
            Some(error) => {
                let mut failures =
                    self.0.connect_failures.lock().unwrap_or_else(PoisonError::into_inner);
                *failures.entry(error.reason()).or_default() += 1;
            }
        }
    }

    /// A request ended that no rule took.
    pub(crate) fn unrouted(&self, status: u16, error: Option<ProxyError>) {
        let reason = error.map_or("options", ProxyError::reason);
        let mut unrouted = self.0.unrouted.lock().unwrap_or_else(PoisonError::into_inner);
        *unrouted.entry((reason, status)).or_default() += 1;
    }
}
