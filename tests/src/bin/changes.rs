//! Changes to ServiceRoutes for tests on a node: so many a second, one object after another, then
//! one line of JSON that tells how many the API server took.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use fairway_crds::ServiceRoute;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Change the rewrite of the routes many-0, many-1, ... in turn.
#[derive(Debug, Parser)]
struct Args {
    /// Where they are.
    namespace: String,
    /// How many there are.
    routes: usize,
    /// Changes a second.
    #[arg(long, default_value_t = 50)]
    rate: u64,
    /// For how many seconds.
    #[arg(long)]
    seconds: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let api: Api<ServiceRoute> = Api::namespaced(Client::try_default().await?, &args.namespace);
    let api = Arc::new(api);
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(args.rate)?.max(1));
    // One that the API server takes long for is made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = Instant::now();
    let (mut sent, mut failed) = (0usize, 0usize);
    let mut under_way = FuturesUnordered::new();
    while began.elapsed() < Duration::from_secs(args.seconds) {
        ticks.tick().await;
        under_way.push(change(Arc::clone(&api), sent, args.routes).boxed());
        sent += 1;
        while let Some(Some(result)) = under_way.next().now_or_never() {
            failed += usize::from(result.is_err());
        }
    }
    while let Some(result) = under_way.next().await {
        failed += usize::from(result.is_err());
    }
    let rate = (sent - failed) as f64 / began.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{}", json!({ "sent": sent, "failed": failed, "rate": rate }))?;
    Ok(())
}

/// One change, which nobody made before.
async fn change(api: Arc<Api<ServiceRoute>>, number: usize, routes: usize) -> kube::Result<()> {
    let (route, round) = (number % routes, number / routes + 1);
    let rule = json!({
        "match": [{ "path": format!("/many/{route}/*") }],
        "rewrite": { "path": format!("/v{round}/*") },
        "backends": [{ "service": format!("many-{}", route % 100), "port": "http" }],
    });
    let patch = Patch::Merge(json!({ "spec": { "rules": [rule] } }));
    api.patch(&format!("many-{route}"), &PatchParams::default(), &patch).await.map(drop)
}
