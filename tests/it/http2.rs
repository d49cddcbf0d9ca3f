//! HTTP/2 with clients: what passes, what is refused, and how connections end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, config, everything_to, options, route};
use fairway_tests::http2::{DATA, Frames, HEADERS, Http2, fields, frame, next, send, whole};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use http::{HeaderMap, Request, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::got;

async fn echo() -> (Echo, Gateway) {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    (echo, gateway)
}

fn uri(path: &str) -> String {
    format!("http://test.example:81{path}")
}

#[tokio::test]
async fn requests_arrive_as_those_of_http1_do() {
    let (_echo, gateway) = echo().await;
    let mut client = Http2::connect(gateway.address()).await;
    let request = Request::put(uri("/a%20b/../c?x=%41&y"))
        .header("x-a", "1")
        .header("x-a", "2")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("cookie", "c=3")
        .header("te", "trailers")
        .header("x-forwarded-for", "6.6.6.6");
    let (answer, mut body) = client.begin(request.body(()).unwrap(), true).await;
    assert!(send(&mut body, Bytes::from_static(b"hello "), false).await);
    assert!(send(&mut body, Bytes::from_static(b"world"), true).await);
    let answer = answer.await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    let answer = whole(answer).await;
    let said = answer.json();
    let told = ["method", "path", "query", "body"].map(|name| said[name].as_str().unwrap());
    assert_eq!(told, ["PUT", "/c", "x=%41&y", "hello world"]);
    assert_eq!(got(&answer, "x-a"), ["1", "2"]);
    assert_eq!(got(&answer, "cookie"), ["a=1; b=2; c=3"]);
    assert_eq!(got(&answer, "host"), ["test.example:81"]);
    assert_eq!(got(&answer, "te"), ["trailers"]);
    assert_eq!(got(&answer, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(got(&answer, "transfer-encoding"), ["chunked"]);
    assert!(answer.header("date").is_some() && answer.header("server-timing").is_some());
    // A length that was said is kept.
    let request = Request::post(uri("/")).header("content-length", "5").body(()).unwrap();
    let (answer, mut body) = client.begin(request, true).await;
    assert!(send(&mut body, Bytes::from_static(b"hello"), true).await);
    assert_eq!(got(&whole(answer.await.unwrap()).await, "content-length"), ["5"]);
    // Without an authority the host stands in its field.
    let mut client = Frames::connect(gateway.address()).await;
    let head = [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "other.example")];
    assert!(client.send(&frame(HEADERS, 0x5, 1, &fields(&head))).await);
    let body = client.until(DATA).await.unwrap().payload;
    let said: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(said["headers"]["host"], serde_json::json!(["other.example"]));
    let name =
        "fairway_requests_total{namespace=\"default\",route=\"test\",rule=\"rule-0\",code=\"200\"}";
    gateway.metric(name, 3.0).await;
}

/// A backend that answers each request with these bytes.
async fn says(answer: &'static str) -> (Raw, Gateway) {
    let backend = Raw::start(move |_, mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {
            write(&mut stream, answer).await;
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    (backend, gateway)
}

#[tokio::test]
async fn answers_arrive_as_the_backend_sends_them() {
    let (_backend, gateway) = says(
        "HTTP/1.1 203 Odd\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: x-gone\r\nX-Gone: 1\r\nKeep-Alive: 1\r\nX-A: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nContent-Length: 9\r\nX-End: 1\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n",
    )
    .await;
    let mut client = Http2::connect(gateway.address()).await;
    let answer = client.get("/").await;
    assert_eq!((answer.status, answer.body.as_slice()), (203, &b"hello"[..]));
    assert_eq!(answer.values("x-a"), ["1", "2"]);
    assert_eq!(answer.values("date"), ["Thu, 01 Jan 1970 00:00:00 GMT"]);
    assert_eq!(answer.trailers, [("x-end".to_owned(), "1".to_owned())]);
    for gone in ["connection", "x-gone", "keep-alive", "transfer-encoding", "content-length"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }

    // What has no body says no more, and what has one of no bytes says so.
    for (answer, status, length) in [
        ("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", 204, None),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 304, Some("3")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, Some("0")),
    ] {
        let (_backend, gateway) = says(answer).await;
        let answer = Http2::connect(gateway.address()).await.get("/").await;
        assert_eq!((answer.status, answer.header("content-length")), (status, length));
        assert_eq!(answer.values("date").len(), 1, "a date is added where there is none");
        assert_eq!(answer.body, b"");
    }
    let (_backend, gateway) = says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").await;
    let head = Request::head(uri("/")).body(()).unwrap();
    let answer = Http2::connect(gateway.address()).await.ask(head).await;
    assert_eq!((answer.header("content-length"), answer.body.as_slice()), (Some("3"), &b""[..]));
}

#[tokio::test]
async fn trailers_and_large_bodies_pass_whole() {
    let backend = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        // The request as it came, chunks and all, until its last line.
        let (mut all, mut part) = (Vec::new(), vec![0; 64 * 1024]);
        while !all.ends_with(b"x-sum: 1\r\n\r\n") {
            let length = stream.read(&mut part).await.unwrap();
            assert_ne!(length, 0);
            all.extend_from_slice(&part[..length]);
            write(&mut stream, &format!("{length:x}\r\n")).await;
            stream.write_all(&part[..length]).await.unwrap();
            write(&mut stream, "\r\n").await;
        }
        write(&mut stream, "0\r\n\r\n").await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let mut client = Http2::connect(gateway.address()).await;
    let (answer, mut body) = client.begin(Request::post(uri("/")).body(()).unwrap(), true).await;
    let sent: Vec<u8> = (0..4_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let bytes = Bytes::from(sent.clone());
    let uploads = tokio::spawn(async move {
        assert!(send(&mut body, bytes, false).await);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        body.send_trailers(trailers).unwrap();
    });
    let answer = whole(answer.await.unwrap()).await;
    uploads.await.unwrap();
    // Chunks on the way to the backend, taken off again.
    let (mut rest, mut arrived) = (answer.body.as_slice(), Vec::new());
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            break;
        }
        arrived.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
    assert!(arrived == sent, "{} of {} bytes", arrived.len(), sent.len());
}

#[tokio::test]
async fn what_the_codec_lets_pass_and_may_not_is_refused_with_its_reason() {
    let (echo, gateway) = echo().await;
    let mut client = Http2::connect(gateway.address()).await;
    let long = "x".repeat(8000);
    let mut large = Request::get(uri("/"));
    for _ in 0..9 {
        large = large.header("x-long", &long);
    }
    let get = || Request::get(uri("/"));
    for (request, status, reason) in [
        (get().header("x-a", " 1"), 400, "head_malformed"),
        (get().header("x-a", "1\t"), 400, "head_malformed"),
        (get().header("host", "other.example"), 400, "host_malformed"),
        (
            get().header("host", "test.example:81").header("host", "test.example:81"),
            400,
            "host_malformed",
        ),
        (Request::get("http://user@test.example/"), 400, "host_malformed"),
        (Request::get("http://test.example/a%zz"), 400, "malformed_percent_triplet"),
        (large, 431, "head_too_large"),
        (Request::connect("test.example:81"), 501, "method_not_supported"),
    ] {
        let answer = client.ask(request.body(()).unwrap()).await;
        assert_eq!((answer.status, answer.problem()), (status, reason.to_owned()));
        assert_eq!(answer.header("connection"), None);
        let count = gateway.metrics().await;
        let name =
            format!("fairway_unrouted_requests_total{{reason=\"{reason}\",code=\"{status}\"}}");
        assert!(count.get(&name).is_some_and(|count| *count >= 1.0), "{name}");
    }
    assert_eq!(echo.requests(), 0);
    // The connection goes on.
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn interim_answers_pass_and_a_body_is_sent_when_it_is_asked_for() {
    let backend = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n").await;
        let early = tokio::time::timeout(Duration::from_millis(200), stream.read_u8());
        assert!(early.await.is_err(), "the body came unasked");
        write(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
        stream.write_all(&body).await.unwrap();
    })
    .await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let mut client = Http2::connect(gateway.address()).await;
    let request =
        Request::put(uri("/")).header("expect", "100-continue").header("content-length", "5");
    let (mut answer, mut body) = client.begin(request.body(()).unwrap(), true).await;
    let mut interim = async || {
        let next = std::future::poll_fn(|cx| answer.poll_informational(cx)).await;
        next.unwrap().unwrap()
    };
    let hints = interim().await;
    assert_eq!(
        (hints.status().as_u16(), hints.headers()["link"].as_bytes()),
        (103, &b"</a.css>"[..])
    );
    assert_eq!(interim().await.status().as_u16(), 100);
    assert!(send(&mut body, Bytes::from_static(b"hello"), true).await);
    assert_eq!(whole(answer.await.unwrap()).await.body, b"hello");
}

#[tokio::test]
async fn who_leaves_and_who_breaks_off_is_noticed() {
    let (backend, mut tells) = Raw::waits().await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let mut client = Http2::connect(gateway.address()).await;
    let mut told =
        async || tokio::time::timeout(Duration::from_secs(5), tells.recv()).await.unwrap();
    // A stream that is reset, before and within its answer; the others go on.
    let (answer, mut stream) = client.begin(Request::get(uri("/")).body(()).unwrap(), true).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stream.send_reset(h2::Reason::CANCEL);
    assert!(answer.await.is_err());
    told().await;
    let (answer, mut stream) =
        client.begin(Request::get(uri("/begun")).body(()).unwrap(), true).await;
    assert_eq!(answer.await.unwrap().status().as_u16(), 200);
    stream.send_reset(h2::Reason::CANCEL);
    told().await;
    // A backend that breaks off.
    let (answer, _) = client.begin(Request::get(uri("/breaks")).body(()).unwrap(), false).await;
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(next(&mut body).await.unwrap().unwrap(), "x");
    let error = next(&mut body).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    // A connection that is gone.
    let (answer, _stream) = client.begin(Request::get(uri("/")).body(()).unwrap(), false).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.ended.abort();
    drop((answer, client));
    told().await;
    let requests = "fairway_requests_total{namespace=\"default\",route=\"test\",rule=\"rule-0\"";
    gateway.metric(&format!("{requests},code=\"499\"}}"), 2.0).await;
    gateway.metric("fairway_requests_in_flight", 0.0).await;
    gateway.metric("fairway_downstream_connections", 0.0).await;
}

#[tokio::test]
async fn an_early_answer_arrives_while_the_body_is_still_coming() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&route(&format!(
        "- policy: {{limits: {{bodyBytes: 1000}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        echo.address.port()
    )))
    .await;
    let mut client = Http2::connect(gateway.address()).await;
    let request = Request::post(uri("/")).header("content-length", "9000000").body(()).unwrap();
    let (answer, mut body) = client.begin(request, true).await;
    let uploads =
        tokio::spawn(async move { send(&mut body, vec![0; 9_000_000].into(), true).await });
    let answer = whole(answer.await.unwrap()).await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "body_too_large"));
    assert!(!uploads.await.unwrap(), "the whole body was taken");
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn connections_are_closed_when_they_are_idle_and_requests_end_before_the_gateway_does() {
    let slow = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    })
    .await;
    let settings = fairway_dataplane::Config {
        client_idle: Duration::from_millis(500),
        client_head: Duration::from_millis(500),
        ..config()
    };
    let gateway = Gateway::start_with(&everything_to(slow.address), settings, options()).await;
    // Idle begins behind the last request.
    let began = Instant::now();
    let mut client = Http2::connect(gateway.address()).await;
    assert_eq!(client.get("/").await.status, 200);
    assert_eq!(client.ended.await.unwrap(), None);
    assert!(began.elapsed() >= Duration::from_millis(1200), "{:?}", began.elapsed());
    // Who says nothing behind the preface's beginning is not waited for.
    let mut silent = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    gateway
        .metric("fairway_unrouted_requests_total{reason=\"client_head_timeout\",code=\"408\"}", 1.0)
        .await;

    let mut client = Http2::connect(gateway.address()).await;
    let (answer, _) = client.begin(Request::get(uri("/")).body(()).unwrap(), false).await;
    eventually("the backend has the request", || async { (slow.connections() == 2).then_some(()) })
        .await;
    let began = Instant::now();
    gateway.plane.shutdown().await;
    assert_eq!(whole(answer.await.unwrap()).await.body, b"ok");
    assert_eq!(client.ended.await.unwrap(), None);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
