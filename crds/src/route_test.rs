//! Requests that a team writes beside its rules, and what should become of them.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{names, schema};

/// A request, and what should become of it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RouteTest {
    /// The request. It is never sent: the gateway looks it up in the rules of all objects.
    pub request: TestRequest,

    /// What should become of it.
    pub expect: TestExpect,
}

/// A request as a client would send it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TestRequest {
    /// The method. Default: GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::method")]
    pub method: Option<String>,

    /// The host. Default: the first of the object that is not a wildcard, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::one_host")]
    pub host: Option<String>,

    /// The path as a client sends it, with its query: /e/fin/x?y=1.
    #[schemars(schema_with = "schema::request_path")]
    pub path: String,

    /// Header fields by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::header_map")]
    pub headers: BTreeMap<String, String>,
}

/// What should become of a request; all that is given must hold.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.rule) || has(self.backend) || has(self.path) || has(self.status)", names::TEST_EXPECTS)
)]
pub struct TestExpect {
    /// The rule that takes it: the name of a rule of this object, or namespace/name/rule of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 400))]
    pub rule: Option<String>,

    /// A backend that may get it: the name of a Service of this namespace, namespace/name of
    /// another, or the host of a backend; a port may follow behind a colon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 400))]
    pub backend: Option<String>,

    /// The path and query that the backend sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::request_path")]
    pub path: Option<String>,

    /// The status with which the gateway itself answers: of a redirect, of respond, 404 where no
    /// rule takes it, 405, 400. A backend's own status is not known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
}
