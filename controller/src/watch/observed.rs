//! What the API server holds of our own writing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use fairway_crds::ServiceRoute;
use fairway_snapshot::ObjectId;
use tokio::sync::Notify;

use super::Guarded;
use crate::status::Told;
use crate::versions::Versions;

/// What the API server holds of our own writing, beside what is compiled: a status that we wrote
/// comes back as an event, and must not be compiled again.
#[derive(Debug, Default)]
pub struct ObservedObjects {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    objects: BTreeMap<ObjectId, Observed>,
    dirty: BTreeSet<ObjectId>,
    progress: (u64, Versions),
}

/// An object as the API server last told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Its uid, by which `kubectl describe` finds what is told of it.
    pub uid: Option<Box<str>>,
    /// Its version, sent with a write so that a stale write is refused.
    pub resource_version: Option<String>,
    /// What its status says.
    pub status: Option<Told>,
}

impl Observed {
    /// What an object says of itself. A status outlives a spec that cannot be read, for else it
    /// would be written again and again.
    pub(crate) fn of(object: &Guarded<ServiceRoute>) -> Self {
        let status = match &object.content {
            Ok(route) => route.status.as_ref().map(Told::of),
            Err(raw) => raw.field("/status").as_ref().map(Told::of),
        };
        let metadata = &object.metadata;
        let uid = metadata.uid.as_deref().map(Into::into);
        Self { uid, resource_version: metadata.resource_version.clone(), status }
    }
}

impl ObservedObjects {
    /// What is known of an object.
    #[must_use]
    pub fn get(&self, id: &ObjectId) -> Option<Observed> {
        self.lock().objects.get(id).cloned()
    }

    /// Remembers what the API server told; the object will be looked at.
    pub fn set(&self, id: &ObjectId, observed: Observed) {
        let mut inner = self.lock();
        if inner.objects.get(id) != Some(&observed) {
            inner.objects.insert(id.clone(), observed);
            inner.dirty.insert(id.clone());
            drop(inner);
            self.changed.notify_one();
        }
    }

    /// Remembers how an object stands after a write to it, unless the watch has told more meanwhile:
    /// what it told is then this write or something newer, which must not be forgotten. Else the
    /// next write would go out with an old version, and be refused until somebody edits the object.
    pub(crate) fn replace(&self, id: &ObjectId, before: &Observed, after: Observed) {
        let mut inner = self.lock();
        if inner.objects.get(id) == Some(before) {
            inner.objects.insert(id.clone(), after);
            inner.dirty.insert(id.clone());
            drop(inner);
            self.changed.notify_one();
        }
    }

    /// The world that was told last, and how far the watches have come without a change to it.
    #[must_use]
    pub fn progress(&self) -> (u64, Versions) {
        self.lock().progress.clone()
    }

    /// Notes the world that was told last, and how far the watches have come.
    pub(super) fn came_to(&self, world: u64, seen: Versions) {
        self.lock().progress = (world, seen);
    }

    pub(crate) fn remove(&self, id: &ObjectId) {
        self.lock().objects.remove(id);
    }

    /// Waits for objects that changed, and takes their names.
    pub async fn changed(&self) -> BTreeSet<ObjectId> {
        loop {
            let dirty = std::mem::take(&mut self.lock().dirty);
            if !dirty.is_empty() {
                return dirty;
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
