//! Which version covers which, and what a route needs.

use std::sync::Arc;

use fairway_crds::ServiceRoute;
use fairway_snapshot::ObjectId;
use serde_json::json;

use super::{Versions, covers};
use crate::Inputs;
use crate::inputs::Route;

#[test]
fn versions_are_numbers_of_any_length() {
    let long = "9".repeat(40);
    let cases = [
        ("7", "7", Some(true)),
        ("10", "9", Some(true)),
        ("9", "10", Some(false)),
        ("123", "124", Some(false)),
        (long.as_str(), "18446744073709551615", Some(true)),
        ("18446744073709551615", long.as_str(), Some(false)),
        ("abc", "7", None),
        ("7", "7a", None),
        ("", "7", None),
        ("07", "7", None),
    ];
    for (have, need, expected) in cases {
        assert_eq!(covers(have, need), expected, "{have:?} {need:?}");
    }
}

#[test]
fn the_highest_version_is_kept() {
    let mut versions = Versions::default();
    for version in ["9", "10", "8"] {
        versions.raise("services", version);
    }
    versions.raise("market/services", "3");
    let all: Vec<(String, String)> = versions.to_map().into_iter().collect();
    let pair = |key: &str, version: &str| (key.to_owned(), version.to_owned());
    assert_eq!(all, [pair("market/services", "3"), pair("services", "10")]);
}

#[test]
fn a_route_needs_itself_and_what_it_names_that_is_there() {
    let route: ServiceRoute = serde_json::from_value(json!({
        "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
        "metadata": { "name": "a", "namespace": "market" },
        "spec": { "rules": [
            { "backends": [{ "service": "one" }, { "service": "gone" }, { "host": "example.com", "port": 80,
                "tls": { "caConfigMap": "ca", "clientSecret": "client" } }] },
            { "backends": [{ "service": "one" }, { "service": "two", "namespace": "other" }] },
        ] },
    }))
    .unwrap();
    let id = ObjectId::new("market", "a");
    let mut inputs = Inputs::default();
    inputs.routes.insert(id.clone(), Arc::new(Route::from(&route).at(Some("5".into()))));
    for (namespace, name, version) in
        [("market", "one", "6"), ("market", "unrelated", "7"), ("other", "two", "8")]
    {
        inputs.versions.services.insert(ObjectId::new(namespace, name), version.into());
    }
    let named = |name: &str| ObjectId::new("market", name);
    inputs.versions.secrets.insert(named("client"), "9".into());
    inputs.versions.config_maps.insert(named("ca"), "10".into());
    inputs.versions.config_maps.insert(named("unrelated"), "11".into());
    let needs: Vec<String> = inputs
        .needs(&id)
        .iter()
        .map(|need| format!("{} {} {}", need.kind, need.namespace, need.version))
        .collect();
    let own = ["serviceroutes market 5", "services market 6", "services other 8"];
    let others = ["secrets market 9", "configmaps market 10"];
    assert_eq!(needs, [&own[..], &others].concat());
}
