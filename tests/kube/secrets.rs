//! Certificates of Secrets, from the API server to the handshake: one that comes later, that changes,
//! that is of another type, that goes, that may not be read, and that ends.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::{Client, ask};
use fairway_tests::tls::{Made, client, connect, made, made_until};
use rustls::version::TLS13;
use serde_json::{Value, json};

use super::World;

fn secret(name: &str, kind: &str, made: &Made) -> String {
    json!({ "apiVersion": "v1", "kind": "Secret", "type": kind,
        "metadata": { "name": name, "namespace": "market" },
        "stringData": { "tls.crt": made.certificate_pem, "tls.key": made.key_pem } })
    .to_string()
}

fn spec() -> Value {
    json!({ "hosts": ["a.example"], "tls": { "secretName": "a" }, "rules": [{
        "backends": [{ "service": "finance", "port": "http" }] }] })
}

fn args(world: &World, kubeconfig: &std::path::Path) -> Vec<String> {
    let mut args = world.args(kubeconfig);
    args.extend(["http", "https"].map(|name| format!("--listen={name}=127.0.0.1:0")));
    args
}

/// Where the listener `https` listens.
fn https(fairway: &Fairway) -> SocketAddr {
    let log = fairway.process.errors();
    let mut events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let bound =
        events.find(|event| event["message"] == "listening" && event["listener"] == "https");
    bound.unwrap()["address"].as_str().unwrap().parse().unwrap()
}

