//! Versions of objects, by which replicas know of each other how far they have come.
//!
//! The resourceVersions of one kind are decimal numbers that grow, since Kubernetes 1.35 by promise
//! (KEP-5504) and before in fact, for they are revisions of etcd. They may be longer than any
//! integer. What is not such a number cannot be compared.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fairway_snapshot::ObjectId;

use crate::Inputs;
use crate::inputs::Objects;

/// A resourceVersion.
pub type Version = Arc<str>;

/// What ServiceRoutes are called where versions are kept by kind.
pub const ROUTES: &str = "serviceroutes";
/// What Services are called there.
pub const SERVICES: &str = "services";
/// What Secrets are called there.
pub const SECRETS: &str = "secrets";
/// What ConfigMaps are called there.
pub const CONFIG_MAPS: &str = "configmaps";

/// Whether `have` is `need` or newer; `None` when they cannot be compared.
#[must_use]
pub fn covers(have: &str, need: &str) -> Option<bool> {
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() && !text.starts_with('0')
    };
    (number(have) && number(need)).then(|| (have.len(), have) >= (need.len(), need))
}

/// The highest version for each watched kind, or for each kind in each watched namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(BTreeMap<String, Version>);

impl Versions {
    /// Notes a version. The key is `services`, or `market/services` for one namespace.
    pub fn raise(&mut self, key: &str, version: &str) {
        let known = self.0.get(key);
        if known.is_none_or(|known| covers(known, version) != Some(true)) {
            self.0.insert(key.to_owned(), version.into());
        }
    }

    /// All of them as text.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(key, version)| (key.clone(), version.to_string())).collect()
    }
}

/// The versions of a world that was told.
#[derive(Clone, Debug, Default)]
pub struct WorldVersions {
    /// Counts the worlds that a process told, from 1; 0 is one that no API server told.
    pub world: u64,
    /// What the watches had seen.
    pub seen: Versions,
    /// For each Service the version at which what is compiled of it changed last.
    pub services: Objects<Version>,
    /// The same for each Secret.
    pub secrets: Objects<Version>,
    /// The same for each ConfigMap.
    pub config_maps: Objects<Version>,
}

/// A version that a replica must have seen to serve an object as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// [`ROUTES`], [`SERVICES`], [`SECRETS`] or [`CONFIG_MAPS`].
    pub kind: &'static str,
    /// Of the object that has this version.
    pub namespace: Arc<str>,
    /// The version.
    pub version: Version,
}

impl Inputs {
    /// What a replica must have seen to serve a route as it is: its last change, and those of the
    /// Services, Secrets and ConfigMaps that it refers to. One that is gone has no version.
    #[must_use]
    pub fn needs(&self, id: &ObjectId) -> Vec<Need> {
        let route = self.routes.get(id);
        let services = route.map_or_else(BTreeSet::new, |route| route.services(&id.namespace));
        let secrets = route.map_or_else(BTreeSet::new, |route| route.secrets(&id.namespace));
        let version = match route {
            Some(route) => route.version.as_ref(),
            None => self.unreadable.get(id).and_then(|unreadable| unreadable.version.as_ref()),
        };
        let own = version.map(|version| (ROUTES, id, version));
        let known = &self.versions;
        let services =
            services.iter().filter_map(|id| Some((SERVICES, id, known.services.get(id)?)));
        let secrets = secrets.iter().filter_map(|id| Some((SECRETS, id, known.secrets.get(id)?)));
        let bundles = route.map_or_else(BTreeSet::new, |route| route.config_maps(&id.namespace));
        let bundles =
            bundles.iter().filter_map(|id| Some((CONFIG_MAPS, id, known.config_maps.get(id)?)));
        let need = |(kind, id, version): (&'static str, &ObjectId, &Version)| Need {
            kind,
            namespace: Arc::clone(&id.namespace),
            version: Arc::clone(version),
        };
        own.into_iter().chain(services).chain(secrets).chain(bundles).map(need).collect()
    }
}
