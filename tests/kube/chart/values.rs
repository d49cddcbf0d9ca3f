//! Each value of the chart does something: another one changes what is rendered.

use std::collections::{BTreeMap, BTreeSet};

use fairway_tests::helm::{chart, render};

/// A value, another one for it as JSON, and what must be set for it to matter.
const OTHERS: &[(&str, &str, &[&str])] = &[
    ("nameOverride", "\"x\"", &[]),
    ("fullnameOverride", "\"x\"", &[]),
    ("commonLabels", "{\"team\":\"x\"}", &[]),
    ("crds.enabled", "false", &[]),
    ("kind", "\"DaemonSet\"", &[]),
    ("replicas", "3", &[]),
    ("image.repository", "\"x\"", &[]),
    ("image.tag", "\"x\"", &[]),
    ("image.digest", "\"sha256:0\"", &[]),
    ("image.pullPolicy", "\"Never\"", &[]),
    ("imagePullSecrets", "[{\"name\":\"x\"}]", &[]),
    ("class", "\"x\"", &[]),
    ("watch.namespaces", "[\"x\"]", &[]),
    ("clusterDomain", "\"x\"", &[]),
    ("listeners", "{\"http\":{\"port\":8081}}", &[]),
    ("hostPolicy", "[{\"namespaces\":[\"x\"],\"allow\":[]}]", &[]),
    ("defaults", "{\"timeouts\":{\"idle\":\"1s\"}}", &[]),
    ("overrides", "{\"timeouts\":{\"idle\":\"1s\"}}", &[]),
    ("backends", "{\"a/b\":\"10.0.0.1:80\"}", &[]),
    ("discovery", "\"endpoints\"", &[]),
    ("allowExternalHosts", "[\"x\"]", &[]),
    ("allowAddresses", "[\"127.0.0.0/8\"]", &[]),
    ("log.level", "\"debug\"", &[]),
    ("log.format", "\"text\"", &[]),
    ("log.access", "false", &[]),
    ("log.redact", "[\"x\"]", &[]),
    ("drain.delay", "\"6s\"", &[]),
    ("drain.deadline", "\"31s\"", &[]),
    ("settings.workers", "2", &[]),
    ("settings.dns", "[\"10.0.0.1\"]", &[]),
    ("settings.processTime", "false", &[]),
    ("settings.serverTiming", "false", &[]),
    ("settings.clientIdle", "\"1s\"", &[]),
    ("settings.clientHead", "\"1s\"", &[]),
    ("settings.clientHeadBytes", "8192", &[]),
    ("settings.clientSendRate", "1", &[]),
    ("settings.clientHeadFields", "1", &[]),
    ("settings.clientTargetBytes", "1024", &[]),
    ("settings.maxRequestsPerConnection", "1", &[]),
    ("settings.clientReadRate", "1", &[]),
    ("settings.upstreamIdle", "\"1s\"", &[]),
    ("settings.upstreamIdleConnections", "1", &[]),
    ("settings.mirrorsInFlight", "1", &[]),
    ("settings.upgrades", "[\"none\"]", &[]),
    ("settings.http2Streams", "1", &[]),
    ("settings.maxConnections", "1", &[]),
    ("settings.maxConnectionsPerClient", "1", &[]),
    ("settings.maxRequests", "1", &[]),
    ("settings.shedMemoryPercent", "0", &[]),
    ("trustedHops", "1", &[]),
    ("trustedCidrs", "[\"10.0.0.0/8\"]", &[]),
    ("certificates", "[\"example-com\"]", &[]),
    ("secrets", "false", &[]),
    ("statusPort", "9903", &[]),
    ("adminPort", "9904", &[]),
    ("keptInputs.enabled", "false", &[]),
    ("keptInputs.sizeLimit", "\"1Mi\"", &[]),
    ("extraArgs", "[\"--takeover\"]", &[]),
    ("extraEnv", "[{\"name\":\"X\",\"value\":\"y\"}]", &[]),
    ("service.type", "\"NodePort\"", &[]),
    ("service.annotations", "{\"x\":\"y\"}", &[]),
    ("service.labels", "{\"x\":\"y\"}", &[]),
    ("service.externalTrafficPolicy", "\"Local\"", &[]),
    ("service.loadBalancerClass", "\"x/y\"", &[]),
    ("service.loadBalancerSourceRanges", "[\"10.0.0.0/8\"]", &[]),
    ("hostNetwork", "true", &[]),
    ("serviceAccount.create", "false", &[]),
    ("serviceAccount.name", "\"x\"", &[]),
    ("serviceAccount.annotations", "{\"x\":\"y\"}", &[]),
    ("serviceAccount.automount", "false", &[]),
    ("rbac.create", "false", &[]),
    ("resources", "{\"limits\":{\"cpu\":\"1\"}}", &[]),
    ("podSecurityContext", "{\"fsGroup\":1}", &[]),
    ("securityContext", "{\"runAsUser\":1}", &[]),
    ("podAnnotations", "{\"x\":\"y\"}", &[]),
    ("podLabels", "{\"x\":\"y\"}", &[]),
    ("priorityClassName", "\"x\"", &[]),
    ("nodeSelector", "{\"x\":\"y\"}", &[]),
    ("tolerations", "[{\"operator\":\"Exists\"}]", &[]),
    ("affinity", "{\"nodeAffinity\":{}}", &[]),
    ("topologySpreadConstraints", "[]", &[]),
    ("probes.startup", "{\"periodSeconds\":7}", &[]),
    ("probes.liveness", "{\"periodSeconds\":7}", &[]),
    ("probes.readiness", "{\"periodSeconds\":7}", &[]),
    ("podDisruptionBudget.enabled", "false", &[]),
    ("podDisruptionBudget.maxUnavailable", "\"50%\"", &[]),
    ("autoscaling.enabled", "true", &[]),
    ("autoscaling.minReplicas", "3", &["autoscaling.enabled=true"]),
    ("autoscaling.maxReplicas", "3", &["autoscaling.enabled=true"]),
    ("autoscaling.targetCPUUtilizationPercentage", "3", &["autoscaling.enabled=true"]),
    ("autoscaling.behavior", "{\"scaleUp\":{}}", &["autoscaling.enabled=true"]),
    ("networkPolicy.enabled", "true", &[]),
    ("networkPolicy.statusFrom", "[{\"podSelector\":{}}]", &["networkPolicy.enabled=true"]),
    ("networkPolicy.apiServerPorts", "[1]", &["networkPolicy.enabled=true"]),
    ("networkPolicy.extraEgress", "[{\"ports\":[]}]", &["networkPolicy.enabled=true"]),
    ("serviceMonitor.enabled", "true", &[]),
    ("serviceMonitor.interval", "\"1s\"", &["serviceMonitor.enabled=true"]),
    ("serviceMonitor.labels", "{\"x\":\"y\"}", &["serviceMonitor.enabled=true"]),
    ("demo.enabled", "true", &[]),
    ("demo.resources", "{\"limits\":{\"cpu\":\"1\"}}", &["demo.enabled=true"]),
    ("helmTest.path", "\"/x\"", &[]),
    ("helmTest.expect", "201", &[]),
];

