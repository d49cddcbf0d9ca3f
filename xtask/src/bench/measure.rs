//! One measurement: load for some seconds, and what it cost the proxy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::peers::{self, Peer, Running};
use crate::steps::say;

/// Connections of the load generator, each with one request at a time.
const CONNECTIONS: u64 = 64;

/// What one round showed of a proxy.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// CPU time of the proxy, user and system, for each request.
    pub(super) micros: f64,
    pub(super) requests_per_second: f64,
    /// Resident memory before and after the load, in KiB.
    pub(super) idle: u64,
    pub(super) loaded: u64,
    /// Latency as the load generator saw it at full load.
    pub(super) p50: String,
    pub(super) p99: String,
}

/// All rounds of a proxy.
pub(super) struct Measured {
    pub(super) name: &'static str,
    pub(super) version: String,
    pub(super) rounds: Vec<Round>,
}

/// Measures every peer, in turn, in every round.
pub(super) fn proxies(rounds: usize, seconds: u64) -> anyhow::Result<Vec<Measured>> {
    let peers = peers::all()?;
    let folder = std::env::temp_dir().join(format!("fairway-bench-{}", std::process::id()));
    let result = measure_all(&peers, rounds, seconds, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn measure_all(
    peers: &[Peer],
    rounds: usize,
    seconds: u64,
    folder: &Path,
) -> anyhow::Result<Vec<Measured>> {
    let (_origin, origin) = peers::start_origin(&folder.join("origin"))?;
    let expected = body(origin)?;
    let mut measured: Vec<Measured> = peers
        .iter()
        .map(|peer| Measured { name: peer.name, version: peer.version.clone(), rounds: Vec::new() })
        .collect();
    for round in 0..rounds {
        for (peer, measured) in peers.iter().zip(&mut measured) {
            let folder =
                folder.join(format!("{}-{round}", peer.name.replace([' ', ',', '(', ')'], "-")));
            let running = peers::start(peer, origin, &folder)?;
            let round_result = one(peer, &running, &expected, seconds, &folder)
                .with_context(|| format!("{} in round {}", peer.name, round + 1))?;
            say(&format!(
                "    round {} {:<22} {:>6.1} us  {:>8.0} req/s  RSS {:>5.1} MiB",
                round + 1,
                peer.name,
                round_result.micros,
                round_result.requests_per_second,
                kib_to_mib(round_result.loaded)
            ));
            measured.rounds.push(round_result);
        }
    }
    Ok(measured)
}

fn one(
    peer: &Peer,
    running: &Running,
    expected: &str,
    seconds: u64,
    folder: &Path,
) -> anyhow::Result<Round> {
    let Running { process, port, .. } = running;
    let port = *port;
    if body(port)? != expected {
        bail!("the answer is not the origin's");
    }
    let idle = memory(process.id())?;
    let before = cpu(process.id())?;
    let load = load(port, seconds)?;
    let after = cpu(process.id())?;
    let loaded = memory(process.id())?;
    if body(port)? != expected {
        bail!("the answer is not the origin's any more");
    }
    // One request before the load and one after it.
    let all = load.requests + 2;
    if peer.logs {
        check_log(folder, all)?;
    }
    if peer.counts {
        check_count("metrics count", counted(running.status)?, all)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
    let requests = load.requests as f64;
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let per_second = requests / seconds as f64;
    Ok(Round {
        micros: (after - before).as_secs_f64() * 1e6 / requests,
        requests_per_second: per_second,
        idle,
        loaded,
        p50: load.p50,
        p99: load.p99,
    })
}

/// The log must hold one line for each request: a measurement without it does not count.
fn check_log(folder: &Path, requests: u64) -> anyhow::Result<()> {
    std::thread::sleep(Duration::from_millis(400));
    let log = std::fs::read(folder.join("out.log"))?;
    let lines = log.iter().filter(|byte| **byte == b'\n').count() as u64;
    check_count("the log tells", lines, requests)
}

/// Requests that the load generator left behind at its end, one for each connection, are told too.
fn check_count(who: &str, told: u64, requests: u64) -> anyhow::Result<()> {
    if told < requests || told > requests + CONNECTIONS {
        bail!("{requests} requests were answered, but {who} {told}");
    }
    Ok(())
}

/// The requests that Fairway's metrics count.
fn counted(status: u16) -> anyhow::Result<u64> {
    let text = get(status, "/metrics")?;
    let counts = text.lines().filter(|line| line.starts_with("fairway_requests_total{"));
    let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

struct Load {
    requests: u64,
    p50: String,
    p99: String,
}

fn load(port: u16, seconds: u64) -> anyhow::Result<Load> {
    let output = Command::new("taskset")
        .args(["-c", "0", "wrk", "-t1", "--latency"])
        .arg(format!("-c{CONNECTIONS}"))
        .arg(format!("-d{seconds}s"))
        .arg(format!("http://127.0.0.1:{port}/bench"))
        .output()
        .context("cannot start wrk")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for bad in ["Non-2xx", "Socket errors"] {
        if let Some(line) = text.lines().find(|line| line.contains(bad)) {
            bail!("{}", line.trim());
        }
    }
    let percentile = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("?").to_owned()
    };
    let requests = text
        .lines()
        .find(|line| line.contains("requests in"))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("wrk said nothing useful: {text}"))?;
    Ok(Load { requests, p50: percentile("50%"), p99: percentile("99%") })
}

/// One answer's body.
fn body(port: u16) -> anyhow::Result<String> {
    get(port, "/bench")
}

fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let host = "Host: bench.example\r\nConnection: close";
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if !text.starts_with("HTTP/1.1 200") {
        bail!("answered {:?}", text.lines().next().unwrap_or_default());
    }
    Ok(text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// The process and its children.
fn family(id: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let mut all = vec![id];
    for child in children.unwrap_or_default().split_whitespace() {
        all.extend(child.parse().ok().map(family).unwrap_or_default());
    }
    all
}

/// User and system time of a process and its children.
fn cpu(id: u32) -> anyhow::Result<Duration> {
    let mut ticks = 0u64;
    for id in family(id) {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = behind.split_whitespace().collect();
        for index in [11, 12] {
            ticks += fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    // The clock of /proc ticks a hundred times a second on every Linux.
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory in KiB of a process and its children.
fn memory(id: u32) -> anyhow::Result<u64> {
    let mut total = 0;
    for id in family(id) {
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        total +=
            line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

#[expect(clippy::cast_precision_loss, reason = "memory of a process")]
pub(super) fn kib_to_mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
