//! Requests as bytes, from data: what must be refused, each with the section that says so, and what
//! must pass. Behind each stands another request, which nobody may see where it is refused.

use std::collections::BTreeMap;

use fairway_tests::gateway::{Gateway, everything_to};
use fairway_tests::http::{Client, get};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use serde::Deserialize;

/// Characters up to U+00FF stand for bytes.
#[derive(Deserialize)]
struct Refused {
    rfc: String,
    send: String,
    status: u16,
    reason: String,
}

#[derive(Deserialize)]
struct Passed {
    rfc: String,
    send: String,
    /// What the backend gets as the body.
    body: String,
    /// Whether the connection must end behind the answer.
    closes: bool,
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_served() {
    let rows: Vec<Refused> =
        serde_json::from_str(include_str!("../testdata/http1/refused.json")).unwrap();
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for Refused { rfc, send, status, reason } in &rows {
        let mut client = Client::connect(gateway.address()).await;
        client.try_send(&[bytes(send).as_slice(), SMUGGLED].concat()).await;
        let answer = client.answer().await;
        let rest = client.rest().await;
        let told = (answer.status, answer.problem(), answer.header("connection"), rest.len());
        if told != (*status, reason.clone(), Some("close"), 0) {
            wrong.push(format!("{rfc} {send:?}: {told:?} and not {status} {reason}"));
        }
        *counts.entry(format!("reason=\"{reason}\",code=\"{status}\"")).or_default() += 1.0;
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert!(rows.len() >= 150, "{}", rows.len());
    assert_eq!(echo.requests(), 0, "a request was smuggled");
    // Each is counted by its reason; a body that turns out to be malformed counts for its rule.
    for (labels, count) in counts.into_iter().filter(|(labels, _)| !labels.contains("body_error")) {
        let name = format!("fairway_unrouted_requests_total{{{labels}}}");
        gateway.metric(&name, count).await;
    }
}

#[tokio::test]
async fn what_is_odd_and_clear_passes() {
    let rows: Vec<Passed> =
        serde_json::from_str(include_str!("../testdata/http1/passed.json")).unwrap();
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    for Passed { rfc, send, body, closes } in &rows {
        let mut client = Client::connect(gateway.address()).await;
        assert!(client.try_send(&[bytes(send).as_slice(), SMUGGLED].concat()).await);
        let answer = client.answer().await;
        assert_eq!(answer.status, 200, "{rfc} {send:?}");
        assert_eq!(answer.json()["body"], body.as_str(), "{rfc} {send:?}");
        if *closes {
            assert_eq!(client.rest().await, b"", "{rfc} {send:?}");
        } else {
            let next = client.answer().await;
            assert_eq!(next.json()["path"], "/smuggled", "{rfc} {send:?}");
        }
    }
}

#[tokio::test]
async fn the_rest_of_a_body_that_nobody_reads_is_no_request() {
    let (told, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let origin = Raw::start(move |_, mut stream| {
        let told = told.clone();
        async move {
            // The first answer comes before any of the body.
            while let head = read_head(&mut stream).await
                && !head.is_empty()
            {
                told.send(head).unwrap();
                write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client
        .send(&format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            SMUGGLED.len() * 2
        ))
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
    client.try_send(SMUGGLED).await;
    client.try_send(SMUGGLED).await;
    assert_eq!(client.rest().await, b"");
    assert!(heads.recv().await.unwrap().starts_with("POST /a "));
    // What comes over another connection is served; nothing else came before it.
    assert_eq!(get(gateway.address(), "/b").await.status, 200);
    let next = heads.recv().await.unwrap();
    assert!(next.starts_with("GET /b "), "{next}");
}
