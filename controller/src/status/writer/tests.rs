//! Writes against a server that answers as told.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use fairway_crds::ServiceRouteStatus;
use fairway_snapshot::ObjectId;
use kube::{Client, Config};
use serde_json::json;

use super::{Written, write};
use crate::lease::Leadership;
use crate::status::Told;

/// A client of a server that answers one request with this status and body.
fn answering(status: &'static str, body: String) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        // The status that is written is the last value of the request.
        while !request.ends_with(b"}}") {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).unwrap();
            request.extend_from_slice(&part[..length]);
        }
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap()
}

async fn written(status: &'static str, body: serde_json::Value) -> Written {
    let client = answering(status, body.to_string());
    let id = ObjectId::new("ns", "a");
    let version = Some("7".to_owned());
    write(client, id, ServiceRouteStatus::default(), version, Leadership::Only).await.1
}

#[tokio::test]
async fn who_leads_no_more_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let client =
        Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap();
    for over in [Leadership::Follower, Leadership::Until(tokio::time::Instant::now())] {
        let (client, id) = (client.clone(), ObjectId::new("ns", "a"));
        let write = write(client, id, ServiceRouteStatus::default(), None, over);
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
        "metadata": { "name": "a", "namespace": "ns", "resourceVersion": "8" },
        "spec": { "rules": 1 },
        "status": { "rules": 0, "hash": "abc" },
    });
    let Written::Done(observed) = written("200 OK", body).await else { panic!("not taken") };
    assert_eq!(observed.resource_version.as_deref(), Some("8"));
    let status = ServiceRouteStatus { hash: "abc".to_owned(), ..ServiceRouteStatus::default() };
    assert_eq!(observed.status, Some(Told::of(&status)));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let refusal = |code: u16| {
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "x",
            "reason": "x", "code": code })
    };
    assert!(matches!(written("409 Conflict", refusal(409)).await, Written::Conflict));
    assert!(matches!(written("404 Not Found", refusal(404)).await, Written::Gone));
    assert!(matches!(written("403 Forbidden", refusal(403)).await, Written::Failed(_)));
}