async fn shows(address: SocketAddr, made: &Made) -> Option<u16> {
    let stream = connect(&client(&made.der, &[&TLS13], &[]), address, "a.example").await.ok()?;
    let answer = Client::secured(stream).ask("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    Some(answer.status)
}

async fn told(world: &World, status: &str, reason: &str, part: &str) {
    eventually(&format!("it is told {reason}"), || async {
        let route = world.kube.routes("market").get("a").await.ok()?;
        let (word, why, message) = fairway_tests::kube::condition(&route, "ResolvedRefs")?;
        (word == status && why == reason && message.contains(part)).then_some(())
    })
    .await;
}

fn kubectl(world: &World, args: &[&str], input: &str) {
    let (code, said) = world.kube.kubectl(args, input);
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_followed_all_its_life() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut args = args(&world, &world.kube.kubeconfig);
    args.push(format!("--state-dir={}", folder.path().display()));
    args.push("--log-level=trace".to_owned());
    let fairway = Fairway::start(&args).await;
    let address = https(&fairway);
    world.kube.apply("market", "a", spec()).await;
    told(&world, "False", "SecretNotFound", "create it").await;
    let plain = ask(fairway.address, "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert_eq!((plain.status, plain.header("location")), (308, Some("https://a.example/x")));

    // Of another type it is none.
    let first = made(&["a.example"]);
    kubectl(&world, &["apply", "-f", "-"], &secret("a", "Opaque", &first));
    tokio::time::sleep(Duration::from_millis(300)).await;
    told(&world, "False", "SecretNotFound", "of type kubernetes.io/tls").await;
    kubectl(&world, &["delete", "secret", "a", "-n", "market"], "");
    kubectl(&world, &["apply", "-f", "-"], &secret("a", "kubernetes.io/tls", &first));
    eventually("it is shown", || async { shows(address, &first).await }).await;
    told(&world, "True", "ResolvedRefs", "").await;
    world.kube.programmed("market", "a").await;

    let second = made(&["a.example"]);
    kubectl(&world, &["apply", "-f", "-"], &secret("a", "kubernetes.io/tls", &second));
    eventually("the new one is shown", || async { shows(address, &second).await }).await;
    assert!(shows(address, &first).await.is_none());
    let mixed = Made { key_pem: first.key_pem.clone(), ..made(&["a.example"]) };
    kubectl(&world, &["apply", "-f", "-"], &secret("a", "kubernetes.io/tls", &mixed));
    told(&world, "False", "InvalidCertificate", "it belongs to another certificate").await;
    kubectl(&world, &["apply", "-f", "-"], &secret("a", "kubernetes.io/tls", &second));
    told(&world, "True", "ResolvedRefs", "").await;
    kubectl(&world, &["delete", "secret", "a", "-n", "market"], "");
    told(&world, "False", "SecretNotFound", "").await;
    assert!(shows(address, &second).await.is_none());

    // Nobody reads a key anywhere.
    let status = world.kube.kubectl(&["get", "sr", "a", "-n", "market", "-o", "yaml"], "").1;
    let routes = fairway_tests::http::get(fairway.admin, "/routes").await.body;
    let log = fairway.process.errors();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log tells all");
    for made in [&first, &second, &mixed] {
        let line = made.key_pem.lines().nth(1).unwrap();
        let encoded = fairway_tests::tls::base64(made.key_pem.as_bytes());
        for shown in [&status, &log, &String::from_utf8_lossy(&routes).into_owned()] {
            assert!(!shown.contains(line) && !shown.contains(&encoded[..60]), "a key is shown");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_secrets_serves_everything_else_and_tells() {
    let world = World::start().await;
    let chart = fairway_tests::helm::chart().display().to_string();
    let place = ["--namespace=fairway-system", "--create-namespace"];
    let without = "--set=secrets=false,crds.enabled=false";
    let (code, said) =
        world.kube.helm(&["install", "fairway", &chart, without, place[0], place[1]]);
    assert_eq!(code, 0, "{said}");
    let account = "--as=system:serviceaccount:fairway-system:fairway";
    for verb in ["get", "list", "watch"] {
        let (code, _) = world.kube.kubectl(&["auth", "can-i", verb, "secrets", account, "-A"], "");
        assert_ne!(code, 0, "{verb}");
    }
    let token = ["create", "token", "fairway", "--namespace=fairway-system"];
    let (code, token) = world.kube.kubectl(&token, "");
    assert_eq!(code, 0, "{token}");
    let kubeconfig = world.kube.kubeconfig_with_token(token.trim());
    world.kube.apply("market", "a", spec()).await;
    let args = args(&world, &kubeconfig);
    let fairway = Fairway::start(&args).await;
    told(&world, "False", "SecretNotFound", "no right to list and watch Secrets").await;
    drop(fairway);
    let off = [args.as_slice(), &["--secrets=false".to_owned()]].concat();
    let off: Vec<String> =
        off.into_iter().filter(|arg| !arg.starts_with("--listen=https")).collect();
    let _fairway = Fairway::start(&off).await;
    told(&world, "False", "SecretNotFound", "the operator has switched off").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_certificate_is_told_when_nothing_else_happens() {
    let world = World::start().await;
    let day = Duration::from_secs(24 * 60 * 60);
    let end = SystemTime::now() + day + Duration::from_secs(12);
    let ending = made_until(&["a.example"], end);
    kubectl(&world, &["apply", "-f", "-"], &secret("a", "kubernetes.io/tls", &ending));
    world.kube.apply("market", "a", spec()).await;
    let _fairway = Fairway::start(&args(&world, &world.kube.kubeconfig)).await;
    let expires = async || -> Vec<String> {
        let events = world.kube.events("market", "a").await;
        let ends =
            events.into_iter().filter(|one| one.reason.as_deref() == Some("CertificateExpires"));
        ends.filter_map(|event| event.note).collect()
    };
    eventually("the first stage is told", || async { (expires().await.len() == 1).then_some(()) })
        .await;
    eventually("the next stage comes by itself", || async {
        (expires().await.len() == 2).then_some(())
    })
    .await;
    let told = expires().await;
    assert!(told[0].contains("within 2 days") && told[1].contains("within a day"), "{told:?}");
    let (code, said) = world.kube.kubectl(&["describe", "sr", "a", "-n", "market"], "");
    assert!(code == 0 && said.contains("CertificateExpires"), "{said}");
}
