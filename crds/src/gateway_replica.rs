//! GatewayReplica: what one replica of the gateway serves, as the replica itself reports it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How many objects a report names that its replica cannot serve as they are written.
pub const MAX_FAILED: usize = 100;

// It stands in spec, as what a Lease says does: its only writer is the replica, so that a status
// apart would only be one more right to give.
/// What a replica reports.
#[allow(clippy::duplicated_attributes, reason = "printer columns have the same keys")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "fairway.dev",
    version = "v1alpha1",
    kind = "GatewayReplica",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    shortname = "gwr",
    category = "fairway",
    doc = "A GatewayReplica says what one replica of the gateway serves. The replica writes it itself.",
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.class",
        description = "The installation that the replica belongs to."
    ),
    printcolumn(
        name = "Ready",
        type_ = "boolean",
        json_path = ".spec.ready",
        description = "Whether it takes traffic."
    ),
    printcolumn(
        name = "Hash",
        type_ = "string",
        json_path = ".spec.hash",
        description = "Hash of the snapshot that it serves."
    ),
    printcolumn(
        name = "Routes",
        type_ = "integer",
        json_path = ".spec.routes",
        description = "Number of routes that it serves."
    ),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        json_path = ".spec.failedCount",
        description = "Number of objects of which it cannot serve all."
    ),
    printcolumn(
        name = "Renewed",
        type_ = "date",
        json_path = ".spec.renewed",
        description = "When it reported last."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Problem",
        type_ = "string",
        json_path = ".spec.problem",
        priority = "1",
        description = "What is wrong with the replica as a whole."
    )
)]
#[serde(rename_all = "camelCase")]
pub struct GatewayReplicaSpec {
    /// The installation that the replica belongs to: the value of its `--class`.
    #[schemars(length(max = 63))]
    pub class: String,

    /// Whether it takes traffic. While it drains, and before its first snapshot, it does not.
    pub ready: bool,

    /// When it reported last, by its own clock. It reports at least every 10 seconds.
    pub renewed: Option<Time>,

    /// Hash of the snapshot that it serves. Two replicas with one hash serve the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub hash: String,

    /// Number of routes of that snapshot, over all listeners.
    #[serde(default)]
    #[schemars(schema_with = "count")]
    pub routes: u32,

    /// For each watched kind the highest resourceVersion that what it serves holds; services, or
    /// market/services where single namespaces are watched.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied: BTreeMap<String, String>,

    /// Number of objects of which it cannot serve all.
    #[serde(default)]
    #[schemars(schema_with = "count")]
    pub failed_count: u32,

    /// Those objects, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub failed: Vec<FailedObject>,

    /// What is wrong with the replica as a whole, for example a listener that cannot be bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub problem: Option<String>,
}

/// An object of which a replica cannot serve all.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FailedObject {
    /// Namespace and name, as in market/finance.
    #[schemars(length(max = 320))]
    pub object: String,

    /// Why.
    #[schemars(length(max = 1024))]
    pub message: String,
}

fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "minimum": 0 })
}
