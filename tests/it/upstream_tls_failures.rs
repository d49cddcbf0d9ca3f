//! Backends that are not who they should be, or do not speak TLS: nothing is sent to them, in plain text
//! least of all, and the log says why.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::gateway::{Gateway, route};
use fairway_tests::http::get;
use fairway_tests::origin::{Echo, Raw, write};
use fairway_tests::tls::{Authority, Identity, config_map, origin, server};
use tokio::io::AsyncReadExt;

const NAME: &str = "backend.example";

/// A rule of its own for a backend, at `/name`.
fn rule(name: &str, backend: SocketAddr, more: &str) -> String {
    format!(
        "- match: [{{path: /{name}}}]\n  policy: {{timeouts: {{connect: 400ms}}}}\n  backends: [{{host: 127.0.0.1, port: {}, {more}}}]\n",
        backend.port()
    )
}

fn secured(more: &str) -> String {
    format!("protocol: https, tls: {{serverName: {NAME}{more}}}")
}

/// A backend that would answer with what came over TLS.
async fn backend(identity: &Identity, protocols: &[&str]) -> Echo {
    let acceptor = server(identity, protocols);
    Echo::secured("a", move || acceptor.clone()).await
}

/// What came first over each connection, of a backend that answers in plain text whatever comes.
async fn plain() -> (Raw, Arc<Mutex<Vec<u8>>>) {
    let firsts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&firsts);
    let raw = Raw::start(move |_, mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let mut part = [0; 2048];
            let length = stream.read(&mut part).await.unwrap_or(0);
            seen.lock().unwrap().extend(part[..length].first());
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    (raw, firsts)
}

/// The binary with these manifests, on a system that trusts this authority.
async fn run(folder: &Path, manifests: &str, trusted: &Authority) -> Fairway {
    let (pem, routes) = (folder.join("roots.pem"), folder.join("routes.yaml"));
    std::fs::write(&pem, trusted.pem()).unwrap();
    std::fs::write(&routes, manifests).unwrap();
    Fairway::with_roots(&pem, &[format!("--manifests={}", routes.display())]).await
}

