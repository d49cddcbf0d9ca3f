//! ServiceRoute: how requests from outside reach the Services of one namespace.

use std::borrow::Cow;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{
    BackendRef, BackendTls, Policy, Redirect, Respond, RouteMatch, RouteTest, ServiceRouteStatus,
    names, schema,
};

/// A ServiceRoute sends requests from outside to the Services of its namespace: it says for which
/// hosts it speaks, and lists rules that match requests and name the backends that answer them.
#[allow(clippy::duplicated_attributes, reason = "printer columns have the same keys")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "fairway.dev",
    version = "v1alpha1",
    kind = "ServiceRoute",
    namespaced,
    status = "ServiceRouteStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "sr",
    shortname = "sroute",
    category = "fairway",
    doc = "A ServiceRoute sends requests from outside to the Services of its namespace.",
    printcolumn(
        name = "Hosts",
        type_ = "string",
        json_path = ".status.hosts",
        description = "Hosts that this object serves; * is any host."
    ),
    printcolumn(
        name = "Rules",
        type_ = "integer",
        json_path = ".status.rules",
        description = "Number of rules that serve."
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Accepted')].status",
        description = "Whether every rule compiled."
    ),
    printcolumn(
        name = "Programmed",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Programmed')].status",
        description = "Whether the gateway serves this version."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Refs",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='ResolvedRefs')].status",
        priority = "1",
        description = "Whether every reference was found."
    ),
    printcolumn(
        name = "Hash",
        type_ = "string",
        json_path = ".status.hash",
        priority = "1",
        description = "Hash of this object's compiled form."
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.status=='False')].message",
        priority = "1",
        description = "What is wrong."
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRouteSpec {
    /// The installation that serves this object: the value of its `--class`. Default: fairway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::class")]
    pub class: Option<String>,

    /// Hosts for which the rules speak: exact names (api.example.com) or wildcards
    /// (*.example.com, which takes every name below example.com, but not example.com itself).
    /// None, or *: every host. The most specific host that knows a request's path decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::hosts")]
    pub hosts: Vec<String>,

    /// Names of the operator's listeners that serve the rules. None: every listener.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::listeners")]
    pub listeners: Vec<String>,

    /// The certificate of the hosts. Not served yet: who writes it is told so, and where the gateway
    /// takes certificates from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RouteTls>,

    /// Policy for every rule that does not set the same field itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,

    /// The rules. Their order in this list does not matter unless two match equally well; then
    /// the earlier one wins.
    #[schemars(length(min = 1, max = 64))]
    pub rules: Vec<RouteRule>,

    /// Requests and what should become of them. They are looked up whenever anything that decides
    /// about them changes, and change nothing themselves: TestsPassed tells, and fairway check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub tests: Vec<RouteTest>,
}

/// Where the certificate of the hosts is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RouteTls {
    /// A Secret of type kubernetes.io/tls in the namespace of this object, as cert-manager and
    /// kubectl create secret tls make it. Its certificate is shown for those of the hosts that it
    /// names, and without hosts for all names that it has.
    #[schemars(schema_with = "schema::secret_name")]
    pub secret_name: String,
}

impl ServiceRouteSpec {
    /// How its backends and mirrors are secured, where they say so themselves.
    #[must_use]
    pub fn all_tls(&self) -> Vec<&BackendTls> {
        let backends = self.rules.iter().flat_map(|rule| &rule.backends);
        let policies = self.rules.iter().filter_map(|rule| rule.policy.as_ref());
        let policies = policies.chain(&self.policy);
        let mirrors = policies.filter_map(|policy| policy.mirror.as_ref()).flatten();
        let backends = backends.filter_map(|backend| backend.tls.as_ref());
        backends.chain(mirrors.filter_map(|mirror| mirror.tls.as_ref())).collect()
    }
}

/// A rule: which requests it takes, and what happens to them. It has one of backends, redirect and
/// respond.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("(has(self.backends) ? 1 : 0) + (has(self.redirect) ? 1 : 0) + (has(self.respond) ? 1 : 0) == 1", names::ONE_ACTION),
    validation = ("!has(self.rewrite) || has(self.backends)", names::REWRITE_OF_BACKENDS),
    validation = ("!has(self.policy) || !has(self.policy.mirror) || has(self.backends)", names::MIRROR_OF_BACKENDS)
)]
pub struct RouteRule {
    /// Stable name of this rule in status, logs and metrics; unique within the object. Default:
    /// rule-<index>, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::rule_name")]
    pub name: Option<String>,

    /// A request is taken when any one of these matches it. None: every request.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub matches: Vec<RouteMatch>,

    /// How the request is changed before it goes to the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,

    /// Where the request goes: each backend gets its share of the requests by weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub backends: Vec<BackendRef>,

    /// Sends the client elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Redirect>,

    /// Answers itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond: Option<Respond>,

    /// Policy for this rule. A field that is set here replaces the same field of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

impl RouteRule {
    /// Its name, or what it is called by its place in the list when it has none.
    #[must_use]
    pub fn name_at(&self, index: usize) -> Cow<'_, str> {
        match &self.name {
            Some(name) => name.into(),
            None => format!("rule-{index}").into(),
        }
    }
}

/// How a request is changed before it goes to the backend.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rewrite {
    /// The path that the backend sees. It may use what the match captured: /fin/* puts what the
    /// wildcard matched behind /fin, and /orders/of/{id} puts in the segment named id. The
    /// query string stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::rewrite_path")]
    pub path: Option<String>,

    /// The Host that the backend sees. X-Forwarded-Host tells it the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::one_host")]
    pub host: Option<String>,
}
