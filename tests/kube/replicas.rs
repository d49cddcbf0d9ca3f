//! `Programmed` speaks for every replica that is ready, and each says for itself what it serves.

use std::time::Instant;

use fairway_crds::GatewayReplica;
use fairway_tests::eventually::eventually;
use kube::Api;

use super::pair::{Pair, leads, spec};
use super::{World, backend_sees};

impl World {
    /// Waits until so many replicas of a class report that they are ready.
    async fn ready(&self, class: &str, count: usize) -> Vec<GatewayReplica> {
        let api: Api<GatewayReplica> = Api::namespaced(self.kube.client.clone(), "fairway-system");
        eventually(&format!("{count} replicas of {class} are ready"), || async {
            let mut all = api.list(&Default::default()).await.ok()?.items;
            all.retain(|one| one.spec.class == class && one.spec.ready);
            (all.len() == count).then_some(all)
        })
        .await
    }

    /// Waits until an object is told that it waits for one of two replicas.
    async fn waits_for(&self, class: &str, pod: &str) {
        let expected = format!("applied by 1 of 2 replicas: waiting for {pod}");
        eventually(&format!("{class} waits"), || async {
            let (word, reason, message) = self.kube.condition("market", class, "Programmed").await;
            (word == "False" && reason == "Pending" && message == expected).then_some(())
        })
        .await;
    }

    async fn writes(&self, name: &str) -> usize {
        self.kube.status_writes().await.get(name).copied().unwrap_or_default()
    }
}

/// The name of the replica that does not lead.
fn other(pair: &Pair, class: &str) -> String {
    let all = [format!("{class}-a"), format!("{class}-b")];
    all.into_iter().find(|name| *name != pair.user).unwrap()
}

async fn reports(world: &World) {
    let pair = world.pair("reports").await;
    world.ready("reports", 2).await;
    for number in 0..5 {
        let name = format!("reports-{number}");
        world.kube.apply("market", &name, spec(&name, "/x/*").of("reports")).await;
    }
    for number in 0..5 {
        world.kube.programmed("market", &format!("reports-{number}")).await;
    }
    let all = world.kube.status_writes().await;
    let writes: Vec<usize> = (0..5).map(|number| all[&format!("reports-{number}")]).collect();
    println!("status writes of five new objects with two replicas: {writes:?}");
    assert!(writes.iter().all(|count| *count <= 2), "{writes:?}");
    eventually("both report the same", || async {
        let all = world.ready("reports", 2).await;
        let same = all[0].spec.hash == all[1].spec.hash && all[0].spec.hash.len() == 16;
        (same && all.iter().all(|one| one.spec.routes == 5)).then_some(())
    })
    .await;

    for report in world.ready("reports", 2).await {
        let name = report.metadata.name.unwrap();
        let owner = &report.metadata.owner_references.unwrap()[0];
        assert_eq!((&owner.kind, &owner.name), (&"Pod".to_owned(), &name));
        assert_eq!(owner.uid, format!("uid-of-{name}"), "it goes with its pod");
    }
    let (code, table) = world.kube.kubectl(&["get", "gatewayreplicas", "-n", "fairway-system"], "");
    assert_eq!(code, 0, "{table}");
    println!("{table}");
    for word in ["CLASS", "READY", "HASH", "ROUTES", "FAILED", "RENEWED", "AGE", &pair.user] {
        assert!(table.contains(word), "{word} is missing in\n{table}");
    }
}

async fn frozen_and_resumed(world: &World) {
    let pair = world.pair("resumed").await;
    world.ready("resumed", 2).await;
    world.kube.apply("market", "resumed", spec("resumed", "/first/*")).await;
    world.kube.apply("market", "beside", spec("beside", "/first/*").of("resumed")).await;
    world.kube.programmed("market", "resumed").await;
    world.kube.programmed("market", "beside").await;
    let beside = world.writes("beside").await;

    pair.other.process.signal("STOP");
    world.kube.apply("market", "resumed", spec("resumed", "/second/*")).await;
    backend_sees(pair.leader.address, "/resumed/x", "/second/x").await;
    world.waits_for("resumed", &other(&pair, "resumed")).await;
    pair.other.process.signal("CONT");
    world.kube.programmed("market", "resumed").await;
    backend_sees(pair.other.address, "/resumed/x", "/second/x").await;
    assert_eq!(world.writes("beside").await, beside, "another object was written");
}

async fn frozen_for_good(world: &World) {
    let pair = world.pair("gone").await;
    world.ready("gone", 2).await;
    pair.other.process.signal("STOP");
    let began = Instant::now();
    world.kube.apply("market", "gone", spec("gone", "/first/*")).await;
    world.waits_for("gone", &other(&pair, "gone")).await;
    // Thirty seconds after its last report nobody waits for it any more.
    world.kube.programmed("market", "gone").await;
    println!("a frozen replica was waited for {:?}", began.elapsed());
}

async fn ended_and_another(world: &World) {
    let mut pair = world.pair("replaced").await;
    world.ready("replaced", 2).await;
    pair.other.process.signal("TERM");
    assert_eq!(pair.other.process.wait(), 0);
    world.ready("replaced", 1).await;
    world.kube.apply("market", "replaced", spec("replaced", "/first/*")).await;
    world.kube.programmed("market", "replaced").await;
    let writes = world.writes("replaced").await;
    assert!(writes <= 1, "one that ended was waited for: {writes} writes");

    let file = world.kube.kubeconfig_as("replaced-c");
    let third = world.replica("replaced", "replaced-c", &file).await;
    world.ready("replaced", 2).await;
    world.kube.apply("market", "late", spec("late", "/first/*").of("replaced")).await;
    world.kube.programmed("market", "late").await;
    backend_sees(third.address, "/late/x", "/first/x").await;
    assert_eq!(
        world.writes("replaced").await,
        writes,
        "the start of a replica took something back"
    );
}

/// A new leader knows objects by their newest version, which a status made, and one that is silent
/// has not reported that.
async fn taken_over(world: &World) {
    let mut pair = world.pair("taken").await;
    world.ready("taken", 2).await;
    world.kube.apply("market", "taken", spec("taken", "/first/*")).await;
    world.kube.programmed("market", "taken").await;
    let writes = world.writes("taken").await;
    pair.other.process.signal("STOP");
    let file = world.kube.kubeconfig_as("taken-c");
    let third = world.replica("taken", "taken-c", &file).await;
    pair.leader.process.signal("TERM");
    assert_eq!(pair.leader.process.wait(), 0);
    eventually("the third one leads", || async { leads(&third).await.then_some(()) }).await;
    // It looks at objects in their order, so that it has looked at the one before.
    world.kube.apply("market", "zz-new", spec("zz-new", "/first/*").of("taken")).await;
    let expected = format!("applied by 1 of 2 replicas: waiting for {}", other(&pair, "taken"));
    eventually("the new one waits", || async {
        let (.., message) = world.kube.condition("market", "zz-new", "Programmed").await;
        (message == expected).then_some(())
    })
    .await;
    assert_eq!(world.writes("taken").await, writes, "the new leader took something back");
}

/// Gives a spec another class than its path.
trait OfClass {
    fn of(self, class: &str) -> Self;
}

impl OfClass for serde_json::Value {
    fn of(mut self, class: &str) -> Self {
        self["class"] = class.into();
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programmed_means_every_ready_replica() {
    let world = World::start().await;
    world.kube.namespace("fairway-system").await;
    tokio::join!(
        reports(&world),
        frozen_and_resumed(&world),
        frozen_for_good(&world),
        ended_and_another(&world),
        taken_over(&world)
    );
}
