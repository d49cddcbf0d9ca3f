//! Every timeout ends what it should end, with its own reason, and nothing else.

use std::time::Duration;

use fairway_tests::gateway::{Gateway, config, options, route};
use fairway_tests::http::{Client, get};
use fairway_tests::origin::{Raw, read_head, write};
use tokio::io::AsyncReadExt;

/// A backend that behaves by the path that it is asked for.
async fn slow() -> Raw {
    Raw::start(|_, mut stream| async move {
        let head = read_head(&mut stream).await;
        match head.split(' ').nth(1).unwrap_or_default() {
            "/trickle" => {
                write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n").await;
                for _ in 0..15 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    write(&mut stream, "x").await;
                }
            }
            "/stuck" => write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nx").await,
            "/upload" => {
                let mut body = [0; 15];
                if stream.read_exact(&mut body).await.is_ok() {
                    write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                }
            }
            _ => {}
        }
        // Held open until the gateway has had enough.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await
}

async fn gateway(origin: &Raw, timeouts: &str) -> Gateway {
    let manifest = route(&format!(
        "- policy: {{timeouts: {{{timeouts}}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        origin.address.port()
    ));
    // Bodies move by ten bytes a second here.
    let config = fairway_dataplane::Config { client_send_rate: 5, ..config() };
    Gateway::start_with(&manifest, config, options()).await
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let origin = slow().await;
    for (timeouts, reason) in [
        ("response: 200ms", "response_timeout"),
        ("attempt: 200ms", "attempt_timeout"),
        ("request: 200ms", "request_timeout"),
        ("response: 10s, request: 200ms", "request_timeout"),
    ] {
        let gateway = gateway(&origin, timeouts).await;
        let answer = get(gateway.address(), "/never").await;
        assert_eq!((answer.status, answer.problem().as_str()), (504, reason), "{timeouts}");
    }
}

#[tokio::test]
async fn a_body_that_moves_is_not_cut_by_the_response_timeout() {
    let origin = slow().await;
    // Both limits are shorter than the whole, and much longer than one step.
    let limits = "response: 1s, idle: 1s";
    let gateway = gateway(&origin, limits).await;
    let answer = get(gateway.address(), "/trickle").await;
    assert_eq!((answer.status, answer.body.len()), (200, 15));
    // A slow upload does not count either: the time begins at its end.
    let origin = slow().await;
    let gateway = self::gateway(&origin, limits).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n").await;
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.send("x").await;
    }
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_that_stops_is_cut() {
    let origin = slow().await;
    for timeouts in ["idle: 200ms", "idle: 10s, request: 200ms"] {
        let gateway = gateway(&origin, timeouts).await;
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.head().await.status, 200);
        assert_eq!(client.rest().await, b"x", "{timeouts}");
    }
    let gateway = gateway(&origin, "idle: 200ms").await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\nx").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (408, "client_idle_timeout"));
}

#[tokio::test]
async fn connecting_is_given_up() {
    // A listener whose queue is full does not answer: the first connections fill it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut fill = Vec::new();
    for _ in 0..8 {
        fill.push(tokio::spawn(tokio::net::TcpStream::connect(address)));
    }
    let gateway = Gateway::start(&route(&format!(
        "- policy: {{timeouts: {{connect: 150ms}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        address.port()
    )))
    .await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = get(gateway.address(), "/").await;
        statuses.push((answer.status, answer.problem()));
    }
    assert!(statuses.contains(&(504, "connect_timeout".to_owned())), "{statuses:?}");
    // Connecting is a part of the whole.
    let gateway = Gateway::start(&route(&format!(
        "- policy: {{timeouts: {{connect: 0s, request: 300ms}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        address.port()
    )))
    .await;
    let answer = get(gateway.address(), "/").await;
    assert_eq!((answer.status, answer.problem().as_str()), (504, "request_timeout"));
    drop(fill);
}

#[tokio::test]
async fn clients_that_send_nothing_are_closed_and_those_with_half_a_head_are_told() {
    let origin = slow().await;
    let config = fairway_dataplane::Config {
        client_idle: Duration::from_millis(200),
        client_head: Duration::from_millis(200),
        ..config()
    };
    let manifests = fairway_tests::gateway::everything_to(origin.address);
    let gateway = Gateway::start_with(&manifests, config, options()).await;
    let mut idle = Client::connect(gateway.address()).await;
    assert_eq!(idle.rest().await, b"");
    let mut half = Client::connect(gateway.address()).await;
    half.send("GET / HTTP/1.1\r\nHost:").await;
    let answer = half.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (408, "client_head_timeout"));
    assert_eq!(half.rest().await, b"");
    gateway.metric("fairway_downstream_connections", 0.0).await;
}
