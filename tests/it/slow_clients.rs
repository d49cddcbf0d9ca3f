//! Clients that send or read on and on, and too slowly, are cut; nobody else is: not whoever waits for the
//! backend, not whoever has nothing to read, not a conversation.

use std::net::SocketAddr;
use std::time::Duration;

use fairway_dataplane::Config;
use fairway_tests::gateway::{Gateway, config, options, route};
use fairway_tests::http::Client;
use fairway_tests::http2::{Http2, next, send, whole};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const STEP: Duration = Duration::from_millis(50);

/// A gateway that asks for so many bytes a second, and lets a client be behind by half a second.
async fn gateway(backend: SocketAddr, send: u64, read: u64) -> Gateway {
    let port = backend.port();
    let manifest = route(&format!(
        "- policy: {{timeouts: {{idle: 500ms}}}}\n  backends: [{{host: 127.0.0.1, port: {port}}}]"
    ));
    let config = Config { client_send_rate: send, client_read_rate: read, ..config() };
    Gateway::start_with(&manifest, config, options()).await
}

async fn counted(gateway: &Gateway, reason: &str) {
    gateway.metric(&format!("fairway_slow_clients_total{{reason=\"{reason}\"}}"), 1.0).await;
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}

async fn nobody_was_slow(gateway: &Gateway) {
    gateway.metric("fairway_requests_in_flight", 0.0).await;
    for reason in ["client_sends_too_slowly", "client_reads_too_slowly"] {
        gateway.metric(&format!("fairway_slow_clients_total{{reason=\"{reason}\"}}"), 0.0).await;
    }
}

const UPLOAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_answered_408() {
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, 10_000, 0).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send(UPLOAD).await;
    // A twentieth of what is asked for; it never stands still.
    let mut sent = 0;
    while client.try_send(&[b'x'; 25]).await && sent < 60 {
        tokio::time::sleep(STEP).await;
        sent += 1;
        if gateway.metrics().await["fairway_requests_in_flight"] == 0.0 {
            break;
        }
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.problem().as_str()), (408, "client_sends_too_slowly"));
    assert_eq!(answer.header("connection"), Some("close"));
    counted(&gateway, "client_sends_too_slowly").await;
    let total =
        "fairway_requests_total{namespace=\"default\",route=\"test\",rule=\"rule-0\",code=\"408\"}";
    gateway.metric(total, 1.0).await;
}

#[tokio::test]
async fn a_stream_whose_body_comes_too_slowly_is_answered_and_the_others_go_on() {
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, 10_000, 0).await;
    let mut client = Http2::connect(gateway.address()).await;
    let request = Request::post("http://a/").body(()).unwrap();
    let (answer, mut body) = client.begin(request, true).await;
    let slow = tokio::spawn(async move {
        while send(&mut body, vec![b'x'; 25].into(), false).await {
            tokio::time::sleep(STEP).await;
        }
    });
    let answer = whole(answer.await.unwrap()).await;
    assert_eq!((answer.status, answer.problem().as_str()), (408, "client_sends_too_slowly"));
    slow.abort();
    assert_eq!(client.get("/").await.status, 200);
    counted(&gateway, "client_sends_too_slowly").await;
}

#[tokio::test]
async fn a_body_that_comes_fast_enough_is_taken_however_long_it_takes() {
    let echo = Echo::start("a").await;
    // Far more than half a second, at a hundred times the rate.
    for rate in [500, 0] {
        let gateway = gateway(echo.address, rate, 0).await;
        let mut client = Client::connect(gateway.address()).await;
        client.send(UPLOAD).await;
        for _ in 0..40 {
            client.send(&"x".repeat(2500)).await;
            tokio::time::sleep(STEP).await;
        }
        assert_eq!(client.answer().await.status, 200);
        nobody_was_slow(&gateway).await;
    }
}

#[tokio::test]
async fn a_slow_backend_is_not_its_clients_fault() {
    const SIZE: usize = 32 << 20;
    let slow = Raw::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        let mut part = vec![0; 1 << 20];
        for _ in 0..SIZE >> 20 {
            stream.read_exact(&mut part).await.unwrap();
            tokio::time::sleep(STEP).await;
        }
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    // The backend takes a tenth of what the client must send, and the client sends all that is taken.
    let gateway = gateway(slow.address, 200 << 20, 0).await;
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
    let sends = tokio::spawn(async move {
        writes.write_all(head.as_bytes()).await.unwrap();
        writes.write_all(&vec![b'x'; SIZE]).await.unwrap();
        writes
    });
    let mut answer = [0; 12];
    reads.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(sends.await.unwrap());
    nobody_was_slow(&gateway).await;
}

