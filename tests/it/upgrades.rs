//! Switching to another protocol: what passes, what is not asked for, and how it ends.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, everything_to, route};
use fairway_tests::http::{Answer, Client};
use fairway_tests::http2::{Http2, next, send, whole};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use h2::ext::Protocol;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::got;

const ASKS: &str = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade, X-Gone\r\nUpgrade: WebSocket\r\nX-Gone: 1\r\nSec-WebSocket-Key: x\r\n\r\n";

/// A backend that answers with these bytes and the head that it got, sends back what it gets, and says
/// `bye` when the other side has ended.
async fn backend(answer: &'static str) -> Raw {
    Raw::start(move |_, mut stream| async move {
        let head = read_head(&mut stream).await;
        write(&mut stream, answer).await;
        write(&mut stream, &head).await;
        let mut part = [0; 1024];
        loop {
            match stream.read(&mut part).await {
                Ok(0) => {
                    write(&mut stream, "bye").await;
                    return;
                }
                Ok(length) if stream.write_all(&part[..length]).await.is_ok() => {}
                _ => return,
            }
        }
    })
    .await
}

const SWITCHES: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Backend: 1\r\n\r\n";

/// Asks, and reads the head and what the backend says that it got.
async fn switched(gateway: &Gateway) -> (Client, Answer, String) {
    let mut client = Client::connect(gateway.address()).await;
    client.send(ASKS).await;
    let answer = client.head().await;
    assert_eq!(answer.status, 101);
    let mut told = Vec::new();
    while !told.ends_with(b"\r\n\r\n") {
        told.extend(client.exactly(1).await);
    }
    (client, answer, String::from_utf8(told).unwrap())
}

#[tokio::test]
async fn bytes_of_the_other_protocol_pass_as_they_are() {
    let backend = backend(SWITCHES).await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let (mut client, answer, told) = switched(&gateway).await;
    assert_eq!(answer.reason, "Switching Protocols");
    assert_eq!(answer.values("upgrade"), ["websocket"]);
    assert_eq!(answer.values("connection"), ["upgrade"]);
    assert_eq!(answer.header("x-backend"), Some("1"));
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, None));
    assert!(told.contains("connection: upgrade\r\nupgrade: WebSocket\r\n"), "{told}");
    assert!(told.contains("Sec-WebSocket-Key: x\r\n") && !told.contains("X-Gone"), "{told}");
    for size in [1, 100, 100_000] {
        // What would be a request, or the end of a body, is neither.
        let sent = "GET / HTTP/1.1\r\n\r\n0\r\n\r\n".repeat(size);
        client.send(&sent).await;
        assert_eq!(client.exactly(sent.len()).await, sent.as_bytes());
    }
    // Each side ends alone.
    client.finish().await;
    assert_eq!(client.rest().await, b"bye");
    gateway.metric("fairway_downstream_connections", 0.0).await;
}

#[tokio::test]
async fn a_side_that_is_gone_ends_the_other() {
    let closed = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, SWITCHES).await;
        write(&mut stream, "bye").await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(closed.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send(ASKS).await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(client.rest().await, b"bye");

    let backend = backend(SWITCHES).await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let (client, ..) = switched(&gateway).await;
    client.reset();
    gateway.metric("fairway_downstream_connections", 0.0).await;
}

