//! Versions of an API.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{names, schema};

/// Versions of an API: a request names one, and a match may ask for one (match.version). A request
/// for one that is not known is answered 400, with the list. A backend sees the version in the
/// header, also where it was named in Accept or is the default.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// The header field that names the version. Default: x-api-version, when mediaType is not
    /// given either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::header_name")]
    pub header: Option<String>,

    /// The parameter of a media type in Accept that names the version:
    /// mediaType: version is for Accept: application/json;version=v2. The first one counts; the
    /// header wins over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::word")]
    pub media_type: Option<String>,

    /// The version of requests that name none. Without it they are answered 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::word")]
    pub default: Option<String>,

    /// The versions that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub known: Option<Vec<Version>>,

    /// Enforce refuses; Observe only counts what it would refuse, and serves it as the default.
    /// Default: Enforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::mode")]
    pub mode: Option<String>,
}

/// A version of an API.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.link) || has(self.deprecated) || has(self.sunset)", names::LINK_OF_DEPRECATED)
)]
pub struct Version {
    /// Its name, as requests write it.
    #[schemars(schema_with = "schema::word")]
    pub name: String,

    /// Since or from when nobody should begin to use it: 2026-06-01, or 2026-06-01T12:00:00Z.
    /// Answers say it in Deprecation (RFC 9745).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date")]
    pub deprecated: Option<String>,

    /// When it is expected to be gone: 2027-01-01, or 2027-01-01T12:00:00Z. Answers say it in
    /// Sunset (RFC 8594); nothing is refused then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date")]
    pub sunset: Option<String>,

    /// Where to read more: a URL, which answers say in Link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub link: Option<String>,
}
