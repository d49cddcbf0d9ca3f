//! How much of a request is taken.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How much of a request is taken. What is beyond it is answered 413.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The greatest body in bytes; 0 is no limit. Default: no limit. A request that says more is
    /// refused before its body is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bytes")]
    pub body_bytes: Option<u64>,

    /// Enforce refuses; Observe only counts what it would refuse. Default: Enforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::mode")]
    pub mode: Option<String>,
}
