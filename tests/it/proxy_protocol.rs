//! The PROXY protocol: whom a load balancer names is the client everywhere, before TLS and before HTTP, and
//! nobody else may name anybody.

use std::net::SocketAddr;
use std::time::Duration;

use fairway_controller::compile::ListenerSettings;
use fairway_dataplane::{Config, Trust};
use fairway_snapshot::{ListenerName, Protocol};
use fairway_tests::gateway::{Gateway, config, options, route};
use fairway_tests::http::{Answer, Client};
use fairway_tests::http2::Http2;
use fairway_tests::origin::Echo;
use fairway_tests::tls::{certificate, client};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::got;

const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// Version 2: a command, a family, and what stands behind.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length, rest].concat()
}

fn manifest(backend: SocketAddr) -> String {
    let port = backend.port();
    let headers = "headers: {request: {set: {x-client: '%{client.address}'}}}";
    route(&format!("- policy: {{{headers}}}\n  backends: [{{host: 127.0.0.1, port: {port}}}]"))
}

/// A gateway behind balancers in these networks, with the listeners `http` and, given a certificate, `https`.
async fn gateway(echo: &Echo, networks: &[&str], config: Config) -> Gateway {
    let mut options = options();
    let mut http = options.listeners[&ListenerName::from("http")].clone();
    http.proxy_protocol = true;
    if !config.certificates.is_empty() {
        let https = ListenerSettings { protocol: Protocol::Https, ..http.clone() };
        options.listeners.insert(ListenerName::from("https"), https);
    }
    options.listeners.insert(ListenerName::from("http"), http);
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    let config = Config { trust: Trust { hops: 0, networks }, ..config };
    Gateway::start_with(&manifest(echo.address), config, options).await
}

/// A connection that begins with this.
async fn announced(address: SocketAddr, begin: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.set_nodelay(true);
    // One that is refused may be closed before.
    let _ = stream.write_all(begin).await;
    stream
}

/// The client as the backend is told of it.
fn client_of(answer: &Answer) -> String {
    let client = got(answer, "x-forwarded-for").concat();
    assert_eq!(got(answer, "x-client").concat(), client);
    client
}

const NEAR: &[&str] = &["127.0.0.0/8", "10.0.0.0/8"];

