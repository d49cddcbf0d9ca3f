//! What must not change traffic: an API server that is gone, a history that is forgotten, and a
//! restart.

use std::time::{Duration, Instant};

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::get;
use fairway_tests::load::Load;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use super::{World, answers, backend_sees};

fn spec(path: &str, to: &str) -> Value {
    json!({ "rules": [{
        "match": [{ "path": path }], "rewrite": { "path": to },
        "backends": [{ "service": "finance", "port": "http" }] }] })
}

/// How long the API server is away. `TEST_OUTAGE_SECONDS` makes it longer.
fn outage() -> Duration {
    let seconds = std::env::var("TEST_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

/// The names of the routes that a gateway serves, sorted.
async fn served(admin: std::net::SocketAddr) -> Vec<String> {
    let request = "GET /routes HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let view = fairway_tests::http::ask(admin, request).await.json();
    let mut names: Vec<String> = view["listeners"][0]["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["route"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Waits until a watch has failed.
async fn noticed(fairway: &Fairway) {
    let errors = || fairway.metric("fairway_watch_errors_total");
    eventually("the outage was noticed", || async { (errors().await > 0.0).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_gone_changes_no_traffic() {
    let mut world = World::start().await;
    let fairway = world.fairway().await;
    for number in 0..20 {
        let name = format!("route-{number}");
        world.kube.apply("market", &name, spec(&format!("/r{number}/*"), "/old/*")).await;
    }
    answers(fairway.address, "/r19/x", 200).await;
    let load = Load::start(fairway.address, 100, 8, |number| format!("/r{}/x", number % 17));

    world.kube.kill_api_server();
    noticed(&fairway).await;
    let before = load.good();
    tokio::time::sleep(outage()).await;
    assert!(load.good() > before, "traffic went on while the API server was away");

    world.kube.start_api_server();
    world.kube.ready().await;
    let back = Instant::now();
    // At once: one is changed, one is new, one is gone.
    let (changed, new) = (spec("/r0/*", "/new/*"), spec("/fresh/*", "/fresh/*"));
    let delete = DeleteParams::default();
    let routes = world.kube.routes("market");
    let (_, _, gone) = tokio::join!(
        world.kube.apply("market", "route-0", changed),
        world.kube.apply("market", "fresh", new),
        routes.delete("route-19", &delete),
    );
    gone.unwrap();
    tokio::join!(
        backend_sees(fairway.address, "/r0/x", "/new/x"),
        backend_sees(fairway.address, "/fresh/x", "/fresh/x"),
        answers(fairway.address, "/r19/x", 404),
    );
    let took = back.elapsed();
    println!("three changes were live {took:?} after the API server was ready again");

    let outcome = load.stop().await;
    println!("requests sent: {}, failed: {}", outcome.sent, outcome.failures.len());
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(outcome.good, outcome.sent);
    let mut listed: Vec<String> = world
        .kube
        .routes("market")
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .filter_map(|route| route.metadata.name)
        .collect();
    listed.sort();
    assert_eq!(served(fairway.admin).await, listed, "a ghost or a lost route");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_etcd_forgot_leaves_no_ghost() {
    let mut world = World::start().await;
    let fairway = world.fairway().await;
    world.kube.apply("market", "ghost", spec("/ghost", "/ghost")).await;
    world.kube.apply("market", "stays", spec("/stays", "/stays")).await;
    answers(fairway.address, "/ghost", 200).await;
    // Fairway loses its watch and sleeps while an object goes, another changes, and the history
    // of both is forgotten: it would go on at a version that the API server does not have any
    // more. The watch must be lost first, for a process that sleeps still gets what is sent to it.
    world.kube.kill_api_server();
    noticed(&fairway).await;
    fairway.process.signal("STOP");
    world.kube.start_api_server();
    world.kube.ready().await;
    world.kube.routes("market").delete("ghost", &DeleteParams::default()).await.unwrap();
    for number in 0..5 {
        world.kube.apply("market", "stays", spec("/stays", &format!("/stays/{number}"))).await;
    }
    world.kube.kill_api_server();
    world.kube.compact().await;
    world.kube.start_api_server();
    world.kube.ready().await;
    fairway.process.signal("CONT");
    answers(fairway.address, "/ghost", 404).await;
    backend_sees(fairway.address, "/stays", "/stays/4").await;
    let log = fairway.process.errors();
    assert!(log.contains("too old resource version"), "the fault did not happen: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_serves_the_same_and_writes_nothing() {
    let world = World::start().await;
    let mut fairway = world.fairway().await;
    for number in 0..10 {
        let name = format!("route-{number}");
        world.kube.apply("market", &name, spec(&format!("/r{number}"), "/x")).await;
    }
    for number in 0..10 {
        world.kube.programmed("market", &format!("route-{number}")).await;
    }
    let before = world.kube.status_writes().await;
    fairway.process.signal("TERM");
    assert_eq!(fairway.process.wait(), 0, "{}", fairway.process.errors());
    let again = world.fairway().await;
    for number in 0..10 {
        assert_eq!(get(again.address, &format!("/r{number}")).await.status, 200);
    }
    // A change makes the writer work through everything that it would have written.
    world.kube.apply("market", "route-0", spec("/r0", "/y")).await;
    backend_sees(again.address, "/r0", "/y").await;
    world.kube.programmed("market", "route-0").await;
    let mut after = world.kube.status_writes().await;
    after.remove("route-0");
    let mut before = before;
    before.remove("route-0");
    assert_eq!(after, before, "a restart wrote status");
}
