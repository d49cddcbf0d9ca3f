//! Bodies stream in both directions; nothing waits for their end.

use std::time::Duration;

use fairway_tests::gateway::{Gateway, everything_to};
use fairway_tests::http::Client;
use fairway_tests::http2::{Http2, send, whole};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn the_first_part_of_an_answer_comes_before_its_last_is_made() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let origin = Raw::start(move |_, mut stream| {
        let mut wait = wait.clone();
        async move {
            read_head(&mut stream).await;
            write(
                &mut stream,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
            )
            .await;
            wait.wait_for(|go| *go).await.unwrap();
            write(&mut stream, "4\r\nlast\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("transfer-encoding"), Some("chunked"));
    assert_eq!(client.chunk().await.unwrap(), b"first");
    go.send_replace(true);
    assert_eq!(client.chunk().await.unwrap(), b"last");
    assert_eq!(client.chunk().await.unwrap(), b"");
}

#[tokio::test]
async fn the_first_part_of_a_request_goes_before_its_last_is_sent() {
    let (told, mut tells) = tokio::sync::mpsc::channel::<Vec<u8>>(8);
    let origin = Raw::start(move |_, mut stream| {
        let told = told.clone();
        async move {
            read_head(&mut stream).await;
            let mut part = vec![0; 64];
            let length = stream.read(&mut part).await.unwrap();
            part.truncate(length);
            told.send(part).await.unwrap();
            let mut rest = [0; 4];
            stream.read_exact(&mut rest).await.unwrap();
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst").await;
    assert_eq!(tells.recv().await.unwrap(), b"first");
    client.send("last").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_there_goes_with_its_head() {
    const BODY: usize = 16 * 1024;
    let (sender, mut first) = tokio::sync::mpsc::unbounded_channel();
    let origin = Raw::start(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            let mut bytes = vec![0; 2 * BODY];
            while let Ok(mut read @ 1..) = stream.read(&mut bytes).await {
                sender.send(read).unwrap();
                while !bytes[..read].ends_with(b"end") {
                    read += stream.read(&mut bytes[read..]).await.unwrap();
                }
                write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    let body = "b".repeat(BODY - 3) + "end";
    let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n{body}");
    // Two writes are seen as two at least now and then.
    for _ in 0..50 {
        assert_eq!(client.ask(&request).await.status, 200);
        let read = first.recv().await.unwrap();
        assert!(read > BODY, "{read} bytes came first");
    }
}

#[tokio::test]
async fn large_bodies_pass_whole_and_connections_are_kept() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut client = Client::connect(gateway.address()).await;
    for count in [1usize, 100_000, 5_000_000] {
        let request = format!("GET /bytes/{count} HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.ask(&request).await;
        assert_eq!((answer.status, answer.body.len()), (200, count));
        assert!(answer.body.iter().all(|byte| *byte == b'x'));
    }
    let body = "y".repeat(1_000_000);
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(&head).await;
    client.send(&body).await;
    assert_eq!(client.answer().await.json()["body"].as_str().unwrap().len(), body.len());
    assert_eq!(gateway.metrics().await["fairway_upstream_connections_opened_total"], 1.0);
}

#[tokio::test]
async fn an_answer_that_comes_early_is_passed_on_and_its_connection_not_used_again() {
    let origin = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(origin.address)).await;
    for expected in [1, 2] {
        let mut client = Client::connect(gateway.address()).await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_slice()), (413, &b"no"[..]));
        drop(client);
        assert_eq!(origin.connections(), expected);
    }
}

/// More than the sockets on the way can hold.
const SIZE: usize = 32 << 20;

/// A backend that writes its whole answer while it reads the whole request.
async fn both_at_once() -> Raw {
    Raw::start(|_, mut stream| async move {
        // What is left unread at the end would take the answer with it.
        read_head(&mut stream).await;
        let (mut reads, mut writes) = stream.into_split();
        let answer = tokio::spawn(async move {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
            writes.write_all(head.as_bytes()).await.unwrap();
            writes.write_all(&vec![b'x'; SIZE]).await.unwrap();
        });
        let (mut part, mut left) = (vec![0; 64 * 1024], SIZE);
        while left > 0 {
            let read = reads.read(&mut part).await.unwrap();
            assert_ne!(read, 0, "the body broke off");
            left = left.saturating_sub(read);
        }
        answer.await.unwrap();
    })
    .await
}

#[tokio::test]
async fn a_client_that_reads_nothing_can_send_its_whole_body() {
    let backend = both_at_once().await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    let body = vec![b'y'; SIZE];
    let mut client = Client::connect(gateway.address()).await;
    client.send(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")).await;
    let sent = tokio::time::timeout(Duration::from_secs(60), client.try_send(&body)).await;
    assert_eq!(sent, Ok(true));
    assert_eq!(client.answer().await.body.len(), SIZE);

    let mut client = Http2::connect(gateway.address()).await;
    let request = Request::post("http://a/").header("content-length", SIZE).body(()).unwrap();
    let (answer, mut sends) = client.begin(request, true).await;
    let sent = send(&mut sends, body.into(), true);
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), sent).await, Ok(true));
    assert_eq!(whole(answer.await.unwrap()).await.body.len(), SIZE);
}
