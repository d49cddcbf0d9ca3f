//! `cargo xtask bench`: measured side by side in one run, for only ratios mean anything on a
//! machine that is shared.

mod apply;
mod attacks;
mod cases;
mod connections;
mod latency;
mod load;
mod measure;
mod memory;
mod peers;
mod report;
mod restarts;
mod scale;

use std::process::Command;

use clap::{Args, ValueEnum};

use crate::root;
use crate::steps::{pass, step};

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value_t)]
    what: What,
    /// Rounds; each proxy is measured once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load for each measurement.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Only the rows whose name holds this, for `proxy`: `HTTP/2`, `TLS`, `1 MiB`.
    #[arg(long)]
    case: Option<String>,
    /// Routes that are there already, for `apply`.
    #[arg(long, default_value_t = 3000)]
    routes: usize,
    /// A million rules too, for `scale`.
    #[arg(long)]
    million: bool,
    /// How often, for `restarts`.
    #[arg(long, default_value_t = 50)]
    restarts: usize,
    /// Changes that are measured, for `apply`.
    #[arg(long, default_value_t = 200)]
    changes: usize,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum What {
    /// CPU per proxied request, memory and latency, beside nginx, HAProxy and Envoy.
    #[default]
    Proxy,
    /// Memory with 1,000 and with 10,000 connections that are open and wait, beside the same proxies.
    Connections,
    /// Latency at half of what they can take, beside the same proxies.
    Latency,
    /// The time from kubectl apply to the first request that follows it, on a real API server.
    Apply,
    /// What the process needs beside 10,000 Services and many ServiceRoutes, on a real API server.
    Memory,
    /// What 1,000, 10,000 and 100,000 rules cost: compile, change, lookup and memory.
    Scale,
    /// Slow clients and floods of frames, and what others notice of them.
    Attacks,
    /// Rolling restarts and changes of the certificate at 1,000 requests a second.
    Restarts,
}

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    match args.what {
        What::Proxy => {
            let named = |case: &&cases::Case| {
                args.case.as_ref().is_none_or(|part| case.name.contains(part.as_str()))
            };
            let cases: Vec<&cases::Case> = cases::ALL.iter().filter(named).collect();
            let rows = measure::proxies(&cases, args.rounds, args.seconds)?;
            report::write(&rows, args.rounds, args.seconds)
        }
        What::Connections => connections::run(args.rounds),
        What::Latency => latency::run(args.rounds, args.seconds),
        What::Apply => apply::run(args.routes, args.changes),
        What::Memory => memory::run(),
        What::Scale => scale::run(args.million),
        What::Attacks => attacks::run(),
        What::Restarts => restarts::run(args.restarts),
    }
}

/// Builds the gateway, and a measurement that lives beside the tests because it needs their clients.
fn build(measurement: &str) -> anyhow::Result<()> {
    let cargo = || {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root()).args(["build", "--release", "--package"]);
        command
    };
    step("build fairway", || pass(cargo().arg("fairway")))?;
    step("build the measurement", || pass(cargo().args(["fairway-tests", "--bin", measurement])))
}
