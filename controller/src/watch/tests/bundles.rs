//! ConfigMaps with certificates of authorities come and go.

use std::sync::Arc;

use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::super::Guarded;
use super::super::bundles::BundleEvent;
use super::super::store::Store;
use super::started;
use crate::inputs::Bundle;

fn told(event: Event<Guarded<ConfigMap>>) -> BundleEvent {
    BundleEvent::Told(Box::new(event))
}

/// There are none.
pub(super) fn none(store: &mut Store) {
    store.bundle(0, told(Event::Init));
    store.bundle(0, told(Event::InitDone));
}

fn config_map(name: &str, data: &Value, version: &str) -> Guarded<ConfigMap> {
    let metadata = json!({ "name": name, "namespace": "ns", "resourceVersion": version });
    serde_json::from_value(json!({ "metadata": metadata, "data": data })).unwrap()
}

#[test]
fn what_is_told_is_what_is_known() {
    let mut store = started(&[]);
    assert!(store.changed().unwrap().config_maps.is_empty());
    let (a, b) = (ObjectId::new("ns", "a"), ObjectId::new("ns", "b"));
    let of = |text: &str, version: &str| config_map("a", &json!({ "ca.crt": text }), version);
    store.bundle(0, told(Event::Apply(of("one", "5"))));
    let world = store.changed().unwrap();
    assert_eq!(*world.config_maps[&a], Bundle::new("one"));
    assert_eq!(&*world.versions.config_maps[&a], "5");
    // What is compiled is the same.
    let other = json!({ "ca.crt": "one", "other": "x" });
    store.bundle(0, told(Event::Apply(config_map("a", &other, "6"))));
    assert!(store.changed().is_none());
    store.bundle(0, told(Event::Apply(of("two", "7"))));
    assert_eq!(*store.changed().unwrap().config_maps[&a], Bundle::new("two"));
    // One without the key is there, and told when it is asked for.
    store.bundle(0, told(Event::Apply(config_map("b", &json!({ "ca.pem": "x" }), "8"))));
    let world = store.changed().unwrap();
    assert!(
        world.config_maps[&b].authorities().unwrap_err().contains("ca.crt holds no certificate")
    );
    // What cannot be read vouches for nobody.
    store.bundle(0, told(Event::Apply(config_map("a", &json!({ "ca.crt": 5 }), "9"))));
    let world = store.changed().unwrap();
    assert_eq!(world.config_maps.keys().collect::<Vec<_>>(), [&b]);
    assert!(!world.versions.config_maps.contains_key(&a));
    // A list that is fetched again leaves no ghost.
    store.bundle(0, told(Event::Init));
    store.bundle(0, told(Event::InitApply(of("one", "10"))));
    assert!(store.changed().is_some_and(|world| world.config_maps.contains_key(&b)));
    store.bundle(0, told(Event::InitDone));
    assert_eq!(store.changed().unwrap().config_maps.keys().collect::<Vec<_>>(), [&a]);
    store.bundle(0, told(Event::Delete(of("one", "11"))));
    assert!(store.changed().unwrap().config_maps.is_empty());
}

#[test]
fn without_the_right_to_read_them_there_are_none_and_the_world_is_complete() {
    let mut store = Store::new(&super::WatchedWorld::default(), Arc::default());
    store.route(0, Event::Init);
    store.route(0, Event::InitDone);
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    store.grant(0, super::GrantEvent::None);
    assert!(store.changed().is_none());
    store.bundle(0, BundleEvent::Refused);
    assert!(store.changed().unwrap().config_maps.is_empty());
    let one = config_map("a", &json!({ "ca.crt": "one" }), "5");
    store.bundle(0, told(Event::Init));
    store.bundle(0, told(Event::InitApply(one)));
    store.bundle(0, told(Event::InitDone));
    assert_eq!(store.changed().unwrap().config_maps.len(), 1);
    // A right that is taken away.
    store.bundle(0, BundleEvent::Refused);
    assert!(store.changed().unwrap().config_maps.is_empty());
}
