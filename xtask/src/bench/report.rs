//! What was measured, for people: printed, and kept in `bench/results`.

use std::fmt::Write;
use std::process::Command;

use anyhow::Context;

use super::measure::{Measured, Row, kib_to_mib, median};
use crate::root;
use crate::steps::say;

/// Writes the report.
pub(super) fn write(rows: &[Row], rounds: usize, seconds: u64) -> anyhow::Result<()> {
    keep("proxy", &text(rows, rounds, seconds, &today()))
}

/// Prints a report and keeps it.
pub(super) fn keep(name: &str, text: &str) -> anyhow::Result<()> {
    say(text);
    let folder = root().join("bench/results");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}-{name}.md", today()));
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The day in words of ISO 8601.
pub(super) fn today() -> String {
    shell("date", &["-u", "+%Y-%m-%d"])
}

fn text(rows: &[Row], rounds: usize, seconds: u64, date: &str) -> String {
    let mut out = format!(
        "# Cost per proxied request, {date}\n\n{}. Origin and load on core 0, one proxy at a time on core 1, or on both where it has two workers; {rounds} rounds of {seconds} s in turn. CPU is user and system time of the proxy for each request, median; \"to the better\" is to the better of nginx and HAProxy. Load: wrk with 64 connections, h2load with 16 of 10 streams, `openssl s_time` for handshakes. Each answer was 200, and one before and one after each round had the origin's body; Fairway wrote one log line for each request where its log is on, and its metric counts as many. Its stdout is a pipe that is read on core 0, as under a container runtime. Peers write no log.\n",
        machine()
    );
    for row in rows {
        let _ = writeln!(
            out,
            "\n## {}\n\n| proxy | CPU us | to the better | requests/s | p50 | p99 | RSS idle MiB | RSS loaded MiB | every round |\n|---|---|---|---|---|---|---|---|---|",
            row.case.name
        );
        let others =
            row.results.iter().filter(|result| ["nginx", "HAProxy"].contains(&result.name));
        let better = others.map(micros).fold(f64::INFINITY, f64::min);
        for result in &row.results {
            out.push_str(&line(result, better));
        }
    }
    let versions = rows.first().into_iter().flat_map(|row| &row.results);
    let versions = versions.map(|result| format!("{} is {}", result.name, result.version));
    let _ = writeln!(out, "\n{}.", versions.collect::<Vec<_>>().join("; "));
    out
}

fn micros(result: &Measured) -> f64 {
    median(&result.rounds, |round| round.micros)
}

fn line(result: &Measured, better: f64) -> String {
    let rounds = &result.rounds;
    let middle = &rounds[rounds.len() / 2];
    let every: Vec<String> = rounds.iter().map(|round| format!("{:.1}", round.micros)).collect();
    format!(
        "| {} | {:.1} | {:.2} | {:.0} | {} | {} | {:.1} | {:.1} | {} |\n",
        result.name,
        micros(result),
        micros(result) / better,
        median(rounds, |round| round.requests_per_second),
        middle.p50,
        middle.p99,
        median(rounds, |round| kib_to_mib(round.idle)),
        median(rounds, |round| kib_to_mib(round.loaded)),
        every.join(" "),
    )
}

/// The machine in words.
pub(super) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!("{cores} cores, {model}, Linux {}", shell("uname", &["-r"]))
}

pub(super) fn shell(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}
