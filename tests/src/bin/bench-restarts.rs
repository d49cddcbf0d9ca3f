//! Restarts a gateway again and again under load, a second process taking over its port, and changes
//! its certificate: nothing that was accepted may fail. `cargo xtask bench restarts` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails must stop")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fairway_tests::fairway::Fairway;
use fairway_tests::http::Client;
use fairway_tests::load::{Load, Outcome, Reuse};
use fairway_tests::origin::{Raw, read_head, write};
use fairway_tests::process::free_port;
use fairway_tests::tls;
use rustls::pki_types::CertificateDer;
use rustls::version::TLS13;
use tokio::task::JoinSet;

/// Requests a second over kept connections, and as many over fresh ones.
const RATE: u64 = 500;
/// Streams that are open at the same time.
const STREAMS: usize = 50;
/// The parts of a stream, and the time between two of them: six seconds in all.
const PARTS: usize = 60;
const PAUSE: Duration = Duration::from_millis(100);
const NAME: &str = "bench.example";

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Answers at once, or with a stream of parts.
async fn backend() -> Raw {
    Raw::start(|_, mut stream| async move {
        loop {
            let head = read_head(&mut stream).await;
            if head.is_empty() {
                return;
            }
            if head.starts_with("GET /stream ") {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                write(&mut stream, head).await;
                for part in 0..PARTS {
                    write(&mut stream, &format!("5\r\n{part:04}\n\r\n")).await;
                    tokio::time::sleep(PAUSE).await;
                }
                write(&mut stream, "0\r\n\r\n").await;
            } else {
                write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    })
    .await
}

/// What became of the streams.
#[derive(Default)]
struct Streams {
    whole: AtomicUsize,
    broken: AtomicUsize,
    stop: AtomicBool,
}

/// One stream after the other; each must come whole, wherever the gateway is restarted meanwhile.
async fn stream(address: SocketAddr, streams: Arc<Streams>) {
    let expected: Vec<u8> =
        (0..PARTS).flat_map(|part| format!("{part:04}\n").into_bytes()).collect();
    while !streams.stop.load(Relaxed) {
        let one = tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            client.send("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
            client.answer().await
        });
        let whole = one.await.is_ok_and(|answer| answer.body == expected);
        let count = if whole { &streams.whole } else { &streams.broken };
        count.fetch_add(1, Relaxed);
    }
}

fn arguments(manifests: &Path, ports: [u16; 3]) -> Vec<String> {
    let [port, status, admin] = ports;
    vec![
        format!("--manifests={}", manifests.display()),
        format!("--listen=http=127.0.0.1:{port}"),
        format!("--status=127.0.0.1:{status}"),
        format!("--admin=127.0.0.1:{admin}"),
        "--takeover".to_owned(),
        "--drain-deadline=30s".to_owned(),
    ]
}

/// A second process comes beside the first, which is then told to end.
async fn restarts(manifests: &Path, count: usize) -> bool {
    let port = free_port();
    let ports = || [port, free_port(), free_port()];
    let start = || async { Fairway::start(&arguments(manifests, ports())).await };
    let mut now = start().await;
    let address = now.address;
    let path = |_| "/".to_owned();
    let kept = Load::start_with(address, RATE, 32, Reuse::Keep, path);
    let fresh = Load::start_with(address, RATE, 32, Reuse::Fresh, path);
    let streams = Arc::new(Streams::default());
    let mut open = JoinSet::new();
    for _ in 0..STREAMS {
        open.spawn(stream(address, Arc::clone(&streams)));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut ending: Vec<Fairway> = Vec::new();
    let began = Instant::now();
    for _ in 0..count {
        let next = start().await;
        now.process.signal("TERM");
        ending.push(std::mem::replace(&mut now, next));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        ending.retain(|old| !old.process.ended());
    }
    let took = began.elapsed().as_secs_f64();
    let mut good = told("kept connections", &kept.stop().await);
    good &= told("fresh connections", &fresh.stop().await);
    streams.stop.store(true, Relaxed);
    while open.join_next().await.is_some() {}
    let (whole, broken) = (streams.whole.load(Relaxed), streams.broken.load(Relaxed));
    println!("  streams of 6 s: {whole} whole, {broken} broken");
    println!("  {count} restarts in {took:.0} s");
    good && broken == 0 && whole > 0
}

/// Certificates change in the folder; connections that are there go on, and new ones get the new one.
async fn certificates(manifests: &Path, folder: &Path, count: usize) -> bool {
    let keys = folder.join("certificate");
    let first = tls::certificate(&keys, &[NAME]);
    let port = free_port();
    let mut arguments = arguments(manifests, [port, free_port(), free_port()]);
    arguments[1] = format!("--listen=https=127.0.0.1:{port}");
    arguments.push(format!("--certificates={}", keys.display()));
    let gateway = Fairway::start(&arguments).await;
    let all: Vec<CertificateDer<'static>> = (0..count)
        .map(|index| tls::certificate(&folder.join(format!("next-{index}")), &[NAME]))
        .collect();
    let mut trusted = vec![first.clone()];
    trusted.extend(all.iter().cloned());
    let client = || (tls::client_of(&trusted, &[&TLS13], &["http/1.1"]), NAME.to_owned());
    let kept = Load::start_secured(gateway.address, RATE, 32, Reuse::Keep, client());
    let fresh = Load::start_secured(gateway.address, RATE, 32, Reuse::Fresh, client());
    let mut slowest = Duration::ZERO;
    for (index, certificate) in all.iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let next = folder.join(format!("next-{index}"));
        // The key first, as one file after the other would come: the pair must fit to be taken.
        for name in ["tls.key", "tls.crt"] {
            let there = keys.join(format!("{name}.new"));
            std::fs::copy(next.join(name), &there).unwrap();
            std::fs::rename(there, keys.join(name)).unwrap();
        }
        let began = Instant::now();
        let only = tls::client(certificate, &[&TLS13], &["http/1.1"]);
        while tls::connect(&only, gateway.address, NAME).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the new certificate is not taken");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest = slowest.max(began.elapsed());
    }
    let mut good = told("kept connections by TLS", &kept.stop().await);
    good &= told("fresh connections by TLS", &fresh.stop().await);
    println!("  {count} certificates, the slowest live after {} ms", slowest.as_millis());
    good
}

fn told(what: &str, outcome: &Outcome) -> bool {
    let Outcome { sent, good, failures, slowest_ms } = outcome;
    let failed = sent - good;
    println!("  {what}: {sent} requests, {failed} failed, the slowest {slowest_ms} ms");
    let mut kinds: Vec<&String> = failures.iter().collect();
    kinds.sort();
    kinds.dedup();
    for kind in kinds.iter().take(5) {
        println!("    {} x {kind}", failures.iter().filter(|other| other == kind).count());
    }
    failed == 0
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend().await;
    let manifests = folder.path().join("routes");
    std::fs::create_dir_all(&manifests).unwrap();
    let route = format!(
        "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: all, namespace: bench}}\nspec:\n  rules:\n    - backends: [{{host: 127.0.0.1, port: {}}}]\n",
        backend.address.port()
    );
    std::fs::write(manifests.join("route.yaml"), route).unwrap();
    let migrates = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_migrate_req");
    println!("net.ipv4.tcp_migrate_req = {}", migrates.unwrap_or_default().trim());
    let mut good = restarts(&manifests, number("RESTARTS", 50)).await;
    let changes = number("CERTIFICATES", 20);
    if changes > 0 {
        good &= certificates(&manifests, folder.path(), changes).await;
    }
    if !good {
        std::process::exit(1);
    }
}
