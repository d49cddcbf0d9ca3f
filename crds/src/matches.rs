//! What a request must look like for a rule to take it.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::{names, schema};

/// Conditions on one request; all that are given must hold.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.path) || !has(self.pathRegex)", names::ONE_PATH)
)]
pub struct RouteMatch {
    /// The path: /e/fin is exactly that; /e/fin/* is /e/fin and everything below it;
    /// /users/{id}/orders captures one whole segment. A final slash counts: /e/fin and /e/fin/
    /// are two paths. Default: /*, every path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::path")]
    pub path: Option<String>,

    /// Instead of path, a regular expression in the syntax of RE2 that matches the whole path, for
    /// example /v[0-9]+/.*; named groups capture: /users/(?<id>[0-9]+). It is compared with
    /// the normalised path, in which other characters than ASCII are percent-encoded. The longer
    /// the text that it begins with, the stronger it is; path costs less where it can say the
    /// same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub path_regex: Option<String>,

    /// The methods, any one of them. GET takes HEAD too unless another rule names HEAD. None:
    /// every method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::methods")]
    pub methods: Vec<String>,

    /// The version of the API, one of policy.versions. It counts as a condition on a header field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::word")]
    pub version: Option<String>,

    /// Conditions on header fields; all must hold. A request for which none does is answered 404.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub headers: Vec<HeaderMatch>,

    /// Conditions on parameters of the query string; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub query: Vec<QueryMatch>,
}

/// A condition on the header fields of one name. It has one of value, pattern and present; of
/// several fields any one may satisfy it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("(has(self.value) ? 1 : 0) + (has(self.pattern) ? 1 : 0) + (has(self.present) ? 1 : 0) == 1", names::ONE_CONDITION)
)]
pub struct HeaderMatch {
    /// The name of the field, in any case.
    #[schemars(schema_with = "schema::header_name")]
    pub name: String,

    /// The whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,

    /// A regular expression in the syntax of RE2 that matches the whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,

    /// true: there is such a field, whatever its value. false: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}

/// A condition on the query parameters of one name. It has one of value, pattern and present; of
/// several parameters any one may satisfy it. Names and values are compared decoded.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("(has(self.value) ? 1 : 0) + (has(self.pattern) ? 1 : 0) + (has(self.present) ? 1 : 0) == 1", names::ONE_CONDITION)
)]
pub struct QueryMatch {
    /// The name of the parameter. Case counts.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,

    /// The whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,

    /// A regular expression in the syntax of RE2 that matches the whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,

    /// true: there is such a parameter, whatever its value. false: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
}
