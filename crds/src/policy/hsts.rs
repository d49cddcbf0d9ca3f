//! HTTP Strict Transport Security (RFC 6797).

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Tells browsers to come by HTTPS only: Strict-Transport-Security (RFC 6797) on answers to clients
/// that came by HTTPS. A backend that sends it itself is not overruled.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Hsts {
    /// For how many seconds browsers remember it: 31536000 is a year, and 0 makes them forget it.
    /// Without a value from any place nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::seconds")]
    pub max_age: Option<u64>,

    /// Whether it holds for every name below the host too. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_sub_domains: Option<bool>,

    /// Whether browsers may ship it, as hstspreload.org asks; they want includeSubDomains and a
    /// maxAge of a year. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preload: Option<bool>,
}
