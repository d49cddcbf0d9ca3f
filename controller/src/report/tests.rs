//! What a report says of objects, and when one is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::gateway_replica::MAX_FAILED;
use fairway_snapshot::{ObjectId, Published, Snapshot};
use kube::{Client, Config};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{HEARTBEAT, REST, Reporter, failed};
use crate::Inputs;
use crate::compile::{ObjectStatus, Verdict};
use crate::event_loop::Compiled;
use crate::pod::Pod;
use crate::status::writer::AppliedState;
use crate::watch::ObservedObjects;

fn status(rules: u32, invalid_rules: u32, message: &str) -> Arc<ObjectStatus> {
    let good =
        |status: bool, reason| Verdict { status, reason, message: message.to_owned().into() };
    Arc::new(ObjectStatus {
        generation: Some(1),
        hosts: Vec::new(),
        rules,
        invalid_rules,
        partial_rules: 0,
        hash: "h".to_owned(),
        accepted: good(invalid_rules == 0, Reason::InvalidRule),
        resolved_refs: good(true, Reason::ResolvedRefs),
        conflicted: None,
        certificate: None,
        tests_passed: None,
        diagnostics: Vec::new(),
    })
}

#[test]
fn objects_that_do_not_serve_are_named_up_to_a_limit() {
    let long = "x".repeat(5_000);
    let mut statuses: BTreeMap<ObjectId, Arc<ObjectStatus>> = (0..MAX_FAILED + 7)
        .map(|number| {
            (ObjectId::new("ns", format!("bad-{number:03}").as_str()), status(1, 1, &long))
        })
        .collect();
    statuses.insert(ObjectId::new("ns", "a-good-one"), status(2, 0, ""));
    let (count, named) = failed(&statuses);
    assert_eq!((count, named.len()), (107, MAX_FAILED));
    assert_eq!(named[0].object, "ns/bad-000");
    assert_eq!(named[0].message.len(), 200);
    assert_eq!(failed(&BTreeMap::new()).0, 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_data_plane_serves_is_reported_and_nothing_newer() {
    let client = Client::try_from(Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
    let pod = Pod { namespace: "ns".to_owned(), name: "a".to_owned(), uid: None };
    let (compiled_sender, compiled) = watch::channel(None);
    let (applied_sender, applied) = watch::channel(AppliedState::default());
    let observed = Arc::new(ObservedObjects::default());
    let class = "fairway".to_owned();
    let mut reporter = Reporter::new(client, pod, class, compiled, applied, observed);
    let compile = |world: u64, revision: u64| {
        let mut inputs = Inputs::default();
        inputs.versions.world = world;
        inputs.versions.seen.raise("services", &format!("{world}0"));
        let published = Published { revision, snapshot: Snapshot::default() };
        Some(Arc::new(Compiled {
            revision,
            inputs: Arc::new(inputs),
            published: Some(Arc::new(published)),
            wanted: Arc::default(),
            statuses: BTreeMap::new(),
        }))
    };
    let apply =
        |revision: u64| applied_sender.send_replace(AppliedState { revision, problem: None });

    reporter.take();
    assert!(!reporter.report(true).await.ready, "nothing is served yet");
    compiled_sender.send_replace(compile(1, 1));
    reporter.take();
    assert!(!reporter.report(true).await.ready, "it is compiled and not applied");
    apply(1);
    reporter.take();
    let first = reporter.report(true).await;
    assert!(first.ready && first.hash.len() == 16);
    assert_eq!(first.applied["services"], "10");
    assert!(!reporter.report(false).await.ready, "it drains");

    let now = Instant::now();
    assert_eq!(reporter.due(now), now, "the first is due at once");
    reporter.told = Some((reporter.state(), now));
    assert_eq!(reporter.due(now), now + HEARTBEAT);
    // A newer world with the same snapshot counts at once, one with another when it is applied.
    compiled_sender.send_replace(compile(2, 1));
    reporter.take();
    assert_eq!(reporter.due(now), now + REST);
    assert_eq!(reporter.report(true).await.applied["services"], "20");
    compiled_sender.send_replace(compile(3, 2));
    reporter.take();
    compiled_sender.send_replace(compile(4, 3));
    reporter.take();
    assert_eq!(reporter.report(true).await.applied["services"], "20");
    apply(2);
    reporter.take();
    assert_eq!(reporter.report(true).await.applied["services"], "30");
}
