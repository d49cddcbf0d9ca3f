//! What a backend says before its answer (RFC 9110 section 15.2), and clients that wait for it.

use std::time::{Duration, Instant};

use fairway_tests::gateway::{Gateway, everything_to};
use fairway_tests::http::{Client, ask};
use fairway_tests::origin::{Raw, read_head, write};
use tokio::io::AsyncReadExt;

/// A backend that behaves by the path that it is asked for, and tells the head that it got.
async fn backend() -> Raw {
    Raw::start(|_, mut stream| async move {
        loop {
            let head = read_head(&mut stream).await;
            let path = head.split(' ').nth(1).unwrap_or_default();
            match path {
                "/hints" => {
                    write(&mut stream, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: y\r\n\r\n").await;
                    write(&mut stream, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n").await;
                }
                "/many" => write(&mut stream, &"HTTP/1.1 102 Processing\r\n\r\n".repeat(17)).await,
                "/asks" => {
                    // Nothing of the body may have come before it was asked for.
                    let early = tokio::time::timeout(Duration::from_millis(200), stream.read_u8());
                    assert!(early.await.is_err(), "the body came unasked");
                    write(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
                }
                "/refuses" => {
                    write(&mut stream, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno").await;
                    assert!(stream.read_u8().await.is_err(), "the body came all the same");
                    return;
                }
                "" => return,
                _ => {}
            }
            let mut body = vec![0; if head.contains("content-length: 5") { 5 } else { 0 }];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
            let told = format!("{head}{}", String::from_utf8_lossy(&body));
            let length = told.len();
            write(&mut stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{told}")).await;
        }
    })
    .await
}

async fn gateway() -> (Raw, Gateway) {
    let backend = backend().await;
    let gateway = Gateway::start(&everything_to(backend.address)).await;
    (backend, gateway)
}

fn put(path: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
}

#[tokio::test]
async fn what_comes_before_an_answer_is_passed_on() {
    let (_backend, gateway) = gateway().await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET /hints HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let hints = client.head().await;
    assert_eq!((hints.status, hints.reason.as_str()), (103, "Early Hints"));
    // What belongs to the connection, and what it names, does not pass.
    assert_eq!(hints.headers, [("Link".to_owned(), "</a.css>".to_owned())]);
    // Nobody waits to be told to go on.
    assert_eq!(client.head().await.status, 102);
    assert_eq!(client.answer().await.status, 200);
    // The connection goes on.
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    // HTTP/1.0 knows no such answers.
    let mut old = Client::connect(gateway.address()).await;
    old.send("GET /hints HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!(old.head().await.status, 200);
    let many = ask(gateway.address(), "GET /many HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!((many.status, many.problem().as_str()), (502, "upstream_protocol_error"));
}

#[tokio::test]
async fn a_client_sends_its_body_when_the_backend_asks_for_it() {
    let (_backend, gateway) = gateway().await;
    let mut client = Client::connect(gateway.address()).await;
    client.send(&put("/asks")).await;
    assert_eq!(client.head().await.status, 100);
    client.send("hello").await;
    let answer = client.answer().await;
    let told = String::from_utf8(answer.body).unwrap();
    assert!(told.contains("expect: 100-continue\r\n") && told.ends_with("hello"), "{told}");
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn a_backend_that_wants_no_body_gets_none() {
    let (_backend, gateway) = gateway().await;
    let mut client = Client::connect(gateway.address()).await;
    let answer = client.ask(&put("/refuses")).await;
    assert_eq!((answer.status, answer.header("connection")), (417, Some("close")));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_backend_that_says_nothing_keeps_no_client_waiting() {
    let (_backend, gateway) = gateway().await;
    let mut client = Client::connect(gateway.address()).await;
    let began = Instant::now();
    client.send(&put("/silent")).await;
    assert_eq!(client.head().await.status, 100);
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    client.send("hello").await;
    assert_eq!(client.answer().await.status, 200);
    // Who sends without waiting is told nothing.
    client.send(&format!("{}hello", put("/silent"))).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
}
