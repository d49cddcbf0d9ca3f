//! TLS with backends: what passes over it, which protocol is chosen, and what becomes of connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fairway_dataplane::Config;
use fairway_tests::gateway::{Gateway, config, options, route};
use fairway_tests::http::{Client, ask, get};
use fairway_tests::http2::{Http2, Stream, answer, next, send, serve, whole};
use fairway_tests::origin::{Echo, read_head, write};
use fairway_tests::tls::{Authority, config_map, origin, server, server_of};
use h2::server::Builder;
use http::{HeaderMap, Request, Response};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::got;

const NAME: &str = "backend.example";
const BOTH: &[&str] = &["h2", "http/1.1"];

/// A rule for a backend with TLS whose certificate is for [`NAME`], and whom `authority` vouches for.
fn manifests(backend: SocketAddr, protocol: &str, policy: &str, authority: &Authority) -> String {
    let port = backend.port();
    route(&format!(
        "- policy: {{{policy}}}\n  backends: [{{host: 127.0.0.1, port: {port}, protocol: {protocol}, tls: {{serverName: {NAME}, caConfigMap: ca}}}}]"
    )) + &config_map("ca", &authority.pem())
}

/// A gateway with such a rule.
async fn gateway(
    backend: SocketAddr,
    protocol: &str,
    policy: &str,
    authority: &Authority,
) -> Gateway {
    Gateway::start(&manifests(backend, protocol, policy, authority)).await
}

const HANDSHAKES: &str = "fairway_upstream_tls_handshakes_total";
const OPENED: &str = "fairway_upstream_connections_opened_total";
const RETRIES: &str = "fairway_upstream_retries_total";

#[tokio::test]
async fn clients_and_backends_of_either_protocol_meet() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    // What the backend offers, what the gateway is told to speak, and what is spoken then.
    for (offers, protocol, version) in [
        (BOTH, "https", "HTTP/2.0"),
        (&["h2"][..], "https", "HTTP/2.0"),
        (&["http/1.1"], "https", "HTTP/1.1"),
        (&[], "https", "HTTP/1.1"),
        (BOTH, "http", "HTTP/1.1"),
        (BOTH, "grpc", "HTTP/2.0"),
    ] {
        let acceptor = server(&identity, offers);
        let echo = Echo::secured("a", move || acceptor.clone()).await;
        let gateway = gateway(echo.address, protocol, "", &authority).await;
        let mut client = Client::connect(gateway.address()).await;
        let one = client
            .ask("POST /x?y=1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello")
            .await;
        let mut client = Http2::connect(gateway.address()).await;
        let request = Request::post("http://a.example/x?y=1").header("content-length", 5);
        let (two, mut body) = client.begin(request.body(()).unwrap(), true).await;
        assert!(send(&mut body, Bytes::from_static(b"hello"), true).await);
        for told in [one, whole(two.await.unwrap()).await] {
            let case = format!("{offers:?} {protocol}");
            assert_eq!(told.status, 200, "{case}: {told:?}");
            let said = told.json();
            assert_eq!((&said["version"], &said["body"]), (&version.into(), &"hello".into()));
            assert_eq!((&said["path"], &said["query"]), (&"/x".into(), &"y=1".into()), "{case}");
            // HTTP/2 says the scheme of the connection; the client's stands in its field.
            let scheme = (version == "HTTP/2.0").then_some("https");
            assert_eq!(said["scheme"].as_str(), scheme, "{case}");
            assert_eq!(got(&told, "x-forwarded-proto"), ["http"], "{case}");
        }
        let metrics = gateway.metrics().await;
        assert_eq!((metrics[OPENED], metrics[RETRIES]), (1.0, 0.0), "{offers:?} {protocol}");
        assert_eq!(metrics[&format!("{HANDSHAKES}{{result=\"full\"}}")], 1.0);
    }
}

#[tokio::test]
async fn a_burst_shares_connections_of_http2_and_has_its_own_of_http1() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    for (offers, protocol) in [(BOTH, "https"), (&["http/1.1"][..], "https"), (&["h2"], "grpc")] {
        let acceptor = server(&identity, offers);
        let echo = Echo::secured("a", move || acceptor.clone()).await;
        let gateway = gateway(echo.address, protocol, "", &authority).await;
        for _ in 0..2 {
            let many = (0..40).map(|_| get(gateway.address(), "/"));
            let answers = futures::future::join_all(many).await;
            assert!(answers.iter().all(|answer| answer.status == 200), "{offers:?}");
        }
        let metrics = gateway.metrics().await;
        let opened = metrics[OPENED];
        if offers.contains(&"h2") {
            assert!(opened == 1.0, "{opened}");
        } else {
            assert!((2.0..=80.0).contains(&opened), "{opened}");
        }
    }
}

