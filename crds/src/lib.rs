//! The Kubernetes API of Fairway: what a team writes and reads with `kubectl`.
//!
//! Types, their schema and the words of their status, and nothing else: no client, no runtime,
//! no meaning. What a ServiceRoute means is decided where it is compiled.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

pub mod answers;
pub mod backend;
pub mod conditions;
pub mod gateway_replica;
pub mod matches;
pub mod names;
pub mod policy;
pub mod route_test;
mod schema;
pub mod service_route;
pub mod status;
mod yaml;

pub use answers::{Redirect, Respond};
pub use backend::{BackendRef, BackendTls};
pub use gateway_replica::{FailedObject, GatewayReplica, GatewayReplicaSpec};
pub use matches::{HeaderMatch, QueryMatch, RouteMatch};
pub use policy::{HeaderEdits, Headers, Hsts, Limits, Mirror, Policy, Timeouts};
pub use route_test::{RouteTest, TestExpect, TestRequest};
pub use service_route::{Rewrite, RouteRule, RouteTls, ServiceRoute, ServiceRouteSpec};
pub use status::ServiceRouteStatus;
pub use yaml::{documents, yaml};

/// The API group of every kind that Fairway defines.
pub const GROUP: &str = "fairway.dev";
/// The only version that is served and stored.
pub const VERSION: &str = "v1alpha1";
/// The installation class that serves an object which names none.
pub const DEFAULT_CLASS: &str = "fairway";
/// The weight of a backend that states none.
pub const DEFAULT_WEIGHT: u32 = 1;
/// The greatest weight of one backend.
pub const MAX_WEIGHT: u32 = 1_000_000;
/// How many of a hundred requests a mirror gets that does not say.
pub const DEFAULT_PERCENT: u32 = 100;
/// The longest time in seconds: a hundred years.
pub const MOST_SECONDS: u64 = 3_153_600_000;
/// The most mirrors of one rule: each costs as much as the request itself.
pub const MAX_MIRRORS: usize = 4;

/// The custom resource definitions of this version, in the order in which to apply them.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    use kube::CustomResourceExt;
    let mut crds = vec![ServiceRoute::crd(), GatewayReplica::crd()];
    for crd in &mut crds {
        for version in &mut crd.spec.versions {
            if let Some(schema) = &mut version.schema
                && let Some(root) = &mut schema.open_api_v3_schema
            {
                schema::join_lines(root);
            }
        }
    }
    crds
}
