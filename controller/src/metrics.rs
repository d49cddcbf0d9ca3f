//! Counters of the control side.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters of the control side. A copy counts into the same.
#[derive(Clone, Debug, Default)]
pub struct ControllerMetrics {
    /// How often everything was compiled.
    pub compiles: Counter,
    /// How long compiling took the last time, in seconds.
    pub compile_seconds: Gauge<f64, AtomicU64>,
    /// ServiceRoutes of our class.
    pub objects: Gauge,
    /// Objects of which something does not serve.
    pub invalid_objects: Gauge,
    /// Errors of a watch; it goes on by itself.
    pub watch_errors: Family<KindLabel, Counter>,
    /// Status writes by result: `written`, `conflict`, `gone`, `deposed`, `failed`.
    pub status_writes: Family<ResultLabel, Counter>,
    /// Events by what became of them: `written`, `dropped`, `deposed`, `gone`, `failed`.
    pub events: Family<ResultLabel, Counter>,
    /// Whether this process leads and writes status.
    pub leader: Gauge,
    /// How often the lease has changed hands.
    pub lease_transitions: Gauge,
    /// Whether kept objects serve, because the API server did not answer at the start.
    pub inputs_kept: Gauge,
    /// Loads of the folder of manifests by result: `good`, `bad`.
    pub file_loads: Family<ResultLabel, Counter>,
    /// Loads of a settings file that changed, by result: `good`, `bad`.
    pub settings_loads: Family<ResultLabel, Counter>,
    /// Settings of the file that wait for a restart.
    pub settings_pending: Gauge,
}

/// The kind of a watched object.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct KindLabel {
    /// `ServiceRoute`, `Service` or `GatewayReplica`.
    pub kind: &'static str,
}

/// How something ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ResultLabel {
    /// The word.
    pub result: &'static str,
}

/// Name without the suffix of its kind, kind, labels and help of each metric.
pub const METRICS: &[(&str, &str, &str, &str)] = &[
    ("fairway_compiles", "counter", "", "How often all objects were compiled"),
    ("fairway_compile_duration_seconds", "gauge", "", "How long compiling took the last time"),
    ("fairway_objects", "gauge", "", "ServiceRoutes of this installation's class"),
    (
        "fairway_invalid_objects",
        "gauge",
        "",
        "ServiceRoutes of which something does not serve; their status says what",
    ),
    (
        "fairway_watch_errors",
        "counter",
        "kind",
        "Errors of watches of the API server; a watch goes on by itself, so only a steady growth matters",
    ),
    (
        "fairway_status_writes",
        "counter",
        "result",
        "Status writes, by result: written, conflict, gone (the object was removed meanwhile), deposed (this process lost its lease meanwhile) or failed",
    ),
    (
        "fairway_events",
        "counter",
        "result",
        "Kubernetes Events about ServiceRoutes, by what became of them: written (a new one, or the count of one), dropped (there were too many), deposed (this process lost its lease meanwhile), gone (the namespace or the Event was removed meanwhile) or failed",
    ),
    (
        "fairway_leader",
        "gauge",
        "",
        "1 while this process leads its class and writes status; of all replicas one",
    ),
    (
        "fairway_lease_transitions",
        "gauge",
        "",
        "How often the lease of the class has changed hands, as the lease says; a steady growth means that leaders are slow or cut off",
    ),
    (
        "fairway_inputs_kept",
        "gauge",
        "",
        "1 while objects serve that were kept from before a restart, because the API server has not answered since",
    ),
    (
        "fairway_file_loads",
        "counter",
        "result",
        "Loads of the folder of manifests, by result: good or bad; after a bad one the last good state stays",
    ),
    (
        "fairway_settings_loads",
        "counter",
        "result",
        "Loads of a settings file that changed, by result: good or bad; after a bad one the last good settings stay",
    ),
    (
        "fairway_settings_pending",
        "gauge",
        "",
        "Settings that changed in the file and wait for a restart; the log names them",
    ),
];

impl ControllerMetrics {
    /// Registers all counters.
    pub fn register(&self, registry: &mut Registry) {
        let help = |name: &str| {
            METRICS.iter().find(|(known, ..)| *known == name).map_or("", |(.., help)| *help)
        };
        registry.register("fairway_compiles", help("fairway_compiles"), self.compiles.clone());
        let name = "fairway_compile_duration_seconds";
        registry.register(name, help(name), self.compile_seconds.clone());
        registry.register("fairway_objects", help("fairway_objects"), self.objects.clone());
        let name = "fairway_invalid_objects";
        registry.register(name, help(name), self.invalid_objects.clone());
        let name = "fairway_watch_errors";
        registry.register(name, help(name), self.watch_errors.clone());
        let name = "fairway_status_writes";
        registry.register(name, help(name), self.status_writes.clone());
        registry.register("fairway_events", help("fairway_events"), self.events.clone());
        registry.register("fairway_leader", help("fairway_leader"), self.leader.clone());
        let name = "fairway_lease_transitions";
        registry.register(name, help(name), self.lease_transitions.clone());
        let name = "fairway_inputs_kept";
        registry.register(name, help(name), self.inputs_kept.clone());
        registry.register(
            "fairway_file_loads",
            help("fairway_file_loads"),
            self.file_loads.clone(),
        );
        let name = "fairway_settings_loads";
        registry.register(name, help(name), self.settings_loads.clone());
        let name = "fairway_settings_pending";
        registry.register(name, help(name), self.settings_pending.clone());
    }
}