#[tokio::test]
async fn a_backend_that_begins_to_speak_http2_is_spoken_to_so() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    let (first, then) = (server(&identity, &["http/1.1"]), server(&identity, BOTH));
    let current = Arc::new(Mutex::new(first));
    let acceptor = Arc::clone(&current);
    let echo = Echo::secured("a", move || acceptor.lock().unwrap().clone()).await;
    let gateway = gateway(echo.address, "https", "", &authority).await;
    let version = async |path: &str| get(gateway.address(), path).await.json()["version"].clone();
    assert_eq!(version("/").await, "HTTP/1.1");
    *current.lock().unwrap() = then;
    // The open connection goes on; a new one is of the other protocol, and the next requests find it.
    let both = futures::future::join_all((0..8).map(|_| version("/"))).await;
    assert!(both.iter().all(|version| version == "HTTP/1.1" || version == "HTTP/2.0"), "{both:?}");
    assert!(both.iter().any(|version| version == "HTTP/2.0"), "{both:?}");
    // They share it, however many come.
    let opened = gateway.metrics().await[OPENED];
    futures::future::join_all((0..8).map(|_| version("/"))).await;
    assert_eq!(gateway.metrics().await[OPENED], opened);
}

#[tokio::test]
async fn names_and_trailers_and_interim_answers_pass() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    let backend = origin(server(&identity, BOTH), |number, stream| async move {
        let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
        let script = move |_, (request, mut to): Stream| {
            let name = name.clone();
            async move {
                let mut body = request.into_body();
                while next(&mut body).await.is_some() {}
                let trailers = body.trailers().await.unwrap().unwrap_or_default();
                let hints = Response::builder().status(103).header("link", "</a>");
                to.send_informational(hints.body(()).unwrap()).unwrap();
                let head = Response::builder().header("x-sum", trailers["x-sum"].clone());
                let mut stream = to.send_response(head.body(()).unwrap(), false).unwrap();
                send(&mut stream, name.into(), false).await;
                let mut trailers = HeaderMap::new();
                trailers.insert("x-end", "1".parse().unwrap());
                let _ = stream.send_trailers(trailers);
                false
            }
        };
        serve(Builder::new(), number, stream, script).await;
    })
    .await;
    let gateway = gateway(backend.address, "https", "", &authority).await;
    let mut client = Client::connect(gateway.address()).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 3\r\n\r\n")
        .await;
    let hints = client.head().await;
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a>")));
    let told = client.answer().await;
    assert_eq!((told.status, told.header("x-sum")), (200, Some("3")));
    assert_eq!(told.body, NAME.as_bytes());
    assert_eq!(told.trailers, [("x-end".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn a_protocol_that_is_switched_to_passes_where_requests_go_by_http2() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    let backend = origin(server(&identity, BOTH), |number, mut stream| async move {
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            let script = |_, (_, to): Stream| async move {
                answer(to, Response::new(()), b"http2").await;
                false
            };
            return serve(Builder::new(), number, stream, script).await;
        }
        let head = read_head(&mut stream).await;
        assert!(head.contains("upgrade: websocket\r\n"), "{head}");
        write(&mut stream, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi").await;
        let mut part = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut part).await {
            stream.write_all(&part[..length]).await.unwrap();
            stream.flush().await.unwrap();
        }
        write(&mut stream, "bye").await;
        let _ = stream.shutdown().await;
    })
    .await;
    let gateway = gateway(backend.address, "https", "", &authority).await;
    assert_eq!(get(gateway.address(), "/").await.body, b"http2");
    let mut client = Client::connect(gateway.address()).await;
    client
        .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(client.exactly(2).await, b"hi");
    for size in [1, 100, 100_000] {
        let sent = "0\r\n\r\nGET / HTTP/1.1\r\n".repeat(size);
        client.send(&sent).await;
        assert_eq!(client.exactly(sent.len()).await, sent.as_bytes());
    }
    // Our end is told by TLS, and the backend's way back stays open until its own.
    client.finish().await;
    assert_eq!(client.rest().await, b"bye");
    assert_eq!(get(gateway.address(), "/").await.body, b"http2");
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_must_be_ended_by_tls() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    let backend = origin(server(&identity, &[]), |_, mut stream| async move {
        let head = read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\n\r\nall of it").await;
        if head.starts_with("GET /whole ") {
            let _ = stream.shutdown().await;
        }
        // The other one ends as a connection does into which somebody has cut.
    })
    .await;
    let gateway = gateway(backend.address, "https", "", &authority).await;
    let mut client = Client::connect(gateway.address()).await;
    client.send("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let whole = client.answer().await;
    assert_eq!(whole.body, b"all of it");
    client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    let rest = client.rest().await;
    assert_eq!(rest, b"9\r\nall of it\r\n", "the last chunk is missing");
}

#[tokio::test]
async fn sessions_are_resumed() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    for version in [&TLS12, &TLS13] {
        let acceptor = server_of(&identity, &[version], &[], None);
        let backend = origin(acceptor, |_, mut stream| async move {
            read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
            let _ = stream.shutdown().await;
        })
        .await;
        let gateway = gateway(backend.address, "https", "", &authority).await;
        for _ in 0..5 {
            assert_eq!(get(gateway.address(), "/").await.status, 200);
        }
        gateway.metric(&format!("{HANDSHAKES}{{result=\"full\"}}"), 1.0).await;
        gateway.metric(&format!("{HANDSHAKES}{{result=\"resumed\"}}"), 4.0).await;
    }
}

#[tokio::test]
async fn what_is_said_over_an_idle_connection_ends_it_or_not() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let backend = origin(server(&identity, &[]), move |_, mut stream| {
        let told = told.clone();
        async move {
            loop {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                if head.starts_with("POST /ends ") {
                    let _ = stream.shutdown().await;
                    let _ = told.send(());
                    // Until the gateway closes it.
                    let _ = stream.read(&mut [0; 64]).await;
                    return;
                }
                if head.starts_with("POST /renews ") {
                    // New keys are no bytes of an answer. They come when the answer is read.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    stream.get_mut().1.refresh_traffic_keys().unwrap();
                    let _ = stream.flush().await;
                }
                let _ = told.send(());
            }
        }
    })
    .await;
    let gateway = gateway(backend.address, "https", "", &authority).await;
    let post = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    for (path, opened) in [("/renews", 1.0), ("/renews", 1.0), ("/ends", 1.0), ("/", 2.0)] {
        assert_eq!(ask(gateway.address(), &post(path)).await.status, 200, "{path}");
        tells.recv().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let metrics = gateway.metrics().await;
        assert_eq!((metrics[OPENED], metrics[RETRIES]), (opened, 0.0), "{path}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_ended_by_tls() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let backend = origin(server(&identity, &[]), move |_, mut stream| {
        let told = told.clone();
        async move {
            read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            // One that is only cut off is an error.
            let _ = told.send(stream.read(&mut [0; 64]).await.ok());
        }
    })
    .await;
    let config = Config { upstream_idle: Duration::from_millis(100), ..config() };
    let manifests = manifests(backend.address, "https", "", &authority);
    let gateway = Gateway::start_with(&manifests, config, options()).await;
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    let ended = tokio::time::timeout(Duration::from_secs(10), tells.recv()).await;
    assert_eq!(ended.unwrap(), Some(Some(0)));
}

