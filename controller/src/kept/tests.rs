//! What is kept comes back as it was; what is not whole, of another version or of another class
//! counts as none.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use fairway_crds::ServiceRoute;
use fairway_snapshot::ObjectId;

use super::{Keeper, KeptError};
use crate::Inputs;
use crate::inputs::{Bundle, Grant, Permitted, Route, Secret, Service, ServiceKind, ServicePort};

fn inputs() -> Inputs {
    let mut inputs = Inputs::default();
    for (name, class) in [("ours", None), ("theirs", Some("other"))] {
        let route = serde_json::json!({
            "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
            "metadata": { "name": name, "namespace": "market", "generation": 3,
                "creationTimestamp": "2026-01-02T03:04:05Z" },
            "spec": { "class": class, "tls": { "secretName": "certificate" }, "rules": [{ "backends": [
                { "service": "finance", "port": "http" }, { "host": "a.example", "port": 1,
                    "tls": { "caConfigMap": "ca", "clientSecret": "client" } }] }] },
        });
        let route: ServiceRoute = serde_json::from_value(route).unwrap();
        inputs.routes.insert(ObjectId::new("market", name), Arc::new(Route::from(&route)));
    }
    for name in ["finance", "unused"] {
        let port = ServicePort { name: Some("http".into()), port: 8000, app_protocol: None };
        let service = Service { kind: ServiceKind::Headless, ports: vec![port] };
        inputs.services.insert(ObjectId::new("market", name), Arc::new(service));
    }
    for name in ["ca", "unused"] {
        inputs.config_maps.insert(ObjectId::new("market", name), Arc::new(Bundle::new("pem")));
    }
    for name in ["certificate", "client", "unused"] {
        let secret = Secret::new(b"x".to_vec(), b"private", Some(b"ca".to_vec()));
        inputs.secrets.insert(ObjectId::new("market", name), Arc::new(secret));
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
    let certificate = ObjectId::new("market", "certificate");
    let client = ObjectId::new("market", "client");
    assert_eq!(kept.secrets.keys().collect::<Vec<_>>(), [&certificate, &client]);
    assert_eq!(kept.secrets[&certificate], inputs().secrets[&certificate]);
    let ca = ObjectId::new("market", "ca");
    assert_eq!(kept.config_maps.keys().collect::<Vec<_>>(), [&ca]);
    assert_eq!(kept.config_maps[&ca], inputs().config_maps[&ca]);
}

#[test]
fn nobody_else_may_read_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(folder.path(), "fairway");
    let mode = |name: &str| {
        std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    // Whatever lies there from before, and whoever may read that.
    for name in ["inputs.json", "inputs.json.new"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
        let everybody = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(folder.path().join(name), everybody).unwrap();
    }
    // Somebody holds the unfinished file open: nothing may be written into that one.
    let mut open = std::fs::File::open(folder.path().join("inputs.json.new")).unwrap();
    keeper.save(&inputs()).unwrap();
    assert_eq!(mode("inputs.json"), 0o600);
    let mut seen = String::new();
    open.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "x");
    keeper.save(&inputs()).unwrap();
    assert_eq!(mode("inputs.json"), 0o600);
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
        let error = ours.load().unwrap_err();
        assert!(matches!(error, KeptError::Damaged(_)), "{what}");
        assert!(!error.to_string().contains("cHJpdmF0ZQ"), "{error}");
    }
    std::fs::write(&file, good.replacen("\"version\":4", "\"version\":1", 1)).unwrap();
    assert!(matches!(ours.load(), Err(KeptError::Other { version: 1, .. })));
}