/// Fields of a listener that its default does not show.
const LISTENER: &[(&str, &str)] = &[
    ("port", "8081"),
    ("servicePort", "81"),
    ("nodePort", "30000"),
    ("hostPort", "80"),
    ("bind", "\"127.0.0.1\""),
    ("proxyProtocol", "true"),
    ("normalization", "{\"emptySegments\":\"keep\"}"),
    ("policy", "{\"timeouts\":{\"idle\":\"1s\"}}"),
];

#[test]
fn each_value_changes_what_is_rendered() {
    // The table that is generated from the values has a row for each.
    let readme = std::fs::read_to_string(chart().join("README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<&str> = rows.collect();
    let tried: BTreeSet<&str> = OTHERS.iter().map(|(value, ..)| *value).collect();
    assert!(documented.len() > 50, "{documented:?}");
    assert_eq!(documented, tried, "a value has a row in this table, and the other way round");

    let mut bases: BTreeMap<&[&str], String> = BTreeMap::new();
    for (value, other, needs) in OTHERS {
        let base = bases.entry(needs).or_insert_with(|| render(needs, &[]));
        let set = format!("{value}={other}");
        let sets: Vec<&str> = needs.iter().copied().chain([set.as_str()]).collect();
        assert_ne!(*base, render(&sets, &[]), "{set} changes nothing");
    }
    let base = render(&[], &[]);
    for (field, other) in LISTENER {
        let set = format!("listeners.http.{field}={other}");
        assert_ne!(base, render(&[set.as_str()], &[]), "{set} changes nothing");
    }
    // What is the same is rendered the same, so that tools that compare see no change.
    for (needs, rendered) in bases {
        assert_eq!(render(needs, &[]), rendered, "{needs:?}");
    }
}

/// The checksum of the settings that pods carry.
fn checksum(sets: &[&str]) -> String {
    let rendered = render(sets, &[]);
    let line = rendered.lines().find(|line| line.contains("fairway.dev/restart-settings"));
    line.unwrap().trim().to_owned()
}

#[test]
fn pods_restart_only_for_what_a_running_gateway_cannot_take_up() {
    let base = checksum(&[]);
    let live = [
        "listeners",
        "hostPolicy",
        "defaults",
        "overrides",
        "backends",
        "allowExternalHosts",
        "discovery",
        "log.level",
        "log.access",
        "clusterDomain",
    ];
    let restarts = [
        "class",
        "secrets",
        "allowAddresses",
        "log.format",
        "log.redact",
        "drain.delay",
        "settings.dns",
        "statusPort",
    ];
    for (value, other, _) in OTHERS {
        let same = checksum(&[&format!("{value}={other}")]) == base;
        assert!(same || !live.contains(value), "{value} restarts pods");
        assert!(!same || !restarts.contains(value), "{value} restarts no pods");
    }
}
