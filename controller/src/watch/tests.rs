//! What the watches tell, and what becomes of it.

use std::sync::Arc;

use fairway_crds::{ServiceRoute, ServiceRouteSpec, ServiceRouteStatus};
use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::Service;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::Guarded;
use super::store::{ObservedObjects, Store};
use crate::{CompileOptions, Memo, compile};

fn route(name: &str, host: &str, generation: i64) -> Guarded<ServiceRoute> {
    let spec = ServiceRouteSpec { hosts: vec![host.to_owned()], ..ServiceRouteSpec::default() };
    let mut route = ServiceRoute::new(name, spec);
    route.metadata.namespace = Some("ns".to_owned());
    route.metadata.generation = Some(generation);
    Guarded::Readable(Box::new(route))
}

fn names(store: &mut Store) -> Option<Vec<String>> {
    store.changed().map(|inputs| inputs.routes.keys().map(|id| id.name.to_string()).collect())
}

fn started(names: &[&str]) -> Store {
    let mut store = Store::new(&[], Arc::new(ObservedObjects::default()));
    store.route(0, Event::Init);
    for name in names {
        store.route(0, Event::InitApply(route(name, "a.example", 1)));
    }
    store.route(0, Event::InitDone);
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    store
}

#[test]
fn nothing_is_told_before_every_list_is_complete() {
    let mut store = Store::new(&[], Arc::new(ObservedObjects::default()));
    store.route(0, Event::Init);
    store.route(0, Event::InitApply(route("a", "a.example", 1)));
    assert_eq!(names(&mut store), None);
    store.route(0, Event::InitDone);
    assert_eq!(names(&mut store), None, "the Services are not there yet");
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    assert_eq!(names(&mut store), Some(vec!["a".to_owned()]));
}

#[test]
fn a_list_that_is_fetched_again_leaves_no_ghost_and_no_gap() {
    let mut store = started(&["a", "b"]);
    assert!(names(&mut store).is_some());
    store.route(0, Event::Init);
    assert_eq!(names(&mut store), None, "the old list serves while the new one comes");
    store.route(0, Event::InitApply(route("b", "a.example", 1)));
    store.route(0, Event::InitApply(route("c", "a.example", 1)));
    store.route(0, Event::InitDone);
    assert_eq!(names(&mut store), Some(vec!["b".to_owned(), "c".to_owned()]));
}

#[test]
fn our_own_status_is_no_change() {
    let mut store = started(&["a"]);
    assert!(names(&mut store).is_some());
    let Guarded::Readable(mut with_status) = route("a", "a.example", 1) else { unreachable!() };
    with_status.status = Some(ServiceRouteStatus { rules: 1, ..ServiceRouteStatus::default() });
    with_status.metadata.resource_version = Some("9".to_owned());
    store.route(0, Event::Apply(Guarded::Readable(with_status)));
    assert_eq!(names(&mut store), None);
    store.route(0, Event::Apply(route("a", "b.example", 2)));
    assert!(names(&mut store).is_some());
    store.route(0, Event::Delete(route("a", "b.example", 2)));
    assert_eq!(names(&mut store), Some(Vec::new()));
}

/// An object as the API server sends it, whose spec does not fit.
fn unreadable<K: serde::de::DeserializeOwned>(spec: &serde_json::Value) -> Guarded<K> {
    let object = json!({
        "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
        "metadata": { "name": "a", "namespace": "ns", "generation": 2, "resourceVersion": "7" },
        "spec": spec,
        "status": { "rules": 0, "observedGeneration": 2 },
    });
    let guarded = serde_json::from_value(object).unwrap();
    assert!(matches!(guarded, Guarded::Unreadable(_)));
    guarded
}

#[test]
fn an_object_that_cannot_be_read_keeps_its_status() {
    let observed = Arc::new(ObservedObjects::default());
    let mut store = Store::new(&[], Arc::clone(&observed));
    store.route(0, Event::Apply(unreadable(&json!({ "rules": 1 }))));
    let known = observed.get(&ObjectId::new("ns", "a")).unwrap();
    assert_eq!(known.resource_version.as_deref(), Some("7"));
    assert_eq!(known.status.unwrap().observed_generation, Some(2));
}

