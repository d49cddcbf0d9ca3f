//! Where a request goes.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{names, schema};

/// TLS with a backend. Its certificate is always verified.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.caConfigMap) || !has(self.caSecret)", names::ONE_CA),
)]
pub struct BackendTls {
    /// The name that is asked for (SNI) and that the certificate must be for. Default: the host of the
    /// backend; of a Service <service>.<namespace>.svc, and of one of type ExternalName its external
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::server_name")]
    pub server_name: Option<String>,

    /// Name of a ConfigMap in this namespace whose ca.crt holds the certificates (PEM) of those who may
    /// vouch for the backend. Default: the authorities that the gateway's system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::config_map_name")]
    pub ca_config_map: Option<String>,

    /// The same from ca.crt of a Secret of type kubernetes.io/tls in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::secret_name")]
    pub ca_secret: Option<String>,

    /// Name of a Secret of type kubernetes.io/tls in this namespace: the certificate that is shown to
    /// the backend, where it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::secret_name")]
    pub client_secret: Option<String>,
}

/// A Service of the cluster, or a host outside it, with its share of the requests.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.service) != has(self.host)", names::ONE_BACKEND),
    validation = ("!has(self.host) || has(self.port)", names::PORT_OF_HOST),
    validation = ("!has(self.discovery) || has(self.service)", names::DISCOVERY_OF_HOST),
    validation = ("!has(self.__namespace__) || has(self.service)", names::NAMESPACE_OF_HOST),
    validation = ("!has(self.tls) || !has(self.protocol) || self.protocol != 'h2c'", names::PROTOCOL_OF_TLS),
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

    /// What is spoken with it: http, which is HTTP/1.1; https, which is HTTP/2 or HTTP/1.1 over TLS, as
    /// the backend chooses; h2c, which is HTTP/2 without TLS; grpc, which is HTTP/2. Beside tls, http
    /// and grpc are spoken over TLS. Default: what appProtocol of the Service's port says (https,
    /// kubernetes.io/wss, kubernetes.io/h2c, grpc), else https beside tls, else http.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::protocol")]
    pub protocol: Option<String>,

    /// How it is secured. Given, even as {}, TLS is spoken, whatever the protocol; without it, TLS is
    /// spoken where the protocol says https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,

    /// Share of the requests, relative to the other backends of the rule. 0: none. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::weight")]
    pub weight: Option<u32>,
}
