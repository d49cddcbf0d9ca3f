//! What the watches tell, and what becomes of it.

mod bundles;
mod secrets;

use std::sync::Arc;

use fairway_crds::{ServiceRoute, ServiceRouteSpec, ServiceRouteStatus};
use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::grants::{GrantEvent, ReferenceGrant};
use super::guard::Watched;
use super::kinds::RouteContent;
use super::observed::ObservedObjects;
use super::store::Store;
use super::{Guarded, Watched as WatchedWorld};
use crate::shared::Shared;
use crate::status::Told;
use crate::{CompileOptions, Inputs, Memo, compile};

fn route(name: &str, host: &str, generation: i64) -> Guarded<ServiceRoute> {
    let spec = ServiceRouteSpec { hosts: vec![host.to_owned()], ..ServiceRouteSpec::default() };
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some("ns".to_owned()),
        generation: Some(generation),
        ..ObjectMeta::default()
    };
    Guarded { metadata, content: Ok(Box::new(RouteContent { spec, status: None })) }
}

/// Watches of one namespace, without Secrets.
fn of_namespace() -> WatchedWorld {
    WatchedWorld { namespaces: vec!["ns".to_owned()], secrets: false }
}

fn names(store: &mut Store) -> Option<Vec<String>> {
    store.changed().map(|inputs| inputs.routes.keys().map(|id| id.name.to_string()).collect())
}

fn started(names: &[&str]) -> Store {
    let mut store = Store::new(&WatchedWorld::default(), Arc::new(ObservedObjects::default()));
    store.route(0, Event::Init);
    for name in names {
        store.route(0, Event::InitApply(route(name, "a.example", 1)));
    }
    store.route(0, Event::InitDone);
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    store.grant(0, GrantEvent::None);
    bundles::none(&mut store);
    store
}

#[test]
fn nothing_is_told_before_every_list_is_complete() {
    let mut store = Store::new(&WatchedWorld::default(), Arc::new(ObservedObjects::default()));
    store.route(0, Event::Init);
    store.route(0, Event::InitApply(route("a", "a.example", 1)));
    assert_eq!(names(&mut store), None);
    store.route(0, Event::InitDone);
    assert_eq!(names(&mut store), None, "the Services are not there yet");
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    assert_eq!(names(&mut store), None, "whether there are grants is not known yet");
    store.grant(0, GrantEvent::None);
    assert_eq!(names(&mut store), None, "the authorities are not there yet");
    bundles::none(&mut store);
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
    let mut with_status = route("a", "a.example", 1);
    let status = ServiceRouteStatus { rules: 1, ..ServiceRouteStatus::default() };
    with_status.content.as_mut().unwrap().status = Some(status);
    with_status.metadata.resource_version = Some("9".to_owned());
    store.route(0, Event::Apply(with_status));
    assert_eq!(names(&mut store), None);
    store.route(0, Event::Apply(route("a", "b.example", 2)));
    assert!(names(&mut store).is_some());
    store.route(0, Event::Delete(route("a", "b.example", 2)));
    assert_eq!(names(&mut store), Some(Vec::new()));
}

/// An object as the API server sends it, whose spec does not fit.
fn unreadable<K: Watched>(spec: &serde_json::Value) -> Guarded<K> {
    let object = json!({
        "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
        "metadata": { "name": "a", "namespace": "ns", "generation": 2, "resourceVersion": "7" },
        "spec": spec,
        "status": { "rules": 0, "observedGeneration": 2 },
    });
    let guarded: Guarded<K> = serde_json::from_value(object).unwrap();
    assert!(guarded.content.is_err());
    guarded
}

#[test]
fn an_object_that_cannot_be_read_keeps_its_status() {
    let observed = Arc::new(ObservedObjects::default());
    let mut store = Store::new(&WatchedWorld::default(), Arc::clone(&observed));
    store.route(0, Event::Apply(unreadable(&json!({ "rules": 1 }))));
    let known = observed.get(&ObjectId::new("ns", "a")).unwrap();
    assert_eq!(known.resource_version.as_deref(), Some("7"));
    let status = ServiceRouteStatus { observed_generation: Some(2), ..Default::default() };
    assert_eq!(known.status, Some(Told::of(&status)));
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
    let mut store = Store::new(&WatchedWorld::default(), Arc::new(ObservedObjects::default()));
    store.route(0, Event::Init);
    store.route(0, Event::InitDone);
    store.service(0, Event::Init);
    store.service(0, Event::InitApply(unreadable(&json!({ "ports": 1 }))));
    store.service(0, Event::InitDone);
    store.grant(0, GrantEvent::None);
    bundles::none(&mut store);
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
    let mut object = route(name, host, 1);
    object.metadata.resource_version = Some(version.to_owned());
    object
}

