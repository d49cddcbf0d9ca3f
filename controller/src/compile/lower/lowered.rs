//! What lowering makes of an object, and what it looked at for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_snapshot::{
    HostPattern, ListenerName, ObjectId, Resource, ResourceId, Route, Upstream, UpstreamId,
};

use super::super::ObjectStatus;
use super::super::route_tests::RouteTest;
use super::{Refused, Shown};
use crate::endpoints::Wanted;
use crate::inputs::{NoSecret, Secret};

/// An object, lowered.
#[derive(Debug)]
pub(in super::super) struct Lowered {
    pub(in super::super) hosts: Vec<HostPattern>,
    /// Routes by the listeners that serve them: one group where listeners have the same policy.
    pub(super) groups: Vec<(Vec<ListenerName>, Vec<LoweredRoute>)>,
    /// What of them is not served under one of the hosts.
    pub(super) refused: Refused,
    /// Those that its routes lead to, where they are served.
    pub(in super::super) upstreams: Vec<(UpstreamId, Arc<Upstream>)>,
    /// What those refer to.
    pub(in super::super) resources: Vec<(ResourceId, Resource)>,
    /// Those of them whose endpoints must be told.
    pub(in super::super) wanted: BTreeMap<UpstreamId, Wanted>,
    /// What it shows to clients of listeners with HTTPS.
    pub(in super::super) certificate: Option<Shown>,
    pub(in super::super) tests: Box<[RouteTest]>,
    pub(in super::super) status: Arc<ObjectStatus>,
}

/// What lowering an object looked at beside the object.
#[derive(Debug, Default)]
pub(in super::super) struct Asked {
    /// The Services, found or not.
    pub(in super::super) services: Vec<ObjectId>,
    /// The ConfigMaps, found or not.
    pub(in super::super) config_maps: Vec<ObjectId>,
    /// Services of other namespaces, and whether a grant permits them.
    pub(in super::super) grants: Vec<(ObjectId, bool)>,
    /// The Secrets, with what was found.
    pub(in super::super) secrets: Vec<(ObjectId, Result<Arc<Secret>, NoSecret>)>,
    /// The names of all Services of its namespace, when a message was made from them.
    pub(in super::super) neighbours: Option<Vec<Arc<str>>>,
}

/// A route, and whether it names HEAD itself.
#[derive(Debug, serde::Serialize)]
pub(in super::super) struct LoweredRoute {
    pub(in super::super) route: Route,
    pub(in super::super) names_head: bool,
}

impl Lowered {
    /// The listeners that serve it.
    pub(in super::super) fn listeners(&self) -> Vec<&ListenerName> {
        self.groups.iter().flat_map(|(listeners, _)| listeners).collect()
    }

    /// The routes that a listener serves, under one of the hosts at least.
    pub(in super::super) fn routes_of(&self, listener: &ListenerName) -> &[LoweredRoute] {
        let group = self.groups.iter().find(|(listeners, _)| listeners.contains(listener));
        group.map_or(&[], |(_, routes)| routes.as_slice())
    }

    /// Whether another form of the object leads to the same upstreams.
    pub(in super::super) fn leads_where(&self, other: &Self) -> bool {
        let values = |lowered: &Self| -> Vec<*const Upstream> {
            lowered.upstreams.iter().map(|(_, upstream)| Arc::as_ptr(upstream)).collect()
        };
        values(self) == values(other)
    }

    /// The routes that a listener serves under a host.
    pub(in super::super) fn routes_under<'l>(
        &'l self,
        listener: &ListenerName,
        host: &'l HostPattern,
    ) -> impl Iterator<Item = &'l LoweredRoute> {
        self.routes_of(listener).iter().filter(|route| !self.refused.holds(host, route))
    }
}
