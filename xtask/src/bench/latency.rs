//! `cargo xtask bench latency`: how long requests take when they come at half of what the proxies can
//! take, when they come to the origin alone, and when a few come beside a download without end.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, bail};

use super::cases::{ALL, Case};
use super::measure::median;
use super::peers::{self, Peer, Process};
use super::{load, report};
use crate::steps::say;

/// Connections of the load generator.
const CONNECTIONS: usize = 64;

/// Requests a second beside the download: few, so that it has the rest of the proxy.
const BESIDE: u64 = 640;

/// Latency of one round, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Round {
    p50: f64,
    p99: f64,
}

/// Measures the origin and every peer in turn.
pub(super) fn run(rounds: usize, seconds: u64) -> anyhow::Result<()> {
    let peers: Vec<Peer> = peers::all()?.into_iter().filter(|peer| !peer.bytes_only).collect();
    let folder = std::env::temp_dir().join(format!("fairway-bench-{}", std::process::id()));
    let result = measure(&peers, (rounds, seconds), &folder).and_then(|(rate, all)| {
        let beside = measure_beside(&peers, (rounds, seconds), &folder)?;
        Ok(format!("{}\n{}", text(rate, &all, rounds, seconds), text_beside(&beside)))
    });
    let _ = std::fs::remove_dir_all(&folder);
    report::keep("latency", &result?)
}

