//! Writing status: one write for each change where that is possible, only differences, and never
//! faster than the API server takes them. Compiling and serving never wait for it.

mod expiry;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fairway_crds::{GROUP, ServiceRoute, ServiceRouteStatus, VERSION};
use fairway_snapshot::ObjectId;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use super::events::{Recorder, Teller};
use super::happenings::Waiting;
use super::{Programmed, Told, said, serves_all, status};
use crate::compile::ObjectStatus;
use crate::differences::differences;
use crate::event_loop::Compiled;
use crate::lease::Leadership;
use crate::metrics::{ControllerMetrics, ResultLabel};
use crate::replicas::Replicas;
use crate::watch::{Guarded, Observed, ObservedObjects};
use expiry::Ends;

/// Who we are to server-side apply.
pub const FIELD_MANAGER: &str = "fairway";
/// Writes under way at once.
const CONCURRENT: usize = 8;
/// How long the data plane may take before an object is told that it is pending. It mostly takes
/// milliseconds, and then one write says everything.
const HOLD: Duration = Duration::from_secs(1);
/// The same for the other replicas, which report at most once a second.
const HOLD_FOR_OTHERS: Duration = Duration::from_secs(2);
/// How long an object rests after a write that failed.
const REST: Duration = Duration::from_millis(500);

/// What the data plane said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedState {
    /// The revision that it serves.
    pub revision: u64,
    /// What went wrong with listeners.
    pub problem: Option<String>,
}

/// The one who writes status.
pub struct StatusWriter {
    client: Client,
    compiled: watch::Receiver<Option<Arc<Compiled>>>,
    applied: watch::Receiver<AppliedState>,
    /// What of it was passed on to the objects.
    told: AppliedState,
    leadership: watch::Receiver<Leadership>,
    /// Whether this process led when it was last told about leadership.
    leads: bool,
    replicas: watch::Receiver<Arc<Replicas>>,
    /// Objects that wait for another replica.
    waiting: BTreeSet<ObjectId>,
    observed: Arc<ObservedObjects>,
    metrics: ControllerMetrics,
    /// For each object what it is told, and the first revision that holds it like this.
    tracked: BTreeMap<ObjectId, Tracked>,
    /// Objects to look at, each not before its time.
    due: BTreeMap<ObjectId, Instant>,
    writing: BTreeSet<ObjectId>,
    /// What is news, and where it goes.
    news: Waiting,
    teller: Teller,
    /// What was said of the end of certificates.
    ends: Ends,
}

struct Tracked {
    status: Arc<ObjectStatus>,
    revision: u64,
    /// When it was compiled: it is told that it is pending only some time later.
    since: Instant,
}

/// An object that is told something else than before.
struct Write {
    id: ObjectId,
    before: Observed,
    desired: ServiceRouteStatus,
}

/// How a write ended.
enum Written {
    /// What the API server holds now, and the uid of the object.
    Done(Box<Observed>, Option<String>),
    Conflict,
    Gone,
    /// This process does not lead any more.
    Deposed,
    Failed(kube::Error),
}

impl StatusWriter {
    /// A writer for what is compiled and applied, and who writes Events of what it tells.
    #[must_use]
    pub fn new(
        client: Client,
        compiled: watch::Receiver<Option<Arc<Compiled>>>,
        applied: watch::Receiver<AppliedState>,
        leadership: watch::Receiver<Leadership>,
        replicas: watch::Receiver<Arc<Replicas>>,
        observed: Arc<ObservedObjects>,
        metrics: ControllerMetrics,
    ) -> (Self, Recorder) {
        let (teller, recorder) = Recorder::new(client.clone(), leadership.clone(), metrics.clone());
        let writer = Self {
            client,
            compiled,
            applied,
            told: AppliedState::default(),
            leadership,
            leads: false,
            replicas,
            waiting: BTreeSet::new(),
            observed,
            metrics,
            tracked: BTreeMap::new(),
            due: BTreeMap::new(),
            writing: BTreeSet::new(),
            news: Waiting::default(),
            teller,
            ends: Ends::default(),
        };
        (writer, recorder)
    }

