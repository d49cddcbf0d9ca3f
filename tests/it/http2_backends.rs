//! HTTP/2 with backends: what passes for clients of either protocol, what is tried again, and how
//! connections are shared.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, route};
use fairway_tests::http::{Client, ask, get};
use fairway_tests::http2::{Http2, Stream, answer, next, origin, send, serve, whole};
use fairway_tests::origin::{Raw, read_head, write};
use h2::Reason;
use h2::server::Builder;
use http::{HeaderMap, Request, Response};
use tokio::io::AsyncReadExt;

async fn gateway(backend: SocketAddr, policy: &str) -> Gateway {
    Gateway::start(&route(&format!(
        "- policy: {{{policy}}}\n  backends: [{{host: 127.0.0.1, port: {}, protocol: h2c}}]",
        backend.port()
    )))
    .await
}

fn ok() -> Response<()> {
    Response::new(())
}

/// Says what it got: the first line, the fields, the body, the trailers.
async fn tells(_: usize, (request, to): Stream) -> bool {
    let (parts, mut stream) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version);
    for (name, value) in &parts.headers {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    let mut length = 0;
    while let Some(Ok(part)) = next(&mut stream).await {
        length += part.len();
    }
    let trailers = stream.trailers().await.ok().flatten().unwrap_or_default();
    text.push_str(&format!("body {length} trailers {:?}\n", trailers.get("x-sum")));
    let head = Response::builder().status(203).header("x-a", "1").header("x-a", "2");
    let mut to = to;
    let mut stream = to.send_response(head.body(()).unwrap(), false).unwrap();
    send(&mut stream, text.into(), false).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", "1".parse().unwrap());
    let _ = stream.send_trailers(trailers);
    false
}

