//! Kubernetes' own objects as they are written, as far as routing needs them: whatever else stands
//! there is passed over while it is read, and costs nothing afterwards.

use serde::Deserialize;

use super::{Service, ServiceKind, ServicePort};

/// The fields of a Service that are read.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct WrittenService {
    #[serde(default)]
    spec: Option<WrittenServiceSpec>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenServiceSpec {
    #[serde(default, rename = "type")]
    type_: Option<String>,
    #[serde(default)]
    external_name: Option<String>,
    #[serde(default, rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(default)]
    ports: Option<Vec<WrittenPort>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenPort {
    #[serde(default)]
    name: Option<String>,
    port: i32,
    #[serde(default)]
    app_protocol: Option<String>,
}

impl From<WrittenService> for Service {
    fn from(service: WrittenService) -> Self {
        let spec = service.spec.unwrap_or_default();
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
        let mut ports: Vec<ServicePort> = ports.collect();
        ports.shrink_to_fit();
        Self { kind, ports }
    }
}

/// The fields of a ReferenceGrant that are read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WrittenGrant {
    pub(super) spec: WrittenGrantSpec,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WrittenGrantSpec {
    pub(super) from: Vec<WrittenFrom>,
    pub(super) to: Vec<WrittenTo>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WrittenFrom {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) namespace: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WrittenTo {
    pub(super) group: String,
    pub(super) kind: String,
    /// Without a name, or with an empty one, every object of the kind.
    #[serde(default, deserialize_with = "no_empty_name")]
    pub(super) name: Option<String>,
}

fn no_empty_name<'de, D: serde::Deserializer<'de>>(read: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(read)?.filter(|name| !name.is_empty()))
}

/// The fields of an EndpointSlice that are read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WrittenSlice {
    #[serde(default)]
    pub(crate) metadata: WrittenSliceMetadata,
    #[serde(default)]
    pub(crate) endpoints: Option<Vec<WrittenEndpoint>>,
    #[serde(default)]
    pub(crate) ports: Option<Vec<WrittenSlicePort>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct WrittenSliceMetadata {
    #[serde(default)]
    pub(crate) labels: Option<WrittenSliceLabels>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct WrittenSliceLabels {
    #[serde(default, rename = "kubernetes.io/service-name")]
    pub(crate) service: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WrittenEndpoint {
    pub(crate) addresses: Vec<String>,
    #[serde(default)]
    pub(crate) conditions: Option<WrittenEndpointConditions>,
}

/// What is missing: ready counts as true, serving as what ready says, terminating as false.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct WrittenEndpointConditions {
    #[serde(default)]
    pub(crate) ready: Option<bool>,
    #[serde(default)]
    pub(crate) serving: Option<bool>,
    #[serde(default)]
    pub(crate) terminating: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WrittenSlicePort {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) port: Option<i32>,
    #[serde(default)]
    pub(crate) protocol: Option<String>,
}
