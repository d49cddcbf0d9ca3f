//! Where copies of requests go.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::{BackendRef, BackendTls, names, schema};

/// A Service of the cluster, or a host outside it, that gets copies of requests. Its answers are
/// thrown away, and whatever becomes of a copy changes nothing for the client.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.service) != has(self.host)", names::ONE_BACKEND),
    validation = ("!has(self.host) || has(self.port)", names::PORT_OF_HOST),
    validation = ("!has(self.discovery) || has(self.service)", names::DISCOVERY_OF_HOST),
    validation = ("!has(self.__namespace__) || has(self.service)", names::NAMESPACE_OF_HOST),
    validation = ("!has(self.tls) || !has(self.protocol) || self.protocol != 'h2c'", names::PROTOCOL_OF_TLS),
)]
pub struct Mirror {
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

    /// Where the addresses of the Service are learnt: dns or endpoints, as for a backend. Default:
    /// the operator's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::discovery")]
    pub discovery: Option<String>,

    /// What is spoken with it, as for a backend: http, https, h2c or grpc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::protocol")]
    pub protocol: Option<String>,

    /// How it is secured. Given, even as {}, TLS is spoken, whatever the protocol; without it, TLS is
    /// spoken where the protocol says https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BackendTls>,

    /// How many of a hundred requests are copied, from 0 to 100; 0.5 is one of two hundred. Four
    /// decimals count. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::percent")]
    pub percent: Option<Number>,
}

impl Mirror {
    /// The reference, as a backend has it.
    #[must_use]
    pub fn backend(&self) -> BackendRef {
        let Self { service, namespace, host, port, discovery, protocol, tls, percent: _ } =
            self.clone();
        BackendRef { service, namespace, host, port, discovery, protocol, tls, weight: None }
    }
}
