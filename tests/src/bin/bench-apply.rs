//! Measures the time from applying a change to the first request that follows it, with many
//! routes there and under load. `cargo xtask bench apply` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails must stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fairway_tests::dns::Dns;
use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::Client;
use fairway_tests::kube::{Kube, condition};
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

/// The world of the measurement: an API server with all routes, and Fairway serving them.
struct World {
    kube: Arc<Kube>,
    fairway: Fairway,
    routes: usize,
    _dns: Dns,
    _echo: Echo,
}

impl World {
    async fn start(routes: usize) -> Self {
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
        let args = [
            format!("--kubeconfig={}", kube.kubeconfig.display()),
            format!("--dns={}", dns.address),
            "--allow-addresses=127.0.0.0/8".to_owned(),
        ];
        let fairway = Fairway::start(&args).await;
        let world = Self { kube, fairway, routes, _dns: dns, _echo: echo };
        world.settled().await;
        world
    }

    /// Waits until the status of every object speaks of its newest generation.
    async fn settled(&self) {
        eventually("every route is programmed", || async {
            let list = self.kube.routes("market").list(&Default::default()).await.ok()?;
            let done = list.items.iter().all(|route| {
                let newest = route.status.as_ref().and_then(|status| status.observed_generation);
                newest == route.metadata.generation
                    && condition(route, "Programmed").is_some_and(|(word, ..)| word == "True")
            });
            (done && list.items.len() == self.routes).then_some(())
        })
        .await;
    }

    /// Makes changes one after the other. For each: how long the API server took to answer, and
    /// how long until a request followed it, both from its beginning.
    async fn change(&self, changes: usize) -> (Vec<Duration>, Vec<Duration>) {
        let (mut answered, mut live) = (Vec::new(), Vec::new());
        let mut client = Client::connect(self.fairway.address).await;
        for change in 0..changes {
            let route = touched(change, self.routes);
            let to = format!("/gen-{change}/*");
            let began = Instant::now();
            self.kube.apply("market", &format!("route-{route}"), spec(route, &to)).await;
            answered.push(began.elapsed());
            let request = format!("GET /r{route}/x HTTP/1.1\r\nHost: a\r\n\r\n");
            let expected = format!("/gen-{change}/x");
            while client.ask(&request).await.json()["path"] != expected.as_str() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            live.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        answered.sort();
        live.sort();
        (answered, live)
    }

    /// Tells the writes of the changes: `before` holds those of each object until then.
    async fn tell_writes(&self, changes: usize, before: &BTreeMap<String, usize>) {
        self.settled().await;
        let touched: BTreeSet<String> =
            (0..changes).map(|n| format!("route-{}", touched(n, self.routes))).collect();
        let (mut all, mut most, mut others) = (0, 0, 0);
        for (name, count) in self.kube.status_writes().await {
            let new = count - before.get(&name).copied().unwrap_or_default();
            all += new;
            most = most.max(new);
            others += if touched.contains(&name) { 0 } else { new };
        }
        println!(
            "status writes: {all} for {changes} changes of {} objects, at most {most} for one, {others} for objects that did not change",
            touched.len()
        );
    }
}

/// The route that a change is made to.
fn touched(change: usize, routes: usize) -> usize {
    change * 7 % routes
}

fn tell_times(what: &str, times: &[Duration]) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        ms(percentile(times, 50)),
        ms(percentile(times, 99)),
        ms(times[times.len() - 1])
    );
}

#[tokio::main]
async fn main() {
    let (routes, changes, rate) =
        (number("BENCH_ROUTES", 3000), number("BENCH_CHANGES", 200), number("BENCH_RATE", 1000));
    let world = World::start(routes).await;
    let before = world.kube.status_writes().await;
    println!("{routes} routes, {} status writes for them", before.values().sum::<usize>());
    let address = world.fairway.address;
    let load = Load::start(address, rate as u64, 16, move |n| format!("/r{}/x", n % routes));
    let (answered, live) = world.change(changes).await;
    let outcome = load.stop().await;
    println!("{changes} changes under {rate} requests a second, from the beginning of each apply");
    tell_times("to the answer of the API server", &answered);
    tell_times("to the first request that follows it", &live);
    let failed = outcome.failures.len();
    println!("requests: {} sent, {} answered, {failed} failed", outcome.sent, outcome.good);
    for failure in outcome.failures.iter().take(5) {
        println!("  {failure}");
    }
    world.tell_writes(changes, &before).await;
}
