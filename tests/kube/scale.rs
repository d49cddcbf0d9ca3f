//! Three thousand routes: all live, each told once, and one change is one write.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_tests::eventually::eventually;
use fairway_tests::http::{Client, get};
use serde_json::json;
use tokio::task::JoinSet;

use super::{World, backend_sees};

const ROUTES: usize = 3_000;

fn name(number: usize) -> String {
    format!("route-{number:04}")
}

fn spec(number: usize, to: &str) -> serde_json::Value {
    json!({ "rules": [{
        "name": "all", "match": [{ "path": format!("/r{number}/*") }], "rewrite": { "path": to },
        "backends": [{ "service": "finance", "port": "http" }] }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_routes_are_live_and_each_is_written_at_most_twice() {
    let world = Arc::new(World::start().await);
    let fairway = world.fairway().await;
    let mut tasks = JoinSet::new();
    for part in 0..8 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            for number in (part..ROUTES).step_by(8) {
                world.kube.apply("market", &name(number), spec(number, "/first/*")).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    backend_sees(fairway.address, &format!("/r{}/x", ROUTES - 1), "/first/x").await;
    let mut client = Client::connect(fairway.address).await;
    for number in 0..ROUTES {
        let answer = client.ask(&format!("GET /r{number}/x HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "route {number}");
    }
    let writes = settled(&world).await;
    assert_eq!(writes.len(), ROUTES);
    let most = writes.values().max().copied().unwrap_or_default();
    assert!(most <= 2, "an object was written {most} times");
    println!("writes for {ROUTES} new objects: {}", writes.values().sum::<usize>());

    world.kube.apply("market", &name(7), spec(7, "/second/*")).await;
    backend_sees(fairway.address, "/r7/x", "/second/x").await;
    world.kube.programmed("market", &name(7)).await;
    let after = settled(&world).await;
    let mut changed: BTreeMap<&String, usize> = BTreeMap::new();
    for (name, count) in &after {
        let before = writes.get(name).copied().unwrap_or_default();
        if *count != before {
            changed.insert(name, count - before);
        }
    }
    assert_eq!(changed.keys().copied().collect::<Vec<_>>(), [&name(7)], "others were written");
    assert!(changed.values().all(|writes| *writes <= 2), "{changed:?}");
    assert_eq!(get(fairway.address, "/r8/x").await.json()["path"], "/first/x");
}

/// The writes of each object once every object is programmed.
async fn settled(world: &World) -> BTreeMap<String, usize> {
    eventually("every route is programmed", || async {
        let list = world.kube.routes("market").list(&Default::default()).await.ok()?;
        let done = list.items.iter().all(|route| {
            let newest = route.status.as_ref().and_then(|status| status.observed_generation);
            let condition = fairway_tests::kube::condition(route, "Programmed");
            newest == route.metadata.generation
                && condition.is_some_and(|(word, ..)| word == "True")
        });
        done.then_some(())
    })
    .await;
    world.kube.status_writes().await
}
