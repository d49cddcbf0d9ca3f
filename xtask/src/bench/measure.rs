//! One measurement: load for some seconds, and what it cost the proxy.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::cases::{CONNECTIONS, Case};
use super::load;
use super::peers::{self, Peer, Running};
use crate::steps::say;

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

/// All of a row.
pub(super) struct Row {
    pub(super) case: &'static Case,
    pub(super) results: Vec<Measured>,
}

/// Measures every peer, in turn, in every round of every row.
pub(super) fn proxies(
    cases: &[&'static Case],
    rounds: usize,
    seconds: u64,
) -> anyhow::Result<Vec<Row>> {
    let peers = peers::all()?;
    let folder = std::env::temp_dir().join(format!("fairway-bench-{}", std::process::id()));
    let result = (|| {
        let (_origin, origin) = peers::start_origin(&folder.join("origin"))?;
        let row = |case| measure_all(&peers, case, (rounds, seconds), origin, &folder);
        cases.iter().map(|case| row(*case)).collect()
    })();
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn measure_all(
    peers: &[Peer],
    case: &'static Case,
    (rounds, seconds): (usize, u64),
    origin: u16,
    folder: &Path,
) -> anyhow::Result<Row> {
    say(&format!("  {}", case.name));
    let expected = answer(&format!("http://127.0.0.1:{origin}{}", case.path), false)?;
    let peers = || peers.iter().filter(|peer| !(peer.bytes_only && (case.tls || case.http2)));
    let named = |peer: &Peer| {
        let version = peer.version.clone();
        Measured { name: peer.name, version, rounds: Vec::new() }
    };
    let mut results: Vec<Measured> = peers().map(named).collect();
    for round in 0..rounds {
        // Each begins once: what one leaves behind is not always the same one's to bear.
        let mut order: Vec<_> = peers().zip(&mut results).collect();
        let first = round % order.len();
        order.rotate_left(first);
        for (peer, measured) in order {
            let name = peer.name.replace([' ', ',', '(', ')'], "-");
            let folder = folder.join(format!("{}-{name}-{round}", case.slug()));
            let running = peers::start(peer, case, origin, &folder)?;
            let result = one(peer, case, &running, &expected, seconds, &folder);
            let result = result.with_context(|| format!("{} in round {}", peer.name, round + 1))?;
            say(&format!(
                "    round {} {:<22} {:>6.1} us  {:>8.0} req/s  RSS {:>5.1} MiB",
                round + 1,
                peer.name,
                result.micros,
                result.requests_per_second,
                kib_to_mib(result.loaded)
            ));
            measured.rounds.push(result);
        }
    }
    Ok(Row { case, results })
}

fn one(
    peer: &Peer,
    case: &Case,
    running: &Running,
    expected: &[u8],
    seconds: u64,
    folder: &Path,
) -> anyhow::Result<Round> {
    let Running { process, port, .. } = running;
    let url = case.url(*port);
    let body = |url: &str| answer(url, case.http2 && !case.tls);
    if body(&url)? != expected {
        bail!("the answer is not the origin's");
    }
    let idle = memory(process.id())?;
    let before = cpu(process.id())?;
    let load = load::run(case, *port, seconds, folder)?;
    let after = cpu(process.id())?;
    let loaded = memory(process.id())?;
    if body(&url)? != expected {
        bail!("the answer is not the origin's any more");
    }
    // One request before the load and one after it.
    let all = load.requests + 2;
    if peer.logs {
        // A worker hands its lines over ten times a second.
        std::thread::sleep(Duration::from_millis(400));
        check_count("the log tells", process.lines(), all)?;
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

/// Requests that the load generator left behind at its end are told too: as many as it had under way,
/// one for each connection or ten.
fn check_count(who: &str, told: u64, requests: u64) -> anyhow::Result<()> {
    if told < requests || told > requests + 3 * CONNECTIONS {
        bail!("{requests} requests were answered, but {who} {told}");
    }
    Ok(())
}

/// The requests that Fairway's metrics count.
fn counted(status: u16) -> anyhow::Result<u64> {
    let text = answer(&format!("http://127.0.0.1:{status}/metrics"), false)?;
    let text = String::from_utf8_lossy(&text);
    let counts = text.lines().filter(|line| line.starts_with("fairway_requests_total{"));
    let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

/// One answer's body; by HTTP/2 where nothing else is spoken.
fn answer(url: &str, http2: bool) -> anyhow::Result<Vec<u8>> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--insecure", "--max-time", "5", url]);
    if http2 {
        curl.arg("--http2-prior-knowledge");
    }
    let output = curl.output().context("cannot start curl")?;
    if !output.status.success() {
        bail!("{url}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
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
pub(super) fn memory(id: u32) -> anyhow::Result<u64> {
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

/// The middle one of the values of all rounds.
pub(super) fn median<R>(rounds: &[R], value: impl Fn(&R) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
