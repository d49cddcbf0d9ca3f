//! Timeouts, in the notation of the Gateway API (GEP-2257): 15s, 500ms, 1m30s. 0s means no limit.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How long each part of a request may take. A duration is written 15s, 500ms or 1m30s; 0s means
/// no limit.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// From the end of the request's body to the head of the response, retries included. A slow
    /// upload does not count. Default: 30s. When it ends, the client gets 504.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub response: Option<String>,

    /// The whole request, from its head to the last byte of the response. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub request: Option<String>,

    /// From the end of the request's body to the head of the response of one attempt. Default:
    /// no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub attempt: Option<String>,

    /// Opening a connection to the backend. Default: 2s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub connect: Option<String>,

    /// How long a body may move in neither direction. It does not run while the head of the
    /// response is awaited. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub idle: Option<String>,
}
