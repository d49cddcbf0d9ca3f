//! What the watches have told so far, reduced to what is needed.

mod bundles;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fairway_crds::{DEFAULT_CLASS, ServiceRoute};
use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::Service as KubeService;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::Event;

use super::grants::{GrantEvent, ReferenceGrant};
use super::observed::{Observed, ObservedObjects};
use super::progress::Progress;
use super::scope::Scope;
use super::{Guarded, Watched, guard};
use crate::Inputs;
use crate::inputs::{Grant, Route, Service, Unreadable};
use crate::shared::Shared;
use crate::versions::{CONFIG_MAPS, ROUTES, SECRETS, SERVICES, Version, Versions};

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
    grants: Vec<Scope>,
    /// None where Secrets are not watched.
    secrets: Vec<Scope>,
    secrets_progress: Progress,
    bundles: Vec<Scope>,
    bundles_progress: Progress,
    /// Whether ConfigMaps may not be read.
    bundles_refused: bool,
    /// Services that cannot be read, with what the log said of them.
    unreadable_services: BTreeMap<ObjectId, String>,
    words: Shared<str>,
    /// Services that look alike are one.
    shapes: Shared<Service>,
    dirty: bool,
    complete: bool,
}

/// Where objects of a kind are kept.
struct Kind<K: guard::Watched> {
    /// The watch of this number.
    scope: fn(&mut Store, usize) -> &mut Scope,
    /// Its list is complete: those that it lacks.
    gone: fn(&mut Store, usize) -> Vec<ObjectId>,
    /// Takes one in.
    put: fn(&mut Store, Guarded<K>) -> ObjectId,
    remove: fn(&mut Store, &ObjectId),
}

impl Store {
    pub(super) fn new(watched: &Watched, observed: Arc<ObservedObjects>) -> Self {
        let namespaces = &watched.namespaces;
        Self {
            inputs: Inputs::default(),
            observed,
            routes: Scope::of(namespaces),
            services: Scope::of(namespaces),
            seen: Versions::default(),
            routes_progress: Progress::new(ROUTES, namespaces),
            services_progress: Progress::new(SERVICES, namespaces),
            grants: Scope::of(namespaces),
            secrets: if watched.secrets { Scope::of(namespaces) } else { Vec::new() },
            secrets_progress: Progress::new(SECRETS, namespaces),
            bundles: Scope::of(namespaces),
            bundles_progress: Progress::new(CONFIG_MAPS, namespaces),
            bundles_refused: false,
            unreadable_services: BTreeMap::new(),
            words: Shared::default(),
            shapes: Shared::default(),
            dirty: false,
            complete: false,
        }
    }

    /// The world, when it is complete and differs from what was told last.
    pub(super) fn changed(&mut self) -> Option<Arc<Inputs>> {
        if !self.complete {
            let others = self.grants.iter().chain(&self.secrets).chain(&self.bundles);
            let mut scopes = self.routes.iter().chain(&self.services).chain(others);
            self.complete = scopes.all(|scope| scope.ready);
            self.dirty = self.complete;
        }
        let tell = self.complete && std::mem::take(&mut self.dirty);
        if tell {
            self.inputs.versions.world += 1;
            self.inputs.versions.seen = self.seen.clone();
        }
        if self.complete {
            self.observed.came_to(self.inputs.versions.world, self.seen.clone());
        }
        tell.then(|| Arc::new(self.inputs.clone()))
    }

    pub(super) fn route(&mut self, scope: usize, event: Event<Guarded<ServiceRoute>>) {
        self.routes_progress.note(scope, &event, &mut self.seen);
        let kind = Kind {
            scope: |store, scope| &mut store.routes[scope],
            gone: |store, scope| {
                let known = store.inputs.routes.keys().chain(store.inputs.unreadable.keys());
                store.routes[scope].complete(known)
            },
            put: Self::put_route,
            remove: Self::remove_route,
        };
        self.follow(&kind, scope, event);
    }

    pub(super) fn service(&mut self, scope: usize, event: Event<Guarded<KubeService>>) {
        self.services_progress.note(scope, &event, &mut self.seen);
        let kind = Kind {
            scope: |store, scope| &mut store.services[scope],
            gone: |store, scope| {
                let known = store.inputs.services.keys().chain(store.unreadable_services.keys());
                store.services[scope].complete(known)
            },
            put: Self::put_service,
            remove: Self::remove_service,
        };
        self.follow(&kind, scope, event);
    }

    pub(super) fn grant(&mut self, scope: usize, event: GrantEvent) {
        let kind = Kind {
            scope: |store, scope| &mut store.grants[scope],
            gone: |store, scope| store.grants[scope].complete(store.inputs.grants.keys()),
            put: Self::put_grant,
            remove: Self::remove_grant,
        };
        match event {
            GrantEvent::Told(event) => self.follow(&kind, scope, *event),
            GrantEvent::None => self.none(&kind, scope),
        }
    }

