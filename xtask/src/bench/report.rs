//! What was measured, for people: printed, and kept in `bench/results`.

use std::fmt::Write;
use std::process::Command;

use anyhow::Context;

use super::measure::{Measured, Round, kib_to_mib};
use crate::root;
use crate::steps::say;

/// Writes the report.
pub(super) fn write(results: &[Measured], rounds: usize, seconds: u64) -> anyhow::Result<()> {
    let date = shell("date", &["-u", "+%Y-%m-%d"]);
    let text = text(results, rounds, seconds, &date);
    say(&text);
    let folder = root().join("bench/results");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{date}-proxy.md"));
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn text(results: &[Measured], rounds: usize, seconds: u64, date: &str) -> String {
    let mut out = format!(
        "# Cost per proxied request, {date}\n\n{}. HTTP/1.1 keep-alive, 64 connections, a body of 100 bytes; origin and load on core 0, one proxy at a time with one worker on core 1; {rounds} rounds of {seconds} s in turn. CPU is user and system time of the proxy. Every answer was 200 with the origin's body; Fairway wrote one log line for each request where its log is on. Peers write no log.\n\n| proxy | CPU us per request, median | to nginx | requests/s | p50 | p99 | RSS idle MiB | RSS loaded MiB |\n|---|---|---|---|---|---|---|---|\n",
        machine()
    );
    let nginx = results.iter().find(|result| result.name == "nginx");
    let nginx = nginx.map_or(f64::NAN, |result| median(&result.rounds, |round| round.micros));
    for result in results {
        let micros = median(&result.rounds, |round| round.micros);
        let middle = &result.rounds[result.rounds.len() / 2];
        let _ = writeln!(
            out,
            "| {} | {micros:.1} | {:.2} | {:.0} | {} | {} | {:.1} | {:.1} |",
            result.name,
            micros / nginx,
            median(&result.rounds, |round| round.requests_per_second),
            middle.p50,
            middle.p99,
            median(&result.rounds, |round| kib_to_mib(round.idle)),
            median(&result.rounds, |round| kib_to_mib(round.loaded)),
        );
    }
    out.push_str("\n## Every round\n\n| proxy | version | CPU us per request |\n|---|---|---|\n");
    for result in results {
        let all: Vec<String> =
            result.rounds.iter().map(|round| format!("{:.1}", round.micros)).collect();
        let _ = writeln!(out, "| {} | {} | {} |", result.name, result.version, all.join(" "));
    }
    out
}

/// The machine in words.
pub(super) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!("{cores} cores, {model}, Linux {}", shell("uname", &["-r"]))
}

fn median(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(super) fn shell(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}
