//! What is read of each kind that is watched, and nothing else of it.

use fairway_crds::{
    GatewayReplica, GatewayReplicaSpec, ServiceRoute, ServiceRouteSpec, ServiceRouteStatus,
};
use k8s_openapi::api::core::v1::{Secret as KubeSecret, Service as KubeService};
use serde::Deserialize;

use super::guard::Watched;
use crate::inputs::{WrittenSecret, WrittenService};

/// A ServiceRoute without its metadata.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RouteContent {
    pub(crate) spec: ServiceRouteSpec,
    #[serde(default)]
    pub(crate) status: Option<ServiceRouteStatus>,
}

impl Watched for ServiceRoute {
    type Content = RouteContent;
}

impl Watched for KubeService {
    type Content = WrittenService;
}

impl Watched for KubeSecret {
    type Content = WrittenSecret;
}

/// A GatewayReplica without its metadata.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReplicaContent {
    pub(crate) spec: GatewayReplicaSpec,
}

impl Watched for GatewayReplica {
    type Content = ReplicaContent;
}
