//! Certificates of Secrets that routes name: which one is shown, what comes without TLS, and what is
//! for another connection.

use std::net::SocketAddr;

use fairway_controller::compile::ListenerSettings;
use fairway_dataplane::{Config, Trust};
use fairway_snapshot::{ListenerName, Protocol};
use fairway_tests::gateway::{Gateway, config, options};
use fairway_tests::http::{Answer, Client, ask};
use fairway_tests::http2::Http2;
use fairway_tests::origin::{Echo, Raw, read_head, write};
use fairway_tests::tls::{self, Made, certificate, connect, made, nameless};
use http::Request;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use tokio::net::TcpStream;

/// A Secret as `kubectl create secret tls` makes it.
fn secret(name: &str, made: &Made) -> String {
    let indented =
        |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: default}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        indented(&made.certificate_pem),
        indented(&made.key_pem)
    )
}

/// A route with a spec of this text before its rules, all of which go to one backend.
fn route(name: &str, spec: &str, to: SocketAddr) -> String {
    let (ip, port) = (to.ip(), to.port());
    format!(
        "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  {spec}\n  rules: [{{backends: [{{host: {ip}, port: {port}}}]}}]\n"
    )
}

fn all(parts: &[String]) -> String {
    parts.join("---\n")
}

async fn gateway(manifests: &str, config: Config) -> Gateway {
    let mut options = options();
    let http = options.listeners[&ListenerName::from("http")].clone();
    let https = ListenerSettings { protocol: Protocol::Https, ..http };
    options.listeners.insert(ListenerName::from("https"), https);
    Gateway::start_with(manifests, config, options).await
}

async fn secured(
    gateway: &Gateway,
    trusted: &CertificateDer<'static>,
    name: &str,
) -> Option<Client> {
    let stream =
        connect(&tls::client(trusted, &[&TLS13], &[]), gateway.address_of("https"), name).await;
    Some(Client::secured(stream.ok()?))
}

