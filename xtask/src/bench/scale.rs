//! What many rules cost, with the whole chain in one process for each size.

use std::fmt::Write;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::report::{self, machine};
use crate::image::ENVIRONMENT;
use crate::steps::{pass, step};
use crate::{root, target};

const SIZES: [usize; 4] = [1_000, 3_000, 10_000, 100_000];

/// Measures each size with many hosts and with one, prints the table and keeps it.
pub(super) fn run(million: bool) -> anyhow::Result<()> {
    step("build", || {
        pass(Command::new(env!("CARGO")).current_dir(root()).args([
            "build",
            "--release",
            "--package=fairway-tests",
            "--bin=bench-scale",
        ]))
    })?;
    let mut measured = Vec::new();
    for rules in SIZES.into_iter().chain(million.then_some(1_000_000)) {
        for hosts in ["many", "one"] {
            let what = format!("{rules} rules, {hosts} hosts");
            measured.push(step(&what, || measure(rules, hosts))?);
        }
    }
    report::keep("scale", &table(&measured, &report::today()))
}

fn measure(rules: usize, hosts: &str) -> anyhow::Result<Value> {
    let output = Command::new(target().join("release/bench-scale"))
        .args([&rules.to_string(), &format!("--hosts={hosts}")])
        .envs(ENVIRONMENT)
        .output()
        .context("cannot start the measurement")?;
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn table(measured: &[Value], date: &str) -> String {
    let mut out = format!(
        "# What many rules cost, {date}\n\n{}. Objects of ten rules each: prefixes with a rewrite, and every fifth with a capture and methods; 1,000 Services. The whole chain in one process: inputs, compiler and its memory, data plane with one worker; resident memory of all of it. A change edits one object, 50 ms after the one before; its time is from the inputs to the snapshot applied. Lookups: 200,000 random requests, each normalised and found, clock included.\n\n| rules | hosts | compile ms | first live ms | change p50 ms | change worst ms | lookup p50 ns | lookup p99 ns | resident MB | of it empty |\n|---|---|---|---|---|---|---|---|---|---|\n",
        machine()
    );
    for row in measured {
        let number = |name: &str, digits: usize| {
            format!("{:.*}", digits, row[name].as_f64().unwrap_or(f64::NAN))
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            number("rules", 0),
            number("hosts", 0),
            number("compile_ms", 0),
            number("first_ms", 0),
            number("change_p50_ms", 1),
            number("change_worst_ms", 1),
            number("lookup_p50_ns", 0),
            number("lookup_p99_ns", 0),
            number("resident_mb", 1),
            number("empty_mb", 1),
        );
    }
    out
}
