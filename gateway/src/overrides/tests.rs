//! Overrides of Services that exist, that are only named, and that nothing speaks of.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_controller::Inputs;
use fairway_controller::inputs::Route;
use fairway_crds::ServiceRoute;
use fairway_snapshot::{ObjectId, Target, Upstream};
use serde_json::json;
use tokio::sync::watch;

use super::{unknown, unknown_at_first};

fn overrides(names: &[&str]) -> BTreeMap<ObjectId, Upstream> {
    let target = Target::Address([127, 0, 0, 1].into());
    let upstream = Upstream::new(target, 9001.try_into().unwrap());
    names.iter().map(|name| (ObjectId::new("market", *name), upstream.clone())).collect()
}

fn inputs() -> Inputs {
    let route: ServiceRoute = serde_json::from_value(json!({
        "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
        "metadata": { "name": "finance", "namespace": "market" },
        "spec": { "rules": [{ "backends": [{ "service": "named", "port": 80 }] }] },
    }))
    .unwrap();
    let mut inputs = Inputs::default();
    inputs.routes.insert(ObjectId::new("market", "finance"), Arc::new(Route::from(&route)));
    inputs.services.insert(ObjectId::new("market", "exists"), Arc::default());
    inputs
}

#[test]
fn every_override_that_nothing_speaks_of_is_told() {
    let told = unknown(&overrides(&["named", "exists", "finanse", "stok"]), &inputs());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("backend market/finanse=127.0.0.1:9001: no ServiceRoute"));
    assert!(told[1].contains("market/stok"), "{told:?}");
}

#[tokio::test]
async fn a_cluster_is_asked_once_its_inputs_are_complete() {
    let (sender, receiver) = watch::channel(None);
    let wanted = overrides(&["exists", "stok"]);
    let asked = tokio::spawn(async move { unknown_at_first(&wanted, receiver).await });
    tokio::task::yield_now().await;
    assert!(!asked.is_finished(), "nothing is known yet");
    sender.send_replace(Some(Arc::new(inputs())));
    assert_eq!(asked.await.unwrap().len(), 1);
}