/// A connection whose kernel takes little before it is read.
async fn narrow(address: SocketAddr, room: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(room).unwrap();
    socket.connect(address).await.unwrap()
}

/// Reads an answer, so much at each step; says how much came.
async fn read_slowly(stream: &mut TcpStream, each: usize) -> usize {
    stream
        .write_all(b"GET /bytes/9000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let (mut part, mut total) = (vec![0; each], 0);
    while let Ok(length @ 1..) = stream.read(&mut part).await {
        total += length;
        if each < 9_000_000 {
            tokio::time::sleep(STEP).await;
        }
    }
    total
}

#[tokio::test]
async fn an_answer_that_is_read_too_slowly_is_cut() {
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, 0, 10_000_000).await;
    // It is read all the time: whoever looks for a standstill alone sees none.
    let mut stream = narrow(gateway.address(), 64 * 1024).await;
    let total = read_slowly(&mut stream, 64_000).await;
    assert!(total < 9_000_000, "the whole answer came");
    counted(&gateway, "client_reads_too_slowly").await;
}

#[tokio::test]
async fn an_answer_that_is_read_fast_enough_comes_whole() {
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, 0, 10_000).await;
    let mut stream = narrow(gateway.address(), 128 * 1024).await;
    assert!(read_slowly(&mut stream, 400_000).await > 9_000_000);
    nobody_was_slow(&gateway).await;
}

#[tokio::test]
async fn a_stream_that_is_read_too_slowly_is_reset_and_the_others_go_on() {
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, 0, 10_000_000).await;
    let mut client = Http2::connect(gateway.address()).await;
    let request = Request::get("http://a/bytes/9000000").body(()).unwrap();
    let (slow, _) = client.begin(request, false).await;
    let mut slow = slow.await.unwrap().into_body();
    let error = loop {
        match next(&mut slow).await.expect("it came whole") {
            Ok(_) => tokio::time::sleep(STEP).await,
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
    assert_eq!(client.get("/bytes/1000").await.body.len(), 1000);
    counted(&gateway, "client_reads_too_slowly").await;
}

#[tokio::test]
async fn who_has_nothing_to_read_or_to_send_is_not_slow() {
    let events = Raw::start(|_, mut stream| async move {
        let head = read_head(&mut stream).await;
        if head.contains("pgrade") {
            write(
                &mut stream,
                "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            )
            .await;
        } else {
            write(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        }
        for _ in 0..30 {
            write(&mut stream, "1\r\nx\r\n").await;
            tokio::time::sleep(STEP).await;
        }
        write(&mut stream, "0\r\n\r\n").await;
    })
    .await;
    let gateway = gateway(events.address, 1_000_000, 1_000_000).await;
    // A long answer with little in it.
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.body.len(), 30);
    // A body that goes on while the answer does, and a conversation.
    let begins = [
        (UPLOAD, 200, 30),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            101,
            185,
        ),
    ];
    for (begin, status, length) in begins {
        let mut client = Client::connect(gateway.address()).await;
        client.send(begin).await;
        assert_eq!(client.head().await.status, status);
        let mut got = 0;
        while got < length {
            got += if status == 200 {
                client.chunk().await.unwrap().len()
            } else {
                client.exactly(5).await.len()
            };
            client.send("x").await;
        }
    }
    // gRPC: a stream of messages that come when there are any.
    let mut client = Http2::connect(gateway.address()).await;
    let request = Request::post("http://a/").header("content-type", "application/grpc");
    let (answer, mut body) = client.begin(request.body(()).unwrap(), true).await;
    let answer = tokio::spawn(async move { whole(answer.await.unwrap()).await });
    for _ in 0..30 {
        send(&mut body, vec![b'x'; 5].into(), false).await;
        tokio::time::sleep(STEP).await;
    }
    send(&mut body, vec![b'x'; 5].into(), true).await;
    assert_eq!(answer.await.unwrap().status, 200);
    nobody_was_slow(&gateway).await;
}
