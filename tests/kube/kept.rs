//! A process that starts while the API server is away serves what was kept, says so, and takes up
//! what changed meanwhile.

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::get;
use serde_json::json;

use super::{World, answers, backend_sees};

fn spec(to: &str) -> serde_json::Value {
    json!({ "rules": [{
        "match": [{ "path": "/e/fin/*" }], "rewrite": { "path": to },
        "backends": [{ "service": "finance", "port": "http" }] }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_serves_until_the_api_server_is_back() {
    let mut world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut args = world.args(&world.kube.kubeconfig);
    args.push(format!("--state-dir={}", folder.path().display()));
    let mut first = Fairway::start(&args).await;
    world.kube.apply("market", "finance", spec("/old/*")).await;
    backend_sees(first.address, "/e/fin/x", "/old/x").await;
    eventually("the objects are kept", || async {
        let text = std::fs::read_to_string(folder.path().join("inputs.json")).ok()?;
        text.contains("/old/*").then_some(())
    })
    .await;
    world.kube.kill_api_server();
    first.process.signal("KILL");
    first.process.wait();

    let again = Fairway::start(&args).await;
    backend_sees(again.address, "/e/fin/x", "/old/x").await;
    let ready = get(again.status, "/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.json()["note"].as_str().unwrap().contains("kept objects serve"));
    assert_eq!(again.metric("fairway_inputs_kept").await, 1.0);
    assert!(again.process.errors().contains("kept objects serve"), "{}", again.process.errors());

    world.kube.start_api_server();
    world.kube.ready().await;
    world.kube.apply("market", "finance", spec("/new/*")).await;
    backend_sees(again.address, "/e/fin/x", "/new/x").await;
    assert_eq!(again.metric("fairway_inputs_kept").await, 0.0);
    assert!(get(again.status, "/readyz").await.json().get("note").is_none());
    world.kube.programmed("market", "finance").await;

    // A damaged file is told and not used.
    drop(again);
    world.kube.kill_api_server();
    std::fs::write(folder.path().join("inputs.json"), "{}").unwrap();
    let waiting = Fairway::spawn(&args);
    eventually("the damage is told", || async {
        waiting.process.errors().contains("kept objects cannot be used").then_some(())
    })
    .await;
    world.kube.start_api_server();
    let back = waiting.ready().await;
    answers(back.address, "/e/fin/x", 200).await;
}
