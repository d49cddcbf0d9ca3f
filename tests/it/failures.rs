//! What clients get when something is wrong, and what the log and metrics say of it.

use std::net::SocketAddr;
use std::time::Duration;

use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, everything_to, route};
use fairway_tests::http::{Client, ask, get};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use tokio::net::{TcpSocket, TcpStream};

#[tokio::test]
async fn each_failure_has_its_status_and_reason() {
    let echo = Echo::start("a").await;
    let good = format!("{{host: 127.0.0.1, port: {}}}", echo.address.port());
    // Nobody listens there, and nobody else gets the port.
    let refused = TcpSocket::new_v4().unwrap();
    refused.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let closes = Raw::closes().await;
    let babbles = Raw::babbles().await;
    let gateway = Gateway::start(&route(&format!(
        "- match: [{{path: /refused}}]\n  backends: [{{host: 127.0.0.1, port: {}}}]\n\
         - match: [{{path: /closes}}]\n  backends: [{{host: 127.0.0.1, port: {}}}]\n\
         - match: [{{path: /babbles}}]\n  backends: [{{host: 127.0.0.1, port: {}}}]\n\
         - match: [{{path: /rule}}]\n  rewrite: {{path: \"/{{gone}}\"}}\n  backends: [{good}]\n\
         - match: [{{path: /backend}}]\n  backends: [{{service: x, port: http}}]\n\
         - match: [{{path: /weights}}]\n  backends: [{{host: 127.0.0.1, port: 1, weight: 0}}]",
        refused.local_addr().unwrap().port(),
        closes.address.port(),
        babbles.address.port(),
    )))
    .await;
    for (path, status, reason) in [
        ("/refused", 502, "connect_refused"),
        ("/closes", 502, "upstream_reset"),
        ("/babbles", 502, "upstream_protocol_error"),
        ("/rule", 500, "rule_invalid"),
        ("/backend", 500, "backend_invalid"),
        ("/weights", 503, "no_weight"),
        ("/nowhere", 404, "route_not_found"),
    ] {
        let answer = get(gateway.address(), path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, reason), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["requestId"].as_str().map(str::len), Some(36));
    }
    let plain =
        ask(gateway.address(), "GET /nowhere HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n")
            .await;
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
    let metrics = gateway.metrics().await;
    let failed = metrics["fairway_upstream_connect_failures_total{reason=\"connect_refused\"}"];
    // Nothing was sent, so that it is tried again, four times.
    assert_eq!(failed, 5.0);
    // A request is counted when its answer has been written.
    let lost = "fairway_unrouted_requests_total{reason=\"route_not_found\",code=\"404\"}";
    gateway.metric(lost, 2.0).await;
}

#[tokio::test]
async fn a_stale_connection_is_not_the_clients_problem() {
    // Each connection answers once and closes at the next request, as an idle timeout that crosses
    // a request looks.
    let origin = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        read_head(&mut stream).await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..4 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    }
    assert!(gateway.metrics().await["fairway_upstream_retries_total"] >= 2.0, "nothing was stale");
    // What is not idempotent may have been done: it is not sent again.
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(
            client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").await.status,
        );
    }
    assert!(statuses.contains(&502), "{statuses:?}");
}

#[tokio::test]
async fn a_backend_that_breaks_off_is_not_hidden() {
    let origin = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("content-length"), Some("10"));
    assert_eq!(client.rest().await, b"half", "and then the connection ends");
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_backend_and_counts_as_499() {
    let (origin, mut tells) = Raw::waits().await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    for (count, path) in ["/", "/begun"].into_iter().enumerate() {
        let mut client = Client::connect(gateway.address()).await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        eventually("the backend has the request", || async {
            (origin.connections() == count + 1).then_some(())
        })
        .await;
        if path == "/begun" {
            assert_eq!(client.head().await.status, 200);
        }
        drop(client);
        let told = tokio::time::timeout(Duration::from_secs(5), tells.recv());
        told.await.expect("soon").expect("the backend's connection ends");
    }
    let name = "fairway_requests_total{namespace=\"default\",route=\"test\",rule=\"rule-0\",code";
    gateway.metric(&format!("{name}=\"499\"}}"), 1.0).await;
    gateway.metric(&format!("{name}=\"200\"}}"), 1.0).await;
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_fault() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "request_body_error"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_connection_that_nobody_answers_is_begun_anew_beside_it() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    let listener = socket.listen(1).unwrap();
    // The queue of those who wait to be accepted is full: the kernel drops who comes, and the client
    // would ask again after a second.
    let waiting = [TcpStream::connect(address).await, TcpStream::connect(address).await];
    let manifest = route(&format!(
        "- backends: [{{host: 127.0.0.1, port: {}}}]\n  policy: {{timeouts: {{connect: 800ms}}}}\n",
        address.port()
    ));
    let gateway = Gateway::start(&manifest).await;
    let backend = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(waiting);
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                if !read_head(&mut stream).await.is_empty() {
                    write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                }
            });
        }
    });
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    // One try: the connection was not given up, but begun anew.
    gateway.metric("fairway_upstream_retries_total", 0.0).await;
    backend.abort();
}