    /// Runs until nothing is compiled any more.
    pub async fn run(mut self) {
        let mut writes = FuturesUnordered::new();
        let observed = Arc::clone(&self.observed);
        self.take_compiled();
        self.take_leadership();
        loop {
            let now = Instant::now();
            let leadership = *self.leadership.borrow();
            let leads = leadership.may_write();
            while leads
                && self.writing.len() < CONCURRENT
                && let Some(next) = self.next(now)
            {
                self.writing.insert(next.id.clone());
                writes.push(write(self.client.clone(), next, leadership));
            }
            let writes_on = leads && self.writing.len() < CONCURRENT;
            // What is being written is looked at again when that has ended.
            let free = self.due.iter().filter(|(id, _)| !self.writing.contains(*id));
            let wake = free.map(|(_, at)| *at).min().filter(|_| writes_on);
            let wake = wake.unwrap_or_else(|| now + Duration::from_secs(3600));
            let wake = if leads { wake.min(self.tell_ends(now)) } else { wake };
            tokio::select! {
                changed = self.compiled.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.take_compiled();
                }
                Ok(()) = self.applied.changed() => self.take_applied(),
                Ok(()) = self.leadership.changed() => self.take_leadership(),
                Ok(()) = self.replicas.changed() => {
                    for id in std::mem::take(&mut self.waiting) {
                        self.look_at(&id, now);
                    }
                }
                changed = observed.changed() => {
                    for id in changed {
                        self.look_at(&id, now);
                    }
                }
                Some((write, result)) = writes.next() => self.written(write, result),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn look_at(&mut self, id: &ObjectId, at: Instant) {
        if self.tracked.contains_key(id) {
            self.due.entry(id.clone()).and_modify(|due| *due = (*due).min(at)).or_insert(at);
        }
    }

    /// What was compiled: objects that are told something else are looked at.
    fn take_compiled(&mut self) {
        let Some(compiled) = self.compiled.borrow_and_update().clone() else { return };
        let now = Instant::now();
        let same = |known: &Tracked, status: &_| Arc::ptr_eq(&known.status, status);
        for (id, status) in differences(&self.tracked, &compiled.statuses, same) {
            let Some(status) = status else {
                self.tracked.remove(&id);
                self.due.remove(&id);
                self.news.forget(&id);
                self.ends.changed();
                continue;
            };
            match self.tracked.get_mut(&id) {
                Some(known) => {
                    // The data plane serves it already when its compiled form is the same.
                    if known.status.hash != status.hash {
                        known.revision = compiled.revision;
                    }
                    known.since = now;
                    known.status = status;
                }
                None => {
                    let tracked = Tracked { status, revision: compiled.revision, since: now };
                    self.tracked.insert(id.clone(), tracked);
                }
            }
            self.ends.changed();
            self.look_at(&id, now);
        }
    }

    /// The data plane has applied something. Those who waited for its revision are told, and
    /// everybody when what is said of listeners changed.
    fn take_applied(&mut self) {
        let now = Instant::now();
        let applied = self.applied.borrow_and_update().clone();
        let everybody = applied.problem != self.told.problem;
        let waited = |tracked: &Tracked| tracked.revision > self.told.revision;
        let concerned = self.tracked.iter().filter(|(_, tracked)| everybody || waited(tracked));
        let concerned: Vec<ObjectId> = concerned.map(|(id, _)| id.clone()).collect();
        self.told = applied;
        for id in concerned {
            self.look_at(&id, now);
        }
    }

    /// A new leader looks at every object again: what the one before wrote, or did not, shows only
    /// in what the API server holds.
    fn take_leadership(&mut self) {
        let leads = self.leadership.borrow_and_update().may_write();
        if leads && !self.leads {
            let now = Instant::now();
            for id in self.tracked.keys() {
                self.due.insert(id.clone(), now);
            }
            // Another one has told them things meanwhile.
            self.news = Waiting::default();
            self.ends = Ends::default();
        }
        self.leads = leads;
    }

    /// The next object that is due and must be told something, and what.
    fn next(&mut self, now: Instant) -> Option<Write> {
        loop {
            let is_due =
                |(id, at): &(&ObjectId, &Instant)| **at <= now && !self.writing.contains(*id);
            let id = self.due.iter().find(is_due)?.0.clone();
            let Some(tracked) = self.tracked.get(&id) else {
                self.due.remove(&id);
                continue;
            };
            // An object that the watch has not told of yet, or not any more, is not written.
            let Some(known) = self.observed.get(&id) else {
                self.due.remove(&id);
                continue;
            };
            let programmed = self.programmed(&id, tracked, known.status.as_ref());
            let hold = match programmed {
                Programmed::Pending => HOLD,
                Programmed::Waiting(_) => HOLD_FOR_OTHERS,
                Programmed::Applied | Programmed::ListenerFailed(_) => Duration::ZERO,
            };
            if matches!(programmed, Programmed::Waiting(_)) {
                self.waiting.insert(id.clone());
            }
            if tracked.since + hold > now {
                self.due.insert(id, tracked.since + hold);
                continue;
            }
            self.due.remove(&id);
            let desired =
                status(&tracked.status, &programmed, known.status.as_ref(), Timestamp::now());
            if let Some(desired) = desired {
                return Some(Write { id, before: known, desired });
            }
        }
    }

    fn programmed(&self, id: &ObjectId, tracked: &Tracked, previous: Option<&Told>) -> Programmed {
        let applied = self.applied.borrow();
        match &applied.problem {
            _ if applied.revision < tracked.revision => Programmed::Pending,
            Some(problem) => Programmed::ListenerFailed(problem.clone()),
            // A replica that starts, or that falls behind, takes nothing back.
            None if said(&tracked.status, previous) => Programmed::Applied,
            None => {
                let good = serves_all(&tracked.status);
                let needs = self.compiled.borrow().as_ref().map(|world| world.inputs.needs(id));
                let needs = needs.unwrap_or_default();
                let waiting = self.replicas.borrow().waiting_for(id, &needs, good);
                waiting.map_or(Programmed::Applied, Programmed::Waiting)
            }
        }
    }

    fn written(&mut self, write: Write, result: Written) {
        let Write { id, before, desired } = write;
        self.writing.remove(&id);
        let label = match result {
            Written::Done(observed, uid) => {
                // Known at once, mostly before the watch tells of our own write.
                self.observed.replace(&id, &before, *observed);
                let found = self.news.follow(&id, before.status.as_ref(), &desired);
                self.teller.tell(&id, uid.as_deref(), found);
                "written"
            }
            Written::Conflict => {
                // The watch will tell of the newer object; then it is computed anew.
                self.look_at(&id, Instant::now() + REST);
                "conflict"
            }
            Written::Gone => "gone",
            Written::Deposed => {
                self.look_at(&id, Instant::now());
                "deposed"
            }
            Written::Failed(error) => {
                tracing::warn!(object = %id, %error, "status not written, trying again");
                self.look_at(&id, Instant::now() + REST);
                "failed"
            }
        };
        self.metrics.status_writes.get_or_create(&ResultLabel { result: label }).inc();
    }
}

/// One write: server-side apply of the whole status, refused when the object has changed since, and
/// given up when leadership ends meanwhile.
/// The answer holds the whole object, which may be one that cannot be read: the write was taken
/// all the same.
async fn write(client: Client, write: Write, leadership: Leadership) -> (Write, Written) {
    let Write { id, before, desired } = &write;
    let api: Api<Guarded<ServiceRoute>> = Api::namespaced(client, &id.namespace);
    let patch = serde_json::json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "ServiceRoute",
        "metadata": { "name": &*id.name, "resourceVersion": before.resource_version },
        "status": desired,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(&patch);
    let answer = tokio::select! {
        // The end comes first: after a freeze both may be there.
        biased;
        () = leadership.over() => return (write, Written::Deposed),
        answer = api.patch_status(&id.name, &params, &patch) => answer,
    };
    let result = match answer {
        Ok(object) => {
            let uid = object.metadata.uid.clone();
            Written::Done(Box::new(Observed::of(&object)), uid)
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Written::Conflict,
        Err(kube::Error::Api(status)) if status.code == 404 => Written::Gone,
        Err(error) => Written::Failed(error),
    };
    (write, result)
}