#[tokio::test]
async fn whom_a_balancer_names_is_the_client() {
    let echo = Echo::start("a").await;
    let gateway = gateway(&echo, NEAR, config()).await;
    let four = [192, 0, 2, 9, 198, 51, 100, 1, 0x12, 0x67, 0x20, 0xFB];
    let six = [&[0x20, 0x01, 0x0D, 0xB8][..], &[0; 11], &[9], &[0; 16], &[0, 1, 0, 80]].concat();
    for (begin, client, port) in [
        (LINE.to_vec(), "192.0.2.7", 443),
        (b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n".to_vec(), "2001:db8::7", 2),
        (b"PROXY TCP6 ::ffff:192.0.2.8 ::1 1 2\r\n".to_vec(), "192.0.2.8", 2),
        (binary(1, 0x11, &four), "192.0.2.9", 8443),
        (binary(1, 0x11, &[&four[..], &[4, 0, 1, 0]].concat()), "192.0.2.9", 8443),
        (binary(1, 0x21, &six), "2001:db8::9", 80),
        (b"PROXY UNKNOWN 192.0.2.7 x\r\n".to_vec(), "127.0.0.1", gateway.address().port()),
        (binary(0, 0x00, &[]), "127.0.0.1", gateway.address().port()),
    ] {
        // Alone, with the request in one write, and byte by byte.
        let mut clients = vec![Client::over(announced(gateway.address(), &begin).await)];
        let mut slow = TcpStream::connect(gateway.address()).await.unwrap();
        slow.set_nodelay(true).unwrap();
        for byte in &begin {
            slow.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        clients.push(Client::over(slow));
        for mut client_side in clients {
            for _ in 0..2 {
                let answer = client_side.ask(PLAIN).await;
                assert_eq!(client_of(&answer), client);
                assert_eq!(got(&answer, "x-forwarded-port"), [port.to_string()]);
            }
        }
        let whole = [&begin, PLAIN.as_bytes()].concat();
        let mut client_side = Client::over(announced(gateway.address(), &whole).await);
        assert_eq!(client_of(&client_side.answer().await), client);
        let stream = announced(gateway.address(), &begin).await;
        assert_eq!(client_of(&Http2::over(stream).await.get("/").await), client);
    }
}

#[tokio::test]
async fn it_comes_before_tls() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path(), &["a.example"]);
    let echo = Echo::start("a").await;
    let certificates = vec![folder.path().to_owned()];
    let gateway = gateway(&echo, NEAR, Config { certificates, ..config() }).await;
    for protocol in ["http/1.1", "h2"] {
        let stream = announced(gateway.address_of("https"), LINE).await;
        let name = ServerName::try_from("a.example").unwrap();
        let stream = client(&trusted, &[&TLS13], &[protocol]).connect(name, stream).await.unwrap();
        let answer = match protocol {
            "h2" => Http2::over(stream).await.get("/").await,
            _ => Client::secured(stream).ask(PLAIN).await,
        };
        assert_eq!(client_of(&answer), "192.0.2.7");
        assert_eq!(got(&answer, "x-forwarded-proto"), ["https"]);
    }
    // TLS that is not announced is none.
    let mut stream = announced(gateway.address_of("https"), &[22, 3, 1]).await;
    assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0);
    gateway.metric(&refused("proxy_protocol_missing"), 1.0).await;
}

fn refused(reason: &str) -> String {
    let code = if reason == "client_head_timeout" { 408 } else { 400 };
    format!("fairway_unrouted_requests_total{{reason=\"{reason}\",code=\"{code}\"}}")
}

#[tokio::test]
async fn who_is_named_is_believed_as_if_it_came_itself() {
    let echo = Echo::start("a").await;
    let gateway = gateway(&echo, NEAR, config()).await;
    let claims = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
    for (begin, expected) in [
        // A client of a balancer that passes bytes on says what it likes.
        (LINE.to_vec(), "192.0.2.7"),
        // A proxy that is trusted stands behind the balancer.
        (b"PROXY TCP4 10.1.2.3 198.51.100.1 1 2\r\n".to_vec(), "203.0.113.9, 10.1.2.3"),
        // Of a connection whose client is not told nothing is believed.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (binary(0, 0x11, &[0; 12]), "127.0.0.1"),
    ] {
        let mut client = Client::over(announced(gateway.address(), &begin).await);
        assert_eq!(got(&client.ask(claims).await, "x-forwarded-for"), [expected]);
    }
}

