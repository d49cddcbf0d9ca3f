//! How messages are framed (RFC 9112 section 6): what can be read in two ways is refused, and the
//! rest passes whole.

use std::time::Duration;

use fairway_tests::gateway::{Gateway, everything_to, route};
use fairway_tests::http::{Client, ask, get};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use tokio::io::AsyncReadExt;

use super::got;

/// What a backend sends, and the status and body that the client gets.
const ANSWERS: &[(&str, u16, &str)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
    ("HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end"),
    ("HTTP/1.0 200 OK\r\n\r\nold", 200, "old"),
    ("\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello"),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=\"1\"\r\nhello\r\nA \r\n, 10 bytes\r\n0\r\nConnection: x\r\nX-End: 1\r\n\r\n",
        200,
        "hello, 10 bytes",
    ),
    // The length is not true when there are chunks too.
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
        200,
        "hello world",
    ),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", 200, "hello"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
    (
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        200,
        "ok",
    ),
    ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
    // Bytes behind an answer belong to nobody.
    ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 204, ""),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nevil", 200, "ok"),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 502, ""),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello", 502, ""),
    ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", 502, ""),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello", 502, ""),
    ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello", 502, ""),
    ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello", 502, ""),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502, ""),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 502, ""),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 502, ""),
    ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, ""),
    ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, ""),
    ("HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n", 502, ""),
    ("HTTP/1.1 200 OK\r\nX : blank before the colon\r\n\r\n", 502, ""),
    ("HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n", 502, ""),
    ("HTTP/2 200 OK\r\n\r\n", 502, ""),
    ("HTTP/1.1 20 OK\r\n\r\n", 502, ""),
    ("HTTP/1.1 200 OK\r\nContent-Le", 502, ""),
];

#[tokio::test]
async fn every_answer_is_passed_whole_or_refused_and_poisons_nothing() {
    for (sent, status, body) in ANSWERS {
        let origin = Raw::start(move |number, mut stream| async move {
            read_head(&mut stream).await;
            if number == 0 {
                write(&mut stream, sent).await;
            } else {
                write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext").await;
                let _ = stream.read_u8().await;
            }
        })
        .await;
        let gateway = Gateway::start(&everything_to(origin.address)).await;
        let mut client = Client::connect(gateway.address()).await;
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(answer.status, *status, "{sent:?}");
        if *status == 502 {
            let known = ["upstream_protocol_error", "upstream_reset"];
            assert!(known.contains(&answer.problem().as_str()), "{sent:?}");
        } else {
            assert_eq!(String::from_utf8_lossy(&answer.body), *body, "{sent:?}");
            let lengths = answer.headers.iter().filter(|(name, _)| name == "content-length");
            assert!(lengths.count() <= 1, "{sent:?}");
            let trailed = sent.contains("X-End: 1").then(|| ("x-end".to_owned(), "1".to_owned()));
            assert_eq!(answer.trailers, Vec::from_iter(trailed), "{sent:?}");
        }
        // The connection of the client goes on, and the backend's bytes are not taken for an answer.
        let next = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!((next.status, next.body.as_slice()), (200, &b"next"[..]), "{sent:?}");
    }
}

/// What a backend sends behind a good head, none of which is a whole body.
const BROKEN: &[&str] = &[
    "5\r\nhel",
    "5\r\nhello\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
];

#[tokio::test]
async fn a_chunked_body_that_is_malformed_never_looks_complete() {
    for sent in BROKEN {
        let origin = Raw::start(move |_, mut stream| async move {
            read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            write(&mut stream, sent).await;
        })
        .await;
        let gateway = Gateway::start(&everything_to(origin.address)).await;
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let rest = client.rest().await;
        assert!(!rest.ends_with(b"0\r\n\r\n"), "{sent:?}: {}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn a_body_in_chunks_reaches_the_backend_whatever_the_method() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    for method in ["GET", "POST", "DELETE", "QUERY"] {
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        );
        let answer = ask(gateway.address(), &request).await;
        assert_eq!(answer.json()["body"], "hello world", "{method}");
    }
    let connections = gateway.metrics().await["fairway_upstream_connections_opened_total"];
    assert_eq!(connections, 1.0, "the connection is kept behind each");
}

#[tokio::test]
async fn what_cannot_be_passed_on_as_it_was_meant_is_refused() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let chunks = "0\r\n\r\n";
    for (request, reason) in [
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n{chunks}"
            ),
            "transfer_coding_not_supported",
        ),
        ("CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "method_not_supported"),
    ] {
        let answer = ask(gateway.address(), &request).await;
        assert_eq!((answer.status, answer.problem().as_str()), (501, reason), "{request}");
    }
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn fields_that_backends_cannot_tell_apart_and_a_missing_host_are_mended() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let request = "GET / HTTP/1.0\r\nX_Forwarded_For: 10.0.0.1\r\nX-Kept: 1\r\n\r\n";
    let answer = ask(gateway.address(), request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(got(&answer, "x_forwarded_for"), Vec::<String>::new());
    assert_eq!(got(&answer, "x-kept"), ["1"]);
    assert_eq!(got(&answer, "host"), [echo.address.to_string()]);
}

#[tokio::test]
async fn an_answer_that_needs_no_body_is_read_while_the_body_is_sent() {
    let gateway =
        Gateway::start(&route("- match: [{path: /x}]\n  backends: [{host: a, port: 1}]")).await;
    // A short one is read, and the connection goes on.
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..2 {
        let answer =
            client.ask("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
        assert_eq!((answer.status, answer.header("connection")), (404, None));
    }
    // A long one is not, and the answer is not lost by closing the connection.
    client.send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n").await;
    let part = vec![b'x'; 80_000];
    for _ in 0..100 {
        assert!(client.try_send(&part).await, "the connection was reset");
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
    // Who asks first is not told to go on.
    let mut client = Client::connect(gateway.address()).await;
    client
        .send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 404);
}

#[tokio::test]
async fn the_wait_for_a_head_does_not_count_as_a_body_that_stopped() {
    let origin = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        write(&mut stream, "ok").await;
    })
    .await;
    let gateway = Gateway::start(&route(&format!(
        "- policy: {{timeouts: {{response: 10s, idle: 1s}}}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        origin.address.port()
    )))
    .await;
    assert_eq!(get(gateway.address(), "/").await.body, b"ok");
}
