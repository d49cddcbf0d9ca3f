//! What a team applies: a service with its pods, and a route to it.

use std::time::Duration;

use super::tools::{self, TEAM};
use crate::cluster;

/// The team's service: so many pods, without a preStop hook and without a delay at their end.
pub(super) fn service(pods: u32) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: finance, namespace: {TEAM}}}
spec:
  replicas: {pods}
  selector: {{matchLabels: {{app: finance}}}}
  template:
    metadata: {{labels: {{app: finance}}}}
    spec:
      containers:
        - name: finance
          image: {image}
          imagePullPolicy: Never
          args: [demo-service, --name=finance, '--listen=0.0.0.0:8000', --drain-delay=0s]
          ports: [{{name: http, containerPort: 8000}}]
          readinessProbe: {{httpGet: {{path: /healthz, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: finance, namespace: {TEAM}}}
spec:
  selector: {{app: finance}}
  ports: [{{name: http, port: 8000, targetPort: http}}]
",
        image = super::IMAGE,
    )
}

/// A route to it; `more` are further fields of its backend.
pub(super) fn route(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {{name: {name}, namespace: {TEAM}}}
spec:
  rules:
    - match: [{{path: {path}/*}}]
      rewrite: {{path: /fin/*}}
      backends: [{{service: finance, port: http{more}}}]
"
    )
}

/// The gateway with its defaults, the team's service and a route `/e/fin/*`; gives the address of
/// the gateway's Service once requests arrive.
pub(super) fn ready(values: &[&str], pods: u32) -> anyhow::Result<String> {
    tools::install(values)?;
    cluster::apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {TEAM}}}}}"))?;
    cluster::apply(&service(pods))?;
    cluster::apply(&route("finance", "/e/fin", ""))?;
    tools::kubectl(&[
        "--namespace",
        TEAM,
        "rollout",
        "status",
        "deployment/finance",
        "--timeout=90s",
    ])?;
    let address = tools::service_address()?;
    // Objects of these names were deleted a moment ago: the controllers of the node may stumble over
    // what they remember of them, and then try again only after a while.
    tools::answers(&format!("http://{address}/e/fin/quotes"), 200, Duration::from_secs(120))?;
    Ok(address)
}

/// The kind by which one namespace lets another refer to its objects, as the Gateway API brings it,
/// reduced to what is read.
pub(super) const GRANTS: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: referencegrants.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: unapproved}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: ReferenceGrant, listKind: ReferenceGrantList, plural: referencegrants, singular: referencegrant}
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";
