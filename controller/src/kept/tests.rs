//! What is kept comes back as it was; what is not whole, of another version or of another class
//! counts as none.

use std::sync::Arc;

use fairway_crds::ServiceRoute;
use fairway_snapshot::ObjectId;

use super::{Keeper, KeptError};
use crate::Inputs;
use crate::inputs::{Grant, Permitted, Route, Service, ServiceKind, ServicePort};

fn inputs() -> Inputs {
    let mut inputs = Inputs::default();
    for (name, class) in [("ours", None), ("theirs", Some("other"))] {
        let route = serde_json::json!({
            "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
            "metadata": { "name": name, "namespace": "market", "generation": 3,
                "creationTimestamp": "2026-01-02T03:04:05Z" },
            "spec": { "class": class, "rules": [{ "backends": [
                { "service": "finance", "port": "http" }, { "host": "a.example", "port": 1 }] }] },
        });
        let route: ServiceRoute = serde_json::from_value(route).unwrap();
        inputs.routes.insert(ObjectId::new("market", name), Arc::new(Route::from(&route)));
    }
    for name in ["finance", "unused"] {
        let port = ServicePort { name: Some("http".into()), port: 8000, app_protocol: None };
        let service = Service { kind: ServiceKind::Headless, ports: vec![port] };
        inputs.services.insert(ObjectId::new("market", name), Arc::new(service));
    }
    for namespace in ["market", "unused"] {
        let grant = Grant { from: vec!["away".into()], to: Permitted::All };
        inputs.grants.insert(ObjectId::new(namespace, "grant"), Arc::new(grant));
    }
    inputs
}

fn keeper(folder: &std::path::Path, class: &str) -> Keeper {
    Keeper::new(folder.to_owned(), class.to_owned())
}

#[test]
fn what_our_routes_need_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(folder.path(), "fairway");
    assert!(keeper.load().unwrap().is_none(), "nothing was kept yet");
    keeper.save(&inputs()).unwrap();
    let kept = keeper.load().unwrap().unwrap();
    assert!(kept.kept, "nobody tells endpoints while these serve");
    let (ours, finance) = (ObjectId::new("market", "ours"), ObjectId::new("market", "finance"));
    assert_eq!(kept.routes.keys().collect::<Vec<_>>(), [&ours]);
    assert_eq!(kept.routes[&ours], inputs().routes[&ours]);
    assert_eq!(kept.services.keys().collect::<Vec<_>>(), [&finance]);
    assert_eq!(kept.services[&finance], inputs().services[&finance]);
    let grant = ObjectId::new("market", "grant");
    assert_eq!(kept.grants.keys().collect::<Vec<_>>(), [&grant]);
    assert_eq!(kept.grants[&grant], inputs().grants[&grant]);
}

#[test]
fn what_is_not_ours_or_not_whole_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inputs.json");
    keeper(folder.path(), "other").save(&inputs()).unwrap();
    let ours = keeper(folder.path(), "fairway");
    assert!(matches!(ours.load(), Err(KeptError::Other { class, .. }) if class == "other"));
    ours.save(&inputs()).unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    for (what, text) in [
        ("cut", good[..good.len() - 9].to_owned()),
        ("changed", good.replace("8000", "8001")),
        ("one line", good.replace('\n', " ")),
        ("no JSON", "x\ny".to_owned()),
    ] {
        std::fs::write(&file, text).unwrap();
        assert!(matches!(ours.load(), Err(KeptError::Damaged(_))), "{what}");
    }
    std::fs::write(&file, good.replacen("\"version\":3", "\"version\":1", 1)).unwrap();
    assert!(matches!(ours.load(), Err(KeptError::Other { version: 1, .. })));
}
