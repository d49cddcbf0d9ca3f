//! Who counts as alive, and whom an object waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use fairway_crds::{FailedObject, GatewayReplica, GatewayReplicaSpec};
use fairway_snapshot::ObjectId;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::{ALIVE, Heard, Replicas};
use crate::versions::{Need, ROUTES, SERVICES};
use crate::watch::Guarded;

fn report(versions: &[(&str, &str)]) -> GatewayReplicaSpec {
    let applied =
        versions.iter().map(|(key, version)| ((*key).to_owned(), (*version).to_owned())).collect();
    GatewayReplicaSpec {
        class: "fairway".to_owned(),
        ready: true,
        applied,
        ..GatewayReplicaSpec::default()
    }
}

fn needs() -> Vec<Need> {
    [(ROUTES, "50"), (SERVICES, "40")]
        .map(|(kind, version)| Need { kind, namespace: "ns".into(), version: version.into() })
        .to_vec()
}

fn waiting(reports: Vec<GatewayReplicaSpec>, good: bool) -> Option<String> {
    let named =
        reports.into_iter().enumerate().map(|(number, report)| (format!("r{number}"), report));
    let replicas = Replicas(named.collect::<BTreeMap<_, _>>());
    replicas.waiting_for(&ObjectId::new("ns", "a"), &needs(), good)
}

#[test]
fn an_object_waits_for_those_that_have_not_seen_it_or_cannot_serve_it() {
    let seen = report(&[("serviceroutes", "50"), ("services", "100")]);
    let failed = FailedObject { object: "ns/a".to_owned(), message: "no such filter".to_owned() };
    let cannot = GatewayReplicaSpec { failed: vec![failed], ..seen.clone() };
    let port = Some("listener http: address in use".to_owned());
    let no_port = GatewayReplicaSpec { problem: port, ..seen.clone() };
    let one = |who: &str| Some(format!("applied by 1 of 2 replicas: waiting for {who}"));
    let cases = [
        (vec![], true, None),
        (vec![seen.clone()], true, None),
        (vec![report(&[("serviceroutes", "49"), ("services", "100")])], true, one("r0")),
        (vec![report(&[("serviceroutes", "50"), ("services", "9")])], true, one("r0")),
        (vec![report(&[("serviceroutes", "50")])], true, one("r0")),
        // Of single namespaces each has a version of its own.
        (vec![report(&[("ns/serviceroutes", "50"), ("ns/services", "40")])], true, None),
        (vec![report(&[("other/serviceroutes", "99"), ("services", "40")])], true, one("r0")),
        // Nothing is known of what cannot be compared.
        (vec![report(&[("serviceroutes", "opaque"), ("services", "40")])], true, None),
        (vec![cannot.clone()], true, one("r0 (it cannot serve it: no such filter)")),
        (vec![cannot], false, None),
        (vec![no_port], true, one("r0 (listener http: address in use)")),
        (
            vec![seen, report(&[]), report(&[]), report(&[]), report(&[])],
            true,
            Some("applied by 2 of 6 replicas: waiting for r1, r2, r3 and 1 more".to_owned()),
        ),
    ];
    for (reports, good, expected) in cases {
        assert_eq!(waiting(reports.clone(), good), expected, "{reports:?} {good}");
    }
}

fn told(name: &str, class: &str, ready: bool, second: i64) -> Guarded<GatewayReplica> {
    let renewed = Some(Time(Timestamp::from_second(second).unwrap()));
    let spec = GatewayReplicaSpec {
        class: class.to_owned(),
        ready,
        renewed,
        ..GatewayReplicaSpec::default()
    };
    serde_json::from_value(serde_json::to_value(GatewayReplica::new(name, spec)).unwrap()).unwrap()
}

#[test]
fn a_replica_is_alive_while_its_report_changes() {
    let began = Instant::now();
    let at = |seconds: u64| began + Duration::from_secs(seconds);
    let mut heard = Heard::default();
    let alive = |heard: &Heard, now: Instant| {
        heard.alive("fairway", "own", now).0.into_keys().collect::<Vec<_>>().join(" ")
    };
    heard.take(Event::Init, at(0));
    for object in [
        told("a", "fairway", true, 1),
        told("b", "fairway", true, 1),
        told("draining", "fairway", false, 1),
        told("internal", "internal", true, 1),
        told("own", "fairway", true, 1),
    ] {
        heard.take(Event::InitApply(object), at(0));
    }
    heard.take(Event::InitDone, at(0));
    assert_eq!(alive(&heard, at(0)), "a b");
    // The clock of b is an hour behind, and it reports; a says the same again.
    heard.take(Event::Apply(told("b", "fairway", true, -3600)), at(20));
    heard.take(Event::Apply(told("a", "fairway", true, 1)), at(20));
    assert_eq!(alive(&heard, at(29)), "a b");
    assert_eq!(heard.next_end(at(29)), Some(at(0) + ALIVE));
    assert_eq!(alive(&heard, at(30)), "b");
    assert_eq!(heard.next_end(at(30)), Some(at(50)));
    // While the API server is away nobody is heard, and silence says nothing.
    heard.deaf(at(45));
    assert_eq!(alive(&heard, at(60)), "a b");
    heard.take(Event::Delete(told("b", "fairway", true, 1)), at(60));
    assert_eq!(alive(&heard, at(60)), "a");
    heard.take(Event::Init, at(60));
    heard.take(Event::InitDone, at(60));
    assert_eq!(alive(&heard, at(60)), "");
}
