//! Measures what the process needs beside ten thousand Services, of which it uses few, and
//! thousands of ServiceRoutes. `cargo xtask bench memory` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails must stop")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use fairway_tests::dns::Dns;
use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::http::get;
use fairway_tests::kube::{Kube, condition};
use fairway_tests::origin::Echo;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Services that routes refer to.
const USED: usize = 100;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn service_name(number: usize) -> String {
    format!("payments-service-{number}")
}

/// A Service as a chart and `kubectl apply` leave it.
fn service(number: usize, port: u16) -> Value {
    let name = service_name(number);
    let labels = json!({
        "app.kubernetes.io/name": name, "app.kubernetes.io/instance": format!("{name}-prod"),
        "app.kubernetes.io/version": "1.42.7", "app.kubernetes.io/component": "api",
        "app.kubernetes.io/part-of": "payments", "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": "payments-service-3.11.2", "team": "payments", "tier": "backend",
    });
    let spec = json!({
        "selector": { "app.kubernetes.io/name": name, "app.kubernetes.io/component": "api" },
        "ports": [
            { "name": "http", "port": port, "targetPort": "http", "appProtocol": "http" },
            { "name": "metrics", "port": 9090, "targetPort": "metrics" },
        ],
    });
    let applied = json!({ "apiVersion": "v1", "kind": "Service", "spec": spec,
        "metadata": { "name": name, "labels": labels, "annotations": {} } });
    json!({
        "metadata": { "name": name, "labels": labels, "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": applied.to_string(),
            "meta.helm.sh/release-name": format!("{name}-prod"),
            "prometheus.io/scrape": "true", "prometheus.io/port": "9090",
        } },
        "spec": spec,
    })
}

/// Two rules, as a team may write them.
fn route(number: usize) -> Value {
    let backend = json!([{ "service": service_name(number % USED), "port": "http" }]);
    json!({ "hosts": [format!("shop-{}.example.com", number % 500)], "rules": [
        { "name": "orders", "match": [{ "path": format!("/r{number}/orders/*"), "methods": ["GET", "POST"] }],
          "rewrite": { "path": "/orders/*" }, "backends": backend,
          "policy": { "timeouts": { "request": "15s" } } },
        { "name": "rest", "match": [{ "path": format!("/r{number}/*") }], "backends": backend },
    ] })
}

/// Makes `count` objects, many at once.
async fn make<F: Future<Output = ()> + Send + 'static>(
    count: usize,
    one: impl Fn(usize) -> F + Send + Sync + 'static,
) {
    const AT_ONCE: usize = 24;
    let one = Arc::new(one);
    let mut tasks = JoinSet::new();
    for part in 0..AT_ONCE {
        let one = Arc::clone(&one);
        tasks.spawn(async move {
            for number in (part..count).step_by(AT_ONCE) {
                one(number).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// A line of `/proc/<pid>/status`, in MB.
fn megabytes(pid: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024.0 / 1e6
}

fn tell(when: &str, pid: u32) {
    println!(
        "{when}: {:.1} MB resident, of which {:.1} MB heap and stacks; at most {:.1} MB so far",
        megabytes(pid, "VmRSS"),
        megabytes(pid, "RssAnon"),
        megabytes(pid, "VmHWM"),
    );
}

/// Waits until the status of every route speaks of its newest generation.
async fn settled(kube: &Kube, routes: usize) {
    eventually("every route is programmed", || async {
        let list = kube.routes("market").list(&Default::default()).await.ok()?;
        let done = list
            .items
            .iter()
            .all(|route| condition(route, "Programmed").is_some_and(|(word, ..)| word == "True"));
        (done && list.items.len() == routes).then_some(())
    })
    .await;
}

#[tokio::main]
async fn main() {
    let (services, routes) = (number("BENCH_SERVICES", 10_000), number("BENCH_ROUTES", 5_000));
    let (kube, dns, echo) = tokio::join!(Kube::start(), Dns::start(), Echo::start("finance"));
    let kube = Arc::new(kube);
    dns.set("*", &[Ipv4Addr::LOCALHOST]);
    kube.namespace("market").await;
    let args = [
        format!("--kubeconfig={}", kube.kubeconfig.display()),
        format!("--dns={}", dns.address),
        "--allow-addresses=127.0.0.0/8".to_owned(),
    ];
    {
        let fairway = Fairway::start(&args).await;
        tell("an empty cluster", fairway.process.pid);
    }
    let began = Instant::now();
    let (client, port) = (kube.client.clone(), echo.address.port());
    make(services, move |number| {
        let api: Api<Service> = Api::namespaced(client.clone(), "market");
        async move {
            let object = serde_json::from_value(service(number, port)).unwrap();
            api.create(&PostParams::default(), &object).await.unwrap();
        }
    })
    .await;
    {
        let fairway = Fairway::start(&args).await;
        tell(&format!("{services} Services"), fairway.process.pid);
    }
    let maker = Arc::clone(&kube);
    make(routes, move |number| {
        let kube = Arc::clone(&maker);
        async move {
            kube.apply("market", &format!("route-{number}"), route(number)).await;
        }
    })
    .await;
    println!("made them in {:.0} s", began.elapsed().as_secs_f64());
    let what = format!("{services} Services and {routes} ServiceRoutes");
    {
        let fairway = Fairway::start(&args).await;
        settled(&kube, routes).await;
        tell(&format!("{what}, all statuses written"), fairway.process.pid);
    }
    let fairway = Fairway::start(&args).await;
    let request = format!("/r{}/orders/1", routes - 1);
    let host = format!("shop-{}.example.com", (routes - 1) % 500);
    eventually("the last route serves", || async {
        let ask = format!("GET {request} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = fairway_tests::http::ask(fairway.address, &ask).await;
        (answer.status == 200).then_some(())
    })
    .await;
    get(fairway.status, "/metrics").await;
    tell(&format!("{what}, after a restart"), fairway.process.pid);
}
