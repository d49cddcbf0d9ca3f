//! What the watches have told so far, reduced to what is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use fairway_crds::{ServiceRoute, ServiceRouteStatus};
use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::Service as KubeService;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;
use tokio::sync::Notify;

use crate::Inputs;
use crate::inputs::{Service, Unreadable};

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
}

/// An object as the API server last told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Its version, sent with a write so that a stale write is refused.
    pub resource_version: Option<String>,
    /// Its status.
    pub status: Option<ServiceRouteStatus>,
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
    pub(super) fn new(scopes: usize, observed: Arc<ObservedObjects>) -> Self {
        let fresh = || (0..scopes).map(|_| Scope::default()).collect();
        Self {
            inputs: Inputs::default(),
            observed,
            routes: fresh(),
            services: fresh(),
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
        tell.then(|| Arc::new(self.inputs.clone()))
    }

    pub(super) fn route(&mut self, scope: usize, event: Event<DeserializeGuard<ServiceRoute>>) {
        match event {
            Event::Init => self.routes[scope].listing = Some(BTreeSet::new()),
            Event::InitApply(object) | Event::Apply(object) => {
                let id = self.put_route(object);
                self.routes[scope].saw(&id);
            }
            Event::InitDone => {
                for id in self.routes[scope].complete() {
                    self.remove_route(&id);
                }
            }
            Event::Delete(object) => {
                let metadata = match &object.0 {
                    Ok(route) => &route.metadata,
                    Err(invalid) => &invalid.metadata,
                };
                let id = name(metadata);
                self.routes[scope].names.remove(&id);
                self.remove_route(&id);
            }
        }
    }

    pub(super) fn service(&mut self, scope: usize, event: Event<KubeService>) {
        match event {
            Event::Init => self.services[scope].listing = Some(BTreeSet::new()),
            Event::InitApply(object) | Event::Apply(object) => {
                let id = name(&object.metadata);
                self.services[scope].saw(&id);
                let service = Service::from(&object);
                if self.inputs.services.get(&id).is_none_or(|known| **known != service) {
                    self.inputs.services.insert(id, Arc::new(service));
                    self.dirty = true;
                }
            }
            Event::InitDone => {
                for id in self.services[scope].complete() {
                    self.dirty |= self.inputs.services.remove(&id).is_some();
                }
            }
            Event::Delete(object) => {
                let id = name(&object.metadata);
                self.services[scope].names.remove(&id);
                self.dirty |= self.inputs.services.remove(&id).is_some();
            }
        }
    }

    /// Takes an object in. One that differs from the known one only in its status, or in other
    /// things that are not compiled, stays the same value.
    fn put_route(&mut self, object: DeserializeGuard<ServiceRoute>) -> ObjectId {
        match object.0 {
            Ok(mut route) => {
                let id = name(&route.metadata);
                let resource_version = route.metadata.resource_version.take();
                self.observed.set(&id, Observed { resource_version, status: route.status.take() });
                trim(&mut route.metadata);
                self.dirty |= self.inputs.unreadable.remove(&id).is_some();
                if self.inputs.routes.get(&id).is_none_or(|known| **known != route) {
                    self.inputs.routes.insert(id.clone(), Arc::new(route));
                    self.dirty = true;
                }
                id
            }
            Err(invalid) => {
                let id = name(&invalid.metadata);
                let resource_version = invalid.metadata.resource_version;
                self.observed.set(&id, Observed { resource_version, status: None });
                let generation = invalid.metadata.generation;
                let unreadable = Unreadable { generation, message: invalid.error };
                self.dirty |= self.inputs.routes.remove(&id).is_some();
                if self.inputs.unreadable.get(&id).is_none_or(|known| **known != unreadable) {
                    tracing::warn!(object = %id, error = %unreadable.message, "object not readable");
                    self.inputs.unreadable.insert(id.clone(), Arc::new(unreadable));
                    self.dirty = true;
                }
                id
            }
        }
    }

    fn remove_route(&mut self, id: &ObjectId) {
        self.dirty |= self.inputs.routes.remove(id).is_some();
        self.dirty |= self.inputs.unreadable.remove(id).is_some();
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
