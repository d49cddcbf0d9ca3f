//! Backends with TLS whose authorities stand in a ConfigMap.

use fairway_tests::eventually::eventually;
use fairway_tests::http::get;
use fairway_tests::origin::Echo;
use fairway_tests::tls::{Authority, config_map, server};
use serde_json::json;

use super::{World, answers};

/// Waits until `ResolvedRefs` has this reason, and gives its message.
async fn told(world: &World, expected: &str) -> String {
    eventually(&format!("the references are {expected}"), || async {
        let (_, reason, message) = world.kube.condition("market", "secured", "ResolvedRefs").await;
        (reason == expected).then_some(message)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_counts_as_long_as_it_is_labelled() {
    let world = World::start().await;
    let kube = &world.kube;
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    // The name of a Service is what its certificate is for.
    let acceptor = server(&authority.issue(&["secure.market.svc"]), &["h2", "http/1.1"]);
    let echo = Echo::secured("secure", move || acceptor.clone()).await;
    kube.service("market", "secure", echo.address.port()).await;
    let backend = json!([{ "service": "secure", "port": "http", "protocol": "https", "tls": { "caConfigMap": "ca" } }]);
    let rules = json!({ "rules": [{ "match": [{ "path": "/x" }], "backends": backend }] });
    kube.apply("market", "secured", rules).await;
    let fairway = world.fairway().await;
    let kubectl = |args: &[&str], input: &str| {
        let (code, said) = kube.kubectl(args, input);
        assert_eq!(code, 0, "{said}");
    };
    let put = |authority: &Authority| {
        let manifest = config_map("ca", &authority.pem()).replace("default", "market");
        kubectl(&["apply", "-f", "-"], &manifest);
    };
    let answer = get(fairway.address, "/x").await;
    assert_eq!((answer.status, answer.problem().as_str()), (500, "backend_invalid"));
    told(&world, "ConfigMapNotFound").await;
    put(&authority);
    answers(fairway.address, "/x", 200).await;
    told(&world, "ResolvedRefs").await;
    kube.programmed("market", "secured").await;
    // Who is not labelled is not there, and the message says how to label.
    kubectl(&["label", "configmap", "ca", "--namespace=market", "fairway.dev/ca-"], "");
    let message = told(&world, "ConfigMapNotFound").await;
    answers(fairway.address, "/x", 500).await;
    let command = message.split("kubectl ").nth(1).expect("the message shows a command");
    let command: Vec<&str> = command.split(' ').collect();
    kubectl(&command, "");
    answers(fairway.address, "/x", 200).await;
    // Another authority is another upstream, and the backend is nobody's any more.
    put(&other);
    answers(fairway.address, "/x", 502).await;
    assert_eq!(get(fairway.address, "/x").await.problem(), "upstream_tls");
    put(&authority);
    answers(fairway.address, "/x", 200).await;
    // A gateway that starts knows the authorities before it serves.
    let second = world.fairway().await;
    assert_eq!(get(second.address, "/x").await.status, 200);
    kubectl(&["delete", "configmap", "ca", "--namespace=market"], "");
    answers(fairway.address, "/x", 500).await;
}
