//! A release that watches one namespace has rights in that one, and they are enough.

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::helm::chart;
use serde_json::json;

use crate::{World, answers};

#[tokio::test(flavor = "multi_thread")]
async fn roles_in_the_watched_namespace_are_enough() {
    let world = World::start().await;
    world.kube.namespace("other").await;
    let chart = chart().display().to_string();
    let watch = "--set-json=watch.namespaces=[\"market\"],crds.enabled=false";
    let place = ["--namespace=fairway-system", "--create-namespace"];
    let (code, said) = world.kube.helm(&["install", "fairway", &chart, watch, place[0], place[1]]);
    assert_eq!(code, 0, "{said}");
    let may = |verb: &str, resource: &str, namespace: &str| {
        let account = "--as=system:serviceaccount:fairway-system:fairway";
        let (code, _) =
            world.kube.kubectl(&["auth", "can-i", verb, resource, account, "-n", namespace], "");
        code == 0
    };
    for (verb, resource) in [("list", "services"), ("create", "events.events.k8s.io")] {
        let may = |namespace| may(verb, resource, namespace);
        assert!(may("market") && !may("other") && !may("fairway-system"), "{verb} {resource}");
    }

    let token = ["create", "token", "fairway", "--namespace=fairway-system"];
    let (code, token) = world.kube.kubectl(&token, "");
    assert_eq!(code, 0, "{token}");
    let kubeconfig = world.kube.kubeconfig_with_token(token.trim());
    let mut args = world.args(&kubeconfig);
    args.push("--namespaces=market".to_owned());
    let fairway = Fairway::start(&args).await;
    let spec = json!({ "rules": [{ "match": [{ "path": "/x" }], "backends": [{ "service": "finance", "port": "http" }] }] });
    world.kube.apply("market", "x", spec).await;
    answers(fairway.address, "/x", 200).await;
    world.kube.programmed("market", "x").await;
    eventually("it is told that it is served", || async {
        (world.kube.events("market", "x").await.len() == 1).then_some(())
    })
    .await;
}
