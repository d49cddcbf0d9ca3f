//! The life of objects: applied, edited, broken, deleted; what requests and status say of it.

use fairway_tests::eventually::eventually;
use fairway_tests::http::get;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::{World, answers, backend_sees};

#[tokio::test(flavor = "multi_thread")]
async fn applying_editing_and_deleting_change_where_requests_go() {
    let world = World::start().await;
    let fairway = world.fairway().await;
    assert_eq!(get(fairway.address, "/e/fin/a").await.status, 404);

    let spec = |to: &str| {
        json!({ "rules": [{
            "name": "quotes",
            "match": [{ "path": "/e/fin/*" }],
            "rewrite": { "path": to },
            "backends": [{ "service": "finance", "port": "http" }],
        }] })
    };
    world.kube.apply("market", "finance", spec("/fin/*")).await;
    backend_sees(fairway.address, "/e/fin/a", "/fin/a").await;
    let first = world.kube.programmed("market", "finance").await;
    let status = first.status.unwrap();
    assert_eq!((status.observed_generation, status.rules), (Some(1), 1));
    assert_eq!(status.hosts, ["*"]);
    assert_eq!(status.hash.len(), 16);

    world.kube.apply("market", "finance", spec("/v2/*")).await;
    backend_sees(fairway.address, "/e/fin/a", "/v2/a").await;
    let second = world.kube.programmed("market", "finance").await;
    let changed = second.status.unwrap();
    assert_eq!(changed.observed_generation, Some(2));
    assert_ne!(changed.hash, status.hash);

    let (code, table) = world.kube.kubectl(&["get", "sr", "-n", "market"], "");
    assert_eq!(code, 0, "{table}");
    for word in ["HOSTS", "RULES", "ACCEPTED", "PROGRAMMED", "AGE", "finance", "True"] {
        assert!(table.contains(word), "{word} is missing in\n{table}");
    }

    world.kube.routes("market").delete("finance", &DeleteParams::default()).await.unwrap();
    answers(fairway.address, "/e/fin/a", 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_object_is_told_what_is_wrong_and_disturbs_nobody() {
    let world = World::start().await;
    let fairway = world.fairway().await;
    let backend = json!([{ "service": "finance", "port": "http" }]);
    let good = json!({ "rules": [{ "match": [{ "path": "/good/*" }], "backends": backend }] });
    world.kube.apply("market", "good", good.clone()).await;
    world.kube.programmed("market", "good").await;
    let before = world.kube.status_writes().await;

    let broken = json!({ "rules": [
        { "name": "gone", "match": [{ "path": "/gone" }], "backends": [{ "service": "finanse", "port": 80 }] },
        { "name": "twice", "match": [{ "path": "/{a}/{a}" }], "backends": backend },
        { "name": "fine", "match": [{ "path": "/fine" }], "backends": backend },
    ] });
    world.kube.apply("market", "broken", broken).await;
    answers(fairway.address, "/fine", 200).await;
    let answer = get(fairway.address, "/gone").await;
    assert_eq!((answer.status, answer.problem().as_str()), (500, "backend_invalid"));
    let refs = eventually("the references are told", || async {
        let refs = world.kube.condition("market", "broken", "ResolvedRefs").await;
        (refs.0 != "?").then_some(refs)
    })
    .await;
    assert_eq!((refs.0.as_str(), refs.1.as_str()), ("False", "BackendNotFound"));
    assert!(
        refs.2.contains("spec.rules[0].backends[0].service")
            && refs.2.contains("did you mean finance?"),
        "{}",
        refs.2
    );
    let accepted = world.kube.condition("market", "broken", "Accepted").await;
    assert_eq!((accepted.0.as_str(), accepted.1.as_str()), ("False", "InvalidRule"));
    assert!(accepted.2.contains("two captures are named \"a\""), "{}", accepted.2);

    // The Service appears, and what waited for it serves without a touch.
    world.kube.service("market", "finanse", world.finance.address.port()).await;
    let refs = || world.kube.condition("market", "broken", "ResolvedRefs");
    eventually("the reference is found, its port is not", || async {
        (refs().await.1 == "PortNotFound").then_some(())
    })
    .await;
    assert_eq!(get(fairway.address, "/good/a").await.status, 200);
    assert_eq!(
        world.kube.status_writes().await.get("good"),
        before.get("good"),
        "the neighbour was written"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_another_class_are_left_alone() {
    let world = World::start().await;
    let fairway = world.fairway().await;
    let spec = |class: &str, path: &str| {
        json!({ "class": class, "rules": [{
            "match": [{ "path": path }], "backends": [{ "service": "finance", "port": "http" }] }] })
    };
    world.kube.apply("market", "theirs", spec("internal", "/theirs")).await;
    world.kube.apply("market", "ours", spec("fairway", "/ours")).await;
    answers(fairway.address, "/ours", 200).await;
    world.kube.programmed("market", "ours").await;
    assert_eq!(get(fairway.address, "/theirs").await.status, 404);
    assert_eq!(world.kube.status_writes().await.get("theirs"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_are_refused_by_strict_clients_and_pruned_for_others() {
    let world = World::start().await;
    let manifest = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: x, namespace: market}\nspec:\n  future: 1\n  rules: [{backends: [{service: finance, port: http}]}]\n";
    let (code, said) = world.kube.kubectl(&["apply", "-f", "-", "--validate=strict"], manifest);
    assert!(code != 0 && said.contains("unknown field \"spec.future\""), "{said}");
    let (code, said) = world.kube.kubectl(&["apply", "-f", "-", "--validate=ignore"], manifest);
    assert_eq!(code, 0, "{said}");
    let stored = world.kube.routes("market").get("x").await.unwrap();
    let stored = serde_json::to_value(&stored.spec).unwrap();
    assert!(stored.get("future").is_none(), "{stored}");
    // What is stored can be read by us, and written back.
    let route = world.kube.routes("market").get("x").await.unwrap();
    world.kube.routes("market").replace("x", &PostParams::default(), &route).await.unwrap();
}