#[test]
fn an_object_that_cannot_be_read_is_told_by_its_class_only() {
    for (class, told) in [
        (json!("fairway"), true),
        (json!("internal"), false),
        (json!(5), true),
        (json!(null), true),
    ] {
        let mut store = started(&[]);
        let mut spec = json!({ "rules": 1, "class": class });
        if class.is_null() {
            spec.as_object_mut().unwrap().remove("class");
        }
        store.route(0, Event::Apply(unreadable(&spec)));
        let inputs = store.changed().unwrap();
        let statuses = compile(&inputs, &CompileOptions::default(), &mut Memo::default()).statuses;
        assert_eq!(!statuses.is_empty(), told, "{class}");
    }
}

#[test]
fn a_service_that_cannot_be_read_counts_as_not_there() {
    let mut store = Store::new(&[], Arc::new(ObservedObjects::default()));
    store.route(0, Event::Init);
    store.route(0, Event::InitDone);
    store.service(0, Event::Init);
    store.service(0, Event::InitApply(unreadable(&json!({ "ports": 1 }))));
    store.service(0, Event::InitDone);
    assert!(store.changed().unwrap().services.is_empty(), "the world is complete");
    let good: Guarded<Service> = serde_json::from_value(json!({
        "metadata": { "name": "a", "namespace": "ns" }, "spec": { "ports": [{ "port": 80 }] } }))
    .unwrap();
    store.service(0, Event::Apply(good));
    assert_eq!(store.changed().unwrap().services.len(), 1);
    store.service(0, Event::Apply(unreadable(&json!({ "ports": 1 }))));
    assert!(store.changed().unwrap().services.is_empty());
}

fn versioned(name: &str, host: &str, version: &str) -> Guarded<ServiceRoute> {
    let Guarded::Readable(mut object) = route(name, host, 1) else { unreachable!() };
    object.metadata.resource_version = Some(version.to_owned());
    Guarded::Readable(object)
}

#[test]
fn a_world_says_how_far_it_has_come_and_when_each_object_changed() {
    let observed = Arc::new(ObservedObjects::default());
    let mut store = Store::new(&["ns".to_owned()], Arc::clone(&observed));
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    store.route(0, Event::Init);
    store.route(0, Event::InitApply(versioned("a", "a.example", "30")));
    store.route(0, Event::InitApply(versioned("b", "a.example", "9")));
    store.route(0, Event::InitDone);
    let world = store.changed().unwrap().versions.clone();
    assert_eq!((world.world, world.seen.to_map()["ns/serviceroutes"].as_str()), (1, "30"));
    assert_eq!(&*world.routes[&ObjectId::new("ns", "b")], "9");

    // A status that was written is seen, and changes nothing of what is compiled.
    store.route(0, Event::Apply(versioned("b", "a.example", "31")));
    assert!(store.changed().is_none());
    let (number, seen) = observed.progress();
    assert_eq!((number, seen.to_map()["ns/serviceroutes"].as_str()), (1, "31"));
    // A list is not in the order of versions: half of one says nothing.
    store.route(0, Event::Init);
    store.route(0, Event::InitApply(versioned("b", "b.example", "40")));
    let half = store.changed().unwrap().versions.clone();
    assert_eq!((half.world, half.seen.to_map()["ns/serviceroutes"].as_str()), (2, "31"));
    assert_eq!(&*half.routes[&ObjectId::new("ns", "b")], "40");
    store.route(0, Event::InitDone);
    let whole = store.changed().unwrap().versions.clone();
    assert_eq!((whole.world, whole.seen.to_map()["ns/serviceroutes"].as_str()), (3, "40"));
    assert!(!whole.routes.contains_key(&ObjectId::new("ns", "a")), "it is gone");
}
