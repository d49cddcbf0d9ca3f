//! Attacks a gateway that others use meanwhile: slow heads, slow bodies and slow readers by slowhttptest,
//! and floods of frames. `cargo xtask bench attacks` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails must stop")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fairway_tests::fairway::Fairway;
use fairway_tests::floods::{CALM, FLOODS, flood};
use fairway_tests::http::Client;
use fairway_tests::http2::Frames;
use fairway_tests::origin::{Raw, read_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Connections of an attack.
const ATTACKERS: &str = "8000";
/// How many of them are opened in a second.
const RATE: &str = "2000";
/// What the gateway gives a head, and how far a body may be behind.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a flood goes on, over one connection after the other.
const FLOODED: Duration = Duration::from_secs(10);
/// An attacker that is sent away comes again after so long; and then at once, which takes a processor of
/// its own.
const AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::ZERO];
/// How many slow clients are looked at one by one.
const WATCHED: usize = 20;
/// Others ask this often, half of them over a connection of their own.
const PAUSE: Duration = Duration::from_millis(5);
/// The answer that slow readers ask for.
const LARGE: usize = 256 * 1024;

/// Answers in one write, takes every body, and never answers `/never`.
async fn backend() -> Raw {
    let [small, large] = [2, LARGE].map(|length| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        Bytes::from([head.into_bytes(), vec![b'x'; length]].concat())
    });
    Raw::start(move |_, mut stream| {
        let (small, large) = (small.clone(), large.clone());
        async move {
            loop {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                if head.starts_with("GET /never ") || head.starts_with("POST ") {
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    return;
                }
                let answer = if head.starts_with("GET /large ") { &large } else { &small };
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// What other clients see: how long each of their requests takes, in microseconds.
struct Others {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u64>>,
}

impl Others {
    /// In a thread of their own, for the attack comes from here too.
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(ask_again_and_again(address, &stopped))
        });
        Self { stop, thread }
    }

    /// The median and the 99th percentile in milliseconds.
    fn stop(self) -> (f64, f64) {
        self.stop.store(true, Relaxed);
        let mut times = self.thread.join().expect("a request of others failed");
        times.sort_unstable();
        let at = |share: usize| Duration::from_micros(times[times.len() * share / 100]);
        (at(50).as_secs_f64() * 1e3, at(99).as_secs_f64() * 1e3)
    }
}

async fn ask_again_and_again(address: SocketAddr, stop: &AtomicBool) -> Vec<u64> {
    let mut times = Vec::new();
    let mut kept = Client::connect(address).await;
    while !stop.load(Relaxed) {
        let began = Instant::now();
        let answer = if times.len() % 2 == 0 {
            kept.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await
        } else {
            let mut fresh = Client::connect(address).await;
            fresh.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await
        };
        let took = began.elapsed();
        assert_eq!(answer.status, 200);
        times.push(u64::try_from(took.as_micros()).unwrap());
        tokio::time::sleep(PAUSE.saturating_sub(took)).await;
    }
    times
}

/// Resident memory of a process, in KiB.
fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What a kind of slow clients does, in the words of slowhttptest.
fn slow(kind: &str) -> Vec<&'static str> {
    match kind {
        "heads" => vec!["-H", "-i", "5"],
        "bodies" => vec!["-B", "-s", "8192", "-x", "10", "-i", "5"],
        "reads" => vec!["-X", "-w", "1", "-y", "2", "-n", "5", "-z", "1"],
        _ => unreachable!("{kind}"),
    }
}

/// One attack by slowhttptest; says whether nobody else noticed.
async fn slowly(kind: &str, fairway: &Fairway, quiet: (f64, f64)) -> bool {
    let id = fairway.process.pid;
    let before = resident(id);
    let told = fairway.access_log().len();
    let peak = AtomicU64::new(0);
    let most = AtomicU64::new(0);
    let others = Others::start(fairway.address);
    let mut attack = tokio::process::Command::new("slowhttptest");
    attack.args(["-c", ATTACKERS, "-r", RATE, "-p", "5", "-l", "30"]).args(slow(kind));
    attack.arg("-u").arg(format!("http://{}/large", fairway.address));
    attack.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let began = Instant::now();
    let mut attack = attack.spawn().unwrap();
    let lives = tokio::spawn(live(kind.to_owned(), fairway.address));
    while attack.try_wait().unwrap().is_none() {
        peak.fetch_max(resident(id), Relaxed);
        let open = fairway.metric("fairway_downstream_connections").await;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        most.fetch_max(open as u64, Relaxed);
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(began.elapsed() < Duration::from_secs(150), "slowhttptest does not end");
    }
    let (p50, p99) = others.stop();
    let lived = lives.await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut ends: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for line in fairway.access_log().split_off(told) {
        let Some(reason) = line["reason"].as_str() else { continue };
        let end = ends.entry(reason.to_owned()).or_default();
        end.0 += 1;
        end.1 = end.1.max(line["duration_ms"].as_f64().unwrap_or_default() / 1e3);
    }
    let (open, peak) = (most.load(Relaxed), peak.load(Relaxed));
    let added = p99 - quiet.1;
    #[expect(clippy::cast_precision_loss, reason = "memory of a process")]
    let each = peak.saturating_sub(before) as f64 / open.max(1) as f64;
    println!(
        "  slow {kind}: {open} open at once; others p50 {p50:.2} p99 {p99:.2} ms ({added:+.2}); RSS {:.1} -> {:.1} MiB ({each:.1} KiB each); {WATCHED} that were watched lived {lived:.1} s at most",
        mib(before),
        mib(peak)
    );
    for (reason, (count, longest)) in ends {
        println!("    {count} x {reason}, the longest {longest:.1} s");
    }
    added <= 5.0 && lived <= (LIMIT + Duration::from_secs(1)).as_secs_f64()
}

