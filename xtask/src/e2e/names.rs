//! Backends by the cluster's own DNS: each kind of Service, and one of another namespace.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::tools::{self, SYSTEM, TEAM, kubectl};
use super::{Extent, Figures, team};
use crate::cluster;

/// The namespace that grants nothing at first.
const OTHER: &str = "reports";
/// What an ExternalName stands for; the operator allows it.
const EXTERNAL: &str = "finance.market.svc.cluster.local";

/// Services beside the team's own: without a cluster address, a name for another name, once
/// allowed and once not, one that is spoken to as HTTP/2, and one that says TLS and speaks none.
const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: market}
spec:
  clusterIP: None
  selector: {app: finance}
  ports: [{name: http, port: 8000, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: market}
spec: {type: ExternalName, externalName: finance.market.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: stranger, namespace: market}
spec: {type: ExternalName, externalName: kubernetes.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: modern, namespace: market}
spec:
  selector: {app: finance}
  ports: [{name: http, port: 8000, targetPort: http, appProtocol: kubernetes.io/h2c}]
---
apiVersion: v1
kind: Service
metadata: {name: secured, namespace: market}
spec:
  selector: {app: finance}
  ports: [{name: http, port: 8000, targetPort: http, appProtocol: kubernetes.io/wss}]
";

/// A route of another namespace to the team's service, and what permits it.
const ELSEWHERE: &str = "
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: elsewhere, namespace: reports}
spec:
  rules:
    - match: [{path: /elsewhere/*}]
      backends: [{service: finance, namespace: market, port: http}]
";
const GRANT: &str = "
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: reports, namespace: market}
spec:
  from: [{group: fairway.dev, kind: ServiceRoute, namespace: reports}]
  to: [{group: '', kind: Service, name: finance}]
";

pub(super) fn run(_: Extent) -> anyhow::Result<Figures> {
    let address = team::ready(&[&format!("--set=allowExternalHosts={{{EXTERNAL}}}")], 2)?;
    cluster::apply(SERVICES)?;
    for (name, service, port) in [
        ("port-number", "finance", "8000"),
        ("headless", "headless", "http"),
        ("alias", "alias", "8000"),
        ("stranger", "stranger", "443"),
        ("modern", "modern", "http"),
        ("secured", "secured", "http"),
    ] {
        let route = team::route(name, &format!("/{name}"), "");
        cluster::apply(&route.replace(
            "service: finance, port: http",
            &format!("service: {service}, port: {port}"),
        ))?;
    }
    let patience = Duration::from_secs(20);
    for name in ["port-number", "headless", "alias", "modern"] {
        tools::answers(&format!("http://{address}/{name}/quotes"), 200, patience)?;
    }
    let (_, said) = tools::ask(&format!("http://{address}/modern/hello"), None)?;
    let said: Value = serde_json::from_str(&said).context("the sample service speaks JSON")?;
    if said["protocol"] != "HTTP/2.0" {
        bail!("a port with appProtocol kubernetes.io/h2c was asked by {}", said["protocol"]);
    }
    tools::answers(&format!("http://{address}/stranger/quotes"), 500, patience)?;
    refused(TEAM, "stranger", "ResolvedRefs", "ExternalHostNotAllowed")?;
    // It is not spoken to in plain text.
    tools::answers(&format!("http://{address}/secured/quotes"), 502, patience)?;
    let moved = headless_follows(&address)?;
    let granted = grants(&address)?;
    Ok(vec![
        "200 by port name, port number, headless, ExternalName and HTTP/2 (kubernetes.io/h2c); 500 with ExternalHostNotAllowed; 502 where kubernetes.io/wss speaks no TLS".to_owned(),
        moved,
        granted,
    ])
}

/// Both pods are asked by the headless name, and after the pods were replaced both new ones are.
fn headless_follows(address: &str) -> anyhow::Result<String> {
    let url = format!("http://{address}/headless/quotes");
    let both = || {
        for _ in 0..40 {
            tools::ask(&url, None)?;
        }
        let (asked, there) = (asked("/headless/quotes")?, pods()?);
        if let Some(pod) = there.iter().find(|pod| !asked.contains(*pod)) {
            bail!("{pod} was not asked, but {asked:?}");
        }
        Ok(())
    };
    tools::eventually("both pods answer", Duration::from_secs(20), both)?;
    kubectl(&["--namespace", TEAM, "rollout", "restart", "deployment/finance"])?;
    kubectl(&["--namespace", TEAM, "rollout", "status", "deployment/finance", "--timeout=90s"])?;
    let (_, took) = tools::eventually("both new pods answer", Duration::from_secs(60), both)?;
    Ok(format!(
        "headless: both of two pods are asked, and {:.1} s after a rolling update both new ones",
        took.as_secs_f64()
    ))
}

/// The addresses that requests for a path went to within the last seconds, as the access log says.
fn asked(path: &str) -> anyhow::Result<BTreeSet<String>> {
    // Lines are written in batches.
    std::thread::sleep(Duration::from_millis(300));
    let selector = "--selector=app.kubernetes.io/component=gateway";
    let log = kubectl(&["--namespace", SYSTEM, "logs", selector, "--tail=200", "--since=3s"])?;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let endpoints = lines.filter(|line| line["path"] == path);
    let addresses = endpoints.filter_map(|line| {
        tools::text(&line, "/endpoint").rsplit_once(':').map(|(address, _)| address.to_owned())
    });
    Ok(addresses.collect())
}

/// The addresses of the pods of the team's service that do not end.
fn pods() -> anyhow::Result<Vec<String>> {
    let found = tools::get(&["pods", "--namespace", TEAM, "--selector=app=finance"])?;
    let items = found["items"].as_array().context("no pods")?;
    let staying = items.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    Ok(staying.map(|pod| tools::text(pod, "/status/podIP")).collect())
}

/// A reference to another namespace is refused until a grant is there, of a kind that appears
/// meanwhile, and refused again when the grant is gone.
fn grants(address: &str) -> anyhow::Result<String> {
    let url = format!("http://{address}/elsewhere/quotes");
    cluster::apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {OTHER}}}}}"))?;
    cluster::apply(ELSEWHERE)?;
    tools::answers(&url, 500, Duration::from_secs(10))?;
    refused(OTHER, "elsewhere", "ResolvedRefs", "RefNotPermitted")?;
    cluster::apply(team::GRANTS)?;
    let crd = "crd/referencegrants.gateway.networking.k8s.io";
    kubectl(&["wait", crd, "--for=condition=Established", "--timeout=10s"])?;
    cluster::apply(GRANT)?;
    let live = tools::answers(&url, 200, Duration::from_secs(20))?;
    kubectl(&["delete", "referencegrant/reports", "--namespace", TEAM])?;
    let gone = tools::answers(&url, 500, Duration::from_secs(10))?;
    kubectl(&["delete", crd])?;
    Ok(format!(
        "ReferenceGrant: permitted {:.1} s after its kind and the grant appeared, refused {} ms after it was deleted",
        live.as_secs_f64(),
        gone.as_millis()
    ))
}

/// Waits until the status of a route says why its backend is refused.
fn refused(namespace: &str, name: &str, condition: &str, reason: &str) -> anyhow::Result<()> {
    let path = "/status/conditions";
    let check = || {
        let route = tools::get(&[&*format!("serviceroute/{name}"), "--namespace", namespace])?;
        let conditions = route.pointer(path).and_then(Value::as_array);
        let found = conditions.into_iter().flatten().find(|one| one["type"] == condition);
        match found {
            Some(one) if one["status"] == "False" && one["reason"] == reason => Ok(()),
            other => bail!("{condition} of {name} is {other:?}, not {reason}"),
        }
    };
    tools::eventually("the status says why", Duration::from_secs(10), check).map(drop)
}
