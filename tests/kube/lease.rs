//! Of several replicas one leads and writes status, and the next takes over however it ends.

use std::time::{Duration, Instant};

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::kube::Kube;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

use super::pair::{Pair, leads, spec};
use super::{World, answers, backend_sees};

/// How long it takes until this one leads.
async fn takes_over(fairway: &Fairway, how: &str) -> Duration {
    let began = Instant::now();
    eventually("the other one leads", || async { leads(fairway).await.then_some(()) }).await;
    println!("the next one leads {:?} after its leader was {how}", began.elapsed());
    began.elapsed()
}

/// The status writes that somebody tried, whatever came of them.
fn tried(kube: &Kube, user: &str) -> usize {
    let audit = kube.audit();
    let ours = audit.iter().filter(|event| {
        event["impersonatedUser"]["username"] == user
            && event["objectRef"]["subresource"] == "status"
    });
    ours.count()
}

async fn lease(kube: &Kube, class: &str) -> (String, i32) {
    let api: Api<Lease> = Api::namespaced(kube.client.clone(), "fairway-system");
    let spec = api.get(&format!("fairway-{class}")).await.unwrap().spec.unwrap();
    (spec.holder_identity.unwrap(), spec.lease_transitions.unwrap())
}

async fn killed(world: &World) {
    let Pair { leader, user, other } = world.pair("killed").await;
    world.kube.apply("market", "killed", spec("killed", "/first/*")).await;
    world.kube.programmed("market", "killed").await;
    assert!(lease(&world.kube, "killed").await.0.starts_with(&format!("{user}_")));
    let writes = world.kube.status_writes().await["killed"];
    leader.process.signal("KILL");
    let took = takes_over(&other, "killed").await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(lease(&world.kube, "killed").await.1, 1);
    assert_eq!(other.metric("fairway_lease_transitions").await, 1.0);

    // The new one writes what changes, and nothing that is said already.
    world.kube.apply("market", "killed", spec("killed", "/second/*")).await;
    world.kube.programmed("market", "killed").await;
    let more = world.kube.status_writes().await["killed"] - writes;
    assert!((1..=2).contains(&more), "{more} writes for one change");
}

async fn ended_in_order(world: &World) {
    let Pair { mut leader, other, .. } = world.pair("ended").await;
    leader.process.signal("TERM");
    let took = takes_over(&other, "ended").await;
    // One that was not released is respected for fifteen seconds.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(leader.process.wait(), 0);
    world.kube.apply("market", "ended", spec("ended", "/first/*")).await;
    world.kube.programmed("market", "ended").await;
}

async fn frozen(world: &World) {
    let Pair { leader, user, other } = world.pair("frozen").await;
    world.kube.apply("market", "frozen", spec("frozen", "/first/*")).await;
    world.kube.programmed("market", "frozen").await;
    backend_sees(leader.address, "/frozen/x", "/first/x").await;
    leader.process.signal("STOP");
    let took = takes_over(&other, "frozen").await;
    assert!(took < Duration::from_secs(20), "{took:?}");

    // Nobody but the one that led would tell of the change now.
    other.process.signal("STOP");
    world.kube.apply("market", "frozen", spec("frozen", "/second/*")).await;
    let before = tried(&world.kube, &user);
    assert!(before > 0, "the leader wrote nothing while it led");
    leader.process.signal("CONT");
    backend_sees(leader.address, "/frozen/x", "/second/x").await;
    eventually("the one that led knows who leads", || async {
        leader.process.errors().contains("another replica leads").then_some(())
    })
    .await;
    assert!(!leads(&leader).await);
    let route = world.kube.routes("market").get("frozen").await.unwrap();
    assert_eq!(route.status.unwrap().observed_generation, Some(1));
    assert_eq!(tried(&world.kube, &user), before, "it wrote after its time");
    other.process.signal("CONT");
    world.kube.programmed("market", "frozen").await;
    assert_eq!(tried(&world.kube, &user), before, "it wrote after its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_one_leads_however_the_leader_ends() {
    let world = World::start().await;
    world.kube.namespace("fairway-system").await;
    // Side by side: classes do not share a lease.
    tokio::join!(killed(&world), ended_in_order(&world), frozen(&world));
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_ends_with_the_api_server_and_traffic_does_not() {
    let mut world = World::start().await;
    world.kube.namespace("fairway-system").await;
    let file = world.kube.kubeconfig_as("a");
    let fairway = world.replica("away", "a", &file).await;
    world.kube.apply("market", "away", spec("away", "/first/*")).await;
    world.kube.programmed("market", "away").await;
    world.kube.kill_api_server();
    eventually("it leads no more", || async { (!leads(&fairway).await).then_some(()) }).await;
    answers(fairway.address, "/away/x", 200).await;
    world.kube.start_api_server();
    world.kube.ready().await;
    world.kube.apply("market", "away", spec("away", "/second/*")).await;
    world.kube.programmed("market", "away").await;
    assert!(leads(&fairway).await);
}