type Measured = Vec<(&'static str, Vec<Round>)>;

fn measure(
    peers: &[Peer],
    (rounds, seconds): (usize, u64),
    folder: &Path,
) -> anyhow::Result<(u64, Measured)> {
    let (_origin, origin) = peers::start_origin(&folder.join("origin"))?;
    let start = |peer: &Peer, round: &str| {
        let name = format!("{}-{round}", peer.name.replace([' ', ','], "-"));
        peers::start(peer, &ALL[0], origin, &folder.join(name))
    };
    // The same for all, so that it says the same of each: half of what the slowest can take of those
    // that are alike. Envoy takes a quarter of that, and gets half of its own.
    let (mut least, mut of_envoy) = (u64::MAX, u64::MAX);
    for peer in peers {
        let running = start(peer, "most")?;
        let loaded = load::run(&ALL[0], running.port, seconds, folder)?;
        say(&format!("    {:<18} takes {} requests/s", peer.name, loaded.requests / seconds));
        let least = if peer.name == "Envoy" { &mut of_envoy } else { &mut least };
        *least = (*least).min(loaded.requests / seconds);
    }
    let rate = least / 2;
    let mut all: Measured = vec![("the origin alone", Vec::new())];
    all.extend(peers.iter().map(|peer| (peer.name, Vec::new())));
    for round in 0..rounds {
        for (index, (name, rounds)) in all.iter_mut().enumerate() {
            let peer = index.checked_sub(1).map(|index| &peers[index]);
            let running = peer.map(|peer| start(peer, &round.to_string())).transpose()?;
            let port = running.as_ref().map_or(origin, |running| running.port);
            let rate = if *name == "Envoy" { of_envoy / 2 } else { rate };
            let told = one(port, rate, seconds, folder).with_context(|| (*name).to_owned())?;
            let Round { p50, p99 } = told;
            say(&format!("    round {} {name:<18} p50 {p50:.0} us, p99 {p99:.0} us", round + 1));
            rounds.push(told);
        }
    }
    Ok((rate, all))
}

/// The same beside one connection that takes a body without end as fast as it comes.
fn measure_beside(
    peers: &[Peer],
    (rounds, seconds): (usize, u64),
    folder: &Path,
) -> anyhow::Result<Measured> {
    let (_origin, origin) = peers::start_origin(&folder.join("origin"))?;
    let mut all: Measured = peers.iter().map(|peer| (peer.name, Vec::new())).collect();
    for round in 0..rounds {
        for (peer, (name, rounds)) in peers.iter().zip(&mut all) {
            let own = format!("{}-beside-{round}", name.replace([' ', ','], "-"));
            let running = peers::start(peer, &ALL[0], origin, &folder.join(own))?;
            let long = Case { path: "/long", ..ALL[0] }.url(running.port);
            let args = ["--silent", "--fail", "--output", "/dev/null", &long];
            let mut download = Process::start("0", Path::new("curl"), &args, folder)?;
            let told = one(running.port, BESIDE, seconds, folder).context(*name)?;
            if !download.is_running() {
                bail!("{name}: the download has ended");
            }
            let Round { p50, p99 } = told;
            say(&format!(
                "    beside, round {} {name:<18} p50 {p50:.0} us, p99 {p99:.0} us",
                round + 1
            ));
            rounds.push(told);
        }
    }
    Ok(all)
}

/// Requests at a rate, with the time that each took.
fn one(port: u16, rate: u64, seconds: u64, folder: &Path) -> anyhow::Result<Round> {
    let log = folder.join("times");
    let _ = std::fs::remove_file(&log);
    let each = (rate / CONNECTIONS as u64).max(1);
    let args = [
        "-t1".to_owned(),
        "--h1".to_owned(),
        format!("-c{CONNECTIONS}"),
        format!("--rps={each}"),
        format!("-D{seconds}"),
        format!("--log-file={}", log.display()),
        ALL[0].url(port),
    ];
    let said = load::generator("h2load", &args)?;
    let text = std::fs::read_to_string(&log).context(said)?;
    let mut times = Vec::new();
    for line in text.lines() {
        // When it began, its status, and how long it took, in microseconds.
        let mut columns = line.split('\t').skip(1);
        let (status, took) = (columns.next(), columns.next());
        if status != Some("200") {
            bail!("an answer was not 200: {line}");
        }
        times.push(took.and_then(|took| took.parse::<u32>().ok()).context("no time")?);
    }
    if (times.len() as u64) < rate * seconds * 9 / 10 {
        bail!("{} requests of {} came to be", times.len(), rate * seconds);
    }
    times.sort_unstable();
    let at = |share: usize| f64::from(times[times.len() * share / 100]);
    Ok(Round { p50: at(50), p99: at(99) })
}

fn text(rate: u64, all: &Measured, rounds: usize, seconds: u64) -> String {
    let mut out = format!(
        "# Latency at half load, {}\n\n{}. h2load with {CONNECTIONS} connections of HTTP/1.1 at {rate} requests/s in all, which is half of what the slowest of Fairway, nginx and HAProxy takes (Envoy at half of its own); {rounds} rounds of {seconds} s in turn, medians in microseconds. What a proxy adds is its own less the origin's.\n\n| | p50 | p99 | added p50 | added p99 |\n|---|---|---|---|---|\n",
        report::today(),
        report::machine()
    );
    let alone = all.first().map(|(_, rounds)| middle(rounds)).unwrap_or_default();
    for (name, rounds) in all {
        let (p50, p99) = middle(rounds);
        let (more50, more99) = (p50 - alone.0, p99 - alone.1);
        let _ = writeln!(out, "| {name} | {p50:.0} | {p99:.0} | {more50:.0} | {more99:.0} |");
    }
    out
}

fn text_beside(all: &Measured) -> String {
    let mut out = format!(
        "## Beside a download without end\n\nOne connection takes a body as fast as the proxy passes it on; {CONNECTIONS} others ask {BESIDE} times a second in all.\n\n| | p50 | p99 |\n|---|---|---|\n"
    );
    for (name, rounds) in all {
        let (p50, p99) = middle(rounds);
        let _ = writeln!(out, "| {name} | {p50:.0} | {p99:.0} |");
    }
    out
}

fn middle(rounds: &[Round]) -> (f64, f64) {
    (median(rounds, |round| round.p50), median(rounds, |round| round.p99))
}
