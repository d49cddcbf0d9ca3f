//! Every mistake that is known, applied to a real API server while a neighbour serves: each is told,
//! by the API server or in a condition, and the neighbour notices nothing.

use fairway_controller::files::load;
use fairway_tests::eventually::eventually;
use fairway_tests::load::Load;
use serde_json::{Value, json};

use super::World;

/// The good manifest, and one change of it for each mistake.
const GOOD: &str = include_str!("../testdata/compile/reasons.yaml");
const MISTAKES: &str = include_str!("../testdata/compile/reasons.json");

#[derive(serde::Deserialize)]
struct Mistake {
    replace: String,
    by: String,
    field: String,
    reason: String,
    /// A part of the message.
    message: String,
}

/// The spec of the ServiceRoute in a manifest.
fn spec_of(manifest: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), manifest).unwrap();
    let inputs = load(&[folder.path().to_owned()], &|_| None).unwrap().inputs;
    let spec = inputs.routes.values().next().unwrap().spec().unwrap();
    serde_json::to_value(spec).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_told_while_a_neighbour_serves() {
    let world = World::start().await;
    let fairway = world.fairway().await;
    let backend = json!([{ "service": "finance", "port": "http" }]);
    let good = json!({ "rules": [{ "match": [{ "path": "/good/*" }], "backends": backend }] });
    world.kube.apply("market", "good", good).await;
    world.kube.programmed("market", "good").await;
    world.kube.namespace("mistakes").await;
    let writes = world.kube.status_writes().await.get("good").copied();
    let load = Load::start(fairway.address, 200, 8, |number| format!("/good/{number}"));

    let manifest = GOOD.replace("namespace: market", "namespace: mistakes");
    let (code, said) = world.kube.kubectl(&["create", "-f", "-"], &manifest);
    assert_eq!(code, 0, "{said}");
    let mistakes: Vec<Mistake> = serde_json::from_str(MISTAKES).unwrap();
    let (mut refused, mut told) = (0, 0);
    for mistake in &mistakes {
        let Mistake { replace, by, field, reason, message } = mistake;
        // What serves as it is written, if not as it is meant, is told by check alone.
        if reason == "NoWeight" {
            continue;
        }
        let spec = spec_of(&manifest.replacen(replace, by, 1));
        if let Err(said) = world.kube.try_apply("mistakes", "finance", spec).await {
            assert!(said.contains("is invalid"), "{by}: {said}");
            println!("{by}\n  the API server: {said}");
            refused += 1;
            continue;
        }
        let message = message.replace("market", "mistakes");
        let found = eventually(&format!("{by} is told: {message}"), || async {
            let route = world.kube.routes("mistakes").get("finance").await.ok()?;
            let status = route.status?;
            let current = status.observed_generation == route.metadata.generation;
            let mut conditions = status.conditions.into_iter().filter(|_| current);
            conditions.find(|one| one.status == "False" && one.message.contains(&message))
        })
        .await;
        assert_eq!((&found.reason, found.message.contains(field)), (reason, true), "{by}");
        println!("{by}\n  {}: {}", found.reason, found.message);
        told += 1;
    }
    let outcome = load.stop().await;
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(world.kube.status_writes().await.get("good").copied(), writes, "it was written");
    println!(
        "{} mistakes: {refused} refused by the API server, {told} told in a condition; {} requests to a neighbour, 0 failed",
        mistakes.len(),
        outcome.sent
    );
    assert!(mistakes.len() >= 30 && told >= 30, "{told}");
}
