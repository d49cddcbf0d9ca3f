//! Everything that is watched, as one value: what `compile` reads.

mod authorities;
mod grant;
mod objects;
mod route;
mod secret;
mod written;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::versions::{Version, WorldVersions};

pub use authorities::{Bundle, NamedAuthorities};
pub(crate) use authorities::{LABEL as CA_LABEL, WrittenConfigMap, digest};
pub use grant::{Grant, Permitted};
pub use objects::Objects;
pub use route::Route;
pub(crate) use secret::{KeptSecret, TYPE as SECRET_TYPE, WrittenSecret};
pub use secret::{NoSecret, Secret};
pub(crate) use written::{WrittenGrant, WrittenService, WrittenSlice};

/// All watched objects by name. A copy is cheap: the objects are shared.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The ServiceRoutes, of every class.
    pub routes: Objects<Arc<Route>>,
    /// The Services, reduced to what routing needs.
    pub services: Objects<Arc<Service>>,
    /// The ReferenceGrants, reduced to what they permit ServiceRoutes.
    pub grants: Objects<Arc<Grant>>,
    /// The Secrets of type `kubernetes.io/tls`.
    pub secrets: Objects<Arc<Secret>>,
    /// The namespaces whose Secrets the API server does not let us read; one without a name stands
    /// for all of them.
    pub secrets_refused: BTreeSet<Arc<str>>,
    /// The ConfigMaps that are labelled to hold certificates of authorities.
    pub config_maps: Objects<Arc<Bundle>>,
    /// ServiceRoutes that the API server sent and that could not be read.
    pub unreadable: Objects<Arc<Unreadable>>,
    /// Whether they were kept from before the process started: nobody tells the endpoints of
    /// Services then, and DNS is asked in their place.
    pub kept: bool,
    /// Their versions; what is compiled does not depend on them.
    pub versions: WorldVersions,
}

/// What routing needs of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Service {
    /// How its name resolves.
    pub kind: ServiceKind,
    /// Its ports, in the order of its spec.
    pub ports: Vec<ServicePort>,
}

/// How the name of a Service resolves.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServiceKind {
    /// To one cluster address, behind which the cluster chooses a pod.
    #[default]
    ClusterIp,
    /// To the addresses of its pods.
    Headless,
    /// To another name.
    ExternalName(Arc<str>),
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServicePort {
    /// Its name; a single port may have none.
    pub name: Option<Arc<str>>,
    /// Its number.
    pub port: u16,
    /// What is spoken there, as the Service's `appProtocol` says.
    pub app_protocol: Option<Arc<str>>,
}

/// An object that exists and could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its generation.
    pub generation: Option<i64>,
    /// The version at which one of these changed last.
    pub version: Option<Version>,
    /// The class that it belongs to; `None` when not even that can be read.
    pub class: Option<String>,
    /// What the reader said.
    pub message: String,
}

impl Unreadable {
    /// Whether nothing that is told of it differs.
    pub(crate) fn says_what(&self, other: &Self) -> bool {
        (self.generation, &self.class, &self.message)
            == (other.generation, &other.class, &other.message)
    }
}
