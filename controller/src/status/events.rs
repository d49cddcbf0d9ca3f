//! Events about ServiceRoutes, as `kubectl describe` shows them: written beside status by whoever
//! leads, each once, with a count when it happens again.
//!
//! Events are a courtesy. They wait for nothing and nothing waits for them: one that cannot be
//! written is counted, its cause is logged once, and that is all.

mod ledger;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use fairway_crds::names::LONGEST_NAME;
use fairway_crds::{GROUP, VERSION};
use fairway_snapshot::ObjectId;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::happenings::Happening;
use super::writer::FIELD_MANAGER;
use crate::lease::Leadership;
use crate::metrics::{ControllerMetrics, ResultLabel};
use crate::pod::Pod;
use ledger::{Key, Ledger, Noted, Step, WINDOW};

/// Happenings that wait to be written, at most.
const QUEUE: usize = 256;
/// How long one write may take.
const REQUEST: Duration = Duration::from_secs(5);
/// The longest message of an Event, in bytes: the API server refuses a longer one.
const LONGEST_NOTE: usize = 1024;
/// The longest name of an object, of which a dot and 16 hexadecimal digits are ours.
const LONGEST_STEM: usize = LONGEST_NAME - 17;
/// The longest name of whoever reports.
const LONGEST_INSTANCE: usize = 128;
/// Who reports; `kubectl describe` shows it as `From`.
const CONTROLLER: &str = "fairway";
/// What was done when it happened: the objects are told.
const ACTION: &str = "TellStatus";

/// Where the writer of status puts what happened.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    sender: mpsc::Sender<Happened>,
    metrics: ControllerMetrics,
}

/// What happened to which object.
#[derive(Debug)]
struct Happened {
    object: ObjectId,
    uid: Option<String>,
    happening: Happening,
}

/// The one who writes Events.
pub struct Recorder {
    client: Client,
    leadership: watch::Receiver<Leadership>,
    happened: mpsc::Receiver<Happened>,
    ledger: Ledger,
    /// When the cause of a failure was logged.
    logged: BTreeMap<String, Instant>,
    metrics: ControllerMetrics,
}

/// How a write ended.
enum Sent {
    Written,
    /// This process does not lead any more.
    Deposed,
    /// The Event, or the namespace that it belongs to, is no more.
    Gone,
    Failed,
}

impl Teller {
    /// Tells that this happened. With too much waiting already, it is dropped.
    pub(super) fn tell(&self, object: &ObjectId, uid: Option<&str>, found: Vec<Happening>) {
        for happening in found {
            let happened =
                Happened { object: object.clone(), uid: uid.map(str::to_owned), happening };
            if self.sender.try_send(happened).is_err() {
                count(&self.metrics, "dropped");
            }
        }
    }
}

impl Recorder {
    /// A recorder, and where to tell it what happened.
    pub(super) fn new(
        client: Client,
        leadership: watch::Receiver<Leadership>,
        metrics: ControllerMetrics,
    ) -> (Teller, Self) {
        let (sender, happened) = mpsc::channel(QUEUE);
        let teller = Teller { sender, metrics: metrics.clone() };
        let ledger = Ledger::new(Instant::now());
        let logged = BTreeMap::new();
        (teller, Self { client, leadership, happened, ledger, logged, metrics })
    }

