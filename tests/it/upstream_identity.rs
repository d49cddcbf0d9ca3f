//! Backends that ask who we are: the certificate of a Secret is shown to them, and nothing without one.

use std::sync::{Arc, Mutex};

use fairway_tests::gateway::{Gateway, route};
use fairway_tests::http::get;
use fairway_tests::origin::Echo;
use fairway_tests::tls::{Authority, config_map, secret, server_of};
use rustls::version::{TLS12, TLS13};

const NAME: &str = "backend.example";

/// A rule for each of these secrets, at its name.
fn rules(port: u16, secrets: &[&str]) -> String {
    let rule = |name: &&str| {
        let ours = if *name == "none" { String::new() } else { format!(", clientSecret: {name}") };
        format!(
            "- match: [{{path: /{name}}}]\n  backends: [{{host: 127.0.0.1, port: {port}, protocol: https, tls: {{serverName: {NAME}, caConfigMap: ca{ours}}}}}]\n"
        )
    };
    route(&secrets.iter().map(rule).collect::<String>())
}

#[tokio::test]
async fn a_backend_that_asks_for_a_certificate_gets_ours_and_no_other_request() {
    let (authority, clients) = (Authority::new("one"), Authority::new("clients"));
    let identity = authority.issue(&[NAME]);
    for version in [&TLS12, &TLS13] {
        for offers in [&["h2"][..], &["http/1.1"]] {
            let acceptor = server_of(&identity, &[version], offers, Some(&clients));
            let echo = Echo::secured("a", move || acceptor.clone()).await;
            let manifests = rules(echo.address.port(), &["ours", "none", "others"])
                + &config_map("ca", &authority.pem())
                + &secret("ours", &clients.issue(&["gateway.example"]))
                + &secret("others", &authority.issue(&["gateway.example"]));
            let gateway = Gateway::start(&manifests).await;
            for (path, status) in [("/ours", 200), ("/none", 502), ("/others", 502), ("/ours", 200)]
            {
                let answer = get(gateway.address(), path).await;
                assert_eq!(answer.status, status, "{version:?} {offers:?} {path}: {answer:?}");
                if status == 502 {
                    assert_eq!(answer.problem(), "upstream_tls", "{version:?} {offers:?} {path}");
                }
            }
            assert_eq!(echo.requests(), 2, "{version:?} {offers:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_of_ours_is_replaced_for_new_connections() {
    let (authority, clients) = (Authority::new("one"), Authority::new("clients"));
    let renewed = Authority::new("renewed");
    let identity = authority.issue(&[NAME]);
    let of = |clients: &Authority| server_of(&identity, &[&TLS13], &["h2"], Some(clients));
    let current = Arc::new(Mutex::new(of(&clients)));
    let acceptor = Arc::clone(&current);
    let echo = Echo::secured("a", move || acceptor.lock().unwrap().clone()).await;
    let with = |clients: &Authority| {
        rules(echo.address.port(), &["ours"])
            + &config_map("ca", &authority.pem())
            + &secret("ours", &clients.issue(&["gateway.example"]))
    };
    let mut gateway = Gateway::start(&with(&clients)).await;
    assert_eq!(get(gateway.address(), "/ours").await.status, 200);
    *current.lock().unwrap() = of(&renewed);
    // The open connection goes on.
    assert_eq!(get(gateway.address(), "/ours").await.status, 200);
    gateway.apply(&with(&renewed)).await;
    assert_eq!(get(gateway.address(), "/ours").await.status, 200);
    let opened = gateway.metrics().await["fairway_upstream_connections_opened_total"];
    assert!(opened == 2.0, "{opened}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_told_and_nothing_is_sent() {
    let authority = Authority::new("one");
    let acceptor = server_of(&authority.issue(&[NAME]), &[&TLS13], &["h2"], None);
    let echo = Echo::secured("a", move || acceptor.clone()).await;
    let broken = secret("broken", &authority.issue(&["a.example"]));
    let key = broken.find("-----BEGIN PRIVATE KEY-----").unwrap();
    let other = secret("broken", &authority.issue(&["a.example"]));
    let broken =
        broken[..key].to_owned() + &other[other.find("-----BEGIN PRIVATE KEY-----").unwrap()..];
    let manifests = rules(echo.address.port(), &["broken", "missing", "none"])
        + &config_map("ca", &authority.pem())
        + &broken;
    let gateway = Gateway::start(&manifests).await;
    for path in ["/broken", "/missing"] {
        let refused = get(gateway.address(), path).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (500, "backend_invalid"),
            "{path}"
        );
    }
    assert_eq!(get(gateway.address(), "/none").await.status, 200);
    assert_eq!(echo.requests(), 1);
}
