//! Where a request goes.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{names, schema};

/// A Service of the cluster, or a host outside it, with its share of the requests.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.service) != has(self.host)", names::ONE_BACKEND),
    validation = ("!has(self.host) || has(self.port)", names::PORT_OF_HOST),
    validation = ("!has(self.discovery) || has(self.service)", names::DISCOVERY_OF_HOST),
    validation = ("!has(self.__namespace__) || has(self.service)", names::NAMESPACE_OF_HOST),
)]
pub struct BackendRef {
    /// Name of a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::service_name")]
    pub service: Option<String>,

    /// Namespace of the Service. Default: the namespace of this object. Another namespace must
    /// permit it by a ReferenceGrant of the Gateway API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,

    /// Name or address of a host outside the cluster, instead of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::backend_host")]
    pub host: Option<String>,

    /// Port of the Service, by number or by name, or of the host, by number. May be left out when
    /// the Service has exactly one port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::port")]
    pub port: Option<IntOrString>,

    /// Where the addresses of the Service are learnt. dns: its name is resolved, and a Service with
    /// a cluster address is one endpoint. endpoints: its pods that are ready, each an endpoint of
    /// its own. Default: the operator's setting, which is dns at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::discovery")]
    pub discovery: Option<String>,

    /// What is spoken with it: http, which is HTTP/1.1; h2c, which is HTTP/2 without TLS; grpc, which is
    /// h2c. Default: what appProtocol of the Service's port says (kubernetes.io/h2c, grpc), else http.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::protocol")]
    pub protocol: Option<String>,

    /// Share of the requests, relative to the other backends of the rule. 0: none. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::weight")]
    pub weight: Option<u32>,
}
