//! Measures the time from applying a change to the first request that follows it, with many
//! routes there and under load. `cargo xtask bench apply` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails must stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fairway_tests::dns::Dns;
use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::{Answer, Client};
use fairway_tests::kube::{Kube, condition};
use fairway_tests::load::Load;
use fairway_tests::origin::Echo;
use futures::StreamExt;
use kube::api::WatchEvent;
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

/// When each object was seen to change last.
type Seen = Arc<Mutex<BTreeMap<String, Instant>>>;

/// How long changes took.
#[derive(Default)]
struct Times {
    /// From the beginning of an apply to the answer of the API server.
    answered: Vec<Duration>,
    /// From the beginning of an apply to the first answer to a request that follows it.
    live: Vec<Duration>,
    /// From the watch event, as another watcher sees it, to that answer.
    event: Vec<Duration>,
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

    /// Makes changes one after the other, at this pace. `begun` says how many were begun.
    async fn change(&self, changes: usize, pace: Duration, begun: &AtomicUsize) -> Times {
        let mut times = Times::default();
        let mut client = Client::connect(self.fairway.address).await;
        let seen = self.watch().await;
        let first = Instant::now();
        for change in 0..changes {
            let route = touched(change, self.routes);
            let to = format!("/gen-{change}/*");
            begun.store(change + 1, Relaxed);
            let began = Instant::now();
            self.kube.apply("market", &format!("route-{route}"), spec(route, &to)).await;
            times.answered.push(began.elapsed());
            let request = format!("GET /r{route}/x HTTP/1.1\r\nHost: a\r\n\r\n");
            let expected = format!("/gen-{change}/x");
            while client.ask(&request).await.json()["path"] != expected.as_str() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let now = Instant::now();
            times.live.push(now - began);
            let name = format!("route-{route}");
            let event = eventually("the change was watched", || async {
                seen.lock().unwrap().get(&name).copied().filter(|at| *at >= began)
            })
            .await;
            times.event.push(now.saturating_duration_since(event));
            let due = first + pace * u32::try_from(change + 1).unwrap();
            tokio::time::sleep_until(due.into()).await;
        }
        for all in [&mut times.answered, &mut times.live, &mut times.event] {
            all.sort();
        }
        times
    }

    /// When a watch of our own saw each object change in its spec.
    async fn watch(&self) -> Seen {
        let seen = Seen::default();
        let routes = self.kube.routes("market");
        let version = routes.list(&Default::default()).await.unwrap().metadata.resource_version;
        let mut events =
            routes.watch(&Default::default(), &version.unwrap()).await.unwrap().boxed();
        let told = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut generations = BTreeMap::new();
            while let Some(event) = events.next().await {
                let WatchEvent::Modified(route) = event.unwrap() else { continue };
                let name = route.metadata.name.unwrap();
                let generation = route.metadata.generation;
                if generations.insert(name.clone(), generation) != Some(generation) {
                    told.lock().unwrap().insert(name, Instant::now());
                }
            }
        });
        seen
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

/// What is wrong with an answer that no revision of a route gave; the last change may be on its way.
fn never_was(route: usize, routes: usize, begun: usize, answer: &Answer) -> Option<String> {
    let path = answer.json()["path"].as_str().unwrap_or_default().to_owned();
    let generation = path.strip_prefix("/gen-").and_then(|rest| rest.strip_suffix("/x"));
    let was = match generation.and_then(|text| text.parse::<usize>().ok()) {
        Some(change) => change < begun && touched(change, routes) == route,
        None => path == "/old/x",
    };
    (!was).then(|| format!("answered as {path}, which route {route} never was"))
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
    let pace = Duration::from_millis(number("BENCH_PACE_MS", 60) as u64);
    let world = World::start(routes).await;
    let before = world.kube.status_writes().await;
    println!("{routes} routes, {} status writes for them", before.values().sum::<usize>());
    let address = world.fairway.address;
    let begun = Arc::new(AtomicUsize::new(0));
    let known = Arc::clone(&begun);
    let load = Load::start_judged(
        address,
        rate as u64,
        16,
        move |n| format!("/r{}/x", n % routes),
        move |n, answer| never_was(n % routes, routes, known.load(Relaxed), answer),
    );
    let began = Instant::now();
    let times = world.change(changes, pace, &begun).await;
    let took = began.elapsed();
    let outcome = load.stop().await;
    println!("{changes} changes in {took:.1?} under {rate} requests a second");
    tell_times("from the beginning of an apply to the answer of the API server", &times.answered);
    tell_times("from the beginning of an apply to the first request that follows it", &times.live);
    tell_times("from the watch event to the first request that follows it", &times.event);
    let failed = outcome.failures.len();
    println!("requests: {} sent, {} answered, {failed} failed", outcome.sent, outcome.good);
    for failure in outcome.failures.iter().take(5) {
        println!("  {failure}");
    }
    world.tell_writes(changes, &before).await;
}
