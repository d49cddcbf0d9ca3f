//! The protocol matrix against the binary: every cell with large bodies and the memory that the gateway
//! takes for them, streams of tokens with a client that stalls, and clients that are not ours.
//! `cargo xtask matrix` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here must fail the run")]

mod clients;
mod memory;
mod report;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use fairway_tests::fairway::Fairway;
use fairway_tests::gateway::route;
use fairway_tests::grpc::Service;
use fairway_tests::http::get;
use fairway_tests::matrix::{self, Backend, Downstream, Place, Row, Upstream, tokens};

use memory::Memory;
use report::{Cell, Report};

/// The longest that a stream of tokens may wait for the next one, while another is stalled.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// Run the protocol matrix.
#[derive(Debug, Parser)]
struct Args {
    /// The size of large bodies, in MiB.
    #[arg(long, default_value_t = 1024)]
    large: u64,
    /// How long one client of the token streams takes nothing, in seconds.
    #[arg(long, default_value_t = 30)]
    stall: u64,
    /// How much more memory than idle the gateway may use, in MiB.
    #[arg(long, default_value_t = 16)]
    memory: u64,
    /// The folder of Node's packages.
    #[arg(long)]
    node: PathBuf,
}

/// Starts `fairway run` with these rules.
async fn gateway(rules: &str, settings: &[&str]) -> (Fairway, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("route.yaml"), route(rules)).unwrap();
    let mut args = vec!["--manifests".to_owned(), folder.path().display().to_string()];
    args.push("--access-log=false".to_owned());
    args.extend(settings.iter().map(ToString::to_string));
    (Fairway::start(&args).await, folder)
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // What fails is told in the report.
    std::panic::set_hook(Box::new(|_| {}));
    let mut report = Report::new(args.large);
    cells(&args, &mut report).await;
    streams(&args, &mut report).await;
    foreign(&args, &mut report).await;
    let (text, good) = report.finish();
    let _ = std::io::stdout().write_all(text.as_bytes());
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every cell, one after the other, and the memory of the gateway during the large ones.
async fn cells(args: &Args, report: &mut Report) {
    let backends = Place::backends().await;
    let (fairway, _folder) = gateway(&matrix::rules(&backends), &[]).await;
    // The first answers load what is loaded once.
    for upstream in Upstream::ALL {
        let path = format!("/{}/bytes/1", upstream.segment());
        assert_eq!(get(fairway.address, &path).await.status, 200);
    }
    let memory = Memory::of(fairway.process.pid);
    let idle = memory.now();
    report.idle(idle);
    let place = Place { gateway: fairway.address, backends, large: args.large << 20 };
    for row in Row::ALL {
        let mut cells = Vec::new();
        for (downstream, upstream) in report::columns() {
            memory.forget_peak();
            let outcome = place.run(row, downstream, upstream).await;
            let peak = row.is_large().then(|| memory.peak());
            let bound = idle + (args.memory << 20);
            cells.push(Cell { outcome, peak, bound });
        }
        report.row(row, cells);
    }
}

/// Streams of tokens, with one client that takes none for a while.
async fn streams(args: &Args, report: &mut Report) {
    let backend = Arc::new(Backend::start(Upstream::H2c).await);
    let rules = matrix::rules(&[(Upstream::H2c, Arc::clone(&backend))]);
    // Each worker has connections of its own.
    let (fairway, _folder) = gateway(&rules, &["--workers=1"]).await;
    let address = fairway.address;
    let least = Duration::from_secs(args.stall);
    let held = Arc::clone(&backend);
    let ran = tokio::spawn(async move { tokens::run(address, &held, least, 1).await }).await;
    let told = match ran {
        Err(error) => Err(matrix::panicked(error)),
        Ok(told) => {
            let text = format!(
                "{} streams over {} connection, one client stalled for {:.1} s: {} tokens, none missing, longest wait of the others {:.0} ms",
                tokens::STREAMS,
                backend.connections(),
                told.stalled.as_secs_f64(),
                told.tokens,
                told.longest.as_secs_f64() * 1000.0,
            );
            let good = told.longest <= LONGEST_GAP && backend.connections() == 1;
            if good { Ok(text) } else { Err(text) }
        }
    };
    report.line("token streams", told);
}

/// Clients that are not ours, each with what its users do.
async fn foreign(args: &Args, report: &mut Report) {
    let backends = Place::backends().await;
    let service = Service::start().await;
    let socket = clients::Socket::start(&args.node).await;
    let rules = format!("{}{}{}", matrix::rules(&backends), service.rules(), socket.rules());
    let (fairway, _folder) = gateway(&rules, &[]).await;
    for downstream in Downstream::ALL {
        for upstream in Upstream::ALL {
            for (name, told) in clients::http(fairway.address, downstream, upstream).await {
                let name = format!("{name}, {} to {}", downstream.name(), upstream.name());
                report.line(&name, told);
            }
        }
    }
    let told = fairway_tests::grpc::client(fairway.address).await;
    let compared = "every kind of call, metadata, errors, cancellation, deadlines";
    report.line("grpcio, h2 to h2c", told.map(|said| format!("{compared}; {said}")));
    report.line("ws, HTTP/1.1 to HTTP/1.1", socket.talk(fairway.address, 1000).await);
}
