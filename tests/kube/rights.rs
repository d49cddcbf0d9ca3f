//! The rights that the chart gives are enough, and nothing else is asked for.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::helm::chart;

use super::{World, answers, endpoints, grants};

#[tokio::test(flavor = "multi_thread")]
async fn the_service_account_may_do_all_that_is_needed() {
    let world = World::start().await;
    let chart = chart().display().to_string();
    let install =
        ["install", "fairway", &chart, "--namespace=fairway-system", "--create-namespace"];
    // The definitions are there already.
    let install: Vec<&str> = install.into_iter().chain(["--set=crds.enabled=false"]).collect();
    let (code, said) = world.kube.helm(&install);
    assert_eq!(code, 0, "{said}");
    let accounts: Api<ServiceAccount> =
        Api::namespaced(world.kube.client.clone(), "fairway-system");
    let request =
        serde_json::from_value(json!({ "spec": { "audiences": [] }, "metadata": {} })).unwrap();
    let token =
        accounts.create_token_request("fairway", &PostParams::default(), &request).await.unwrap();
    let token = token.status.unwrap().token;
    let kubeconfig = world.kube.kubeconfig_with_token(&token);

    let (code, said) = world.kube.kubectl(&["apply", "-f", grants::KIND], "");
    assert_eq!(code, 0, "{said}");
    let port = world.finance.address.port();
    world.kube.namespace("shared").await;
    world.kube.service("shared", "billing", port).await;

    let mut args = world.args(&kubeconfig);
    args.extend(["--pod-namespace=fairway-system", "--pod-name=fairway-0"].map(str::to_owned));
    let fairway = Fairway::start(&args).await;
    let spec = json!({ "rules": [
        { "match": [{ "path": "/x" }], "backends": [{ "service": "finance", "port": "http" }] },
        { "match": [{ "path": "/y" }], "backends": [
            { "service": "finance", "port": "http", "discovery": "endpoints" }] },
        { "match": [{ "path": "/z" }], "backends": [
            { "service": "billing", "namespace": "shared", "port": "http" }] },
    ] });
    world.kube.apply("market", "x", spec).await;
    answers(fairway.address, "/x", 200).await;
    // Both are known only to who may read them.
    answers(fairway.address, "/y", 503).await;
    let server = axum::Router::new().fallback(|| async { "y" });
    let listener = tokio::net::TcpListener::bind((endpoints::machine(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, server).await });
    endpoints::slice(&world.kube.client, "one", address, json!({ "ready": true })).await;
    answers(fairway.address, "/y", 200).await;
    answers(fairway.address, "/z", 500).await;
    let grant = json!({ "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
        "metadata": { "name": "market", "namespace": "shared" }, "spec": {
            "from": [{ "group": "fairway.dev", "kind": "ServiceRoute", "namespace": "market" }],
            "to": [{ "group": "", "kind": "Service" }] } });
    let (code, said) = world.kube.kubectl(&["apply", "-f", "-"], &grant.to_string());
    assert_eq!(code, 0, "{said}");
    answers(fairway.address, "/z", 200).await;
    world.kube.programmed("market", "x").await;
    happens_twice(&world, &fairway).await;
    eventually("the replica has reported", || async {
        let (_, told) = world.kube.kubectl(&["get", "gwr", "-n", "fairway-system"], "");
        told.contains("true").then_some(())
    })
    .await;

    let user = "system:serviceaccount:fairway-system:fairway";
    let audit = world.kube.audit();
    let ours: Vec<_> = audit.iter().filter(|event| event["user"]["username"] == user).collect();
    assert!(!ours.is_empty(), "the account was not used");
    let refused: Vec<_> =
        ours.iter().filter(|event| event["responseStatus"]["code"] == 403).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

/// What happens is told, and that it happens again.
async fn happens_twice(world: &World, fairway: &Fairway) {
    for (service, code, resolved) in
        [("finanse", 500, "False"), ("finance", 200, "True"), ("finanse", 500, "False")]
    {
        let spec = json!({ "rules": [{
            "match": [{ "path": "/e" }], "backends": [{ "service": service, "port": "http" }] }] });
        world.kube.apply("market", "events", spec).await;
        answers(fairway.address, "/e", code).await;
        eventually("its status is written", || async {
            let (word, ..) = world.kube.condition("market", "events", "ResolvedRefs").await;
            (word == resolved).then_some(())
        })
        .await;
    }
    eventually("the second time is counted", || async {
        let events = world.kube.events("market", "events").await;
        events.iter().any(|event| event.series.is_some()).then_some(())
    })
    .await;
}
