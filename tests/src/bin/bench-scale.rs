//! What many rules cost: first compile, one change, lookups and memory, with the whole chain from
//! inputs to the data plane in this process. `cargo xtask bench scale` runs it, once for each size.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that fails must stop")]

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use fairway_controller::event_loop::EventLoop;
use fairway_controller::inputs::{Route, Service, ServicePort};
use fairway_controller::metrics::ControllerMetrics;
use fairway_controller::{CompileOptions, Inputs, Memo, compile};
use fairway_crds::{ServiceRoute, ServiceRouteSpec};
use fairway_dataplane::DataPlane;
use fairway_snapshot::normalize::normalize_path;
use fairway_snapshot::{Find, ListenerName, Normalization, ObjectId, RouteRequest, RouteTable};
use fairway_tests::gateway::{config, options};
use fastrand::Rng;
use http::{HeaderMap, Method};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::watch;

/// As the product allocates, so that memory is its memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Objects that share a host, where there are many hosts.
const PER_HOST: usize = 10;
/// Services that the rules refer to.
const SERVICES: usize = 1_000;
const CHANGES: usize = 20;
const LOOKUPS: usize = 200_000;

#[derive(Debug, Parser)]
struct Args {
    /// How many rules.
    rules: usize,
    /// Whether a hundred rules share a host, or all of them.
    #[arg(long, value_enum, default_value_t)]
    hosts: Hosts,
    /// How many rules one object has.
    #[arg(long, default_value_t = 10)]
    per_object: usize,
}

