//! Writes against a server that answers as told.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use fairway_crds::ServiceRouteStatus;
use fairway_snapshot::ObjectId;
use kube::{Client, Config};
use serde_json::json;

use tokio::sync::watch;

use super::{AppliedState, StatusWriter, Write, Written, write};
use crate::lease::Leadership;
use crate::metrics::ControllerMetrics;
use crate::replicas::Replicas;
use crate::status::Told;
use crate::status::server::{refused, server};
use crate::watch::{Observed, ObservedObjects};

fn first_write() -> Write {
    let before = Observed { resource_version: Some("7".to_owned()), ..Observed::default() };
    Write { id: ObjectId::new("ns", "a"), before, desired: ServiceRouteStatus::default() }
}

async fn written(code: u16, body: serde_json::Value) -> Written {
    let (client, _) = server(vec![(code, body)]);
    write(client, first_write(), Leadership::Only).await.1
}

#[tokio::test]
async fn who_leads_no_more_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let client =
        Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap();
    for over in [Leadership::Follower, Leadership::Until(tokio::time::Instant::now())] {
        let write = write(client.clone(), first_write(), over);
        // A write that goes on waits for an answer, which nobody gives.
        let given_up = tokio::time::timeout(Duration::from_secs(5), write).await;
        assert!(matches!(given_up, Ok((_, Written::Deposed))), "the write went on");
    }
    assert!(listener.accept().is_err(), "somebody connected");
}

#[tokio::test]
async fn a_write_counts_though_the_spec_cannot_be_read() {
    let body = json!({
        "apiVersion": "fairway.dev/v1alpha1", "kind": "ServiceRoute",
        "metadata": { "name": "a", "namespace": "ns", "resourceVersion": "8", "uid": "u" },
        "spec": { "rules": 1 },
        "status": { "rules": 0, "hash": "abc" },
    });
    let Written::Done(observed, uid) = written(200, body).await else { panic!("not taken") };
    assert_eq!(uid.as_deref(), Some("u"));
    assert_eq!(observed.resource_version.as_deref(), Some("8"));
    let status = ServiceRouteStatus { hash: "abc".to_owned(), ..ServiceRouteStatus::default() };
    assert_eq!(observed.status, Some(Told::of(&status)));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let refusal = |code| refused(code, "x", "x").1;
    assert!(matches!(written(409, refusal(409)).await, Written::Conflict));
    assert!(matches!(written(404, refusal(404)).await, Written::Gone));
    assert!(matches!(written(403, refusal(403)).await, Written::Failed(_)));
}

#[tokio::test]
async fn an_answer_that_comes_late_hides_nothing_newer() {
    let (client, _) = server(Vec::new());
    let known = Arc::new(ObservedObjects::default());
    let (_, compiled) = watch::channel(None);
    let (_, applied) = watch::channel(AppliedState::default());
    let (_, leadership) = watch::channel(Leadership::Only);
    let (_, replicas) = watch::channel(Arc::new(Replicas::default()));
    let metrics = ControllerMetrics::default();
    let (mut writer, _recorder) = StatusWriter::new(
        client,
        compiled,
        applied,
        leadership,
        replicas,
        Arc::clone(&known),
        metrics,
    );
    let version = |number: &str| Observed {
        resource_version: Some(number.to_owned()),
        ..Observed::default()
    };
    let id = first_write().id;
    // The version that the watch tells while the write goes from 7 to 8, and what is known then.
    for (told, expected) in
        [(Some("7"), Some("8")), (Some("8"), Some("8")), (Some("9"), Some("9")), (None, None)]
    {
        known.remove(&id);
        if let Some(told) = told {
            known.set(&id, version(told));
        }
        writer.written(first_write(), Written::Done(Box::new(version("8")), None));
        assert_eq!(known.get(&id), expected.map(version), "told {told:?}");
    }
}
