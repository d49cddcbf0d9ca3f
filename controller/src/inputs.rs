//! Everything that is watched, as one value: what `compile` reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_crds::ServiceRoute;
use fairway_snapshot::ObjectId;
use serde::{Deserialize, Serialize};

use crate::versions::WorldVersions;

/// All watched objects by name. A copy is cheap: the objects are shared.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The ServiceRoutes, of every class.
    pub routes: BTreeMap<ObjectId, Arc<ServiceRoute>>,
    /// The Services, reduced to what routing needs.
    pub services: BTreeMap<ObjectId, Arc<Service>>,
    /// ServiceRoutes that the API server sent and that could not be read.
    pub unreadable: BTreeMap<ObjectId, Arc<Unreadable>>,
    /// Their versions; what is compiled does not depend on them.
    pub versions: WorldVersions,
}

/// What routing needs of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// How its name resolves.
    pub kind: ServiceKind,
    /// Its ports, in the order of its spec.
    pub ports: Vec<ServicePort>,
}

/// How the name of a Service resolves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The class that it belongs to; `None` when not even that can be read.
    pub class: Option<String>,
    /// What the reader said.
    pub message: String,
}

impl From<&k8s_openapi::api::core::v1::Service> for Service {
    fn from(service: &k8s_openapi::api::core::v1::Service) -> Self {
        let spec = service.spec.clone().unwrap_or_default();
        let kind = match (spec.type_.as_deref(), spec.external_name, spec.cluster_ip.as_deref()) {
            (Some("ExternalName"), Some(name), _) => ServiceKind::ExternalName(name.into()),
            (_, _, Some("None")) => ServiceKind::Headless,
            _ => ServiceKind::ClusterIp,
        };
        let ports = spec.ports.unwrap_or_default().into_iter().filter_map(|port| {
            Some(ServicePort {
                name: port.name.map(Into::into),
                port: u16::try_from(port.port).ok()?,
                app_protocol: port.app_protocol.map(Into::into),
            })
        });
        Self { kind, ports: ports.collect() }
    }
}