#[tokio::test]
async fn what_is_not_announced_is_closed_and_counted() {
    let echo = Echo::start("a").await;
    let settings = Config { client_head: Duration::from_millis(300), ..config() };
    let gateway = gateway(&echo, NEAR, settings).await;
    for (begin, reason) in [
        (PLAIN.as_bytes(), "proxy_protocol_missing"),
        (b"PROXY TCP4 a b c d\r\n", "proxy_protocol_malformed"),
        (b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", "proxy_protocol_malformed"),
        (b"PROXY TCP4 192.0.2.7 198.51", "client_head_timeout"),
        (b"", "client_head_timeout"),
    ] {
        let before = gateway.metrics().await.get(&refused(reason)).copied().unwrap_or_default();
        let mut stream = announced(gateway.address(), begin).await;
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
        // Whether it is a reset does not matter.
        let _ = read.await.expect("it is closed");
        assert_eq!(rest, b"", "{reason}");
        gateway.metric(&refused(reason), before + 1.0).await;
    }
    // Half of one, and the end.
    let mut half = announced(gateway.address(), b"PROXY TCP4 1").await;
    half.shutdown().await.unwrap();
    gateway.metric(&refused("proxy_protocol_malformed"), 3.0).await;
    // Who leaves without a word was looking whether somebody listens.
    drop(TcpStream::connect(gateway.address()).await.unwrap());
    gateway.metric("fairway_downstream_connections", 0.0).await;
    assert_eq!(gateway.metrics().await[&refused("client_head_timeout")], 2.0);
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn only_known_peers_may_announce() {
    let echo = Echo::start("a").await;
    for (networks, hops) in [(&["10.0.0.0/8"][..], 0), (&[], 1), (&[], 0)] {
        let mut gateway = gateway(&echo, networks, config()).await;
        if hops > 0 {
            // Hops name nobody.
            let trust = Trust { hops, networks: Vec::new() };
            let config = Config { trust, ..config() };
            let manifest = manifest(echo.address);
            gateway = Gateway::start_with(&manifest, config, gateway.options.clone()).await;
        }
        // It may be closed before it is seen to be open.
        if let Ok(stream) = TcpStream::connect(gateway.address()).await {
            let mut client = Client::over(stream);
            client.try_send(&[LINE, PLAIN.as_bytes()].concat()).await;
            assert_eq!(client.rest().await, b"");
        }
        let name = "fairway_downstream_connections_refused_total{reason=\"proxy_protocol\"}";
        gateway.metric(name, 1.0).await;
    }
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn connections_are_counted_for_whom_they_are_announced() {
    let echo = Echo::start("a").await;
    let settings = Config { max_connections_per_client: 1, ..config() };
    let gateway = gateway(&echo, NEAR, settings).await;
    let asks = async |begin: &[u8]| {
        let mut client = Client::over(announced(gateway.address(), begin).await);
        client.try_send(PLAIN.as_bytes()).await;
        client.try_head().await.map(|_| client)
    };
    let other = b"PROXY TCP4 192.0.2.8 198.51.100.1 4711 443\r\n";
    let first = asks(LINE).await.expect("the first of its client");
    let _other = asks(other).await.expect("the first of another one");
    assert!(asks(LINE).await.is_none(), "the second");
    // The balancer's own are not counted, nor are those of a trusted proxy.
    let mut own = Vec::new();
    for begin in [&b"PROXY UNKNOWN\r\n"[..], b"PROXY TCP4 10.1.2.3 198.51.100.1 1 2\r\n"].repeat(3)
    {
        own.push(asks(begin).await.expect("a place"));
    }
    let name = "fairway_downstream_connections_refused_total{reason=\"client\"}";
    gateway.metric(name, 1.0).await;
    drop(first);
    gateway.metric("fairway_downstream_connections", 7.0).await;
    assert!(asks(LINE).await.is_some(), "its place is free again");
}

#[tokio::test]
async fn a_listener_that_comes_to_want_it_keeps_its_connections() {
    let echo = Echo::start("a").await;
    let mut gateway = gateway(&echo, NEAR, config()).await;
    let mut kept = Client::over(announced(gateway.address(), LINE).await);
    assert_eq!(kept.ask(PLAIN).await.status, 200);
    let change = async |gateway: &mut Gateway, wants: bool| {
        for listener in gateway.options.listeners.values_mut() {
            listener.proxy_protocol = wants;
        }
        gateway.apply(&manifest(echo.address)).await;
    };
    change(&mut gateway, false).await;
    let answer = Client::connect(gateway.address()).await.ask(PLAIN).await;
    assert_eq!(client_of(&answer), "127.0.0.1");
    change(&mut gateway, true).await;
    let mut client = Client::over(announced(gateway.address(), LINE).await);
    assert_eq!(client_of(&client.ask(PLAIN).await), "192.0.2.7");
    assert_eq!(client_of(&kept.ask(PLAIN).await), "192.0.2.7");
}
