//! What is too much is refused, counted, and gone with what caused it; health and metrics know nothing
//! of it.

use std::time::Duration;

use fairway_dataplane::Config;
use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, config, everything_to, options};
use fairway_tests::http::{Client, get};
use fairway_tests::http2::Http2;
use fairway_tests::origin::{Echo, Raw, read_head, write};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Whether a connection is served.
async fn is_served(gateway: &Gateway) -> Option<Client> {
    // One that is refused is closed without a word, perhaps before it is seen to be open.
    let mut client = Client::over(TcpStream::connect(gateway.address()).await.ok()?);
    client.try_send(PLAIN.as_bytes()).await;
    client.try_head().await.map(|_| client)
}

#[tokio::test]
async fn connections_beyond_a_number_are_closed_at_once() {
    let echo = Echo::start("a").await;
    for (total, per_client, reason) in [(3, 0, "connections"), (100, 3, "client")] {
        let config = Config {
            max_connections: Some(total),
            max_connections_per_client: per_client,
            ..config()
        };
        let gateway = Gateway::start_with(&everything_to(echo.address), config, options()).await;
        let mut served = Vec::new();
        for _ in 0..3 {
            served.push(is_served(&gateway).await.expect("a place"));
        }
        for _ in 0..2 {
            assert!(is_served(&gateway).await.is_none(), "{reason}");
        }
        let name = format!("fairway_downstream_connections_refused_total{{reason=\"{reason}\"}}");
        gateway.metric(&name, 2.0).await;
        // Those that are there go on, and a place that is free is taken.
        assert_eq!(served[0].ask(PLAIN).await.status, 200);
        drop(served.pop());
        gateway.metric("fairway_downstream_connections", 2.0).await;
        assert!(is_served(&gateway).await.is_some(), "{reason}");
    }
}

#[tokio::test]
async fn requests_beyond_a_number_are_told_to_come_again() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let slow = Raw::start(move |_, mut stream| {
        let mut wait = wait.clone();
        async move {
            while !read_head(&mut stream).await.is_empty() {
                wait.wait_for(|go| *go).await.unwrap();
                write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    })
    .await;
    let config = Config { max_requests: 2, ..config() };
    let gateway = Gateway::start_with(&everything_to(slow.address), config, options()).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(gateway.address()).await;
        client.send(PLAIN).await;
        waiting.push(client);
    }
    gateway.metric("fairway_requests_in_flight", 2.0).await;
    let mut other = Client::connect(gateway.address()).await;
    for _ in 0..3 {
        let answer = other.ask(PLAIN).await;
        assert_eq!((answer.status, answer.problem().as_str()), (503, "overloaded"));
        assert_eq!((answer.header("retry-after"), answer.header("connection")), (Some("1"), None));
    }
    let answer = Http2::connect(gateway.address()).await.get("/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    // Whoever asks how the gateway is gets an answer.
    assert_eq!(get(gateway.plane.status_address(), "/readyz").await.status, 200);
    let name = "fairway_unrouted_requests_total{reason=\"overloaded\",code=\"503\"}";
    gateway.metric(name, 4.0).await;
    go.send_replace(true);
    for client in &mut waiting {
        assert_eq!(client.answer().await.status, 200);
    }
    gateway.metric("fairway_requests_in_flight", 0.0).await;
    assert_eq!(other.ask(PLAIN).await.status, 200);
}

#[tokio::test]
async fn a_slow_client_costs_little_and_is_gone_in_time() {
    let echo = Echo::start("a").await;
    let settings = Config { client_head: Duration::from_secs(1), ..config() };
    let gateway = Gateway::start_with(&everything_to(echo.address), settings, options()).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\nX-").await.unwrap();
        slow.push(stream);
    }
    let began = std::time::Instant::now();
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    for stream in &mut slow {
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
        assert!(told.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&told));
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn requests_are_refused_while_memory_is_short() {
    let echo = Echo::start("a").await;
    // This process always uses more than a byte, and never more than all that there is.
    for (percent, limit, status) in [(95, 1, 503), (95, u64::MAX, 200), (0, 1, 200)] {
        let config = Config { shed_memory_percent: percent, memory_limit: Some(limit), ..config() };
        let gateway = Gateway::start_with(&everything_to(echo.address), config, options()).await;
        if status == 503 {
            let name = "fairway_unrouted_requests_total{reason=\"overloaded\",code=\"503\"}";
            eventually("memory is looked at", || async {
                let answer = get(gateway.address(), "/").await;
                (answer.status == 503).then(|| assert_eq!(answer.problem(), "overloaded"))
            })
            .await;
            assert!(gateway.metrics().await[name] >= 1.0);
        } else {
            // Longer than it takes to look.
            tokio::time::sleep(Duration::from_millis(700)).await;
            assert_eq!(get(gateway.address(), "/").await.status, 200);
        }
    }
}