#[tokio::test]
async fn what_may_not_be_asked_for_is_answered_over_http() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    for (request, why) in [
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
            "h2c",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
            "two",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
            "two fields",
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "not of this connection"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
            "a body",
        ),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
            "1.0",
        ),
    ] {
        let mut client = Client::connect(gateway.address()).await;
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 200, "{why}");
        assert_eq!(got(&answer, "upgrade"), [""; 0], "{why}");
        assert_eq!(got(&answer, "connection"), [""; 0], "{why}");
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200, "{why}");
    }
    // Where it may be asked for and the backend does not want it, HTTP goes on.
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.ask(ASKS).await.status, 200);
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_no_answer() {
    for (answer, request) in [
        (SWITCHES, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", ASKS),
        ("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n", ASKS),
        ("HTTP/1.1 101 X\r\n\r\n", ASKS),
        ("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n", ASKS),
    ] {
        let backend = backend(answer).await;
        let gateway = Gateway::start(&everything_to(backend.address)).await;
        let answered = Client::connect(gateway.address()).await.ask(request).await;
        assert_eq!(
            (answered.status, answered.problem().as_str()),
            (502, "upstream_protocol_error"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn silence_ends_a_conversation_and_the_time_of_a_request_does_not() {
    let backend = backend(SWITCHES).await;
    let gateway = Gateway::start(&route(&format!(
        "- policy: {{timeouts: {{idle: 400ms, request: 600ms}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        backend.address.port()
    )))
    .await;
    let (mut client, ..) = switched(&gateway).await;
    let began = Instant::now();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.send("x").await;
        assert_eq!(client.exactly(1).await, b"x");
    }
    assert_eq!(client.rest().await, b"");
    assert!(began.elapsed() >= Duration::from_millis(1300), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_conversation_goes_on_until_the_deadline_of_the_end() {
    let backend = backend(SWITCHES).await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let (mut client, ..) = switched(&gateway).await;
    let address = gateway.address();
    let ends = tokio::spawn(gateway.plane.shutdown());
    eventually("the port is closed", || async {
        tokio::net::TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    for _ in 0..10 {
        client.send("x").await;
        assert_eq!(client.exactly(1).await, b"x");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The deadline of tests is 5 s.
    assert_eq!(client.rest().await, b"");
    ends.await.unwrap();
}

/// Opens a stream for a protocol (RFC 8441 section 5).
async fn connect(
    client: &mut Http2,
    protocol: &'static str,
) -> (http::Response<h2::RecvStream>, h2::SendStream<Bytes>) {
    let mut request = Request::connect("http://test.example/socket?a=b").body(()).unwrap();
    request.extensions_mut().insert(Protocol::from_static(protocol));
    eventually("settings have come", || async {
        client.sender.is_extended_connect_protocol_enabled().then_some(())
    })
    .await;
    let (answer, stream) = client.begin(request, true).await;
    (answer.await.unwrap(), stream)
}

#[tokio::test]
async fn a_stream_of_http2_is_switched_for_a_backend_of_http1() {
    let backend = backend(SWITCHES).await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let mut client = Http2::connect(gateway.address()).await;
    let (answer, mut sends) = connect(&mut client, "websocket").await;
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["x-backend"], "1");
    for gone in ["upgrade", "connection", "content-length", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(gone), "{gone}");
    }
    let mut stream = answer.into_body();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        got.extend(next(&mut stream).await.unwrap().unwrap());
    }
    let told = String::from_utf8(std::mem::take(&mut got)).unwrap();
    assert!(told.starts_with("GET /socket?a=b HTTP/1.1\r\n"), "{told}");
    assert!(told.contains("connection: upgrade\r\nupgrade: websocket\r\n"), "{told}");
    let key = told.split("sec-websocket-key: ").nth(1).unwrap().split("\r\n").next().unwrap();
    // Sixteen bytes, in base64 as it is written in one way only.
    assert!(key.len() == 24 && key.ends_with("==") && "AQgw".contains(&key[21..22]), "{key}");
    for size in [1, 200_000] {
        let sent = vec![b'x'; size];
        assert!(send(&mut sends, sent.clone().into(), false).await);
        while got.len() < size {
            got.extend(next(&mut stream).await.unwrap().unwrap());
        }
        assert!(std::mem::take(&mut got) == sent);
    }
    assert!(send(&mut sends, Bytes::new(), true).await);
    assert_eq!(next(&mut stream).await.unwrap().unwrap(), "bye");
    assert!(next(&mut stream).await.is_none());
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}

#[tokio::test]
async fn a_stream_that_is_not_switched_is_told_so() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut client = Http2::connect(gateway.address()).await;
    // 200 would say that it was.
    let (answer, _sends) = connect(&mut client, "websocket").await;
    let answer = whole(answer).await;
    assert_eq!((answer.status, answer.problem().as_str()), (502, "upstream_protocol_error"));
    let (answer, _sends) = connect(&mut client, "connect-udp").await;
    let answer = whole(answer).await;
    assert_eq!((answer.status, answer.problem().as_str()), (501, "method_not_supported"));
    let refuses = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(refuses.address)).await;
    let mut client = Http2::connect(gateway.address()).await;
    let (answer, _sends) = connect(&mut client, "websocket").await;
    assert_eq!(whole(answer).await.status, 403);
}

#[tokio::test]
async fn a_conversation_is_not_copied() {
    let backend = backend(SWITCHES).await;
    let echo = Echo::start("mirror").await;
    let gateway = Gateway::start(&route(&format!(
        "- policy: {{mirror: [{{host: 127.0.0.1, port: {}}}]}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        echo.address.port(),
        backend.address.port()
    )))
    .await;
    switched(&gateway).await;
    let mut client = Http2::connect(gateway.address()).await;
    assert_eq!(connect(&mut client, "websocket").await.0.status().as_u16(), 200);
    let labels = "namespace=\"default\",route=\"test\",rule=\"rule-0\",reason=\"upgrade\"";
    gateway.metric(&format!("fairway_mirror_dropped_total{{{labels}}}"), 2.0).await;
    assert_eq!(echo.requests(), 0);
}
