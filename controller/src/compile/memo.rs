//! What compiling remembers of the last time. It changes the cost, never the result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fairway_snapshot::{
    Host, HostPattern, ListenerName, ObjectId, Resource, ResourceId, Upstream, UpstreamId,
};

use super::backends::neighbours;
use super::conflicts::Overlap;
use super::host_routes::HostRoutes;
use super::interned::Interned;
use super::lower::{self, Lowered};
use super::route_tests::RouteTest;
use super::{CompileOptions, Diagnostic, Found, ObjectStatus};
use crate::Inputs;
use crate::differences::differences;
use crate::inputs::{Bundle, Grant, NoSecret, Objects, Route, Secret, Service};

/// What compiling remembers of the last time: the lowered form of each object and everything that
/// it was made from, and each host and the objects that it was made from.
#[derive(Debug, Default)]
pub struct Memo {
    options: Option<CompileOptions>,
    /// Whether the inputs were kept ones.
    kept: bool,
    /// What else objects are made from, as it was the last time.
    services: Objects<Arc<Service>>,
    grants: Objects<Arc<Grant>>,
    secrets: Objects<Arc<Secret>>,
    secrets_refused: BTreeSet<Arc<str>>,
    config_maps: Objects<Arc<Bundle>>,
    /// Whether it is the same now.
    same_around: bool,
    objects: BTreeMap<ObjectId, Remembered>,
    /// The lowered form of each of these objects.
    lowered: Arc<BTreeMap<ObjectId, Arc<Lowered>>>,
    /// Where their routes lead to, unless that of an object has changed.
    led: Option<Led>,
    hosts: BTreeMap<(ListenerName, HostPattern), HostRoutes>,
    shared: Interned,
    next_hosts: BTreeMap<(ListenerName, HostPattern), HostRoutes>,
    /// The hosts that are not as they were the last time.
    changed: Vec<HostPattern>,
}

/// What routes lead to: upstreams, and the resources that those refer to.
pub(super) type Led = (BTreeMap<UpstreamId, Arc<Upstream>>, BTreeMap<ResourceId, Resource>);

#[derive(Debug)]
struct Remembered {
    route: Arc<Route>,
    /// Every Service that was asked for, with what was found.
    services: Vec<(ObjectId, Option<Arc<Service>>)>,
    /// Every ConfigMap that was asked for, with what was found.
    config_maps: Vec<(ObjectId, Option<Arc<Bundle>>)>,
    /// Every Service of another namespace, and whether a grant permitted it.
    grants: Vec<(ObjectId, bool)>,
    /// Every Secret that was asked for, with what was found.
    secrets: Vec<(ObjectId, Result<Arc<Secret>, NoSecret>)>,
    /// The names of all Services of its namespace, when a message was made from them.
    neighbours: Option<Vec<Arc<str>>>,
    lowered: Arc<Lowered>,
    /// What fails of its tests.
    tested: Option<Vec<Diagnostic>>,
    /// Its status with what was found last.
    told: Option<(Found, Arc<ObjectStatus>)>,
}

impl Memo {
    /// Forgets everything when the options are others, or inputs that were kept are replaced.
    pub(super) fn begin(&mut self, options: &CompileOptions, inputs: &Inputs) {
        let kept = inputs.kept;
        if self.options.as_ref() != Some(options) || self.kept != kept {
            self.objects.clear();
            self.lowered = Arc::default();
            self.led = None;
            self.hosts.clear();
            self.options = Some(options.clone());
            self.kept = kept;
        }
        self.next_hosts.clear();
        self.changed.clear();
        self.same_around = self.services.is(&inputs.services)
            && self.grants.is(&inputs.grants)
            && self.secrets.is(&inputs.secrets)
            && self.secrets_refused == inputs.secrets_refused
            && self.config_maps.is(&inputs.config_maps);
        self.services = inputs.services.clone();
        self.grants = inputs.grants.clone();
        self.secrets = inputs.secrets.clone();
        self.secrets_refused = inputs.secrets_refused.clone();
        self.config_maps = inputs.config_maps.clone();
    }

    /// The lowered form of each object of our class.
    pub(super) fn lowered(
        &mut self,
        inputs: &Inputs,
        options: &CompileOptions,
    ) -> Arc<BTreeMap<ObjectId, Arc<Lowered>>> {
        let mut all = std::mem::take(&mut self.lowered);
        let same = |known: &Remembered, route: &Arc<Route>| {
            self.same_around && Arc::ptr_eq(&known.route, route)
        };
        for (id, route) in differences(&self.objects, &inputs.routes, same) {
            if let Some(route) = route.filter(|route| route.class() == options.class) {
                let lowered = self.lower(&id, &route, inputs, options);
                let known = all.get(&id);
                if known.is_none_or(|known| !Arc::ptr_eq(known, &lowered)) {
                    if known.is_none_or(|known| !known.leads_where(&lowered)) {
                        self.led = None;
                    }
                    Arc::make_mut(&mut all).insert(id, lowered);
                }
            } else if self.objects.remove(&id).is_some() {
                Arc::make_mut(&mut all).remove(&id);
                self.led = None;
            }
        }
        self.lowered = Arc::clone(&all);
        all
    }

    /// Where routes led to the last time, as long as that is the same, or else what `collect` finds.
    pub(super) fn led(&mut self, collect: impl FnOnce() -> Led) -> Led {
        self.led.get_or_insert_with(collect).clone()
    }