#[test]
fn a_world_says_how_far_it_has_come_and_when_each_object_changed() {
    let observed = Arc::new(ObservedObjects::default());
    let mut store = Store::new(&of_namespace(), Arc::clone(&observed));
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    store.grant(0, GrantEvent::None);
    bundles::none(&mut store);
    store.route(0, Event::Init);
    store.route(0, Event::InitApply(versioned("a", "a.example", "30")));
    store.route(0, Event::InitApply(versioned("b", "a.example", "9")));
    store.route(0, Event::InitDone);
    let world = store.changed().unwrap();
    let version_of = |world: &Inputs, name: &str| {
        let route = world.routes.get(&ObjectId::new("ns", name))?;
        route.version.as_deref().map(str::to_owned)
    };
    assert_eq!(
        (world.versions.world, world.versions.seen.to_map()["ns/serviceroutes"].as_str()),
        (1, "30")
    );
    assert_eq!(version_of(&world, "b").as_deref(), Some("9"));

    // A status that was written is seen, and changes nothing of what is compiled.
    store.route(0, Event::Apply(versioned("b", "a.example", "31")));
    assert!(store.changed().is_none());
    let (number, seen) = observed.progress();
    assert_eq!((number, seen.to_map()["ns/serviceroutes"].as_str()), (1, "31"));
    store.route(0, Event::Apply(versioned("c", "a.example", "32")));
    let next = store.changed().unwrap();
    assert_eq!(version_of(&next, "b").as_deref(), Some("9"), "its spec is of then");
    // A list is not in the order of versions: half of one says nothing.
    store.route(0, Event::Init);
    store.route(0, Event::InitApply(versioned("b", "b.example", "40")));
    let half = store.changed().unwrap();
    assert_eq!(
        (half.versions.world, half.versions.seen.to_map()["ns/serviceroutes"].as_str()),
        (3, "32")
    );
    assert_eq!(version_of(&half, "b").as_deref(), Some("40"));
    store.route(0, Event::InitDone);
    let whole = store.changed().unwrap();
    assert_eq!(
        (whole.versions.world, whole.versions.seen.to_map()["ns/serviceroutes"].as_str()),
        (4, "40")
    );
    assert!(!whole.routes.contains_key(&ObjectId::new("ns", "a")), "it is gone");
}

/// An object with everything that a cluster puts beside what somebody wrote.
fn decorated(spec: &serde_json::Value) -> String {
    let fields =
        json!({ "f:spec": { "f:ports": { "k:{\"port\":80}": { ".": {}, "f:port": {} } } } });
    json!({
        "apiVersion": "v1", "kind": "Any",
        "metadata": { "name": "a", "namespace": "ns", "generation": 2, "resourceVersion": "7",
            "uid": "5", "labels": { "app": "a" }, "annotations": { "b": "c".repeat(1000) },
            "creationTimestamp": "2026-01-02T03:04:05Z", "ownerReferences": 5,
            "managedFields": [{ "manager": "kubectl", "fieldsV1": fields }, "whatever"] },
        "spec": spec, "status": { "loadBalancer": {}, "rules": 1 },
    })
    .to_string()
}

#[test]
fn what_nobody_needs_of_an_object_is_not_even_read() {
    let spec =
        json!({ "ports": [{ "port": 80, "name": "http", "targetPort": [] }], "selector": 5 });
    // Fields that no reader of the whole object would take: they are passed over.
    let service: Guarded<Service> = serde_json::from_str(&decorated(&spec)).unwrap();
    assert!(service.content.is_ok(), "{service:?}");
    let route: Guarded<ServiceRoute> =
        serde_json::from_str(&decorated(&json!({ "rules": [] }))).unwrap();
    assert!(route.content.is_ok(), "{route:?}");
    let kept = serde_json::to_value(&route.metadata).unwrap();
    let expected = json!({ "name": "a", "namespace": "ns", "uid": "5", "generation": 2,
        "resourceVersion": "7", "creationTimestamp": "2026-01-02T03:04:05Z" });
    assert_eq!(kept, expected);
}

