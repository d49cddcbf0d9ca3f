//! Reading the API server's audit log: who asked what, with which result.

use std::collections::BTreeSet;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::Value;

use super::tools::{SYSTEM, get, text};
use crate::cluster;

/// A moment of the audit log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(usize);

/// What the gateway's service accounts asked for, in order.
fn events() -> anyhow::Result<Vec<Value>> {
    Ok(log()?.into_iter().filter(ours).collect())
}

/// Whether a service account of the gateway asked.
fn ours(event: &Value) -> bool {
    text(event, "/user/username").starts_with(&format!("system:serviceaccount:{SYSTEM}:"))
}

/// Everything that was logged, in order.
fn log() -> anyhow::Result<Vec<Value>> {
    let path = cluster::folder().join("logs/audit.log");
    let log = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Now.
pub(super) fn now() -> anyhow::Result<Moment> {
    Ok(Moment(events()?.len()))
}

/// How many status writes were taken since then, and those that were sent by a pod that did not
/// hold the lease.
pub(super) fn status_writes(since: &Moment) -> anyhow::Result<(usize, Vec<String>)> {
    let events = events()?;
    let mut holder = String::new();
    let mut writes = 0;
    let mut foreign = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let taken = event.pointer("/responseStatus/code").and_then(Value::as_u64);
        if taken.is_none_or(|code| code >= 300) {
            continue;
        }
        let resource = text(event, "/objectRef/resource");
        if resource == "leases" {
            holder = text(event, "/responseObject/spec/holderIdentity");
        }
        let status =
            resource == "serviceroutes" && text(event, "/objectRef/subresource") == "status";
        if status && number >= since.0 {
            writes += 1;
            let pod = event.pointer("/user/extra/authentication.kubernetes.io~1pod-name/0");
            let pod = pod.and_then(Value::as_str).unwrap_or_default();
            if pod.is_empty() || !holder.starts_with(pod) {
                let object = text(event, "/objectRef/name");
                foreign.push(format!("{object} by {pod:?} while {holder:?} led"));
            }
        }
    }
    Ok((writes, foreign))
}

/// How many requests there were; those that were refused for want of rights; and what was granted
/// and never used.
///
/// Uninstalling takes the Roles away while pods still drain, and these are refused then: that is no
/// right that the chart lacks. Refusals count while the pods' Role is bound, and
/// while the API server knows that: one that has just started has not yet read it.
pub(super) fn rights() -> anyhow::Result<(usize, Vec<String>, Vec<String>)> {
    let starts = cluster::api_server_starts();
    let mut asked = 0;
    let mut used = BTreeSet::new();
    let mut forbidden = BTreeSet::new();
    let mut uninstalled = false;
    for event in log()? {
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64);
        let bound = text(&event, "/objectRef/resource") == "rolebindings"
            && text(&event, "/objectRef/name") == super::tools::RELEASE;
        if bound {
            uninstalled = event["verb"] == "delete";
        }
        if !ours(&event) {
            continue;
        }
        asked += 1;
        let right = right(&event);
        // A namespace that is being removed refuses new objects of whoever may make them.
        let allowed = text(&event, "/annotations/authorization.k8s.io~1decision") == "allow";
        if code != Some(403) || allowed {
            // Applying what is not there asks for the right to create it.
            if code == Some(201) && right.starts_with("patch ") {
                used.insert(right.replacen("patch", "create", 1));
            }
            used.insert(right);
        } else if !uninstalled && !unread(&event, &starts) {
            forbidden.insert(right);
        }
    }
    let unused = granted()?.difference(&used).cloned().collect();
    Ok((asked, forbidden.into_iter().collect(), unused))
}

/// Whether the API server had just started and not yet read who may do what.
fn unread(event: &Value, starts: &[(Timestamp, Timestamp)]) -> bool {
    let at = text(event, "/requestReceivedTimestamp").parse::<Timestamp>();
    at.is_ok_and(|at| starts.iter().any(|(from, to)| *from <= at && at <= *to))
}

fn right(event: &Value) -> String {
    let group = text(event, "/objectRef/apiGroup");
    let mut resource = text(event, "/objectRef/resource");
    if let Some(sub) = event.pointer("/objectRef/subresource").and_then(Value::as_str) {
        resource = format!("{resource}/{sub}");
    }
    if resource.is_empty() {
        return format!("{} {}", text(event, "/verb"), text(event, "/requestURI"));
    }
    format!("{} {group}/{resource}", text(event, "/verb"))
}

/// Every right of the gateway's roles.
fn granted() -> anyhow::Result<BTreeSet<String>> {
    let selector = format!("--selector=app.kubernetes.io/instance={}", super::tools::RELEASE);
    let roles = get(&["clusterroles,roles", "--namespace", SYSTEM, &selector])?;
    let mut granted = BTreeSet::new();
    for rule in roles["items"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default())
    {
        let words = |name: &str| -> Vec<String> {
            let found = rule[name].as_array().into_iter().flatten();
            found.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        for group in words("apiGroups") {
            for resource in words("resources") {
                granted
                    .extend(words("verbs").iter().map(|verb| format!("{verb} {group}/{resource}")));
            }
        }
    }
    Ok(granted)
}
