//! The fields of Kubernetes' own that stand in manifests, as a schema: a mistake in them is told
//! with field, place and advice, like one in ours.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// What people write in metadata.
const WRITTEN: [&str; 2] = ["name", "namespace"];
/// What the API server and controllers write there, and `kubectl get -o yaml` shows.
const SET_BY_SERVER: [&str; 11] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// Fields of a Service's spec that routing does not look at.
const OF_SERVICE: [&str; 15] = [
    "allocateLoadBalancerNodePorts",
    "clusterIPs",
    "externalIPs",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "publishNotReadyAddresses",
    "sessionAffinity",
    "sessionAffinityConfig",
    "trafficDistribution",
];

/// The metadata of an object.
pub(super) fn metadata() -> JSONSchemaProps {
    let written = WRITTEN.map(|name| (name, of_type("string")));
    let server = SET_BY_SERVER.map(|name| (name, anything()));
    let maps = [("labels", words()), ("annotations", words())];
    object(written.into_iter().chain(server).chain(maps))
}

/// A Service of Kubernetes.
pub(super) fn service() -> JSONSchemaProps {
    let number =
        || JSONSchemaProps { minimum: Some(1.0), maximum: Some(65535.0), ..of_type("integer") };
    let text = |name| (name, of_type("string"));
    let either =
        JSONSchemaProps { x_kubernetes_int_or_string: Some(true), ..JSONSchemaProps::default() };
    let mut port = object([
        text("name"),
        text("protocol"),
        text("appProtocol"),
        ("port", number()),
        ("nodePort", number()),
        ("targetPort", either),
    ]);
    port.required = Some(vec!["port".to_owned()]);
    let ports = JSONSchemaProps {
        items: Some(JSONSchemaPropsOrArray::Schema(Box::new(port))),
        ..of_type("array")
    };
    let looked_at = [
        text("type"),
        text("clusterIP"),
        text("externalName"),
        ("ports", ports),
        ("selector", words()),
    ];
    let others = OF_SERVICE.map(|name| (name, anything()));
    let spec = object(looked_at.into_iter().chain(others));
    object([("spec", spec), ("status", anything())])
}

/// A Secret of Kubernetes. What it holds is not looked at here: a mistake is told with the value.
pub(super) fn secret() -> JSONSchemaProps {
    let held = ["data", "stringData", "immutable"].map(|name| (name, anything()));
    object([("type", of_type("string"))].into_iter().chain(held))
}

/// A ConfigMap of Kubernetes.
pub(super) fn config_map() -> JSONSchemaProps {
    let flag = || of_type("boolean");
    object([("data", words()), ("binaryData", words()), ("immutable", flag())])
}

/// A ReferenceGrant of the Gateway API.
pub(super) fn reference_grant() -> JSONSchemaProps {
    let text = |name| (name, of_type("string"));
    let list = |mut item: JSONSchemaProps, required: &[&str]| {
        item.required = Some(required.iter().map(|name| (*name).to_owned()).collect());
        JSONSchemaProps {
            items: Some(JSONSchemaPropsOrArray::Schema(Box::new(item))),
            min_items: Some(1),
            max_items: Some(16),
            ..of_type("array")
        }
    };
    let from = object([text("group"), text("kind"), text("namespace")]);
    let to = object([text("group"), text("kind"), text("name")]);
    let mut spec = object([
        ("from", list(from, &["group", "kind", "namespace"])),
        ("to", list(to, &["group", "kind"])),
    ]);
    spec.required = Some(vec!["from".to_owned(), "to".to_owned()]);
    object([("spec", spec), ("status", anything())])
}

fn of_type(name: &str) -> JSONSchemaProps {
    JSONSchemaProps { type_: Some(name.to_owned()), ..JSONSchemaProps::default() }
}

/// Names with texts, such as labels.
fn words() -> JSONSchemaProps {
    JSONSchemaProps {
        additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(of_type("string")))),
        nullable: Some(true),
        ..of_type("object")
    }
}

/// Whatever stands there is Kubernetes' concern.
fn anything() -> JSONSchemaProps {
    JSONSchemaProps {
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    }
}

fn object<'n>(fields: impl IntoIterator<Item = (&'n str, JSONSchemaProps)>) -> JSONSchemaProps {
    let fields = fields.into_iter().map(|(name, schema)| (name.to_owned(), schema));
    let properties: BTreeMap<String, JSONSchemaProps> = fields.collect();
    JSONSchemaProps { properties: Some(properties), ..of_type("object") }
}
