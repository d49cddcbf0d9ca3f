//! `cargo xtask bench connections`: what connections cost that are open and wait for a request, beside
//! other proxies.

use std::fmt::Write;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};

use super::cases::ALL;
use super::measure::{kib_to_mib, median, memory};
use super::peers::{self, Peer, Running};
use super::report;
use crate::steps::say;

/// How many are open, one number after the other.
const OPEN: [usize; 2] = [1_000, 10_000];

/// Memory in KiB: idle, and at each of the numbers.
type Round = [u64; OPEN.len() + 1];

/// Measures every peer in turn.
pub(super) fn run(rounds: usize) -> anyhow::Result<()> {
    let peers: Vec<Peer> = peers::all()?.into_iter().filter(|peer| !peer.bytes_only).collect();
    let folder = std::env::temp_dir().join(format!("fairway-bench-{}", std::process::id()));
    let measured = (|| {
        let (_origin, origin) = peers::start_origin(&folder.join("origin"))?;
        let mut all: Vec<Vec<Round>> = peers.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for (peer, rounds) in peers.iter().zip(&mut all) {
                let folder = folder.join(format!("{}-{round}", peer.name.replace([' ', ','], "-")));
                let running = peers::start(peer, &ALL[0], origin, &folder)?;
                let measured = one(&running).with_context(|| peer.name.to_owned())?;
                let mib: Vec<String> =
                    measured.iter().map(|kib| format!("{:.1}", kib_to_mib(*kib))).collect();
                say(&format!("    round {} {:<18} {} MiB", round + 1, peer.name, mib.join(", ")));
                rounds.push(measured);
            }
        }
        anyhow::Ok(all)
    })();
    let _ = std::fs::remove_dir_all(&folder);
    report::keep("connections", &text(&peers, &measured?, rounds))
}

/// Opens connections, each of which carries a request, and leaves them open.
fn one(running: &Running) -> anyhow::Result<Round> {
    let id = running.process.id();
    let mut round = [memory(id)?; OPEN.len() + 1];
    let mut open = Vec::with_capacity(OPEN[OPEN.len() - 1]);
    for (count, kib) in OPEN.into_iter().zip(&mut round[1..]) {
        while open.len() < count {
            let of = open.len() + 1;
            open.push(connect(running.port).with_context(|| format!("connection {of}"))?);
        }
        // What is given back is given back with the next tick of a worker.
        std::thread::sleep(Duration::from_secs(3));
        *kib = memory(id)?;
    }
    Ok(round)
}

fn connect(port: u16) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /bench HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\n\r\n")?;
    let mut answer = [0; 2048];
    let length = stream.read(&mut answer)?;
    if !answer[..length].starts_with(b"HTTP/1.1 200 ") {
        bail!("it was answered {:?}", String::from_utf8_lossy(&answer[..length]));
    }
    Ok(stream)
}

fn text(peers: &[Peer], measured: &[Vec<Round>], rounds: usize) -> String {
    let mut out = format!(
        "# Memory of open connections, {}\n\n{}. One worker; each connection has carried a request and waits for the next; {rounds} rounds in turn, medians of resident memory in MiB. The last column is what one of them costs.\n\n| proxy | idle | 1,000 | 10,000 | KiB each |\n|---|---|---|---|---|\n",
        report::today(),
        report::machine()
    );
    for (peer, rounds) in peers.iter().zip(measured) {
        #[expect(clippy::cast_precision_loss, reason = "memory of a process")]
        let at = |index: usize| median(rounds, |round| round[index] as f64);
        let each = (at(2) - at(0)) / 10_000.0;
        let mib = |index| at(index) / 1024.0;
        let (idle, thousand, most) = (mib(0), mib(1), mib(2));
        let name = peer.name;
        let _ = writeln!(out, "| {name} | {idle:.1} | {thousand:.1} | {most:.1} | {each:.2} |");
    }
    out
}
