//! What a gateway costs in memory: idle, with many routes and Services, and under many changes.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::tools::{self, TEAM};
use super::{Extent, Figures, load, team};
use crate::cluster;
use crate::steps::say;

pub(super) fn run(extent: Extent) -> anyhow::Result<Figures> {
    let (routes, services) = extent.choose((500, 1_000), (5_000, 10_000));
    let address = team::ready(&[], 1)?;
    std::thread::sleep(Duration::from_secs(5));
    let mut figures = vec![format!("idle: {}", tell(&resident()?))];
    fill("Service", services, service)?;
    fill("ServiceRoute", routes, route)?;
    let last = format!("http://{address}/many/{}/quotes", routes - 1);
    // No pod is behind those Services: 503 shows that the route is there.
    tools::answers(&last, 503, Duration::from_secs(120))?;
    std::thread::sleep(Duration::from_secs(10));
    let full = resident()?;
    figures.push(format!("{routes} ServiceRoutes and {services} Services: {}", tell(&full)));
    // The changes take long; this is worth knowing before.
    figures.iter().for_each(|figure| say(&format!("    {figure}")));
    let changes = Duration::from_secs(extent.choose(20, 600));
    let (count, slope) = change(changes, routes)?;
    figures.push(format!(
        "after {count} changes in {} s: {}; {slope}",
        changes.as_secs(),
        tell(&resident()?)
    ));
    if full.iter().any(|(_, kib)| *kib > 60 * 1024) {
        bail!("over 60 MB: {}", figures.join("; "));
    }
    Ok(figures)
}

/// Resident memory of each gateway in KiB.
fn resident() -> anyhow::Result<Vec<(String, u64)>> {
    let of = |pod: tools::Gateway| {
        let pid = tools::process(&pod)?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Ok((pod.name, kib.context("no VmRSS")?))
    };
    tools::gateways()?.into_iter().map(of).collect()
}

fn tell(resident: &[(String, u64)]) -> String {
    let each = resident.iter().map(|(_, kib)| format!("{:.1} MiB", *kib as f64 / 1024.0));
    each.collect::<Vec<_>>().join(" and ")
}

/// Applies so many objects, some hundreds at a time.
fn fill(kind: &str, count: usize, object: impl Fn(usize) -> String) -> anyhow::Result<()> {
    for first in (0..count).step_by(500) {
        let all: Vec<String> = (first..count.min(first + 500)).map(&object).collect();
        cluster::create(&all.join("---\n"))
            .with_context(|| format!("{kind} {first} and those that follow"))?;
    }
    Ok(())
}

fn service(number: usize) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata:
  name: many-{number}
  namespace: {TEAM}
  labels: {{app.kubernetes.io/name: many-{number}, app.kubernetes.io/part-of: market, team: finance}}
  annotations: {{example.com/owner: finance-platform@example.com, example.com/runbook: 'many words about what to do'}}
spec:
  clusterIP: None
  selector: {{app: many-{number}}}
  ports: [{{name: http, port: 8000}}, {{name: metrics, port: 9000}}]
"
    )
}

/// A route to one of a hundred Services.
fn route(number: usize) -> String {
    format!(
        "apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {{name: many-{number}, namespace: {TEAM}}}
spec:
  rules:
    - match: [{{path: /many/{number}/*}}]
      rewrite: {{path: /v0/*}}
      backends: [{{service: many-{}, port: http}}]
",
        number % 100
    )
}

/// Fifty changes a second by a program of its own, for kubectl takes longer for each than they may.
/// Gives their number, and how memory grew over the second half.
fn change(time: Duration, routes: usize) -> anyhow::Result<(u64, String)> {
    let mut program = cluster::inside(load::program("changes"))
        .env("KUBECONFIG", cluster::folder().join("admin.kubeconfig"))
        .args([TEAM, &routes.to_string(), &format!("--seconds={}", time.as_secs())])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the changes")?;
    let began = Instant::now();
    let mut samples = Vec::new();
    let status = loop {
        if let Some(status) = program.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_secs(1));
        if began.elapsed() > time / 2 {
            let kib = resident()?.into_iter().map(|(_, kib)| kib as f64).collect();
            samples.push(Sample { minutes: began.elapsed().as_secs_f64() / 60.0, kib });
        }
    };
    let mut text = String::new();
    program.stdout.take().context("no output")?.read_to_string(&mut text)?;
    let told: Value = serde_json::from_str(&text).with_context(|| format!("{status}: {text}"))?;
    let (sent, failed) = (told["sent"].as_u64(), told["failed"].as_u64());
    let (Some(sent), Some(0), Some(rate)) = (sent, failed, told["rate"].as_f64()) else {
        bail!("changes failed: {text}");
    };
    let slopes = slopes(&samples).into_iter();
    let slopes = slopes.map(|kib| format!("{:+.2} MiB/min", kib / 1024.0)).collect::<Vec<_>>();
    Ok((sent, format!("{rate:.0} changes/s, {}", slopes.join(" and "))))
}

/// Resident memory of each gateway at one moment.
struct Sample {
    minutes: f64,
    kib: Vec<f64>,
}

/// For each gateway the slope of the line that is nearest to its samples, in KiB a minute.
fn slopes(samples: &[Sample]) -> Vec<f64> {
    let mean =
        |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
    let minutes = mean(&|sample| sample.minutes);
    let spread = mean(&|sample| (sample.minutes - minutes).powi(2));
    let gateways = samples.first().map_or(0, |sample| sample.kib.len());
    let slope = |gateway: usize| {
        let middle = mean(&|sample| sample.kib[gateway]);
        mean(&|sample| (sample.minutes - minutes) * (sample.kib[gateway] - middle)) / spread
    };
    (0..gateways).map(slope).collect()
}
