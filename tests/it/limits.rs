//! Limits of heads and of connections, over both protocols.

use fairway_dataplane::Config;
use fairway_tests::gateway::{Gateway, config, everything_to, options};
use fairway_tests::http::{Answer, Client, ask};
use fairway_tests::http2::{Http2, send, whole};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use http::Request;

const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

async fn gateway(config: Config) -> (Echo, Gateway) {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start_with(&everything_to(echo.address), config, options()).await;
    (echo, gateway)
}

/// Asks over HTTP/1.1 and HTTP/2 with this many fields and a target of this length.
async fn both(gateway: &Gateway, fields: usize, target: usize) -> [Answer; 2] {
    let target = format!("/{}", "x".repeat(target - 1));
    // `Host` is one of them.
    let lines: String = (1..fields).map(|number| format!("x-{number}: y\r\n")).collect();
    let first =
        ask(gateway.address(), &format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).await;
    let mut request = Request::get(format!("http://a{target}"));
    for number in 1..fields {
        request = request.header(format!("x-{number}"), "y");
    }
    let mut client = Http2::connect(gateway.address()).await;
    let (answer, _) = client.begin(request.body(()).unwrap(), false).await;
    [first, whole(answer.await.unwrap()).await]
}

#[tokio::test]
async fn heads_have_so_many_fields_and_targets_so_many_bytes() {
    let usual = config();
    let other = Config { client_head_fields: 5, client_target_bytes: 1024, ..config() };
    let most = Config {
        client_head_fields: 256,
        client_target_bytes: 60_000,
        client_head_bytes: 200_000,
        ..config()
    };
    // Backends of libraries have limits of their own.
    let any = Raw::start(|_, mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    for config in [usual, other, most] {
        let (fields, target) = (config.client_head_fields, config.client_target_bytes);
        let manifest = everything_to(any.address);
        let gateway = Gateway::start_with(&manifest, config, options()).await;
        for answer in both(&gateway, fields, target).await {
            assert_eq!(answer.status, 200, "{fields} {target}");
        }
        for answer in both(&gateway, fields + 1, 10).await {
            assert_eq!((answer.status, answer.problem().as_str()), (431, "head_too_large"));
        }
        for answer in both(&gateway, 1, target + 1).await {
            assert_eq!((answer.status, answer.problem().as_str()), (414, "target_too_long"));
        }
        let counted = |reason: &str, code: u16| {
            format!("fairway_unrouted_requests_total{{reason=\"{reason}\",code=\"{code}\"}}")
        };
        gateway.metric(&counted("head_too_large", 431), 2.0).await;
        gateway.metric(&counted("target_too_long", 414), 2.0).await;
    }
}

#[tokio::test]
async fn a_connection_carries_so_many_requests_and_ends_in_order() {
    let (echo, gateway) = gateway(Config { max_requests_per_connection: 3, ..config() }).await;
    for _ in 0..3 {
        let mut client = Client::connect(gateway.address()).await;
        for number in 1..=3 {
            let answer = client.ask(PLAIN).await;
            let close = answer.header("connection");
            assert_eq!((answer.status, close), (200, (number == 3).then_some("close")), "{number}");
        }
        assert_eq!(client.rest().await, b"");
    }
    // What comes behind the last one is served by nobody, and takes no answer with it.
    let mut client = Client::connect(gateway.address()).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let body = "x".repeat(100_000);
    let all = format!("{PLAIN}{PLAIN}{head}{body}{}", PLAIN.repeat(1000));
    client.send(&all).await;
    let before = echo.requests();
    for status in [200, 200, 200] {
        assert_eq!(client.answer().await.status, status);
    }
    assert_eq!(client.rest().await, b"");
    assert_eq!(echo.requests() - before, 3 - (before - 9));
    gateway.metric("fairway_downstream_connections", 0.0).await;
}

#[tokio::test]
async fn a_connection_of_http2_carries_so_many_requests_and_loses_none() {
    let (_echo, gateway) = gateway(Config { max_requests_per_connection: 5, ..config() }).await;
    for _ in 0..3 {
        let mut client = Http2::connect(gateway.address()).await;
        // All at once: those that are opened before the client hears of the end are served too.
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let request = Request::post("http://a/").body(()).unwrap();
            waiting.push(client.begin(request, true).await);
        }
        for (answer, mut body) in waiting {
            assert!(send(&mut body, vec![b'x'; 1000].into(), true).await);
            let answer = whole(answer.await.unwrap()).await;
            assert_eq!(answer.json()["body"].as_str().unwrap().len(), 1000);
        }
        assert_eq!(client.ended.await.unwrap(), None, "an end without an error");
    }
    gateway.metric("fairway_downstream_connections", 0.0).await;
    // Below the limit a connection stays.
    let mut client = Http2::connect(gateway.address()).await;
    for _ in 0..4 {
        assert_eq!(client.get("/").await.status, 200);
    }
    assert!(!client.ended.is_finished());
}
