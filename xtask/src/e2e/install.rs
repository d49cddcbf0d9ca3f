//! Installing, testing, upgrading, rolling back and uninstalling, in each way that the chart offers.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::Value;

use super::tools::{self, RELEASE, SYSTEM, TEAM, get, helm, kubectl, text};
use super::{Extent, Figures};
use crate::cluster;

/// A way to install: its values, and what an upgrade changes.
struct Way {
    name: &'static str,
    values: &'static [&'static str],
    change: &'static str,
}

const WAYS: [Way; 4] = [
    Way { name: "defaults", values: &[], change: "--set=log.level=debug" },
    Way {
        name: "watch.namespaces",
        values: &["--set=watch.namespaces={market,fairway-system}", "--set=demo.enabled=true"],
        change: "--set=drain.delay=2s",
    },
    Way {
        name: "DaemonSet on the host's network",
        values: &["--set=kind=DaemonSet", "--set=hostNetwork=true"],
        change: "--set=podAnnotations.changed=yes",
    },
    Way {
        name: "everything",
        values: &[
            "--set=demo.enabled=true",
            "--set=autoscaling.enabled=true",
            "--set=serviceMonitor.enabled=true",
            "--set=networkPolicy.enabled=true",
            "--set=service.type=NodePort",
            "--set=podDisruptionBudget.enabled=true",
        ],
        change: "--set=podAnnotations.changed=yes",
    },
];

/// Kinds that a chart may make and that an uninstallation could leave behind.
const KINDS: &str = "deployments,daemonsets,replicasets,pods,services,endpointslices,configmaps,secrets,serviceaccounts,\
roles,rolebindings,poddisruptionbudgets,networkpolicies,horizontalpodautoscalers,leases,jobs,fairway";
const CLUSTER_KINDS: &str = "clusterroles,clusterrolebindings,customresourcedefinitions,namespaces";

/// What a chart with a ServiceMonitor needs and others bring.
const SERVICE_MONITOR: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, listKind: ServiceMonitorList, plural: servicemonitors, singular: servicemonitor}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

pub(super) fn run(extent: Extent) -> anyhow::Result<Figures> {
    cluster::apply(SERVICE_MONITOR)?;
    cluster::apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {TEAM}}}}}"))?;
    let mut figures = Vec::new();
    for way in &WAYS {
        let short = extent == Extent::Short && way.name == "watch.namespaces";
        if !short {
            figures.push(one(way).with_context(|| format!("installed with {}", way.name))?);
        }
    }
    kubectl(&["delete", "crd", "servicemonitors.monitoring.coreos.com"])?;
    Ok(figures)
}

/// The life of one installation.
fn one(way: &Way) -> anyhow::Result<String> {
    let began = Instant::now();
    let before = objects()?;
    let notes = tools::install(way.values)?;
    if !notes.contains("kubectl") && !notes.contains("curl") {
        bail!("the notes name no command to try:\n{notes}");
    }
    test()?;
    tools::install(&[way.values, &[way.change]].concat())?;
    test()?;
    helm(&["rollback", RELEASE, "1", "--namespace", SYSTEM, "--wait", "--timeout=180s"])?;
    test()?;
    helm(&["uninstall", RELEASE, "--namespace", SYSTEM, "--wait", "--timeout=120s"])?;
    kubectl(&["delete", "namespace", SYSTEM, "--wait", "--timeout=120s"])?;
    let after = objects()?;
    let left: Vec<String> = after.difference(&before).cloned().collect();
    let other: Vec<&String> =
        left.iter().filter(|name| !name.starts_with("CustomResourceDefinition/")).collect();
    if !other.is_empty() {
        bail!("left behind: {other:?}");
    }
    let kept = if left.is_empty() { "nothing new".to_owned() } else { left.join(", ") };
    Ok(format!(
        "{}: install, test, upgrade, test, rollback, test, uninstall in {:.0} s; left behind: {kept}",
        way.name,
        began.elapsed().as_secs_f64()
    ))
}

fn test() -> anyhow::Result<()> {
    let said = helm(&["test", RELEASE, "--namespace", SYSTEM, "--timeout=60s", "--logs"])?;
    if said.contains("Succeeded") { Ok(()) } else { bail!("helm test: {said}") }
}

/// Every object that an installation could make, but not what the cluster makes in each namespace.
fn objects() -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut kinds = vec![CLUSTER_KINDS.to_owned()];
    let own = get(&["crd"])?;
    let ours = own.to_string().contains("serviceroutes.fairway.dev");
    kinds.push(if ours { KINDS.to_owned() } else { KINDS.replace(",fairway", "") });
    for kinds in &kinds {
        let list = get(&[kinds.as_str(), "--all-namespaces"])?;
        for object in list["items"].as_array().into_iter().flatten() {
            if !of_the_cluster(object) {
                let namespace = text(object, "/metadata/namespace");
                let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
                found.insert(format!("{kind}/{namespace}/{name}"));
            }
        }
    }
    Ok(found)
}

fn of_the_cluster(object: &Value) -> bool {
    let namespace = text(object, "/metadata/namespace");
    let name = text(object, "/metadata/name");
    namespace.starts_with("kube-") || name == "kube-root-ca.crt" || name == "default"
}
