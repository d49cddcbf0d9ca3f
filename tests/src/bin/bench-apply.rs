//! Measures the time from applying a change to the first request that follows it, with many
//! routes there and under load. `cargo xtask bench apply` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails must stop")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fairway_tests::dns::Dns;
use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::Client;
use fairway_tests::kube::Kube;
use fairway_tests::load::Load;
use fairway_tests::origin::Echo;
use serde_json::json;
use tokio::task::JoinSet;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn spec(route: usize, to: &str) -> serde_json::Value {
    json!({ "rules": [{
        "match": [{ "path": format!("/r{route}/*") }], "rewrite": { "path": to },
        "backends": [{ "service": "finance", "port": "http" }] }] })
}

/// The percentile of sorted times.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

#[tokio::main]
async fn main() {
    let (routes, changes, rate) =
        (number("BENCH_ROUTES", 3000), number("BENCH_CHANGES", 200), number("BENCH_RATE", 1000));
    let (kube, dns, echo) = tokio::join!(Kube::start(), Dns::start(), Echo::start("finance"));
    let kube = Arc::new(kube);
    dns.set("*", &[Ipv4Addr::LOCALHOST]);
    kube.namespace("market").await;
    kube.service("market", "finance", echo.address.port()).await;
    let mut tasks = JoinSet::new();
    for part in 0..8 {
        let kube = Arc::clone(&kube);
        tasks.spawn(async move {
            for route in (part..routes).step_by(8) {
                kube.apply("market", &format!("route-{route}"), spec(route, "/old/*")).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    let args =
        [format!("--kubeconfig={}", kube.kubeconfig.display()), format!("--dns={}", dns.address)];
    let fairway = Fairway::start(&args).await;
    kube.programmed("market", &format!("route-{}", routes - 1)).await;
    eventually("all statuses are written", || async {
        (kube.status_writes().len() == routes).then_some(())
    })
    .await;
    let writes_before: usize = kube.status_writes().values().sum();
    println!("{routes} routes, {writes_before} status writes for them");

    let load =
        Load::start(fairway.address, rate as u64, 16, move |n| format!("/r{}/x", n % routes));
    let mut times = Vec::with_capacity(changes);
    let mut client = Client::connect(fairway.address).await;
    for change in 0..changes {
        let route = change * 7 % routes;
        let to = format!("/gen-{change}/*");
        let began = Instant::now();
        kube.apply("market", &format!("route-{route}"), spec(route, &to)).await;
        let request = format!("GET /r{route}/x HTTP/1.1\r\nHost: a\r\n\r\n");
        let expected = format!("/gen-{change}/x");
        while client.ask(&request).await.json()["path"] != expected.as_str() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let outcome = load.stop().await;
    times.sort();
    println!(
        "from apply to the first request that follows it, {changes} changes: p50 {:?}, p99 {:?}, worst {:?}",
        percentile(&times, 50),
        percentile(&times, 99),
        times[times.len() - 1]
    );
    println!(
        "requests: {} sent, {} answered, {} failed",
        outcome.sent,
        outcome.good,
        outcome.failures.len()
    );
    for failure in outcome.failures.iter().take(5) {
        println!("  {failure}");
    }
    let changed = changes.min(routes);
    eventually("the changes are written", || async {
        let writes: usize = kube.status_writes().values().sum();
        (writes >= writes_before + changed).then_some(())
    })
    .await;
    let writes = kube.status_writes();
    let touched: std::collections::BTreeSet<usize> =
        (0..changes).map(|change| change * 7 % routes).collect();
    let most = writes.values().max().copied().unwrap_or_default();
    let others: usize = writes
        .iter()
        .filter(|(name, _)| {
            let route = name.trim_start_matches("route-").parse::<usize>();
            route.is_ok_and(|route| !touched.contains(&route))
        })
        .map(|(_, count)| count - 1)
        .sum();
    println!(
        "status writes: {} for {changes} changes, at most {most} for one object (its creation included), {others} for objects that did not change",
        writes.values().sum::<usize>() - writes_before
    );
}
