//! What the watches tell, and what becomes of it.

use std::sync::Arc;

use fairway_crds::{ServiceRoute, ServiceRouteSpec, ServiceRouteStatus};
use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;

use super::store::{ObservedObjects, Store};

fn route(name: &str, host: &str, generation: i64) -> DeserializeGuard<ServiceRoute> {
    let spec = ServiceRouteSpec { hosts: vec![host.to_owned()], ..ServiceRouteSpec::default() };
    let mut route = ServiceRoute::new(name, spec);
    route.metadata.namespace = Some("ns".to_owned());
    route.metadata.generation = Some(generation);
    DeserializeGuard(Ok(route))
}

fn names(store: &mut Store) -> Option<Vec<String>> {
    store.changed().map(|inputs| inputs.routes.keys().map(|id| id.name.to_string()).collect())
}

fn started(names: &[&str]) -> Store {
    let mut store = Store::new(1, Arc::new(ObservedObjects::default()));
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
    let mut store = Store::new(1, Arc::new(ObservedObjects::default()));
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
    let DeserializeGuard(Ok(mut with_status)) = route("a", "a.example", 1) else { unreachable!() };
    with_status.status = Some(ServiceRouteStatus { rules: 1, ..ServiceRouteStatus::default() });
    with_status.metadata.resource_version = Some("9".to_owned());
    store.route(0, Event::Apply(DeserializeGuard(Ok(with_status))));
    assert_eq!(names(&mut store), None);
    store.route(0, Event::Apply(route("a", "b.example", 2)));
    assert!(names(&mut store).is_some());
    store.route(0, Event::Delete(route("a", "b.example", 2)));
    assert_eq!(names(&mut store), Some(Vec::new()));
}