/// How long slow clients live at most, in seconds: each sends a byte now and then, or reads nothing.
async fn live(kind: String, address: SocketAddr) -> f64 {
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..WATCHED {
        let head = match kind.as_str() {
            "heads" => "GET / HTTP/1.1\r\nHost: a\r\n",
            "bodies" => "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8192\r\n\r\n",
            _ => "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
        };
        let reads = kind != "reads";
        all.spawn(async move {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            let mut stream = socket.connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let began = Instant::now();
            // A reader is told of its end by the reset; the others send, and look for an answer.
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let mut bytes = [0; 512];
                let left = if reads {
                    stream.try_read(&mut bytes).is_ok()
                } else {
                    stream.take_error().unwrap().is_some()
                };
                let _ = if reads { stream.try_write(b"x") } else { Ok(0) };
                let lived = began.elapsed();
                if left || lived > Duration::from_secs(60) {
                    return lived.as_secs_f64();
                }
            }
        });
    }
    let lives = all.join_all().await;
    lives.into_iter().fold(0.0, f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "memory of a process")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// A flood over one connection after the other; says whether nobody else noticed.
async fn floods(name: &str, again: Duration, fairway: &Fairway, quiet: (f64, f64)) -> bool {
    // Made before it begins: the attacker's work is not what others are to notice.
    let make = flood(name);
    let batches: Vec<Vec<u8>> = (0..100)
        .map(|batch| (0..100).flat_map(|count| make(batch * 100 + count)).collect())
        .collect();
    let others = Others::start(fairway.address);
    let began = Instant::now();
    let (mut ended, mut slowest, mut calm) = (0, Duration::ZERO, true);
    while began.elapsed() < FLOODED {
        let mut attacker = Frames::connect(fairway.address).await;
        let first = Instant::now();
        for batch in &batches {
            if !attacker.send(batch).await {
                break;
            }
        }
        calm &= attacker.goaway().await == Some(CALM);
        slowest = slowest.max(first.elapsed());
        ended += 1;
        tokio::time::sleep(again).await;
    }
    let (p50, p99) = others.stop();
    let (millis, times) = (slowest.as_millis(), p99 / quiet.1);
    println!(
        "  {name}: {ended} connections, GOAWAY at the latest after {millis} ms; others p50 {p50:.2} p99 {p99:.2} ms ({times:.1} times quiet)"
    );
    calm && slowest < Duration::from_secs(1) && times < 2.0
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend().await;
    let route = format!(
        "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: all, namespace: bench}}\nspec:\n  rules:\n    - backends: [{{host: 127.0.0.1, port: {}}}]\n      policy: {{timeouts: {{idle: 10s, response: 0s}}}}\n",
        backend.address.port()
    );
    std::fs::write(folder.path().join("route.yaml"), route).unwrap();
    let arguments = [
        format!("--manifests={}", folder.path().display()),
        format!("--client-head={}s", LIMIT.as_secs()),
    ];
    let fairway = Fairway::start(&arguments).await;
    let others = Others::start(fairway.address);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let quiet = others.stop();
    println!("  quiet: others p50 {:.2} p99 {:.2} ms", quiet.0, quiet.1);
    let mut good = true;
    for kind in ["heads", "bodies", "reads"] {
        good &= slowly(kind, &fairway, quiet).await;
    }
    for again in AGAIN {
        println!("  floods, each attacker again after {} ms", again.as_millis());
        for name in FLOODS {
            let calm = floods(name, again, &fairway, quiet).await;
            // Without a pause the attacker and the others share what is left of the machine.
            good &= calm || again.is_zero();
        }
    }
    std::process::exit(i32::from(!good));
}