#[tokio::test]
async fn requests_of_either_protocol_arrive_alike() {
    let backend = origin(tells).await;
    let gateway = gateway(backend.address, "").await;
    let post = "POST /a/../b?c=%41 HTTP/1.1\r\nHost: test.example:81\r\nConnection: x-gone\r\nX-Gone: 1\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 3\r\n\r\n";
    let one = Client::connect(gateway.address()).await.ask(post).await;
    let mut client = Http2::connect(gateway.address()).await;
    let request = Request::post("http://test.example:81/a/../b?c=%41").header("te", "trailers");
    let (two, mut body) = client.begin(request.body(()).unwrap(), true).await;
    assert!(send(&mut body, Bytes::from_static(b"hello"), false).await);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "3".parse().unwrap());
    body.send_trailers(trailers).unwrap();
    let two = whole(two.await.unwrap()).await;
    for told in [one, two] {
        assert_eq!((told.status, told.values("x-a")), (203, vec!["1", "2"]));
        assert_eq!(told.trailers, [("x-end".to_owned(), "1".to_owned())]);
        let text = String::from_utf8(told.body).unwrap();
        assert!(text.starts_with("POST http://test.example:81/b?c=%41 HTTP/2.0\n"), "{text}");
        assert!(
            text.contains("te: trailers\n") && text.contains("x-forwarded-proto: http\n"),
            "{text}"
        );
        for gone in ["x-gone", "connection", "transfer-encoding", "\nhost", "content-length"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert!(text.ends_with("body 5 trailers Some(\"3\")\n"), "{text}");
    }
    // A length that was said is told, and a long body comes whole.
    let length = 3_000_000;
    let mut client = Client::connect(gateway.address()).await;
    client.send(&format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
    assert!(client.try_send(&vec![b'x'; length]).await);
    let text = String::from_utf8(client.answer().await.body).unwrap();
    assert!(text.contains("content-length: 3000000\n") && text.contains("body 3000000 "), "{text}");
    // HTTP/1.0 without a host gets the backend's name.
    let old = ask(gateway.address(), "GET / HTTP/1.0\r\n\r\n").await;
    let text = String::from_utf8(old.body).unwrap();
    assert!(text.starts_with(&format!("GET http://{}/ ", backend.address)), "{text}");
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn answers_arrive_as_they_are() {
    let backend = origin(|_, (request, mut to): Stream| async move {
        let with = |name, value| Response::builder().header(name, value).body(()).unwrap();
        match request.uri().path() {
            "/none" => {
                answer(to, Response::builder().status(204).body(()).unwrap(), b"").await;
            }
            "/head" => {
                answer(to, with("content-length", "9"), b"").await;
            }
            "/blank" => {
                answer(to, with("x-a", " 1"), b"x").await;
            }
            "/hints" => {
                let hints =
                    Response::builder().status(103).header("link", "</a>").body(()).unwrap();
                to.send_informational(hints).unwrap();
                answer(to, ok(), b"hinted").await;
            }
            "/breaks" => {
                let mut stream = to.send_response(ok(), false).unwrap();
                send(&mut stream, Bytes::from_static(b"x"), false).await;
                // A reset takes back what has not left yet.
                tokio::time::sleep(Duration::from_millis(100)).await;
                stream.send_reset(Reason::INTERNAL_ERROR);
            }
            "/protocol" => to.send_reset(Reason::PROTOCOL_ERROR),
            _ => {
                answer(to, with("content-length", "5"), b"hello").await;
            }
        }
        false
    })
    .await;
    let gateway = gateway(backend.address, "").await;
    let answer = get(gateway.address(), "/").await;
    assert_eq!(
        (answer.header("content-length"), answer.body.as_slice()),
        (Some("5"), &b"hello"[..])
    );
    let none = get(gateway.address(), "/none").await;
    assert_eq!((none.status, none.header("content-length")), (204, None));
    let head = ask(gateway.address(), "HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(head.header("content-length"), Some("9"));
    let blank = get(gateway.address(), "/blank").await;
    assert_eq!((blank.status, blank.problem().as_str()), (502, "upstream_protocol_error"));
    let reset = get(gateway.address(), "/protocol").await;
    assert_eq!((reset.status, reset.problem().as_str()), (502, "upstream_reset"));
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET /hints HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let hints = client.head().await;
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a>")));
    assert_eq!(client.answer().await.body, b"hinted");
    // What breaks off does not look whole.
    client.send("GET /breaks HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("transfer-encoding"), Some("chunked"));
    assert_eq!(client.rest().await, b"1\r\nx\r\n");
}

#[tokio::test]
async fn what_a_backend_did_not_take_is_tried_again() {
    // Each path is refused once.
    let seen = std::sync::Arc::new(std::sync::Mutex::new(std::collections::HashMap::new()));
    let backend = origin(move |_, (request, mut to): Stream| {
        let seen = std::sync::Arc::clone(&seen);
        async move {
            let path = request.uri().path().to_owned();
            let count = {
                let mut seen = seen.lock().unwrap();
                let count = seen.entry(path.clone()).or_insert(0);
                *count += 1;
                *count
            };
            if path == "/refused" && count == 1 {
                to.send_reset(Reason::REFUSED_STREAM);
                return false;
            }
            if path == "/broken" {
                to.send_reset(Reason::INTERNAL_ERROR);
                return false;
            }
            if path == "/counts" {
                let counts = format!("{:?}", seen.lock().unwrap().get("/broken"));
                answer(to, ok(), counts.as_bytes()).await;
                return false;
            }
            if path == "/always" {
                to.send_reset(Reason::REFUSED_STREAM);
                return false;
            }
            answer(to, ok(), path.as_bytes()).await;
            path == "/goes"
        }
    })
    .await;
    let gateway = gateway(backend.address, "").await;
    let post = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(ask(gateway.address(), &post("/refused")).await.body, b"/refused");
    let always = ask(gateway.address(), &post("/always")).await;
    assert_eq!((always.status, always.problem().as_str()), (502, "upstream_reset"));
    // What it may have done something with is not sent again.
    let broken = ask(gateway.address(), &post("/broken")).await;
    assert_eq!((broken.status, broken.problem().as_str()), (502, "upstream_reset"));
    assert_eq!(ask(gateway.address(), &post("/counts")).await.body, b"Some(1)");
    // A backend that says goodbye between requests fails none of them.
    for _ in 0..20 {
        assert_eq!(ask(gateway.address(), &post("/goes")).await.body, b"/goes");
        assert_eq!(ask(gateway.address(), &post("/stays")).await.body, b"/stays");
    }
}

#[tokio::test]
async fn requests_share_connections_and_give_up_on_those_that_are_silent() {
    let backend = origin(|number, (request, mut to): Stream| async move {
        if request.uri().path() == "/silent" {
            let _ = std::future::poll_fn(|cx| to.poll_reset(cx)).await;
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer(to, ok(), number.to_string().as_bytes()).await;
        false
    })
    .await;
    let gateway = gateway(backend.address, "timeouts: {response: 300ms}").await;
    let many = (0..300).map(|_| get(gateway.address(), "/"));
    let answers = futures::future::join_all(many).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    // 128 at once go over one.
    assert!((1..=3).contains(&backend.connections()), "{}", backend.connections());
    let before = backend.connections();
    let late = get(gateway.address(), "/silent").await;
    assert_eq!((late.status, late.problem().as_str()), (504, "response_timeout"));
    let after = get(gateway.address(), "/").await;
    assert_eq!((after.status, backend.connections() >= before), (200, true));
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}

#[tokio::test]
async fn what_is_no_http2_is_an_error_of_the_backend() {
    let http1 = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let gateway = gateway(http1.address, "").await;
    let answer = get(gateway.address(), "/").await;
    assert_eq!((answer.status, answer.problem().as_str()), (502, "upstream_protocol_error"));
    let closes = Raw::start(|_, mut stream| async move {
        let _ = stream.read_u8().await;
    })
    .await;
    let gateway = self::gateway(closes.address, "").await;
    let answer = get(gateway.address(), "/").await;
    assert_eq!((answer.status, answer.problem().as_str()), (502, "upstream_reset"));
}

#[tokio::test]
async fn clients_that_take_nothing_hold_up_no_other_stream_of_their_backend() {
    let backend = origin(|_, (request, to): Stream| async move {
        let size: usize = request.uri().path()[1..].parse().unwrap();
        answer(to, ok(), &vec![b'x'; size]).await;
        false
    })
    .await;
    let gateway = gateway(backend.address, "").await;
    // Streams of which each holds all that it may.
    let mut stalled = Vec::new();
    for _ in 0..32 {
        // What the sockets on the way can hold must not hide that nothing is taken.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut client = Client::over(socket.connect(gateway.address()).await.unwrap());
        client.send("GET /6000000 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.head().await.status, 200);
        stalled.push(client);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let others = (0..32).map(|_| get(gateway.address(), "/2000000"));
    for other in futures::future::join_all(others).await {
        assert_eq!(other.body.len(), 2_000_000);
    }
    let one = stalled.pop().unwrap();
    drop(stalled);
    let mut one = one;
    let mut length = 0;
    while let Some(chunk) = one.chunk().await.filter(|chunk| !chunk.is_empty()) {
        length += chunk.len();
    }
    assert_eq!(length, 6_000_000);
    eventually("those that left are forgotten", || async {
        (gateway.metrics().await["fairway_requests_in_flight"] == 0.0).then_some(())
    })
    .await;
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_broken_off_for_the_backend() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let backend = origin(move |_, (request, mut to): Stream| {
        let told = told.clone();
        async move {
            // It answers while the body comes, and goes on until that ends.
            let _answer = to.send_response(ok(), false).unwrap();
            let mut body = request.into_body();
            while let Some(part) = next(&mut body).await {
                if let Err(error) = part {
                    let _ = told.send(error.reason());
                    break;
                }
            }
            std::future::pending().await
        }
    })
    .await;
    let gateway = gateway(backend.address, "").await;
    let mut client = Client::connect(gateway.address()).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        .await;
    assert_eq!(client.head().await.status, 200);
    client.send("zz\r\n").await;
    let reason = tokio::time::timeout(Duration::from_secs(5), tells.recv()).await.unwrap();
    assert_eq!(reason, Some(Some(Reason::CANCEL)));
}

#[tokio::test]
async fn a_burst_gets_as_many_connections_as_it_needs() {
    // No stream is answered before all of them are there.
    let all = Arc::new(tokio::sync::Barrier::new(100));
    let backend = Raw::start(move |number, stream| {
        let all = Arc::clone(&all);
        let script = move |_, (_, to): Stream| {
            let all = Arc::clone(&all);
            async move {
                all.wait().await;
                answer(to, ok(), b"x").await;
                false
            }
        };
        let mut builder = Builder::new();
        builder.max_concurrent_streams(10);
        serve(builder, number, stream, script)
    })
    .await;
    let gateway = gateway(backend.address, "timeouts: {response: 8s}").await;
    let many = (0..100).map(|_| get(gateway.address(), "/"));
    let answers = futures::future::join_all(many).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!((10..=14).contains(&backend.connections()), "{}", backend.connections());
    assert_eq!(gateway.metrics().await["fairway_upstream_retries_total"], 0.0);
}

#[tokio::test]
async fn requests_that_wait_for_one_connection_fail_with_it() {
    let gateway = gateway(SocketAddr::from(([127, 0, 0, 1], 1)), "timeouts: {connect: 1s}").await;
    let many = (0..20).map(|_| get(gateway.address(), "/"));
    let answers = futures::future::join_all(many).await;
    for answer in answers {
        assert_eq!((answer.status, answer.problem().as_str()), (502, "connect_refused"));
    }
    // Each tries five times, and none of them waits for the failures of the others one by one.
    let name = "fairway_upstream_connect_failures_total{reason=\"connect_refused\"}";
    let failures = gateway.metrics().await[name];
    assert!((5.0..=100.0).contains(&failures), "{failures}");
}

#[tokio::test]
async fn a_connection_that_ended_is_not_taken() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let backend = Raw::start(move |number, stream| {
        let told = told.clone();
        async move {
            let script = |_, (_, to): Stream| async move {
                answer(to, ok(), b"x").await;
                true
            };
            serve(Builder::new(), number, stream, script).await;
            let _ = told.send(());
        }
    })
    .await;
    let gateway = gateway(backend.address, "").await;
    for _ in 0..3 {
        assert_eq!(get(gateway.address(), "/").await.status, 200);
        // The gateway has closed its side.
        tells.recv().await.unwrap();
    }
    assert_eq!(gateway.metrics().await["fairway_upstream_retries_total"], 0.0);
    assert_eq!(backend.connections(), 3);
}
