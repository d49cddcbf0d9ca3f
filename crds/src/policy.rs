//! Policy: one struct with the same meaning on a rule, on a spec, on a listener and on the
//! installation. The more specific place replaces field by field.

mod headers;
mod hsts;
mod limits;
mod mirror;
mod timeouts;
mod versions;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

pub use headers::{HeaderEdits, Headers};
pub use hsts::Hsts;
pub use limits::Limits;
pub use mirror::Mirror;
pub use timeouts::Timeouts;
pub use versions::{Version, Versions};

/// How requests are treated on their way.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// How long each part of a request may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,

    /// How header fields are changed. Each list that is set replaces the whole list of a less
    /// specific place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,

    /// How much of a request is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,

    /// Whether browsers are told to come by HTTPS only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts: Option<Hsts>,

    /// Which versions of an API there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,

    /// Who gets copies of the requests that go to backends. The list replaces the whole list of a
    /// less specific place; an empty one mirrors nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4))]
    pub mirror: Option<Vec<Mirror>>,
}