/// A path is answered 502 without a word about the cause, which stands in the log.
async fn refused(fairway: &Fairway, path: &str, cause: &str) {
    let refused = get(fairway.address, &format!("/{path}")).await;
    assert_eq!((refused.status, refused.problem().as_str()), (502, "upstream_tls"), "{path}");
    let text = String::from_utf8(refused.body).unwrap();
    for word in [cause, NAME, "127.0.0.1", "ertificate"] {
        assert!(!text.contains(word), "{path}: {text}");
    }
    eventually("the line is written", || async {
        let log = fairway.access_log();
        let line = log.iter().find(|line| line["path"] == format!("/{path}"))?;
        assert_eq!((&line["reason"], &line["cause"]), (&"upstream_tls".into(), &cause.into()));
        // Nothing was sent, so that it was tried again.
        assert_eq!(line["attempts"], 5, "{path}");
        Some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_to_who_is_not_who_it_should_be_and_the_log_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    let good = trusted.issue(&[NAME]);
    let expired = backend(&trusted.issue_between(&[NAME], 2000, 2010), &[]).await;
    let early = backend(&trusted.issue_between(&[NAME], 3000, 3010), &[]).await;
    let stranger = backend(&other.issue(&[NAME]), &[]).await;
    let another = backend(&trusted.issue(&["other.example"]), &[]).await;
    let old = backend(&good, &["http/1.1"]).await;
    let silent_alpn = backend(&good, &[]).await;
    let fine = backend(&good, &[]).await;
    let by_address = backend(&trusted.issue(&["127.0.0.1"]), &[]).await;
    let (plain, firsts) = plain().await;
    let closes = Raw::start(|_, mut stream| async move {
        let _ = stream.read(&mut [0; 2048]).await;
    })
    .await;
    let grpc = format!("protocol: grpc, tls: {{serverName: {NAME}}}");
    let rules = [
        rule("fine", fine.address, &secured("")),
        // The name is the host's where none is written.
        rule("address", by_address.address, "protocol: https"),
        rule("expired", expired.address, &secured("")),
        rule("early", early.address, &secured("")),
        rule("stranger", stranger.address, &secured("")),
        // Own authorities are beside nobody else's.
        rule("own", fine.address, &secured(", caConfigMap: other")),
        rule("another", another.address, &secured("")),
        rule("unnamed", fine.address, "protocol: https"),
        rule("old", old.address, &grpc),
        rule("unsaid", silent_alpn.address, &grpc),
        rule("plain", plain.address, &secured("")),
        rule("closes", closes.address, &secured("")),
    ];
    let manifests = route(&rules.concat()) + &config_map("other", &other.pem());
    let fairway = run(folder.path(), &manifests, &trusted).await;
    for path in ["fine", "address"] {
        assert_eq!(get(fairway.address, &format!("/{path}")).await.status, 200, "{path}");
    }
    let expected = [
        ("expired", "certificate_expired"),
        ("early", "certificate_not_yet_valid"),
        ("stranger", "unknown_issuer"),
        ("own", "unknown_issuer"),
        ("another", "name_mismatch"),
        ("unnamed", "name_mismatch"),
        ("old", "protocol_refused"),
        ("unsaid", "protocol_refused"),
        ("plain", "no_tls"),
        ("closes", "handshake_broken"),
    ];
    for (path, cause) in expected {
        refused(&fairway, path, cause).await;
    }
    let log = fairway.process.errors();
    let warned = log.lines().filter(|line| line.contains("no TLS with a backend")).count();
    assert_eq!(warned, expected.len(), "once for each: {log}");
    assert!(log.contains("other.example"), "what it is for is told: {log}");
    let firsts = firsts.lock().unwrap().clone();
    assert!(firsts.len() >= 5 && firsts.iter().all(|first| *first == 22), "{firsts:?}");
    let failures = fairway.metric("fairway_upstream_connect_failures_total").await;
    assert!(failures >= 50.0, "{failures}");
    assert_eq!(
        fairway.metric("fairway_upstream_tls_handshakes_total").await,
        failures + 2.0,
        "each failed in its handshake, and two did not"
    );
    for echo in [&expired, &early, &stranger, &another, &old, &silent_alpn] {
        assert_eq!(echo.requests(), 0);
    }
}

#[tokio::test]
async fn the_limit_of_connecting_holds_for_the_handshake() {
    let silent = Raw::start(|_, mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let authority = Authority::new("one");
    // One whose handshake ends, and that says nothing of HTTP/2 then.
    let half = origin(server(&authority.issue(&[NAME]), &["h2"]), |_, mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let manifests = route(
        &[
            rule("silent", silent.address, &secured(", caConfigMap: ca")),
            rule("half", half.address, &secured(", caConfigMap: ca")),
        ]
        .concat(),
    ) + &config_map("ca", &authority.pem());
    let gateway = Gateway::start(&manifests).await;
    for path in ["/silent", "/half"] {
        let late = get(gateway.address(), path).await;
        assert_eq!((late.status, late.problem().as_str()), (504, "connect_timeout"), "{path}");
    }
}

#[tokio::test]
async fn a_backend_that_cannot_be_verified_is_left_out_and_told() {
    let authority = Authority::new("one");
    let fine = backend(&authority.issue(&[NAME]), &[]).await;
    let missing = rule("missing", fine.address, &secured(", caConfigMap: nobody"));
    let empty = rule("empty", fine.address, &secured(", caConfigMap: empty"));
    let manifests = route(&[missing, empty].concat()) + &config_map("empty", "no certificate");
    let mut gateway = Gateway::start(&manifests).await;
    for path in ["/missing", "/empty"] {
        let refused = get(gateway.address(), path).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (500, "backend_invalid"),
            "{path}"
        );
    }
    // What comes later is taken up.
    let manifests = manifests + &config_map("nobody", &authority.pem());
    gateway.apply(&manifests).await;
    assert_eq!(get(gateway.address(), "/missing").await.status, 200);
    assert_eq!(get(gateway.address(), "/empty").await.status, 500);
}