fn request(host: &str) -> String {
    format!("GET /x?y=1 HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

fn status(answer: &Answer) -> u16 {
    answer.status
}

#[tokio::test]
async fn the_name_chooses_and_a_changed_secret_is_taken_up_without_a_break() {
    let echo = Echo::start("a").await;
    let (a, wild) = (made(&["a.example"]), made(&["*.b.example"]));
    let folder = tempfile::tempdir().unwrap();
    let default = certificate(folder.path(), &["default.example"]);
    let world = |a: &Made| {
        all(&[
            secret("a", a),
            secret("b", &wild),
            route("a", "hosts: [a.example]\n  tls: {secretName: a}", echo.address),
            route("b", "hosts: [\"*.b.example\"]\n  tls: {secretName: b}", echo.address),
            route("plain", "hosts: [default.example]", echo.address),
        ])
    };
    let folders = vec![folder.path().to_owned()];
    let mut gateway = self::gateway(&world(&a), Config { certificates: folders, ..config() }).await;
    let mut kept = secured(&gateway, &a.der, "a.example").await.unwrap();
    assert_eq!(status(&kept.ask(&request("a.example")).await), 200);
    assert!(secured(&gateway, &wild.der, "x.b.example").await.is_some());
    assert!(secured(&gateway, &default, "default.example").await.is_some());
    assert!(secured(&gateway, &a.der, "x.b.example").await.is_none());
    for (certificate, end) in [("default/a", 67_090_118_400.0), ("default/b", 67_090_118_400.0)] {
        let name = format!(
            "fairway_certificate_not_after_timestamp_seconds{{certificate=\"{certificate}\"}}"
        );
        gateway.metric(&name, end).await;
    }

    let renewed = made(&["a.example"]);
    gateway.apply(&world(&renewed)).await;
    assert!(secured(&gateway, &renewed.der, "a.example").await.is_some());
    assert!(secured(&gateway, &a.der, "a.example").await.is_none());
    assert_eq!(status(&kept.ask(&request("a.example")).await), 200, "an open connection goes on");
    // Without its Secret a route is served all the same, with what else there is for the name.
    gateway
        .apply(&route("a", "hosts: [default.example]\n  tls: {secretName: a}", echo.address))
        .await;
    let mut other = secured(&gateway, &default, "default.example").await.unwrap();
    assert_eq!(status(&other.ask(&request("default.example")).await), 200);
}

#[tokio::test]
async fn a_listener_waits_for_its_first_certificate() {
    let echo = Echo::start("a").await;
    let a = made(&["a.example"]);
    let route = route("a", "tls: {secretName: a}", echo.address);
    let mut gateway = self::gateway(&route, config()).await;
    assert!(secured(&gateway, &a.der, "a.example").await.is_none());
    gateway.apply(&all(&[secret("a", &a), route])).await;
    let mut client = secured(&gateway, &a.der, "a.example").await.unwrap();
    assert_eq!(status(&client.ask(&request("a.example")).await), 200);
    // Nothing is shown for a name that no certificate has.
    assert!(secured(&gateway, &a.der, "b.example").await.is_none());
}

#[tokio::test]
async fn without_tls_clients_are_sent_there() {
    let echo = Echo::start("a").await;
    let a = made(&["a.example", "b.example"]);
    let manifests = all(&[
        secret("a", &a),
        route("a", "hosts: [a.example]\n  tls: {secretName: a}", echo.address),
        route(
            "both",
            "hosts: [b.example]\n  listeners: [http, https]\n  tls: {secretName: a}",
            echo.address,
        ),
        route("none", "hosts: [c.example]", echo.address),
    ]);
    let trust = Trust { hops: 1, networks: Vec::new() };
    let behind = self::gateway(&manifests, Config { trust, ..config() }).await;
    let mut gateway = self::gateway(&manifests, config()).await;
    for (host, location) in [
        ("a.example", Some("https://a.example/x?y=1")),
        // The port of HTTP is not that of HTTPS.
        ("a.example:8080", Some("https://a.example/x?y=1")),
        ("b.example", None),
        ("c.example", None),
    ] {
        let answer = ask(gateway.address(), &request(host)).await;
        assert_eq!(answer.header("location"), location, "{host}");
        assert_eq!(answer.status, if location.is_some() { 308 } else { 200 }, "{host}");
    }
    // What only a trusted peer may say.
    let told = |proto: &str| {
        format!("GET /x HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: {proto}\r\n\r\n")
    };
    assert_eq!(ask(gateway.address(), &told("https")).await.status, 308);
    assert_eq!(ask(behind.address(), &told("https")).await.status, 200);
    assert_eq!(ask(behind.address(), &told("http")).await.status, 308);
    // Without a host there is nowhere to send anybody.
    let any = all(&[secret("a", &a), route("any", "tls: {secretName: a}", echo.address)]);
    gateway.apply(&any).await;
    let answer = ask(gateway.address(), "GET /x HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "host_missing"));
    let mut client = secured(&gateway, &a.der, "b.example").await.unwrap();
    assert_eq!(client.ask("GET /x HTTP/1.0\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn a_redirect_goes_on_by_tls() {
    let a = made(&["a.example"]);
    let moved = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: moved, namespace: default}\nspec:\n  hosts: [a.example]\n  tls: {secretName: a}\n  rules: [{redirect: {host: b.example, path: /new, status: 308}}]\n";
    let gateway = self::gateway(&all(&[secret("a", &a), moved.to_owned()]), config()).await;
    let mut client = secured(&gateway, &a.der, "a.example").await.unwrap();
    let answer = client.ask(&request("a.example")).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("https://b.example/new?y=1"))
    );
}

#[tokio::test]
async fn a_request_for_another_certificate_is_misdirected() {
    let echo = Echo::start("a").await;
    let (ab, c) = (made(&["a.example", "b.example"]), made(&["c.example"]));
    let manifests = all(&[
        secret("ab", &ab),
        secret("c", &c),
        route("ab", "hosts: [a.example, b.example]\n  tls: {secretName: ab}", echo.address),
        route("c", "hosts: [c.example]\n  tls: {secretName: c}", echo.address),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let default = certificate(folder.path(), &["default.example"]);
    let folders = vec![folder.path().to_owned()];
    let trusting = |trust| Config { certificates: folders.clone(), trust, ..config() };
    let gateway = self::gateway(&manifests, trusting(Trust::default())).await;
    let mut client = secured(&gateway, &ab.der, "a.example").await.unwrap();
    for (host, expected) in
        [("a.example", 200), ("b.example", 200), ("c.example", 421), ("a.example:443", 200)]
    {
        let answer = client.ask(&request(host)).await;
        assert_eq!(answer.status, expected, "{host}");
        if expected == 421 {
            assert_eq!(answer.problem(), "misdirected");
        }
    }
    gateway
        .metric("fairway_unrouted_requests_total{reason=\"misdirected\",code=\"421\"}", 1.0)
        .await;
    // A browser that sends the requests of several hosts over one connection of HTTP/2.
    let tls = tls::client(&ab.der, &[&TLS13], &["h2"]);
    let stream = connect(&tls, gateway.address_of("https"), "a.example").await.unwrap();
    let mut http2 = Http2::over(stream).await;
    for (host, expected) in
        [("a.example", 200), ("b.example", 200), ("c.example", 421), ("b.example", 200)]
    {
        let answer = http2.ask(Request::get(format!("https://{host}/x")).body(()).unwrap()).await;
        assert_eq!(answer.status, expected, "{host}");
    }
    // Who names no host for TLS has the first folder's certificate, and gets what he asks for.
    let stream = TcpStream::connect(gateway.address_of("https")).await.unwrap();
    let name = ServerName::try_from("default.example").unwrap();
    let stream = nameless(&default).connect(name, stream).await.unwrap();
    let mut nameless = Client::secured(stream);
    for host in ["a.example", "c.example"] {
        assert_eq!(nameless.ask(&request(host)).await.status, 200, "{host}");
    }
    // A trusted peer sends what many clients ask for.
    let trust = Trust { hops: 1, networks: Vec::new() };
    let behind = self::gateway(&manifests, trusting(trust)).await;
    let mut client = secured(&behind, &ab.der, "a.example").await.unwrap();
    assert_eq!(client.ask(&request("c.example")).await.status, 200);
}

#[tokio::test]
async fn browsers_are_told_to_come_by_https_and_only_there() {
    let echo = Echo::start("a").await;
    let own = Raw::start(|_, mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {
            let answer = "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=5\r\nContent-Length: 0\r\n\r\n";
            write(&mut stream, answer).await;
        }
    })
    .await;
    let a = made(&["a.example", "b.example"]);
    let policy =
        "policy: {hsts: {maxAge: 31536000, includeSubDomains: true}}\n  tls: {secretName: a}";
    let manifests = all(&[
        secret("a", &a),
        route("a", &format!("hosts: [a.example]\n  {policy}"), echo.address),
        route("b", &format!("hosts: [b.example]\n  {policy}"), own.address),
    ]);
    let trust = Trust { hops: 1, networks: Vec::new() };
    let gateway = self::gateway(&manifests, Config { trust, ..config() }).await;
    let said = |answer: &Answer| {
        let values = answer.values("strict-transport-security");
        assert!(values.len() < 2, "{values:?}");
        values.first().map(|value| (*value).to_owned())
    };
    let year = Some("max-age=31536000; includeSubDomains".to_owned());
    let mut client = secured(&gateway, &a.der, "a.example").await.unwrap();
    assert_eq!(said(&client.ask(&request("a.example")).await), year);
    assert_eq!(said(&client.ask(&request("b.example")).await).as_deref(), Some("max-age=5"));
    // Our own answers too, of rules at least.
    let put = "GET /x HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: https\r\n\r\n";
    assert_eq!(said(&ask(gateway.address(), put).await), year);
    let plain = ask(gateway.address(), &request("a.example")).await;
    assert_eq!((plain.status, said(&plain)), (308, None));
    let unknown = client.ask(&request("c.example")).await;
    assert_eq!(said(&unknown), None);
}
