//! What a request must look like for a rule to take it.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Conditions on one request; all that are given must hold.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RouteMatch {
    /// The path: /e/fin is exactly that; /e/fin/* is /e/fin and everything below it;
    /// /users/{id}/orders captures one whole segment. A final slash counts: /e/fin and /e/fin/
    /// are two paths. Default: /*, every path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::path")]
    pub path: Option<String>,

    /// The methods, any one of them. GET takes HEAD too unless another rule names HEAD. None:
    /// every method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::methods")]
    pub methods: Vec<String>,
}
