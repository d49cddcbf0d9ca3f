//! Changes to the header fields of requests and answers.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How header fields are changed on their way.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// Those of the request, before a backend gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<HeaderEdits>,

    /// Those of the answer, before the client gets it; also of answers that the gateway gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<HeaderEdits>,
}

/// Changes to header fields. A value may use what the match captured ({id}, {*}) and these:
/// %{request.id}, %{request.method}, %{request.host}, %{request.path}, %{client.address}. Braces
/// themselves are written {{ and }}.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HeaderEdits {
    /// Fields by name; each replaces every field of its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::header_map")]
    pub set: BTreeMap<String, String>,

    /// Fields by name; each comes beside those of its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::header_map")]
    pub add: BTreeMap<String, String>,

    /// Names of fields that are taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::header_names")]
    pub remove: Vec<String>,
}