    /// Writes Events in the name of a pod, until nobody can tell of anything any more.
    pub async fn run(mut self, pod: Option<Pod>) {
        let mut instance = pod.map_or_else(|| CONTROLLER.to_owned(), |pod| pod.name);
        instance.truncate(instance.floor_char_boundary(LONGEST_INSTANCE));
        loop {
            let due = self.ledger.due();
            let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                happened = self.happened.recv() => match happened {
                    Some(happened) => self.take(&happened, &instance).await,
                    None => return,
                },
                () = sleep_until(due) => {
                    if let Some((key, entry)) = self.ledger.next(Instant::now()) {
                        self.count(&key, &entry).await;
                    }
                }
            }
        }
    }

    async fn take(&mut self, happened: &Happened, instance: &str) {
        let Happened { object, uid, happening } = happened;
        let key = Key::new(uid.as_deref(), object, happening);
        match self.ledger.take(&key, happening.kind, Instant::now()) {
            Step::Create => {
                let event = event(happened, instance);
                let name = event.metadata.name.clone().unwrap_or_default();
                let api: Api<Event> = Api::namespaced(self.client.clone(), &object.namespace);
                let params = PostParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PostParams::default()
                };
                let sent = self.send(object, api.create(&params, &event)).await;
                if matches!(sent, Sent::Written) {
                    self.ledger.created(key, object.clone(), name, Instant::now());
                }
            }
            Step::Count(entry) => self.count(&key, &entry).await,
            Step::Later => {}
            Step::Drop => count(&self.metrics, "dropped"),
        }
    }

    /// Writes how often it has happened. All that an Event may change is its series.
    async fn count(&mut self, key: &Key, entry: &Noted) {
        let series = EventSeries {
            count: i32::try_from(entry.count).unwrap_or(i32::MAX),
            last_observed_time: MicroTime(entry.last),
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), &entry.object.namespace);
        let patch = serde_json::json!({ "series": series });
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(&patch);
        let sent = self.send(&entry.object, api.patch(&entry.name, &params, &patch)).await;
        if matches!(sent, Sent::Gone) {
            // The next time it is a new one.
            self.ledger.forget(key);
        }
    }

    /// One write, which only a leader makes and which ends with its leadership.
    async fn send(
        &mut self,
        object: &ObjectId,
        request: impl Future<Output = kube::Result<Event>>,
    ) -> Sent {
        let leadership = *self.leadership.borrow();
        let answer = tokio::select! {
            // The end comes first: after a freeze both may be there.
            biased;
            () = leadership.over() => None,
            answer = timeout(REQUEST, request) => Some(answer),
        };
        let (sent, word) = match answer {
            None => (Sent::Deposed, "deposed"),
            Some(Ok(Ok(_))) => (Sent::Written, "written"),
            Some(Ok(Err(error))) if is_gone(&error) => (Sent::Gone, "gone"),
            Some(Ok(Err(error))) => {
                self.log(object, cause(&error), &error.to_string());
                (Sent::Failed, "failed")
            }
            Some(Err(_)) => {
                let problem = "the API server does not answer";
                self.log(object, problem.to_owned(), problem);
                (Sent::Failed, "failed")
            }
        };
        count(&self.metrics, word);
        sent
    }

    /// Logs a failure unless its cause was logged a moment ago: where rights are missing in one
    /// namespace, every Event there fails for the same cause.
    fn log(&mut self, object: &ObjectId, cause: String, problem: &str) {
        if self.is_first(cause, Instant::now()) {
            tracing::warn!(%object, problem, "event not written, more of this cause are only counted");
        }
    }

    fn is_first(&mut self, cause: String, now: Instant) -> bool {
        self.logged.retain(|_, at| *at + WINDOW > now);
        match self.logged.entry(cause) {
            Entry::Vacant(entry) => {
                entry.insert(now);
                true
            }
            Entry::Occupied(_) => false,
        }
    }
}

fn count(metrics: &ControllerMetrics, result: &'static str) {
    metrics.events.get_or_create(&ResultLabel { result }).inc();
}

/// What failures have in common that are told once.
fn cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
        other => other.to_string(),
    }
}

/// Whether there is nothing any more that the Event could be written to. A namespace that is being
/// removed takes no new objects, which looks like missing rights.
fn is_gone(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 404 || causes.any(|cause| cause.reason == "NamespaceTerminating")
}

/// A new Event.
fn event(happened: &Happened, instance: &str) -> Event {
    let Happened { object, uid, happening } = happened;
    Event {
        metadata: ObjectMeta {
            name: Some(name(&object.name, fastrand::u64(..))),
            namespace: Some(object.namespace.to_string()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(Timestamp::now())),
        type_: Some(happening.kind.as_str().to_owned()),
        reason: Some(happening.reason.clone()),
        note: Some(note(&happening.message)),
        action: Some(ACTION.to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some("ServiceRoute".to_owned()),
            name: Some(object.name.to_string()),
            namespace: Some(object.namespace.to_string()),
            // By this, `kubectl describe` finds it.
            uid: uid.clone(),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

/// A name for an Event: that of the object, as far as it fits, and a number.
fn name(object: &str, number: u64) -> String {
    let stem = &object[..object.floor_char_boundary(LONGEST_STEM)];
    // A part of a name does not end with one of these.
    let stem = stem.trim_end_matches(['-', '.']);
    format!("{stem}.{number:016x}")
}

/// A message as an Event holds it: one line, for kubectl shows a table, and not too long.
fn note(message: &str) -> String {
    const ELLIPSIS: &str = "…";
    let mut note = message.replace('\n', "; ");
    if note.len() > LONGEST_NOTE {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE - ELLIPSIS.len()));
        note.push_str(ELLIPSIS);
    }
    note
}
