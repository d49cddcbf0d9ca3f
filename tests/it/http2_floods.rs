//! What an attacker does with frames (RFC 9113 section 10.5): it is told to be calm, and nobody else
//! notices.

use std::time::{Duration, Instant};

use fairway_tests::floods::{CALM, FLOODS, flood};
use fairway_tests::gateway::{Gateway, everything_to};
use fairway_tests::http::get;
use fairway_tests::http2::{DATA, Frames, HEADERS, PING, WINDOW_UPDATE, frame, get_fields};
use fairway_tests::origin::{Echo, Raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// PROTOCOL_ERROR (RFC 9113 section 7).
const PROTOCOL_ERROR: u32 = 1;

#[tokio::test]
async fn who_floods_is_told_to_be_calm_and_nobody_else_notices() {
    let never = Raw::start(|_, mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&fairway_tests::gateway::route(&format!(
        "- match: [{{path: /never}}]\n  backends: [{{host: 127.0.0.1, port: {}}}]\n- backends: [{{host: 127.0.0.1, port: {}}}]",
        never.address.port(),
        echo.address.port()
    )))
    .await;
    for name in FLOODS {
        let mut attacker = Frames::connect(gateway.address()).await;
        let make = flood(name);
        let began = Instant::now();
        for batch in 0..100 {
            let bytes: Vec<u8> = (0..100).flat_map(|count| make(batch * 100 + count)).collect();
            if !attacker.send(&bytes).await {
                break;
            }
        }
        let error = attacker.goaway().await;
        assert_eq!(error, Some(CALM), "{name}");
        assert!(began.elapsed() < Duration::from_secs(1), "{name}: {:?}", began.elapsed());
        assert_eq!(get(gateway.address(), "/").await.status, 200, "{name}");
    }
    gateway
        .metric("fairway_unrouted_requests_total{reason=\"http2_flood\",code=\"429\"}", 9.0)
        .await;
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}

#[tokio::test]
async fn who_floods_with_its_first_bytes_is_told_too() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    for name in FLOODS {
        let make = flood(name);
        let bytes: Vec<u8> = (0..3000).flat_map(make).collect();
        let mut attacker = Frames::connect_with(gateway.address(), &bytes).await;
        assert_eq!(attacker.goaway().await, Some(CALM), "{name}");
    }
}

#[tokio::test]
async fn what_a_busy_client_sends_is_no_flood() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    let mut client = Frames::connect(gateway.address()).await;
    // Each part of a long body is acknowledged for the stream and for the connection.
    let head = get_fields("/bytes/30000000");
    assert!(client.send(&frame(HEADERS, 0x5, 1, &head)).await);
    let mut left = 30_000_000;
    while left > 0 {
        let part = client.until(DATA).await.expect("no end");
        left -= part.payload.len();
        let room = u32::try_from(part.payload.len()).unwrap().to_be_bytes();
        if !part.payload.is_empty() {
            for stream in [0, 1] {
                assert!(client.send(&frame(WINDOW_UPDATE, 0, stream, &room)).await);
            }
        }
    }
    // Many requests, each taken back after its answer began, over some time.
    for stream in (3..600).step_by(2) {
        assert!(client.send(&frame(HEADERS, 0x5, stream, &get_fields("/"))).await);
        client.until(HEADERS).await.expect("an answer");
        assert!(client.send(&frame(PING, 0, 0, &[0; 8])).await);
    }
}

#[tokio::test]
async fn a_wrong_preface_is_answered_in_frames() {
    let echo = Echo::start("a").await;
    let gateway = Gateway::start(&everything_to(echo.address)).await;
    for wrong in ["PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "PRI /x HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
        stream.write_all(wrong.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let goaway = &answer[answer.len() - 17..];
        assert_eq!((goaway[3], goaway[16]), (7, 1), "{wrong}: {answer:?}");
    }
    gateway
        .metric("fairway_unrouted_requests_total{reason=\"http2_malformed\",code=\"400\"}", 2.0)
        .await;
    // Frames that are wrong end the connection, and are counted, too.
    let mut client = Frames::connect(gateway.address()).await;
    assert!(client.send(&frame(PING, 0, 1, &[0; 8])).await);
    assert_eq!(client.goaway().await, Some(PROTOCOL_ERROR));
    assert_eq!(client.next().await, None);
    gateway
        .metric("fairway_unrouted_requests_total{reason=\"http2_malformed\",code=\"400\"}", 3.0)
        .await;
}

#[tokio::test]
async fn all_streams_that_come_at_once_are_taken_at_once() {
    let never = Raw::start(|_, mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let gateway = Gateway::start(&everything_to(never.address)).await;
    let mut client = Frames::connect(gateway.address()).await;
    let heads = (0..100).flat_map(|count| frame(HEADERS, 0x5, count * 2 + 1, &get_fields("/")));
    assert!(client.send(&heads.collect::<Vec<u8>>()).await);
    gateway.metric("fairway_requests_in_flight", 100.0).await;
}
