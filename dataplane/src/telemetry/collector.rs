//! The metrics as Prometheus reads them, put together when it asks.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use fairway_snapshot::RuleId;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder};
use prometheus_client::metrics::MetricType;

use super::metrics::Metrics;
use super::rule_metrics::{BUCKETS, RuleTotals};
use crate::error::ProxyError;

/// A metric of the data plane: name as scraped, kind and help.
#[derive(Clone, Copy, Debug)]
pub struct MetricInfo {
    /// The name without the suffix that its kind adds (`_total`, `_bucket`).
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Its labels, separated by commas.
    pub labels: &'static str,
    /// What it counts, and when to look at it.
    pub help: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; scraped with `_total`.
    Counter,
    /// A value of now.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

macro_rules! metrics {
    ($($id:ident: $name:literal, $kind:ident, $labels:literal, $help:literal;)*) => {
        $(const $id: MetricInfo =
            MetricInfo { name: $name, kind: Kind::$kind, labels: $labels, help: $help };)*
        /// Every metric of the data plane.
        pub const METRICS: &[MetricInfo] = &[$($id),*];
    };
}

metrics! {
    REQUESTS: "fairway_requests", Counter, "namespace, route, rule, code",
        "Requests that a rule took, by the status that the client got; code 499 is a client that left, code 0 statuses beyond the twelve that are counted one by one";
    DURATION: "fairway_request_duration_seconds", Histogram, "namespace, route, rule",
        "From the head of a request to the end of its response";
    UNROUTED: "fairway_unrouted_requests", Counter, "reason, code",
        "Requests that no rule took: unknown paths, wrong methods, refused paths";
    IN_FLIGHT: "fairway_requests_in_flight", Gauge, "",
        "Requests that have begun and not ended";
    CONNECTIONS: "fairway_downstream_connections", Gauge, "",
        "Open connections of clients";
    TLS_HANDSHAKES: "fairway_tls_handshakes", Counter, "result",
        "Handshakes of TLS with clients, by result: full, resumed or failed";
    CERTIFICATE_END: "fairway_certificate_not_after_timestamp_seconds", Gauge, "certificate",
        "When a certificate ends, in seconds since 1970; a renewal that does not happen shows here first";
    ACCEPT_FAILURES: "fairway_accept_failures", Counter, "",
        "Connections that could not be accepted, for example for lack of file descriptors";
    REFUSED: "fairway_downstream_connections_refused", Counter, "reason",
        "Connections that were closed at once, by reason: connections (there are too many), client (its address has too many) or proxy_protocol (the listener wants it, and the peer is not trusted to speak it)";
    SLOW_CLIENTS: "fairway_slow_clients", Counter, "reason",
        "Requests that were cut because their client sent the body, or read the answer, more slowly than --client-send-rate and --client-read-rate ask for";
    CONNECTS: "fairway_upstream_connections_opened", Counter, "",
        "Connections that were opened to backends; many beside few requests mean that they are not kept";
    CONNECT_FAILURES: "fairway_upstream_connect_failures", Counter, "reason",
        "Connections to backends that could not be opened";
    UPSTREAM_HANDSHAKES: "fairway_upstream_tls_handshakes", Counter, "result",
        "Handshakes of TLS with backends, by result: full, resumed or failed";
    RETRIES: "fairway_upstream_retries", Counter, "",
        "Tries of requests after the first";
    OBSERVED: "fairway_policy_observed", Counter, "reason",
        "Requests that a policy with mode Observe would have refused, by the reason that it would have told";
    MIRRORED: "fairway_mirror_requests", Counter, "namespace, route, rule",
        "Copies of requests that a mirror answered, whatever its status";
    MIRROR_FAILURES: "fairway_mirror_failures", Counter, "namespace, route, rule, reason",
        "Copies of requests that a mirror did not answer, by the reason that a backend would have given; the requests themselves know nothing of it";
    MIRROR_DROPPED: "fairway_mirror_dropped", Counter, "namespace, route, rule, reason",
        "Copies of requests that were not sent, or not to their end: in_flight (too many at once), queue_full (the mirror takes bodies more slowly than the backend), request_incomplete (the request itself broke off), upgrade, shutting_down";
    LOOKUPS: "fairway_dns_lookups", Counter, "result",
        "Names asked from DNS, by result: found or failed";
    REVISION: "fairway_snapshot_revision", Gauge, "",
        "The revision that requests see; 0 before the first";
    APPLY: "fairway_snapshot_apply_duration_seconds", Gauge, "",
        "How long applying the last snapshot took";
    FAILED_LISTENERS: "fairway_listeners_failed", Gauge, "",
        "Listeners of the last snapshot that could not be bound";
    DROPPED_LINES: "fairway_access_log_dropped_lines", Counter, "",
        "Log lines that were dropped, because nobody read our output in time";
}

/// Encodes the metrics of a data plane.
#[derive(Debug)]
pub(crate) struct DataPlaneCollector(pub(crate) Arc<Metrics>);

type Labels<'a, const N: usize> = [(&'static str, &'a str); N];
/// Exemplars would carry labels; there are none.
type NoLabels = [(&'static str, &'static str); 0];

impl Collector for DataPlaneCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let metrics = &self.0;
        self.encode_rules(&mut encoder)?;
        self.encode_mirrors(&mut encoder)?;
        self.encode_reasons(&mut encoder)?;
        let difference = |more: u64, less: u64| more.saturating_sub(less);
        let started = metrics.sum(|worker| &worker.started);
        let ended = metrics.sum(|worker| &worker.ended);
        gauge(&mut encoder, IN_FLIGHT, difference(started, ended))?;
        let opened = metrics.sum(|worker| &worker.connections_opened);
        let closed = metrics.sum(|worker| &worker.connections_closed);
        gauge(&mut encoder, CONNECTIONS, difference(opened, closed))?;
        let refused = [0, 1, 2].map(|index| metrics.sum(|worker| &worker.refused[index]));
        let words = ["connections", "client", "proxy_protocol"];
        encode_by_word(&mut encoder, REFUSED, "reason", words, refused)?;
        let slow = [0, 1].map(|index| metrics.sum(|worker| &worker.slow[index]));
        let words = [ProxyError::ClientSendsSlowly, ProxyError::ClientReadsSlowly];
        let words = words.map(ProxyError::reason);
        encode_by_word(&mut encoder, SLOW_CLIENTS, "reason", words, slow)?;
        self.encode_tls(&mut encoder)?;
        counter(&mut encoder, ACCEPT_FAILURES, metrics.sum(|worker| &worker.accept_failures))?;
        counter(&mut encoder, CONNECTS, metrics.sum(|worker| &worker.connects))?;
        counter(&mut encoder, RETRIES, metrics.sum(|worker| &worker.retries))?;
        let globals = metrics.globals();
        gauge(&mut encoder, REVISION, globals.revision)?;
        gauge(&mut encoder, FAILED_LISTENERS, globals.failed_listeners)?;
        counter(&mut encoder, DROPPED_LINES, globals.dropped_lines)?;
        begin(&mut encoder, APPLY)?.encode_gauge(&seconds(globals.apply_microseconds))
    }
}

