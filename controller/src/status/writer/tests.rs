//! Writes against a server that answers as told.

use std::net::TcpListener;
use std::time::Duration;

use fairway_crds::ServiceRouteStatus;
use fairway_snapshot::ObjectId;
use kube::{Client, Config};
use serde_json::json;

use super::{Write, Written, write};
use crate::lease::Leadership;
use crate::status::Told;
use crate::status::server::{refused, server};
use crate::watch::Observed;

fn first_write() -> Write {
    let before = Observed { resource_version: Some("7".to_owned()), status: None };
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