impl Args {
    const fn objects(&self) -> usize {
        self.rules / self.per_object
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Hosts {
    #[default]
    Many,
    One,
}

fn host(object: usize) -> String {
    format!("shop-{}.example.com", object / PER_HOST)
}

/// Rules of the common kind: prefixes with a rewrite, and every fifth with a capture and methods.
fn route(object: usize, version: usize, args: &Args) -> Arc<Route> {
    let rule = |number: usize| {
        let service = format!("service-{}", (object * args.per_object + number) % SERVICES);
        let backends = json!([{ "service": service, "port": "http" }]);
        if number % 5 == 4 {
            let path = format!("/team-{object}/orders-{number}/{{id}}/items");
            json!({ "match": [{ "path": path, "methods": ["GET", "POST"] }], "backends": backends })
        } else {
            let path = format!("/team-{object}/part-{number}/*");
            let rewrite = json!({ "path": format!("/v{version}/*") });
            json!({ "match": [{ "path": path }], "rewrite": rewrite, "backends": backends })
        }
    };
    let rules: Vec<serde_json::Value> = (0..args.per_object).map(rule).collect();
    let hosts = if args.hosts == Hosts::Many { vec![host(object)] } else { Vec::new() };
    let spec: ServiceRouteSpec =
        serde_json::from_value(json!({ "hosts": hosts, "rules": rules })).unwrap();
    Arc::new(Route::from(&ServiceRoute::new("x", spec)))
}

fn id(object: usize) -> ObjectId {
    ObjectId::new("market", format!("route-{object}"))
}

fn inputs(args: &Args) -> Inputs {
    let mut inputs = Inputs::default();
    for object in 0..args.objects() {
        inputs.routes.insert(id(object), route(object, 0, args));
    }
    let port = ServicePort { name: Some("http".into()), port: 8000, app_protocol: None };
    let service = Arc::new(Service { ports: vec![port], ..Service::default() });
    for number in 0..SERVICES {
        let id = ObjectId::new("market", format!("service-{number}"));
        inputs.services.insert(id, Arc::clone(&service));
    }
    inputs
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
}

/// The whole chain, as a process has it.
struct Chain {
    inputs: watch::Sender<Option<Arc<Inputs>>>,
    plane: DataPlane,
    _options: watch::Sender<Arc<CompileOptions>>,
}

impl Chain {
    async fn start() -> Self {
        let (inputs, told) = watch::channel(None);
        let (options, decided) = watch::channel(Arc::new(options()));
        let (publisher, published) = watch::channel(None);
        let event_loop = EventLoop {
            inputs: told,
            options: decided,
            publisher,
            compiled: watch::Sender::new(None),
            metrics: ControllerMetrics::default(),
        };
        tokio::spawn(event_loop.run());
        let plane = DataPlane::start(config(), published, Registry::default()).await.unwrap();
        Self { inputs, plane, _options: options }
    }

    /// Tells a world and waits until it is applied.
    async fn live(&self, world: Inputs) -> Duration {
        let mut applied = self.plane.applied();
        let before = applied.borrow_and_update().revision;
        let began = Instant::now();
        self.inputs.send_replace(Some(Arc::new(world)));
        applied.wait_for(|applied| applied.revision > before).await.unwrap();
        began.elapsed()
    }
}

/// The times of lookups, sorted, in nanoseconds.
fn lookups(inputs: &Inputs, args: &Args) -> Vec<u64> {
    let compilation = compile(inputs, &options(), &mut Memo::default());
    let table = RouteTable::build(&compilation.snapshot, None, |_| ());
    let table = table.listener(&ListenerName::from("http")).unwrap();
    let mut random = Rng::with_seed(7);
    let headers = HeaderMap::new();
    let asked: Vec<(String, String)> = (0..LOOKUPS)
        .map(|_| {
            let object = random.usize(..args.objects());
            let number = random.usize(..args.per_object);
            let path = match number % 5 {
                4 => format!("/team-{object}/orders-{number}/12345/items"),
                _ => format!("/team-{object}/part-{number}/quotes/12345"),
            };
            (host(object), path)
        })
        .collect();
    let mut times = Vec::with_capacity(LOOKUPS);
    for (host, path) in &asked {
        // A request that was just parsed is at hand; the table need not be.
        std::hint::black_box(host.bytes().chain(path.bytes()).fold(0u8, u8::wrapping_add));
        let began = Instant::now();
        let path = normalize_path(path, &Normalization::default()).unwrap();
        let found = table.find(&RouteRequest {
            host,
            path: &path,
            method: &Method::GET,
            headers: &headers,
            query: None,
            preflight: None,
        });
        let took = began.elapsed();
        assert!(matches!(found, Find::Match(_)), "{host}{path}");
        times.push(u64::try_from(took.as_nanos()).unwrap());
    }
    times.sort_unstable();
    times
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let mut world = inputs(&args);
    let chain = Chain::start().await;
    let empty = resident();
    let began = Instant::now();
    let compiled = compile(&world, &options(), &mut Memo::default());
    let compile_time = began.elapsed();
    drop(compiled);
    let first = chain.live(world.clone()).await;
    let mut changes = Vec::with_capacity(CHANGES);
    for version in 1..=CHANGES {
        // One change, and not one of many that are collected.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let object = version * 7919 % (args.objects());
        world.routes.insert(id(object), route(object, version, &args));
        changes.push(chain.live(world.clone()).await);
    }
    // What was given back is given back to the system too.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let memory = resident();
    changes.sort_unstable();
    let times = lookups(&world, &args);
    let told = json!({
        "rules": args.rules,
        "hosts": if args.hosts == Hosts::Many { args.objects() / PER_HOST } else { 1 },
        "compile_ms": compile_time.as_secs_f64() * 1e3,
        "first_ms": first.as_secs_f64() * 1e3,
        "change_p50_ms": changes[CHANGES / 2].as_secs_f64() * 1e3,
        "change_worst_ms": changes[CHANGES - 1].as_secs_f64() * 1e3,
        "lookup_p50_ns": times[LOOKUPS / 2],
        "lookup_p99_ns": times[LOOKUPS * 99 / 100],
        "resident_mb": memory,
        "empty_mb": empty,
    });
    writeln!(std::io::stdout(), "{told}")?;
    // The data plane's threads need not end in order here.
    std::process::exit(0)
}
