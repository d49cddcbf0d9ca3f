//! What the watches have told so far, reduced to what is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use fairway_crds::{DEFAULT_CLASS, ServiceRoute, ServiceRouteStatus};
use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::Service as KubeService;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::watcher::Event;
use tokio::sync::Notify;

use super::Guarded;
use super::progress::Progress;
use crate::Inputs;
use crate::inputs::{Service, Unreadable};
use crate::versions::{ROUTES, SERVICES, Version, Versions, WorldVersions};

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Its version, sent with a write so that a stale write is refused.
    pub resource_version: Option<String>,
    /// Its status.
    pub status: Option<ServiceRouteStatus>,
}

impl Observed {
    /// What an object says of itself. A status outlives a spec that cannot be read, for else it
    /// would be written again and again.
    pub(crate) fn of(object: &Guarded<ServiceRoute>) -> Self {
        let status = match object {
            Guarded::Readable(route) => route.status.clone(),
            Guarded::Unreadable(raw) => raw.field("/status"),
        };
        Self { resource_version: object.meta().resource_version.clone(), status }
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

    /// The world that was told last, and how far the watches have come without a change to it.
    #[must_use]
    pub fn progress(&self) -> (u64, Versions) {
        self.lock().progress.clone()
    }

    fn remove(&self, id: &ObjectId) {
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

/// The world so far.
#[derive(Debug)]
pub(super) struct Store {
    inputs: Inputs,
    observed: Arc<ObservedObjects>,
    routes: Vec<Scope>,
    services: Vec<Scope>,
    seen: Versions,
    routes_progress: Progress,
    services_progress: Progress,
    /// Services that cannot be read, with what the log said of them.
    unreadable_services: BTreeMap<ObjectId, String>,
    dirty: bool,
    complete: bool,
}

/// The state of one watch.
#[derive(Debug, Default)]
struct Scope {
    /// The names of its objects; a list that is fetched again removes those that it lacks.
    names: BTreeSet<ObjectId>,
    /// The names of the list that is being fetched.
    listing: Option<BTreeSet<ObjectId>>,
    ready: bool,
}

impl Scope {
    /// Notes an object that the watch told of.
    fn saw(&mut self, id: &ObjectId) {
        match &mut self.listing {
            Some(listing) => listing.insert(id.clone()),
            None => self.names.insert(id.clone()),
        };
    }

    /// The list is complete: the names that it lacks are gone.
    fn complete(&mut self) -> Vec<ObjectId> {
        self.ready = true;
        let Some(listing) = self.listing.take() else { return Vec::new() };
        let gone = self.names.difference(&listing).cloned().collect();
        self.names = listing;
        gone
    }
}

impl Store {
    pub(super) fn new(namespaces: &[String], observed: Arc<ObservedObjects>) -> Self {
        let fresh = || (0..namespaces.len().max(1)).map(|_| Scope::default()).collect();
        Self {
            inputs: Inputs::default(),
            observed,
            routes: fresh(),
            services: fresh(),
            seen: Versions::default(),
            routes_progress: Progress::new(ROUTES, namespaces),
            services_progress: Progress::new(SERVICES, namespaces),
            unreadable_services: BTreeMap::new(),
            dirty: false,
            complete: false,
        }
    }

    /// The world, when it is complete and differs from what was told last.
    pub(super) fn changed(&mut self) -> Option<Arc<Inputs>> {
        if !self.complete {
            self.complete = self.routes.iter().chain(&self.services).all(|scope| scope.ready);
            self.dirty = self.complete;
        }
        let tell = self.complete && std::mem::take(&mut self.dirty);
        if tell {
            self.inputs.versions.world += 1;
            self.inputs.versions.seen = self.seen.clone();
        }
        if self.complete {
            self.observed.lock().progress = (self.inputs.versions.world, self.seen.clone());
        }
        tell.then(|| Arc::new(self.inputs.clone()))
    }

    pub(super) fn route(&mut self, scope: usize, event: Event<Guarded<ServiceRoute>>) {
        self.routes_progress.note(scope, &event, &mut self.seen);
        match event {
            Event::Init => self.routes[scope].listing = Some(BTreeSet::new()),
            Event::InitApply(object) | Event::Apply(object) => {
                let id = self.put(object, Self::put_route, |versions| &mut versions.routes);
                self.routes[scope].saw(&id);
            }
            Event::InitDone => {
                for id in self.routes[scope].complete() {
                    self.remove_route(&id);
                }
            }
            Event::Delete(object) => {
                let id = name(object.meta());
                self.routes[scope].names.remove(&id);
                self.remove_route(&id);
            }
        }
    }

    pub(super) fn service(&mut self, scope: usize, event: Event<Guarded<KubeService>>) {
        self.services_progress.note(scope, &event, &mut self.seen);
        match event {
            Event::Init => self.services[scope].listing = Some(BTreeSet::new()),
            Event::InitApply(object) | Event::Apply(object) => {
                let id = self.put(object, Self::put_service, |versions| &mut versions.services);
                self.services[scope].saw(&id);
            }
            Event::InitDone => {
                for id in self.services[scope].complete() {
                    self.remove_service(&id);
                }
            }
            Event::Delete(object) => {
                let id = name(object.meta());
                self.services[scope].names.remove(&id);
                self.remove_service(&id);
            }
        }
    }

    /// Takes an object in, and notes its version when what is compiled of it changed.
    fn put<K: Resource>(
        &mut self,
        object: K,
        put: fn(&mut Self, K) -> ObjectId,
        versions: fn(&mut WorldVersions) -> &mut BTreeMap<ObjectId, Version>,
    ) -> ObjectId {
        let version = object.meta().resource_version.as_deref().map(Version::from);
        let before = std::mem::take(&mut self.dirty);
        let id = put(self, object);
        if let Some(version) = version.filter(|_| self.dirty) {
            versions(&mut self.inputs.versions).insert(id.clone(), version);
        }
        self.dirty |= before;
        id
    }

    /// Takes a Service in. One that cannot be read counts as not there, for nobody knows its
    /// ports; the objects that refer to it are told so, and the log says why, once.
    fn put_service(&mut self, object: Guarded<KubeService>) -> ObjectId {
        let id = name(object.meta());
        match object {
            Guarded::Readable(object) => {
                self.unreadable_services.remove(&id);
                let service = Service::from(&*object);
                if self.inputs.services.get(&id).is_none_or(|known| **known != service) {
                    self.inputs.services.insert(id.clone(), Arc::new(service));
                    self.dirty = true;
                }
            }
            Guarded::Unreadable(raw) => {
                self.dirty |= self.inputs.services.remove(&id).is_some();
                if self.unreadable_services.get(&id) != Some(&raw.error) {
                    tracing::warn!(service = %id, error = %raw.error, "service not readable, taken as not there");
                    self.unreadable_services.insert(id.clone(), raw.error);
                }
            }
        }
        id
    }

    fn remove_service(&mut self, id: &ObjectId) {
        self.unreadable_services.remove(id);
        self.dirty |= self.inputs.services.remove(id).is_some();
        self.inputs.versions.services.remove(id);
    }

    /// Takes an object in. One that differs from the known one only in its status, or in other
    /// things that are not compiled, stays the same value.
    fn put_route(&mut self, object: Guarded<ServiceRoute>) -> ObjectId {
        let id = name(object.meta());
        self.observed.set(&id, Observed::of(&object));
        match object {
            Guarded::Readable(mut route) => {
                route.status = None;
                trim(&mut route.metadata);
                self.dirty |= self.inputs.unreadable.remove(&id).is_some();
                if self.inputs.routes.get(&id).is_none_or(|known| **known != *route) {
                    self.inputs.routes.insert(id.clone(), Arc::from(route));
                    self.dirty = true;
                }
            }
            Guarded::Unreadable(raw) => {
                let class = match raw.value.pointer("/spec/class") {
                    None => Some(DEFAULT_CLASS.to_owned()),
                    Some(written) => written.as_str().map(str::to_owned),
                };
                let generation = raw.metadata.generation;
                let unreadable = Unreadable { generation, class, message: raw.error };
                self.dirty |= self.inputs.routes.remove(&id).is_some();
                if self.inputs.unreadable.get(&id).is_none_or(|known| **known != unreadable) {
                    tracing::warn!(object = %id, error = %unreadable.message, "object not readable");
                    self.inputs.unreadable.insert(id.clone(), Arc::new(unreadable));
                    self.dirty = true;
                }
            }
        }
        id
    }

    fn remove_route(&mut self, id: &ObjectId) {
        self.dirty |= self.inputs.routes.remove(id).is_some();
        self.dirty |= self.inputs.unreadable.remove(id).is_some();
        self.inputs.versions.routes.remove(id);
        self.observed.remove(id);
    }
}

fn name(metadata: &ObjectMeta) -> ObjectId {
    ObjectId::new(
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}

/// Keeps what is compiled: name, generation and age.
fn trim(metadata: &mut ObjectMeta) {
    *metadata = ObjectMeta {
        name: metadata.name.take(),
        namespace: metadata.namespace.take(),
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp.take(),
        ..ObjectMeta::default()
    };
}
