//! Windows of HTTP/2: who takes nothing, or is not read, holds up no other stream.

use std::time::Duration;

use fairway_tests::gateway::{Gateway, everything_to, route};
use fairway_tests::http2::{Http2, next, send, whole};
use fairway_tests::origin::{Echo, Raw, read_head};
use http::Request;

fn uri(path: &str) -> String {
    format!("http://test.example{path}")
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_stream_and_no_other() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&route(&format!(
        "- policy: {{timeouts: {{idle: 500ms}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        echo.address.port()
    )))
    .await;
    let mut client = Http2::connect(gateway.address()).await;
    let (stuck, _) =
        client.begin(Request::get(uri("/bytes/9000000")).body(()).unwrap(), false).await;
    let mut stuck = stuck.await.unwrap().into_body();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(client.get("/bytes/1000").await.body.len(), 1000);
    }
    let error = loop {
        match next(&mut stuck).await.expect("no end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}

#[tokio::test]
async fn one_stalled_stream_of_many_holds_up_no_other() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut client = Http2::connect(gateway.address()).await;
    let (stalled, _) =
        client.begin(Request::get(uri("/bytes/9000000")).body(()).unwrap(), false).await;
    let stalled = stalled.await.unwrap();
    // Its window is full now; the others' is the connection's rest, given back as they read.
    let others = (0..63).map(|_| {
        let mut sender =
            Http2 { sender: client.sender.clone(), ended: tokio::spawn(async { None }) };
        async move { sender.get("/bytes/300000").await.body.len() }
    });
    let lengths = futures::future::join_all(others).await;
    assert!(lengths.iter().all(|length| *length == 300_000), "{lengths:?}");
    assert_eq!(whole(stalled).await.body.len(), 9_000_000);
}

#[tokio::test]
async fn one_body_that_nobody_reads_holds_up_no_other() {
    let echo = Echo::start("a").await;
    let deaf = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = Gateway::start(&route(&format!(
        "- match: [{{path: /deaf}}]\n  backends: [{{host: 127.0.0.1, port: {}}}]\n- backends: [{{host: 127.0.0.1, port: {}}}]",
        deaf.address.port(),
        echo.address.port()
    )))
    .await;
    let mut client = Http2::connect(gateway.address()).await;
    let (_never, mut stuck) =
        client.begin(Request::post(uri("/deaf")).body(()).unwrap(), true).await;
    let stuck = send(&mut stuck, vec![0; 64 << 20].into(), true);
    let stuck = tokio::time::timeout(Duration::from_secs(1), stuck).await;
    assert!(stuck.is_err(), "a deaf backend took it");
    let (answer, mut body) = client.begin(Request::post(uri("/")).body(()).unwrap(), true).await;
    let sent = send(&mut body, vec![b'x'; 1_000_000].into(), true);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), sent).await, Ok(true));
    assert_eq!(
        whole(answer.await.unwrap()).await.json()["body"].as_str().unwrap().len(),
        1_000_000
    );
}
