//! ServiceRoutes as they are held: as text, for there are thousands, and each is read only when it
//! is compiled.

use std::collections::BTreeSet;
use std::sync::Arc;

use fairway_crds::{DEFAULT_CLASS, ServiceRoute, ServiceRouteSpec};
use fairway_snapshot::ObjectId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::versions::Version;

/// What is compiled of a ServiceRoute. The spec is text: read, it takes many times that room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The generation.
    pub generation: Option<i64>,
    /// When it was created, in seconds since 1970; 0 where nobody says.
    pub created: i64,
    /// The version at which one of these changed last; none without an API server.
    #[serde(skip)]
    pub version: Option<Version>,
    class: Option<Arc<str>>,
    spec: Box<str>,
}

impl Route {
    /// The route with these metadata and this spec.
    #[must_use]
    pub fn new(metadata: &ObjectMeta, spec: &ServiceRouteSpec) -> Self {
        Self {
            generation: metadata.generation,
            created: metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second()),
            class: spec.class.as_deref().map(Into::into),
            version: None,
            // It can be written; where it could not, it could not be read either, which is told.
            spec: serde_json::to_string(spec).unwrap_or_default().into(),
        }
    }

    /// The same, changed last at this version.
    #[must_use]
    pub fn at(self, version: Option<Version>) -> Self {
        Self { version, ..self }
    }

    /// The class that it belongs to.
    #[must_use]
    pub fn class(&self) -> &str {
        self.class.as_deref().unwrap_or(DEFAULT_CLASS)
    }

    /// The spec, read anew.
    ///
    /// # Errors
    ///
    /// It was kept by somebody who wrote what this version cannot read.
    pub fn spec(&self) -> Result<ServiceRouteSpec, serde_json::Error> {
        serde_json::from_str(&self.spec)
    }

    /// Whether nothing that is compiled differs.
    #[must_use]
    pub fn says_what(&self, other: &Self) -> bool {
        let said = |route: &Self| (route.generation, route.created);
        said(self) == said(other) && self.spec == other.spec
    }

    /// The Services that it names; `namespace` is its own.
    #[must_use]
    pub fn services(&self, namespace: &Arc<str>) -> BTreeSet<ObjectId> {
        let rules = self.spec().map(|spec| spec.rules).unwrap_or_default();
        let backends = rules.into_iter().flat_map(|rule| rule.backends);
        let named = backends.filter_map(|backend| {
            let namespace = backend.namespace.map_or_else(|| Arc::clone(namespace), Into::into);
            Some(ObjectId { namespace, name: backend.service?.into() })
        });
        named.collect()
    }

    /// The Secrets that it names; `namespace` is its own.
    #[must_use]
    pub fn secrets(&self, namespace: &Arc<str>) -> BTreeSet<ObjectId> {
        let Ok(spec) = self.spec() else { return BTreeSet::new() };
        let own = spec.tls.as_ref().map(|tls| &tls.secret_name);
        let all = spec.all_tls().into_iter();
        let named = all.flat_map(|tls| [&tls.ca_secret, &tls.client_secret]).flatten().chain(own);
        named.map(|name| ObjectId::new(Arc::clone(namespace), name.as_str())).collect()
    }

    /// The ConfigMaps that it names; `namespace` is its own.
    #[must_use]
    pub fn config_maps(&self, namespace: &Arc<str>) -> BTreeSet<ObjectId> {
        // Most name none, and reading a spec is work.
        let spec = self.spec.contains("\"caConfigMap\"").then(|| self.spec().ok()).flatten();
        let all = spec.as_ref().map(ServiceRouteSpec::all_tls).unwrap_or_default();
        let named = all.into_iter().filter_map(|tls| tls.ca_config_map.as_deref());
        named.map(|name| ObjectId::new(Arc::clone(namespace), name)).collect()
    }
}

impl From<&ServiceRoute> for Route {
    fn from(route: &ServiceRoute) -> Self {
        Self::new(&route.metadata, &route.spec)
    }
}