impl DataPlaneCollector {
    fn encode_tls(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let words = ["full", "resumed", "failed"];
        let counts = [0, 1, 2].map(|index| self.0.sum(|worker| &worker.upstream_tls[index]));
        encode_by_word(encoder, UPSTREAM_HANDSHAKES, "result", words, counts)?;
        let certificates = self.0.certificates();
        if certificates.is_empty() {
            return Ok(());
        }
        let mut ends = begin(encoder, CERTIFICATE_END)?;
        for (label, end) in &certificates {
            let labels: Labels<'_, 1> = [("certificate", label)];
            ends.encode_family(&labels)?.encode_gauge(end)?;
        }
        let counts = [0, 1, 2].map(|index| self.0.sum(|worker| &worker.tls[index]));
        encode_by_word(encoder, TLS_HANDSHAKES, "result", words, counts)
    }

    fn encode_rules(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let totals: Vec<(_, RuleTotals)> =
            self.0.rules().into_iter().map(|rule| (rule.id.clone(), rule.totals())).collect();
        // Rules that had no request yet would only be zeros.
        let used = || totals.iter().filter(|(_, totals)| totals.requests() > 0);
        let mut requests = begin(encoder, REQUESTS)?;
        for (id, totals) in used() {
            for (status, count) in &totals.statuses {
                let code = status.to_string();
                let labels: Labels<'_, 4> = [
                    ("namespace", &id.object.namespace),
                    ("route", &id.object.name),
                    ("rule", &id.name),
                    ("code", &code),
                ];
                requests.encode_family(&labels)?.encode_counter::<NoLabels, _, u64>(count, None)?;
            }
        }
        let mut durations = begin(encoder, DURATION)?;
        for (id, totals) in used() {
            let labels = labels(id);
            let ends = BUCKETS.iter().map(|end| seconds(*end)).chain([f64::MAX]);
            let buckets: Vec<(f64, u64)> = ends.zip(totals.buckets).collect();
            durations.encode_family(&labels)?.encode_histogram::<NoLabels>(
                seconds(totals.microseconds),
                totals.requests(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn encode_mirrors(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let rules = self.0.rules();
        let totals: Vec<_> =
            rules.iter().filter_map(|rule| Some((&rule.id, rule.mirrors()?))).collect();
        let mut family = begin(encoder, MIRRORED)?;
        for (id, totals) in &totals {
            encode_one(&mut family, &labels(id), totals.sent)?;
        }
        let mut family = begin(encoder, MIRROR_FAILURES)?;
        for (id, totals) in &totals {
            encode_by_reason(&mut family, id, &totals.failed)?;
        }
        let mut family = begin(encoder, MIRROR_DROPPED)?;
        for (id, totals) in &totals {
            encode_by_reason(&mut family, id, &totals.dropped)?;
        }
        Ok(())
    }

    fn encode_reasons(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut unrouted: BTreeMap<(&str, u16), u64> = BTreeMap::new();
        let mut failures: BTreeMap<&str, u64> = BTreeMap::new();
        let mut observed: BTreeMap<&str, u64> = BTreeMap::new();
        for worker in self.0.workers() {
            let counts = worker.unrouted.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in counts.iter() {
                *unrouted.entry(*key).or_default() += count;
            }
            let counts = worker.connect_failures.lock().unwrap_or_else(PoisonError::into_inner);
            for (reason, count) in counts.iter() {
                *failures.entry(reason).or_default() += count;
            }
            let counts = worker.observed.lock().unwrap_or_else(PoisonError::into_inner);
            for (reason, count) in counts.iter() {
                *observed.entry(reason).or_default() += count;
            }
        }
        let mut family = begin(encoder, UNROUTED)?;
        for ((reason, status), count) in &unrouted {
            let code = status.to_string();
            let labels: Labels<'_, 2> = [("reason", reason), ("code", &code)];
            family.encode_family(&labels)?.encode_counter::<NoLabels, _, u64>(count, None)?;
        }
        for (info, counts) in [(CONNECT_FAILURES, &failures), (OBSERVED, &observed)] {
            let mut family = begin(encoder, info)?;
            for (reason, count) in counts {
                let labels: Labels<'_, 1> = [("reason", reason)];
                encode_one(&mut family, &labels, *count)?;
            }
        }
        let lookups = [0, 1].map(|index| self.0.lookups[index].load(Relaxed));
        encode_by_word(encoder, LOOKUPS, "result", ["found", "failed"], lookups)
    }
}

fn labels(id: &RuleId) -> Labels<'_, 3> {
    [("namespace", &id.object.namespace), ("route", &id.object.name), ("rule", &id.name)]
}

fn encode_by_reason(
    family: &mut MetricEncoder<'_>,
    id: &RuleId,
    counts: &BTreeMap<&'static str, u64>,
) -> Result<(), Error> {
    let [namespace, route, rule] = labels(id);
    for (reason, count) in counts {
        let labels: Labels<'_, 4> = [namespace, route, rule, ("reason", reason)];
        encode_one(family, &labels, *count)?;
    }
    Ok(())
}

/// Counts by one label, whose values are known.
fn encode_by_word<const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    info: MetricInfo,
    label: &'static str,
    words: [&str; N],
    counts: [u64; N],
) -> Result<(), Error> {
    let mut family = begin(encoder, info)?;
    for (word, count) in words.into_iter().zip(counts) {
        let labels: Labels<'_, 1> = [(label, word)];
        encode_one(&mut family, &labels, count)?;
    }
    Ok(())
}

fn encode_one(
    family: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    count: u64,
) -> Result<(), Error> {
    family.encode_family(labels)?.encode_counter::<NoLabels, _, u64>(&count, None)
}

fn begin<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    info: MetricInfo,
) -> Result<MetricEncoder<'e>, Error> {
    let kind = match info.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    encoder.encode_descriptor(info.name, info.help, None, kind)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, info: MetricInfo, value: u64) -> Result<(), Error> {
    begin(encoder, info)?.encode_counter::<NoLabels, _, u64>(&value, None)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, info: MetricInfo, value: u64) -> Result<(), Error> {
    begin(encoder, info)?.encode_gauge(&value)
}

fn seconds(microseconds: u64) -> f64 {
    std::time::Duration::from_micros(microseconds).as_secs_f64()
}
