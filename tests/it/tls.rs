//! TLS with clients: names, protocols, resumption, changes of certificates, and what is no TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fairway_controller::compile::ListenerSettings;
use fairway_dataplane::Config;
use fairway_snapshot::{ListenerName, Protocol};
use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, config, everything_to, options};
use fairway_tests::http::{Client, ask, get};
use fairway_tests::http2::{Http2, send, whole};
use fairway_tests::origin::{Echo, Raw, read_head, write};
use fairway_tests::tls::{certificate, client, connect};
use http::Request;
use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::got;

/// A gateway with the listeners `http` and `https`.
async fn gateway(backend: SocketAddr, certificates: Vec<PathBuf>) -> Gateway {
    let mut options = options();
    let http = options.listeners[&ListenerName::from("http")].clone();
    let https = ListenerSettings { protocol: Protocol::Https, ..http };
    options.listeners.insert(ListenerName::from("https"), https);
    let config = Config { certificates, client_head: Duration::from_secs(1), ..config() };
    Gateway::start_with(&everything_to(backend), config, options).await
}

/// Such a gateway with a backend and a certificate, and the certificate with its folder.
async fn secured() -> (TempDir, CertificateDer<'static>, Gateway) {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path(), &["a.example"]);
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, vec![folder.path().to_owned()]).await;
    (folder, trusted, gateway)
}

const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

#[tokio::test]
async fn both_versions_and_both_protocols_are_spoken() {
    let (_folder, trusted, gateway) = secured().await;
    let address = gateway.address_of("https");
    for version in [&TLS12, &TLS13] {
        for (offers, chosen) in [
            (&["http/1.1"][..], Some("http/1.1")),
            (&["h2", "http/1.1"], Some("h2")),
            (&["http/1.1", "h2"], Some("h2")),
            (&[], None),
        ] {
            let client = client(&trusted, &[version], offers);
            let stream = connect(&client, address, "a.example").await.unwrap();
            let (_, session) = stream.get_ref();
            assert_eq!(session.alpn_protocol(), chosen.map(str::as_bytes), "{offers:?}");
            let answer = if chosen == Some("h2") {
                Http2::over(stream).await.get("/x").await
            } else {
                let mut client = Client::secured(stream);
                assert_eq!(client.ask(PLAIN).await.status, 200);
                client.ask(PLAIN).await
            };
            assert_eq!(answer.status, 200);
            assert_eq!(got(&answer, "x-forwarded-proto"), ["https"]);
            assert_eq!(got(&answer, "x-forwarded-port"), [address.port().to_string()]);
            assert!(got(&answer, "forwarded")[0].ends_with(";proto=https"));
        }
    }
    // Who offers nothing that is spoken is refused (RFC 7301 section 3.2).
    assert!(
        connect(&client(&trusted, &[&TLS13], &["spdy/3"]), address, "a.example").await.is_err()
    );
    let plain = get(gateway.address(), "/x").await;
    assert_eq!(got(&plain, "x-forwarded-proto"), ["http"]);
}

#[tokio::test]
async fn long_bodies_pass_whole() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path(), &["a.example"]);
    // Sends back what it gets, while it comes.
    let mirror = Raw::start(|_, mut stream| async move {
        let mut part = vec![0; 64 * 1024];
        while !read_head(&mut stream).await.is_empty() {
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n").await;
            let mut left = 8_000_000;
            while left > 0 {
                let length = stream.read(&mut part).await.unwrap();
                assert_ne!(length, 0, "the body broke off");
                stream.write_all(&part[..length]).await.unwrap();
                left -= length;
            }
        }
    })
    .await;
    let gateway = gateway(mirror.address, vec![folder.path().to_owned()]).await;
    let address = gateway.address_of("https");
    let body: Vec<u8> = (0..8_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let stream = connect(&client(&trusted, &[&TLS13], &["http/1.1"]), address, "a.example").await;
    let (mut reads, mut writes) = tokio::io::split(stream.unwrap());
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8000000\r\nConnection: close\r\n\r\n";
    let sent = body.clone();
    let uploads = tokio::spawn(async move {
        writes.write_all(head.as_bytes()).await.unwrap();
        writes.write_all(&sent).await.unwrap();
        writes.flush().await.unwrap();
        writes
    });
    let mut answer = Vec::new();
    // The end of TLS is said, and not only that of the connection.
    reads.read_to_end(&mut answer).await.unwrap();
    drop(uploads.await.unwrap());
    assert!(answer.ends_with(&body), "{} bytes", answer.len());

    let stream = connect(&client(&trusted, &[&TLS13], &["h2"]), address, "a.example").await;
    let mut client = Http2::over(stream.unwrap()).await;
    let request = Request::post("https://a.example/").header("content-length", body.len());
    let (answer, mut sends) = client.begin(request.body(()).unwrap(), true).await;
    let sent = body.clone();
    let uploads = tokio::spawn(async move { send(&mut sends, sent.into(), true).await });
    let answer = whole(answer.await.unwrap()).await;
    assert!(answer.body == body, "{} {} of {} bytes", answer.status, answer.body.len(), body.len());
    assert!(uploads.await.unwrap());
}

