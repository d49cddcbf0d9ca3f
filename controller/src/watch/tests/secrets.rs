//! Secrets come and go, and nothing shows what they hold.

use std::sync::Arc;

use fairway_snapshot::ObjectId;
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::super::grants::GrantEvent;
use super::super::observed::ObservedObjects;
use super::super::secrets::SecretEvent;
use super::super::store::Store;
use super::super::{Guarded, Watched};
use crate::inputs::NoSecret;

/// `private` in Base64, and in bytes.
const PRIVATE: [&str; 2] = ["cHJpdmF0ZQ==", "112, 114, 105, 118"];

fn secret(name: &str, kind: &str, data: &serde_json::Value, version: &str) -> Guarded<KubeSecret> {
    let object = json!({
        "metadata": { "name": name, "namespace": "ns", "resourceVersion": version,
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "private" } },
        "type": kind, "data": data });
    serde_json::from_value(object).unwrap()
}

fn tls(name: &str, version: &str) -> Guarded<KubeSecret> {
    let data = json!({ "tls.crt": "eA==", "tls.key": PRIVATE[0], "other": PRIVATE[0] });
    secret(name, "kubernetes.io/tls", &data, version)
}

fn told(event: Event<Guarded<KubeSecret>>) -> SecretEvent {
    SecretEvent::Told(Box::new(event))
}

/// Everything else is there.
fn store() -> (Store, Arc<ObservedObjects>) {
    let observed = Arc::new(ObservedObjects::default());
    let watched = Watched { namespaces: vec!["ns".to_owned()], secrets: true };
    let mut store = Store::new(&watched, Arc::clone(&observed));
    store.route(0, Event::Init);
    store.route(0, Event::InitDone);
    store.service(0, Event::Init);
    store.service(0, Event::InitDone);
    store.grant(0, GrantEvent::None);
    super::bundles::none(&mut store);
    (store, observed)
}

#[test]
fn the_world_is_complete_with_them_and_follows_them() {
    let (mut store, observed) = store();
    let id = |name: &str| ObjectId::new("ns", name);
    assert!(store.changed().is_none(), "the Secrets are not there yet");
    store.secret(0, told(Event::Init));
    store.secret(0, told(Event::InitApply(tls("a", "7"))));
    store.secret(0, told(Event::InitApply(tls("b", "5"))));
    store.secret(0, told(Event::InitDone));
    let world = store.changed().unwrap();
    assert_eq!(world.secrets.len(), 2);
    assert_eq!(world.secret(&id("c")), Err(NoSecret::NotFound));
    assert_eq!(world.versions.secrets[&id("a")].as_ref(), "7");
    assert_eq!(observed.progress().1.to_map()["ns/secrets"], "7");
    // What is the same is no change, whatever its version.
    store.secret(0, told(Event::Apply(tls("a", "8"))));
    assert!(store.changed().is_none());
    let data = json!({ "tls.crt": "eQ==", "tls.key": PRIVATE[0] });
    store.secret(0, told(Event::Apply(secret("a", "kubernetes.io/tls", &data, "9"))));
    assert_eq!(store.changed().unwrap().versions.secrets[&id("a")].as_ref(), "9");
    store.secret(0, told(Event::Delete(tls("a", "10"))));
    let world = store.changed().unwrap();
    assert_eq!(world.secrets.keys().collect::<Vec<_>>(), [&id("b")]);
    assert!(!world.versions.secrets.contains_key(&id("a")));
    // A list that is fetched again leaves no ghost.
    store.secret(0, told(Event::Init));
    store.secret(0, told(Event::InitApply(tls("c", "11"))));
    assert!(store.changed().unwrap().secrets.contains_key(&id("b")));
    store.secret(0, told(Event::InitDone));
    let world = store.changed().unwrap();
    assert_eq!(world.secrets.keys().collect::<Vec<_>>(), [&id("c")]);
}

#[test]
fn only_those_of_the_type_that_can_be_read_are_held() {
    let (mut store, _) = store();
    store.secret(0, told(Event::Init));
    store.secret(0, told(Event::InitApply(tls("a", "1"))));
    store.secret(0, told(Event::InitDone));
    assert_eq!(store.changed().unwrap().secrets.len(), 1);
    // An API server that does not know the field selector sends others too.
    let data = json!({ "tls.crt": "eA==", "tls.key": PRIVATE[0] });
    store.secret(0, told(Event::Apply(secret("a", "Opaque", &data, "2"))));
    assert!(store.changed().unwrap().secrets.is_empty());
    store.secret(0, told(Event::Apply(tls("a", "3"))));
    assert_eq!(store.changed().unwrap().secrets.len(), 1);
    let data = json!({ "tls.key": { "private": PRIVATE[0] } });
    store.secret(0, told(Event::Apply(secret("a", "kubernetes.io/tls", &data, "4"))));
    assert!(store.changed().unwrap().secrets.is_empty());
}

#[test]
fn who_may_not_read_them_serves_all_the_same() {
    let (mut store, _) = store();
    let (mine, other) = (ObjectId::new("ns", "a"), ObjectId::new("other", "a"));
    store.secret(0, told(Event::Init));
    store.secret(0, SecretEvent::Refused);
    let world = store.changed().unwrap();
    assert_eq!(world.secret(&mine), Err(NoSecret::Refused));
    assert_eq!(world.secret(&other), Err(NoSecret::NotFound));
    // Trying again is no news, and the right to read them is.
    store.secret(0, told(Event::Init));
    store.secret(0, SecretEvent::Refused);
    assert!(store.changed().is_none());
    store.secret(0, told(Event::Init));
    assert!(store.changed().is_none());
    store.secret(0, told(Event::InitApply(tls("a", "1"))));
    store.secret(0, told(Event::InitDone));
    assert!(store.changed().unwrap().secret(&mine).is_ok());
    // What was read stays when the right is taken away.
    store.secret(0, told(Event::Init));
    store.secret(0, SecretEvent::Refused);
    let world = store.changed().unwrap();
    assert!(world.secret(&mine).is_ok());
    assert_eq!(world.secret(&ObjectId::new("ns", "b")), Err(NoSecret::Refused));
}

#[test]
fn nothing_shows_what_they_hold() {
    let bad = json!({ "tls.key": [PRIVATE[0]] });
    let bad = secret("b", "kubernetes.io/tls", &bad, "1");
    assert!(bad.content.is_err());
    let (mut store, _) = store();
    store.secret(0, told(Event::Init));
    store.secret(0, told(Event::InitApply(tls("a", "1"))));
    store.secret(0, told(Event::InitDone));
    let world = store.changed().unwrap();
    for shown in [format!("{:?}", tls("a", "1")), format!("{bad:?}"), format!("{world:?}")] {
        assert!(shown.len() > 50, "{shown}");
        for private in ["private", PRIVATE[0], PRIVATE[1]] {
            assert!(!shown.contains(private), "{shown}");
        }
    }
}