    /// Takes in what a watch tells of objects of a kind.
    fn follow<K: guard::Watched>(
        &mut self,
        kind: &Kind<K>,
        scope: usize,
        event: Event<Guarded<K>>,
    ) {
        match event {
            Event::Init => (kind.scope)(self, scope).listing = Some(BTreeSet::new()),
            Event::InitApply(object) | Event::Apply(object) => {
                let id = (kind.put)(self, object);
                (kind.scope)(self, scope).saw(&id);
            }
            Event::InitDone => {
                for id in (kind.gone)(self, scope) {
                    (kind.remove)(self, &id);
                }
            }
            Event::Delete(object) => {
                let id = self.name(&object.metadata);
                (kind.remove)(self, &id);
            }
        }
    }

    /// The same for a list without any.
    fn none<K: guard::Watched>(&mut self, kind: &Kind<K>, scope: usize) {
        self.follow(kind, scope, Event::Init);
        self.follow(kind, scope, Event::InitDone);
    }

    fn remove_grant(&mut self, id: &ObjectId) {
        self.dirty |= self.inputs.grants.remove(id).is_some();
    }

    /// Takes a grant in. One that cannot be read permits nothing.
    fn put_grant(&mut self, object: Guarded<ReferenceGrant>) -> ObjectId {
        let id = self.name(&object.metadata);
        match object.content {
            Ok(written) => {
                let grant = Grant::from(*written);
                if self.inputs.grants.get(&id).is_none_or(|known| **known != grant) {
                    self.inputs.grants.insert(id.clone(), Arc::new(grant));
                    self.dirty = true;
                }
            }
            Err(raw) => {
                tracing::warn!(grant = %id, error = %raw.error, "reference grant not readable, it permits nothing");
                self.remove_grant(&id);
            }
        }
        id
    }

    /// Takes a Service in. One that cannot be read counts as not there, for nobody knows its
    /// ports; the objects that refer to it are told so, and the log says why, once.
    fn put_service(&mut self, object: Guarded<KubeService>) -> ObjectId {
        let id = self.name(&object.metadata);
        let version = object.metadata.resource_version.as_deref().map(Version::from);
        match object.content {
            Ok(written) => {
                self.unreadable_services.remove(&id);
                let mut service = Service::from(*written);
                for port in &mut service.ports {
                    port.name = port.name.take().map(|name| self.words.share(name));
                    let spoken = port.app_protocol.take();
                    port.app_protocol = spoken.map(|spoken| self.words.share(spoken));
                }
                if self.inputs.services.get(&id).is_none_or(|known| **known != service) {
                    let service = self.shapes.share(Arc::new(service));
                    self.inputs.services.insert(id.clone(), service);
                    if let Some(version) = version {
                        self.inputs.versions.services.insert(id.clone(), version);
                    }
                    self.dirty = true;
                }
            }
            Err(raw) => {
                let was_known = self.inputs.services.remove(&id).is_some();
                self.dirty |= was_known;
                if let Some(version) = version.filter(|_| was_known) {
                    self.inputs.versions.services.insert(id.clone(), version);
                }
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
        let id = self.name(&object.metadata);
        self.observed.set(&id, Observed::of(&object));
        let version = object.metadata.resource_version.as_deref().map(Version::from);
        match object.content {
            Ok(content) => {
                let route = Route::new(&object.metadata, &content.spec).at(version);
                self.dirty |= self.inputs.unreadable.remove(&id).is_some();
                if self.inputs.routes.get(&id).is_none_or(|known| !known.says_what(&route)) {
                    self.inputs.routes.insert(id.clone(), Arc::new(route));
                    self.dirty = true;
                }
            }
            Err(raw) => {
                let class = match raw.value.pointer("/spec/class") {
                    None => Some(DEFAULT_CLASS.to_owned()),
                    Some(written) => written.as_str().map(str::to_owned),
                };
                let generation = object.metadata.generation;
                let unreadable = Unreadable { generation, version, class, message: raw.error };
                self.dirty |= self.inputs.routes.remove(&id).is_some();
                let known = self.inputs.unreadable.get(&id);
                if known.is_none_or(|known| !known.says_what(&unreadable)) {
                    tracing::warn!(object = %id, error = %unreadable.message, "object not readable");
                    self.inputs.unreadable.insert(id.clone(), Arc::new(unreadable));
                    self.dirty = true;
                }
            }
        }
        id
    }

    fn name(&mut self, metadata: &ObjectMeta) -> ObjectId {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let namespace = self.words.share(namespace.into());
        ObjectId::new(namespace, metadata.name.as_deref().unwrap_or_default())
    }

    fn remove_route(&mut self, id: &ObjectId) {
        self.dirty |= self.inputs.routes.remove(id).is_some();
        self.dirty |= self.inputs.unreadable.remove(id).is_some();
        self.observed.remove(id);
    }
}