#[tokio::test]
async fn who_comes_again_needs_no_whole_handshake() {
    let (_folder, trusted, gateway) = secured().await;
    for version in [&TLS12, &TLS13] {
        let client = client(&trusted, &[version], &["http/1.1"]);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = connect(&client, gateway.address_of("https"), "a.example").await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind), "{version:?}");
            assert_eq!(Client::secured(stream).ask(PLAIN).await.status, 200);
        }
    }
    gateway.metric("fairway_tls_handshakes_total{result=\"full\"}", 2.0).await;
    gateway.metric("fairway_tls_handshakes_total{result=\"resumed\"}", 2.0).await;
}

#[tokio::test]
async fn the_name_chooses_the_certificate_and_a_changed_one_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let a = certificate(&first, &["a.example"]);
    let b = certificate(&second, &["*.b.example"]);
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, vec![first.clone(), second]).await;
    let address = gateway.address_of("https");
    let tries =
        async |trusted, name: &str| connect(&client(trusted, &[&TLS13], &[]), address, name).await;
    assert!(tries(&a, "a.example").await.is_ok());
    assert!(tries(&b, "x.b.example").await.is_ok());
    assert!(tries(&b, "a.example").await.is_err());
    // Who is connected stays, whatever becomes of the certificate.
    let mut kept = Client::secured(tries(&a, "a.example").await.unwrap());
    assert_eq!(kept.ask(PLAIN).await.status, 200);
    std::fs::write(first.join("tls.key"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(tries(&a, "a.example").await.is_ok(), "a broken key replaces nothing");
    let renewed = certificate(&first, &["a.example"]);
    eventually("the new certificate is there", || async {
        tries(&renewed, "a.example").await.ok()
    })
    .await;
    assert!(tries(&a, "a.example").await.is_err());
    assert_eq!(kept.ask(PLAIN).await.status, 200);
    let ends = gateway.metrics().await;
    let name = format!(
        "fairway_certificate_not_after_timestamp_seconds{{certificate=\"{}\"}}",
        first.display()
    );
    assert!(ends[&name] > 1_900_000_000.0, "{ends:?}");
}

#[tokio::test]
async fn what_is_no_tls_is_told_so() {
    let (folder, trusted, gateway) = secured().await;
    let address = gateway.address_of("https");
    let answer = ask(address, PLAIN).await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "tls_missing"));
    assert_eq!(answer.header("connection"), Some("close"));
    let counted = async |reason: &str, code: u16, count: f64| {
        let name =
            format!("fairway_unrouted_requests_total{{reason=\"{reason}\",code=\"{code}\"}}");
        gateway.metric(&name, count).await;
    };
    counted("tls_missing", 400, 1.0).await;
    // Who does not trust us ends the handshake.
    let other = certificate(&folder.path().join("other"), &["a.example"]);
    assert!(connect(&client(&other, &[&TLS13], &[]), address, "a.example").await.is_err());
    counted("tls_handshake_failed", 400, 1.0).await;
    // Who says nothing, or not all, is not waited for; who leaves at once is no mistake.
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    half.write_all(&[22, 3, 1]).await.unwrap();
    drop(tokio::net::TcpStream::connect(address).await.unwrap());
    for stream in [&mut silent, &mut half] {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut rest));
        assert!(ended.await.is_ok(), "still open");
    }
    counted("client_head_timeout", 408, 2.0).await;
    gateway.metric("fairway_tls_handshakes_total{result=\"failed\"}", 4.0).await;
    gateway.metric("fairway_downstream_connections", 0.0).await;
    // A wrong preface behind the choice of HTTP/2 is answered in frames (RFC 9113 section 3.4).
    let stream = connect(&client(&trusted, &[&TLS13], &["h2"]), address, "a.example").await;
    let mut stream = stream.unwrap();
    stream.write_all(PLAIN.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!((answer[answer.len() - 14], answer[answer.len() - 1]), (7, 1), "{answer:?}");
}

#[tokio::test]
async fn a_listener_without_a_certificate_refuses_and_the_others_serve() {
    let echo = Echo::start("a").await;
    let gateway = gateway(echo.address, Vec::new()).await;
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    // A certificate may come: the port is there, and nobody is shown anything.
    assert!(gateway.plane.applied().borrow().failures.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path(), &["a.example"]);
    let client = client(&trusted, &[&TLS13], &[]);
    assert!(connect(&client, gateway.address_of("https"), "a.example").await.is_err());
    let failed = "fairway_unrouted_requests_total{reason=\"tls_handshake_failed\",code=\"400\"}";
    gateway.metric(failed, 1.0).await;
}
