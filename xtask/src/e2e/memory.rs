//! What a gateway costs in memory: idle, with many routes and Services, and under many changes.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::tools::{self, TEAM};
use super::{Extent, Figures, team};
use crate::cluster;
use crate::steps::say;

pub(super) fn run(extent: Extent) -> anyhow::Result<Figures> {
    let (routes, services) = extent.choose((500, 1_000), (5_000, 10_000));
    let address = team::ready(&[], 1)?;
    std::thread::sleep(Duration::from_secs(5));
    let mut figures = vec![format!("idle: {}", tell(&resident()?))];
    fill("Service", services, service)?;
    fill("ServiceRoute", routes, |number| route(number, 0))?;
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
fn route(number: usize, version: usize) -> String {
    format!(
        "apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {{name: many-{number}, namespace: {TEAM}}}
spec:
  rules:
    - match: [{{path: /many/{number}/*}}]
      rewrite: {{path: /v{version}/*}}
      backends: [{{service: many-{}, port: http}}]
",
        number % 100
    )
}

/// Fifty changes a second; gives their number, and how memory grew over the second half.
fn change(time: Duration, routes: usize) -> anyhow::Result<(usize, String)> {
    let began = Instant::now();
    let (mut count, mut version) = (0, 0);
    let mut half = None;
    while began.elapsed() < time {
        let at = Instant::now();
        version += 1;
        let some = (0..50).map(|offset| route((version * 50 + offset) % routes, version));
        cluster::apply(&some.collect::<Vec<_>>().join("---\n"))?;
        count += 50;
        if half.is_none() && began.elapsed() > time / 2 {
            half = Some(resident()?);
        }
        std::thread::sleep(Duration::from_secs(1).saturating_sub(at.elapsed()));
    }
    let (half, end) = (half.unwrap_or_default(), resident()?);
    let grown = half.iter().zip(&end).map(|((_, before), (_, after))| {
        let mib = (*after as f64 - *before as f64) / 1024.0;
        format!("{:+.2} MiB/min", mib * 60.0 / (time.as_secs_f64() / 2.0))
    });
    let rate = count as f64 / began.elapsed().as_secs_f64();
    Ok((count, format!("{rate:.0} changes/s, {}", grown.collect::<Vec<_>>().join(" and "))))
}
