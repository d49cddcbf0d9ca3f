//! What happened to an object stands in its Events: once, by the one who leads, and as well as it
//! goes.

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::kube::Kube;
use serde_json::{Value, json};

use super::pair::{Pair, leads};
use super::{World, answers, backend_sees};

/// A route at `/<name>` of a class to a Service.
fn spec(class: &str, name: &str, service: &str) -> Value {
    json!({ "class": class, "rules": [{
        "match": [{ "path": format!("/{name}") }],
        "backends": [{ "service": service, "port": "http" }] }] })
}

/// The Events about an object: type, reason and how often.
async fn events(kube: &Kube, name: &str) -> Vec<(String, String, i32)> {
    let told = kube.events("market", name).await;
    let words = told.into_iter().map(|event| {
        let count = event.series.map_or(1, |series| series.count);
        (event.type_.unwrap(), event.reason.unwrap(), count)
    });
    words.collect()
}

/// Waits until an object has exactly these Events.
async fn has(kube: &Kube, name: &str, expected: &[(&str, &str, i32)]) {
    eventually(&format!("{name} has {expected:?}"), || async {
        let events = events(kube, name).await;
        let words = events.iter().map(|(kind, reason, count)| (&**kind, &**reason, *count));
        words.eq(expected.iter().copied()).then_some(())
    })
    .await;
}

/// Applies an object whose Service is not there, and waits until it is told. The Events of a
/// process are written in order: what it told before is there then.
async fn all_told(kube: &Kube, class: &str, name: &str) {
    kube.apply("market", name, spec(class, name, "nowhere")).await;
    has(kube, name, &[("Warning", "BackendNotFound", 1)]).await;
}

fn described(kube: &Kube, name: &str) -> String {
    let (code, said) = kube.kubectl(&["describe", "sr", name, "-n", "market"], "");
    assert_eq!(code, 0, "{said}");
    let events = said.split_once("\nEvents:").map(|(_, events)| events.to_owned());
    events.unwrap_or(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_told_once_what_broke_and_that_it_is_mended() {
    let world = World::start().await;
    let kube = &world.kube;
    let mut fairway = world.fairway().await;
    assert_eq!(events(kube, "quotes").await, []);

    kube.apply("market", "quotes", spec("fairway", "quotes", "finanse")).await;
    has(kube, "quotes", &[("Warning", "BackendNotFound", 1)]).await;
    let told = described(kube, "quotes");
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("Warning")).collect();
    let [line] = &lines[..] else { panic!("{told}") };
    for word in ["BackendNotFound", "fairway", "spec.rules[0].backends[0].service", "finance?"] {
        assert!(line.contains(word), "{word} is missing in\n{told}");
    }

    kube.apply("market", "quotes", spec("fairway", "quotes", "finance")).await;
    let well = ("Normal", "Programmed", 1);
    has(kube, "quotes", &[("Warning", "BackendNotFound", 1), well]).await;
    kube.programmed("market", "quotes").await;

    // Once more, and it is the same two, counted.
    kube.apply("market", "quotes", spec("fairway", "quotes", "finanse")).await;
    has(kube, "quotes", &[("Warning", "BackendNotFound", 2), well]).await;
    kube.apply("market", "quotes", spec("fairway", "quotes", "finance")).await;
    let twice = [("Warning", "BackendNotFound", 2), ("Normal", "Programmed", 2)];
    has(kube, "quotes", &twice).await;
    let told = described(kube, "quotes");
    assert_eq!(told.matches("(x2 over").count(), 2, "{told}");
    // What comes right after is counted, too, a little later.
    for (service, resolved) in [("finanse", "False"), ("finance", "True")] {
        kube.apply("market", "quotes", spec("fairway", "quotes", service)).await;
        eventually("its status is written", || async {
            let (word, ..) = kube.condition("market", "quotes", "ResolvedRefs").await;
            (word == resolved).then_some(())
        })
        .await;
    }
    let thrice = [("Warning", "BackendNotFound", 3), ("Normal", "Programmed", 3)];
    has(kube, "quotes", &thrice).await;

    // Neither that the gateway starts is news, nor an ordinary change: this one remembers no Event
    // that it could count instead.
    all_told(kube, "fairway", "before").await;
    fairway.process.signal("TERM");
    fairway.process.wait();
    let fairway = world.fairway().await;
    let mut edited = spec("fairway", "quotes", "finance");
    edited["rules"][0]["rewrite"] = json!({ "path": "/edited" });
    kube.apply("market", "quotes", edited).await;
    backend_sees(fairway.address, "/quotes", "/edited").await;
    kube.programmed("market", "quotes").await;
    all_told(kube, "fairway", "after").await;
    has(kube, "quotes", &thrice).await;
    has(kube, "before", &[("Warning", "BackendNotFound", 1)]).await;
    assert_eq!(fairway.metric("fairway_events_total").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_tells_and_the_next_one_does_not_tell_again() {
    let world = World::start().await;
    world.kube.namespace("fairway-system").await;
    let kube = &world.kube;
    let Pair { leader, user, other } = world.pair("told").await;
    let by = async |name: &str| {
        let told = kube.events("market", name).await;
        told.into_iter().map(|event| event.reporting_instance.unwrap()).collect::<Vec<_>>()
    };
    all_told(kube, "told", "first").await;
    assert_eq!(by("first").await, [user]);
    assert_eq!(other.metric("fairway_events_total").await, 0.0);
    leader.process.signal("KILL");
    eventually("the other one leads", || async { leads(&other).await.then_some(()) }).await;
    all_told(kube, "told", "second").await;
    has(kube, "first", &[("Warning", "BackendNotFound", 1)]).await;
    assert_eq!(other.metric("fairway_events_total").await, 1.0);
}

/// What the chart grants for a process alone, without Events.
const QUIET: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: quiet, namespace: market}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: quiet}
rules:
  - {apiGroups: [fairway.dev], resources: [serviceroutes], verbs: [list, watch]}
  - {apiGroups: [fairway.dev], resources: [serviceroutes/status], verbs: [patch]}
  - {apiGroups: [''], resources: [services], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: quiet}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: quiet}
subjects: [{kind: ServiceAccount, name: quiet, namespace: market}]
";

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_tell_all_else_goes_on() {
    let world = World::start().await;
    let kube = &world.kube;
    let (code, said) = kube.kubectl(&["apply", "-f", "-"], QUIET);
    assert_eq!(code, 0, "{said}");
    let (code, token) = kube.kubectl(&["create", "token", "quiet", "--namespace=market"], "");
    assert_eq!(code, 0, "{token}");
    let fairway = Fairway::start(&world.args(&kube.kubeconfig_with_token(token.trim()))).await;
    for name in ["one", "two"] {
        kube.apply("market", name, spec("fairway", name, "finance")).await;
        kube.programmed("market", name).await;
        answers(fairway.address, &format!("/{name}"), 200).await;
    }
    eventually("both are counted", || async {
        (fairway.metric("fairway_events_total").await == 2.0).then_some(())
    })
    .await;
    let log = fairway.process.errors();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("event not written")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("cannot create resource \\\"events\\\""), "{}", told[0]);
    assert_eq!(events(kube, "one").await, []);
}
