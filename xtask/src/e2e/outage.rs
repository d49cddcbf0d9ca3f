//! The API server goes away under load; a container that restarts meanwhile serves what it kept.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::load::Load;
use super::tools::{self, Gateway};
use super::{Extent, Figures, team};
use crate::cluster;

const RATE: u32 = 200;

pub(super) fn run(extent: Extent) -> anyhow::Result<Figures> {
    let address = team::ready(&[], 2)?;
    cluster::apply(&team::route("endpoints", "/p/fin", ", discovery: endpoints"))?;
    tools::answers(&format!("http://{address}/p/fin/quotes"), 200, Duration::from_secs(10))?;
    let away = Duration::from_secs(extent.choose(60, 600));
    let pods = tools::gateways()?;
    let restarted = pods.last().context("no gateway runs")?.clone();
    // What is kept is written a moment after a change.
    std::thread::sleep(Duration::from_secs(2));
    let other = pods.first().filter(|pod| pod.name != restarted.name);
    let other = other.context("there is no other pod")?;
    let direct = Load::start(&format!("{}:8080", other.address), "/e/fin/quotes", RATE, false)?;
    // Nobody can take the killed one from behind the Service while the API server is away: what is
    // sent to it until its next container listens is refused.
    let service = Load::start(&address, "/e/fin/quotes", RATE, false)?;
    let result = outage(away, &restarted, &address);
    let (direct, service) = (direct.stop(), service.stop());
    let (direct, service) = (direct?, service?);
    let (served, back) = result?;
    direct.all_good().context("at the pod that was not killed")?;
    Ok(vec![
        format!(
            "API server away for {} s at {RATE} requests/s: at the pod that lived {}; at the Service {}",
            away.as_secs(),
            direct.tell(),
            service.tell()
        ),
        format!(
            "a container killed meanwhile served again from what it kept after {:.1} s",
            served.as_secs_f64()
        ),
        format!("changes live {:.1} s after the API server was back", back.as_secs_f64()),
    ])
}

/// Gives how long the restarted container took, and how long the changes.
fn outage(
    away: Duration,
    restarted: &Gateway,
    address: &str,
) -> anyhow::Result<(Duration, Duration)> {
    let began = Instant::now();
    let pid = cluster::pid_of("kube-apiserver")?;
    cluster::signal(&pid, "KILL")?;
    let served = kill(restarted);
    // Back it comes, whatever was found.
    std::thread::sleep(away.saturating_sub(began.elapsed()));
    cluster::restart_api_server()?;
    let back = Instant::now();
    let served = served?;
    for (name, path) in [("one", "/one"), ("two", "/two"), ("three", "/three")] {
        cluster::apply(&team::route(name, path, ""))?;
    }
    for path in ["/one", "/two", "/three"] {
        let goal = Duration::from_secs(10).saturating_sub(back.elapsed());
        for pod in tools::gateways()? {
            tools::answers(&format!("http://{}:8080{path}/quotes", pod.address), 200, goal)?;
        }
    }
    let live = back.elapsed();
    tools::programmed("three", 60)?;
    tools::answers(&format!("http://{address}/e/fin/quotes"), 200, Duration::from_secs(5))?;
    Ok((served, live))
}

/// Kills the gateway of a pod; gives how long it takes until its next container serves.
fn kill(pod: &Gateway) -> anyhow::Result<Duration> {
    let pid = tools::process(pod)?;
    cluster::signal(&pid, "KILL")?;
    let began = Instant::now();
    let patience = Duration::from_secs(50);
    let url = format!("http://{}:8080/e/fin/quotes", pod.address);
    tools::eventually(
        "the killed process is gone",
        Duration::from_secs(5),
        || match tools::process(pod) {
            Ok(now) if now == pid => bail!("it is still there"),
            _ => Ok(()),
        },
    )?;
    tools::answers(&url, 200, patience)?;
    let took = began.elapsed();
    // Nobody tells its endpoints now: DNS is asked.
    tools::answers(&url.replace("/e/fin", "/p/fin"), 200, Duration::from_secs(5))?;
    let ready = tools::ask(&format!("http://{}:9901/readyz", pod.address), None)?;
    if ready.0 != 200 || !ready.1.contains("kept") {
        bail!("/readyz of the restarted container says {ready:?}");
    }
    Ok(took)
}