#[tokio::test]
async fn mirrors_get_copies_over_tls() {
    let authority = Authority::new("one");
    let identity = authority.issue(&[NAME]);
    let acceptor = server(&identity, BOTH);
    let mirror = Echo::secured("mirror", move || acceptor.clone()).await;
    let main = Echo::start("main").await;
    let manifests = route(&format!(
        "- policy: {{mirror: [{{host: 127.0.0.1, port: {}, protocol: https, tls: {{serverName: {NAME}, caConfigMap: ca}}}}]}}\n  backends: [{{host: 127.0.0.1, port: {}}}]",
        mirror.address.port(),
        main.address.port()
    )) + &config_map("ca", &authority.pem());
    let gateway = Gateway::start(&manifests).await;
    assert_eq!(get(gateway.address(), "/x").await.json()["name"], "main");
    let name =
        "fairway_mirror_requests_total{namespace=\"default\",route=\"test\",rule=\"rule-0\"}";
    gateway.metric(name, 1.0).await;
    assert_eq!(mirror.requests(), 1);
}

#[tokio::test]
async fn an_authority_is_replaced_without_a_lost_request() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, after) = (old.issue(&[NAME]), new.issue(&[NAME]));
    let current = Arc::new(Mutex::new(server(&before, BOTH)));
    let acceptor = Arc::clone(&current);
    let echo = Echo::secured("a", move || acceptor.lock().unwrap().clone()).await;
    let with = |pem: &str| {
        let whole = manifests(echo.address, "https", "", &old);
        let (rule, _) = whole.split_once("\n---").unwrap();
        rule.to_owned() + &config_map("ca", pem)
    };
    let mut gateway = Gateway::start(&with(&old.pem())).await;
    let address = gateway.address();
    let (lost, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&lost), Arc::clone(&sent));
    let load = tokio::spawn(async move {
        loop {
            if get(address, "/").await.status != 200 {
                counts.0.fetch_add(1, Relaxed);
            }
            counts.1.fetch_add(1, Relaxed);
        }
    });
    let more = async || {
        let until = sent.load(Relaxed) + 20;
        while sent.load(Relaxed) < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    more().await;
    gateway.apply(&with(&(old.pem() + &new.pem()))).await;
    more().await;
    *current.lock().unwrap() = server(&after, BOTH);
    more().await;
    gateway.apply(&with(&new.pem())).await;
    more().await;
    load.abort();
    assert_eq!(lost.load(Relaxed), 0);
    // Each change of the authorities is another upstream with connections of its own.
    let metrics = gateway.metrics().await;
    assert!(metrics[OPENED] >= 3.0, "{}", metrics[OPENED]);
    // And whom nobody vouches for any more is not spoken to.
    *current.lock().unwrap() = server(&before, BOTH);
    gateway.apply(&with(&old.pem())).await;
    assert_eq!(get(address, "/").await.status, 200);
    gateway.apply(&with(&new.pem())).await;
    let refused = get(address, "/").await;
    assert_eq!((refused.status, refused.problem().as_str()), (502, "upstream_tls"));
}
