//! `discovery: endpoints` on real EndpointSlices. They refuse loopback addresses, so that the
//! backends listen on an address of this machine, which no packet leaves for.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::get;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::{World, answers};
use k8s_openapi::api::discovery::v1::EndpointSlice;

/// The address that this machine would send from; nothing is sent.
pub(crate) fn machine() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("198.51.100.1:9").expect("this machine needs an address beside loopback");
    socket.local_addr().unwrap().ip()
}

/// A server that answers with its name.
async fn server(name: &'static str) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((machine(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(move || async move { name });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Sets a slice of `finance`: one endpoint with these conditions.
pub(crate) async fn slice(client: &Client, name: &str, address: SocketAddr, conditions: Value) {
    let api: Api<EndpointSlice> = Api::namespaced(client.clone(), "market");
    let object = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": name, "labels": { "kubernetes.io/service-name": "finance" } },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [address.ip()], "conditions": conditions }],
        "ports": [{ "name": "http", "port": address.port(), "protocol": "TCP" }],
    });
    let params = PatchParams::apply("test").force();
    api.patch(name, &params, &Patch::Apply(&object)).await.unwrap();
}

async fn body(fairway: &Fairway) -> String {
    let answer = get(fairway.address, "/x").await;
    if answer.status == 200 { String::from_utf8(answer.body).unwrap() } else { answer.problem() }
}

async fn becomes(fairway: &Fairway, expected: &str) {
    eventually(&format!("the answer is {expected}"), || async {
        (body(fairway).await == expected).then_some(())
    })
    .await;
}

/// How often slices were asked for.
fn asked(world: &World) -> usize {
    let audit = world.kube.audit();
    let ours = audit.iter().filter(|event| {
        let agent = event["userAgent"].as_str().unwrap_or_default();
        event["objectRef"]["resource"] == "endpointslices"
            && matches!(event["verb"].as_str(), Some("list" | "watch"))
            && !agent.contains("kube-apiserver")
    });
    ours.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_to_the_endpoints_that_are_ready() {
    let world = World::start().await;
    let client = world.kube.client.clone();
    let (a, b) = (server("a").await, server("b").await);
    let fairway = world.fairway().await;
    let rule = |discovery: &str| {
        json!({ "rules": [{ "match": [{ "path": "/x" }], "backends": [
            { "service": "finance", "port": "http", "discovery": discovery }] }] })
    };
    world.kube.apply("market", "finance", rule("dns")).await;
    world.kube.programmed("market", "finance").await;
    assert_eq!(asked(&world), 0, "nobody wants to know endpoints yet");

    let ready = json!({ "ready": true });
    slice(&client, "one", a, ready.clone()).await;
    world.kube.apply("market", "finance", rule("endpoints")).await;
    becomes(&fairway, "a").await;
    let programmed = world.kube.programmed("market", "finance").await;
    let hash = programmed.status.unwrap().hash;
    let writes = world.kube.status_writes().await;
    let compiles = fairway.metric("fairway_compiles_total").await;

    slice(&client, "one", b, ready).await;
    becomes(&fairway, "b").await;
    // Who ends and still serves is used where nobody is ready.
    let ending = json!({ "ready": false, "serving": true, "terminating": true });
    slice(&client, "two", a, json!({ "ready": false })).await;
    slice(&client, "one", b, ending).await;
    for _ in 0..10 {
        assert_eq!(body(&fairway).await, "b");
    }
    slice(&client, "two", a, json!({})).await;
    becomes(&fairway, "a").await;
    let gone = json!({ "ready": false, "serving": false, "terminating": true });
    slice(&client, "one", b, gone.clone()).await;
    slice(&client, "two", a, gone).await;
    becomes(&fairway, "no_endpoints").await;
    slice(&client, "two", a, json!({ "ready": true })).await;
    becomes(&fairway, "a").await;

    // None of it was a change of the route.
    assert_eq!(fairway.metric("fairway_compiles_total").await, compiles);
    assert_eq!(world.kube.status_writes().await, writes);
    let route = world.kube.routes("market").get("finance").await.unwrap();
    assert_eq!(route.status.unwrap().hash, hash);

    world.kube.routes("market").delete("finance", &DeleteParams::default()).await.unwrap();
    answers(fairway.address, "/x", 404).await;
    eventually("nobody watches slices any more", || async {
        let log = fairway.process.errors();
        log.contains("no backend wants to know endpoints any more").then_some(())
    })
    .await;
}
