//! What this replica serves, told to the others: a GatewayReplica that has the name of its pod and
//! goes with it. The leader says `Programmed` of an object only when every ready replica has it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fairway_crds::conditions::Reason;
use fairway_crds::gateway_replica::MAX_FAILED;
use fairway_crds::{FailedObject, GROUP, GatewayReplica, GatewayReplicaSpec, VERSION};
use fairway_snapshot::{ObjectId, Snapshot};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::compile::ObjectStatus;
use crate::event_loop::Compiled;
use crate::hexadecimal::hexadecimal;
use crate::pod::Pod;
use crate::status::serves_all;
use crate::status::writer::{AppliedState, FIELD_MANAGER};
use crate::watch::ObservedObjects;

/// How often a replica reports when nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long it rests between two reports.
const REST: Duration = Duration::from_secs(1);
/// How long one write may take.
const REQUEST: Duration = Duration::from_secs(5);
/// How many compiled states wait for the data plane at most; it mostly is none or one.
const WAITING: usize = 16;
/// The longest message of a failed object.
const LONGEST_MESSAGE: usize = 200;

/// The one who reports what this replica serves.
pub struct Reporter {
    api: Api<GatewayReplica>,
    pod: Pod,
    class: String,
    compiled: watch::Receiver<Option<Arc<Compiled>>>,
    applied: watch::Receiver<AppliedState>,
    observed: Arc<ObservedObjects>,
    /// Compiled states that the data plane has not applied, by their revision.
    waiting: BTreeMap<u64, Arc<Compiled>>,
    /// What the data plane serves.
    current: Option<Arc<Compiled>>,
    /// The hash and the number of routes of the revision for which they were computed.
    summary: (u64, String, u32),
    /// What was reported last, and when.
    told: Option<(State, Instant)>,
    failing: bool,
}

/// What is worth a report at once: world, revision, and what is wrong with listeners.
type State = (u64, u64, Option<String>);

impl Reporter {
    /// A reporter for the replica that runs in `pod`.
    #[must_use]
    pub fn new(
        client: Client,
        pod: Pod,
        class: String,
        compiled: watch::Receiver<Option<Arc<Compiled>>>,
        applied: watch::Receiver<AppliedState>,
        observed: Arc<ObservedObjects>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, &pod.namespace),
            pod,
            class,
            compiled,
            applied,
            observed,
            waiting: BTreeMap::new(),
            current: None,
            summary: (0, String::new(), 0),
            told: None,
            failing: false,
        }
    }

    /// Reports until `stop` is sent or dropped; the last report says that this replica is not
    /// ready any more, so that nobody waits for it.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            self.take();
            let due = self.due(Instant::now());
            tokio::select! {
                biased;
                _ = &mut stop => break,
                changed = self.compiled.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
                Ok(()) = self.applied.changed() => {}
                () = sleep_until(due) => self.write(true).await,
            }
        }
        self.write(false).await;
    }

    /// Finds out what the data plane serves.
    fn take(&mut self) {
        if let Some(compiled) = self.compiled.borrow_and_update().clone() {
            self.waiting.insert(compiled.revision, compiled);
        }
        let applied = self.applied.borrow_and_update().revision;
        let later = self.waiting.split_off(&(applied + 1));
        if let Some((_, newest)) = std::mem::replace(&mut self.waiting, later).pop_last() {
            self.current = Some(newest);
        }
        while self.waiting.len() > WAITING {
            self.waiting.pop_first();
        }
    }

    fn state(&self) -> State {
        let current = self.current.as_ref();
        let world = current.map_or(0, |current| current.inputs.versions.world);
        let revision = current.map_or(0, |current| current.revision);
        (world, revision, self.applied.borrow().problem.clone())
    }

    fn due(&self, now: Instant) -> Instant {
        match &self.told {
            None => now,
            Some((told, at)) if *told != self.state() => *at + REST,
            Some((_, at)) => *at + HEARTBEAT,
        }
    }

    async fn write(&mut self, takes_traffic: bool) {
        let state = self.state();
        let report = self.report(takes_traffic).await;
        let name = self.pod.name.as_str();
        let owners: Vec<_> = self.pod.uid.iter().map(|uid| serde_json::json!({ "apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid })).collect();
        let object = serde_json::json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "GatewayReplica",
            "metadata": { "name": name, "ownerReferences": owners },
            "spec": report,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let object = Patch::Apply(&object);
        let written = timeout(REQUEST, self.api.patch(name, &params, &object)).await;
        let problem = match written {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the API server does not answer".to_owned()),
        };
        let failing = problem.is_some();
        if let Some(problem) = problem.filter(|_| !self.failing) {
            tracing::warn!(replica = name, problem, "report not written, trying again");
        }
        self.failing = failing;
        // One that failed is due again after the rest, as one that is out of date.
        let state = if failing { (u64::MAX, 0, None) } else { state };
        self.told = Some((state, Instant::now()));
    }

    async fn report(&mut self, takes_traffic: bool) -> GatewayReplicaSpec {
        let mut report = GatewayReplicaSpec {
            class: self.class.clone(),
            renewed: Some(Time(Timestamp::now())),
            problem: self.applied.borrow().problem.clone(),
            ..GatewayReplicaSpec::default()
        };
        let Some(current) = self.current.clone() else { return report };
        report.ready = takes_traffic;
        if let Some(published) = current.published.clone()
            && self.summary.0 != current.revision
        {
            let work = tokio::task::spawn_blocking(move || summary(&published.snapshot));
            // What ends such work early is the end of the process.
            let (hash, routes) = work.await.unwrap_or_default();
            self.summary = (current.revision, hash, routes);
        }
        (report.hash, report.routes) = (self.summary.1.clone(), self.summary.2);
        let (world, seen) = self.observed.progress();
        let versions = &current.inputs.versions;
        // The watches may have seen more since, without a change to what was compiled.
        let seen = if world == versions.world { &seen } else { &versions.seen };
        report.applied = seen.to_map();
        (report.failed_count, report.failed) = failed(&current.statuses);
        report
    }
}

/// Hash and number of routes of a snapshot. The hash is of its content as JSON, whose maps are
/// sorted, and is cut to 16 hexadecimal digits: it is for eyes, and for telling replicas apart.
fn summary(snapshot: &Snapshot) -> (String, u32) {
    let hash = serde_json::to_vec(snapshot)
        .map_or_else(|_| String::new(), |text| hexadecimal(&Sha256::digest(&text)[..8]));
    let hosts = snapshot.listeners.values().flat_map(|listener| &listener.hosts);
    let routes: usize = hosts.map(|host| host.routes.len()).sum();
    (hash, u32::try_from(routes).unwrap_or(u32::MAX))
}

/// How many objects do not serve as a whole, and the first of them with the reason.
fn failed(statuses: &BTreeMap<ObjectId, Arc<ObjectStatus>>) -> (u32, Vec<FailedObject>) {
    let all = statuses.iter().filter(|(_, status)| !serves_all(status));
    let count = u32::try_from(all.clone().count()).unwrap_or(u32::MAX);
    let first = all.take(MAX_FAILED).map(|(id, status)| {
        let verdicts = [&status.accepted, &status.resolved_refs];
        let bad = verdicts.into_iter().find(|verdict| !verdict.status);
        let message = bad.map_or(Reason::PartiallyInvalid.as_str(), |bad| &bad.message);
        let message = message.chars().take(LONGEST_MESSAGE).collect();
        FailedObject { object: id.to_string(), message }
    });
    (count, first.collect())
}