    /// The lowered form of an object, from memory when nothing that it was made from differs.
    fn lower(
        &mut self,
        id: &ObjectId,
        route: &Arc<Route>,
        inputs: &Inputs,
        options: &CompileOptions,
    ) -> Arc<Lowered> {
        if let Some(known) = self.objects.get(id)
            && Arc::ptr_eq(&known.route, route)
            && (self.same_around || known.is_made_from(id, inputs))
        {
            return Arc::clone(&known.lowered);
        }
        let (lowered, asked) = lower::lower(id, route, inputs, options, &mut self.shared);
        let lowered = Arc::new(lowered);
        let look = |id: &ObjectId| inputs.services.get(id).cloned();
        let remembered = Remembered {
            route: Arc::clone(route),
            services: asked.services.into_iter().map(|id| (id.clone(), look(&id))).collect(),
            config_maps: asked
                .config_maps
                .into_iter()
                .map(|id| (id.clone(), inputs.config_maps.get(&id).cloned()))
                .collect(),
            grants: asked.grants,
            secrets: asked.secrets,
            neighbours: asked.neighbours,
            lowered: Arc::clone(&lowered),
            tested: None,
            told: None,
        };
        self.objects.insert(id.clone(), remembered);
        lowered
    }

    /// The host of the last time, when the same objects speak for it; else one that is made of it.
    pub(super) fn host(
        &mut self,
        listener: &ListenerName,
        pattern: &HostPattern,
        objects: Vec<Arc<Lowered>>,
    ) -> Arc<Host> {
        let key = (listener.clone(), pattern.clone());
        let known = self.hosts.remove(&key);
        let before = known.as_ref().map(|known| Arc::clone(&known.host));
        let made = match known {
            Some(known) => known.with(objects),
            None => HostRoutes::new(listener, pattern, objects),
        };
        let host = Arc::clone(&made.host);
        if before.is_none_or(|before| !Arc::ptr_eq(&before, &host)) {
            self.changed.push(pattern.clone());
        }
        self.next_hosts.insert(key, made);
        host
    }

    /// The conflicts of all hosts that were asked for.
    pub(super) fn overlaps(&self) -> impl Iterator<Item = &Overlap> {
        self.next_hosts.values().flat_map(|remembered| &remembered.overlaps)
    }

    /// The hosts of a listener that may decide about requests for `host`.
    pub(super) fn hosts_for(&self, listener: &ListenerName, host: &str) -> Vec<Arc<Host>> {
        let dots = host.match_indices('.').skip_while(|(at, _)| *at == 0);
        let wildcards = dots.map(|(at, _)| HostPattern::Wildcard(host[at..].into()));
        let exact = HostPattern::Exact(host.into());
        let patterns = [exact].into_iter().chain(wildcards).chain([HostPattern::Any]);
        let known =
            patterns.filter_map(|pattern| self.next_hosts.get(&(listener.clone(), pattern)));
        known.map(|remembered| Arc::clone(&remembered.host)).collect()
    }

    /// What failed of the tests of an object, when nothing that decides about them has changed.
    pub(super) fn tested(&self, id: &ObjectId, tests: &[RouteTest]) -> Option<Vec<Diagnostic>> {
        let gone = self.hosts.keys().map(|(_, pattern)| pattern);
        let mut changed = self.changed.iter().chain(gone);
        let known = self.objects.get(id)?.tested.as_ref()?;
        let touched = changed.any(|pattern| tests.iter().any(|test| test.concerns(pattern)));
        (!touched).then(|| known.clone())
    }

    pub(super) fn remember_tested(&mut self, id: &ObjectId, failures: Vec<Diagnostic>) {
        if let Some(remembered) = self.objects.get_mut(id) {
            remembered.tested = Some(failures);
        }
    }

    /// The status of an object with what was found; the same value as long as that is the same.
    pub(super) fn told(
        &mut self,
        id: &ObjectId,
        status: &ObjectStatus,
        found: Found,
    ) -> Arc<ObjectStatus> {
        let Some(remembered) = self.objects.get_mut(id) else { return Arc::new(found.on(status)) };
        match &remembered.told {
            Some((known, status)) if *known == found => Arc::clone(status),
            _ => {
                let status = Arc::new(found.clone().on(status));
                remembered.told = Some((found, Arc::clone(&status)));
                status
            }
        }
    }

    /// Forgets what is gone.
    pub(super) fn end(&mut self) {
        self.hosts = std::mem::take(&mut self.next_hosts);
        self.shared.forget();
    }
}

impl Remembered {
    /// Whether everything beside the object that it was made from is as it was.
    fn is_made_from(&self, id: &ObjectId, inputs: &Inputs) -> bool {
        let names = |known: &Vec<Arc<str>>| *known == neighbours(inputs, &id.namespace);
        self.services.iter().all(|(id, found)| inputs.services.get(id) == found.as_ref())
            && self.secrets.iter().all(|(id, found)| inputs.secret(id) == *found)
            && self
                .config_maps
                .iter()
                .all(|(id, found)| inputs.config_maps.get(id) == found.as_ref())
            && self.grants.iter().all(|(to, was)| inputs.permitted(&id.namespace, to) == *was)
            && self.neighbours.as_ref().is_none_or(names)
    }
}