#[test]
fn a_page_and_an_event_are_read_as_the_api_server_writes_them() {
    use kube::core::{ObjectList, WatchEvent};
    let good = decorated(&json!({ "ports": [{ "port": 80 }] }));
    let bad = decorated(&json!({ "ports": 5 }));
    let page = format!(
        r#"{{"kind":"ServiceList","apiVersion":"v1","metadata":{{"resourceVersion":"9"}},"items":[{bad},{good}]}}"#
    );
    let page: ObjectList<Guarded<Service>> = serde_json::from_str(&page).unwrap();
    let readable: Vec<bool> = page.items.iter().map(|item| item.content.is_ok()).collect();
    assert_eq!(readable, [false, true], "one that cannot be read takes no other with it");
    let event = format!(r#"{{"type":"ADDED","object":{good}}}"#);
    let event: WatchEvent<Guarded<Service>> = serde_json::from_str(&event).unwrap();
    assert!(matches!(event, WatchEvent::Added(service) if service.content.is_ok()));
}

#[test]
fn words_that_objects_have_in_common_are_held_once() {
    let mut words = Shared::<str>::default();
    let mut share = |text: &str| words.share(Arc::from(text));
    let (first, second): (Arc<str>, Arc<str>) = (share("http"), share("http"));
    assert!(Arc::ptr_eq(&first, &second));
    for number in 0..5000 {
        share(&number.to_string());
    }
    assert!(Arc::ptr_eq(&first, &share("http")), "one in use was forgotten");
    assert!(words.len() < 2000, "{} words that nobody uses are held", words.len());
}

#[test]
fn services_that_look_alike_are_held_once() {
    let mut store = started(&[]);
    for (name, port) in [("a", 80), ("b", 80), ("c", 81)] {
        let service: Guarded<Service> = serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "ns" }, "spec": { "ports": [{ "port": port }] } }))
        .unwrap();
        store.service(0, Event::Apply(service));
    }
    let services = &store.changed().unwrap().services;
    let held = |name: &str| &services[&ObjectId::new("ns", name)];
    assert!(Arc::ptr_eq(held("a"), held("b")));
    assert_ne!(held("a"), held("c"));
}

fn told(event: Event<Guarded<ReferenceGrant>>) -> GrantEvent {
    GrantEvent::Told(Box::new(event))
}

fn grant(spec: &serde_json::Value) -> Guarded<ReferenceGrant> {
    let object = json!({ "metadata": { "name": "g", "namespace": "shared" }, "spec": spec });
    serde_json::from_value(object).unwrap()
}

#[test]
fn grants_come_and_go_with_their_kind() {
    let route = json!([{ "group": "fairway.dev", "kind": "ServiceRoute", "namespace": "ns" }]);
    let spec = json!({ "from": route, "to": [{ "group": "", "kind": "Service", "name": "a" }] });
    let (a, b) = (ObjectId::new("shared", "a"), ObjectId::new("shared", "b"));
    let mut store = started(&[]);
    assert!(!store.changed().unwrap().permitted("ns", &a));
    store.grant(0, told(Event::Init));
    store.grant(0, told(Event::InitApply(grant(&spec))));
    store.grant(0, told(Event::InitDone));
    let inputs = store.changed().unwrap();
    assert!(inputs.permitted("ns", &a) && !inputs.permitted("ns", &b));
    assert!(!inputs.permitted("other", &a) && inputs.permitted("shared", &b));
    store.grant(0, told(Event::Apply(grant(&json!({ "from": 5 })))));
    assert!(!store.changed().unwrap().permitted("ns", &a), "what cannot be read permits nothing");
    store.grant(0, told(Event::Apply(grant(&spec))));
    assert!(store.changed().unwrap().permitted("ns", &a));
    store.grant(0, told(Event::Delete(grant(&spec))));
    assert!(!store.changed().unwrap().permitted("ns", &a));
    store.grant(0, told(Event::Apply(grant(&spec))));
    assert!(store.changed().unwrap().permitted("ns", &a));
    store.grant(0, GrantEvent::None);
    assert!(!store.changed().unwrap().permitted("ns", &a));
}
