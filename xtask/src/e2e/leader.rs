//! The leader is killed, frozen, and cut off; somebody else leads soon, nobody else writes status,
//! and no request notices.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::load::Both;
use super::tools::{self, Gateway, SYSTEM, get, kubectl, text};
use super::{Extent, Figures, audit, team};
use crate::cluster;

/// How long the next leader may take.
const GOAL: Duration = Duration::from_secs(20);
const RATE: u32 = 200;

pub(super) fn run(extent: Extent) -> anyhow::Result<Figures> {
    let address = team::ready(&[], 2)?;
    let began = audit::now()?;
    let mut figures = Vec::new();
    let rounds = extent.choose(1, 3);
    for _ in 0..rounds {
        figures.push(case("killed", &address, Connections::Break, |leader| {
            cluster::signal(&tools::process(leader)?, "KILL")
        })?);
        let last = Connections::Last;
        figures.push(case("cut off from the API server", &address, last, cut_off)?);
        figures.push(case("frozen for 60 s", &address, last, freeze)?);
    }
    let (writes, foreign) = audit::status_writes(&began)?;
    if !foreign.is_empty() {
        bail!("status written by others than the leader: {}", foreign.join("; "));
    }
    figures.push(format!("{writes} status writes, all by the holder of the lease"));
    Ok(figures)
}

/// Whether connections to the process that is harmed break with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connections {
    Break,
    Last,
}

/// Harms the leader while requests run and routes change; says when somebody else leads.
///
/// Half of the load goes to the pod that is not harmed, half to the Service, which also sends to
/// the one that is. A process that is killed takes its connections with it, and nobody is behind its
/// address until the next container listens: those failures are told, and are no question of who
/// leads.
fn case(
    name: &str,
    address: &str,
    connections: Connections,
    harm: impl FnOnce(&Gateway) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let leader = leader()?;
    let holder = holder()?;
    let other = tools::gateways()?.into_iter().find(|pod| pod.name != leader.name);
    let other = other.context("there is no other pod")?;
    let direct = Both::start(&format!("{}:8080", other.address), "/e/fin/quotes", RATE)?;
    let service = Both::start(address, "/e/fin/quotes", RATE)?;
    let result = harmed(&leader, &holder, harm);
    let (direct, service) = (direct.stop(), service.stop());
    let (direct, service) = (direct?, service?);
    let took = result.with_context(|| format!("leader {name}"))?;
    // What the harmed one did afterwards counts too.
    settle()?;
    direct.all_good().with_context(|| format!("leader {name}, at the other pod"))?;
    if connections == Connections::Last {
        service.all_good().with_context(|| format!("leader {name}, at the Service"))?;
    }
    Ok(format!(
        "leader {name}: the next after {:.1} s; at the other pod {}; at the Service {}",
        took.as_secs_f64(),
        direct.tell(),
        service.tell()
    ))
}

fn harmed(
    leader: &Gateway,
    holder: &str,
    harm: impl FnOnce(&Gateway) -> anyhow::Result<()>,
) -> anyhow::Result<Duration> {
    std::thread::sleep(Duration::from_secs(2));
    let began = Instant::now();
    let harmed = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let other = || match self::holder()? {
                new if !new.is_empty() && new != holder => Ok(()),
                same => bail!("{same:?} leads"),
            };
            tools::eventually("somebody else leads", GOAL * 2, other).map(|_| began.elapsed())
        });
        let harm = harm(leader);
        let found = watcher.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))?;
        harm.and(found)
    })?;
    if harmed > GOAL {
        bail!("the next leader came after {:.1} s", harmed.as_secs_f64());
    }
    // Somebody writes status: a new route is programmed.
    let name = format!("after-{}", began.elapsed().as_millis());
    cluster::apply(&team::route(&name, &format!("/{name}"), ""))?;
    tools::programmed(&name, 60)?;
    kubectl(&["delete", "serviceroute", &name, "--namespace", tools::TEAM]).map(|_| harmed)
}

/// Stops the process for a minute. Routes change meanwhile, so that a deposed leader has something
/// that it could write when it wakes up.
fn freeze(leader: &Gateway) -> anyhow::Result<()> {
    let pid = tools::process(leader)?;
    cluster::signal(&pid, "STOP")?;
    let thawed = (|| {
        for second in 0..60 {
            std::thread::sleep(Duration::from_secs(1));
            if second % 10 == 0 {
                let path = format!("/frozen/{second}");
                cluster::apply(&team::route("frozen", &path, ""))?;
            }
        }
        anyhow::Ok(())
    })();
    // The kubelet may have ended it meanwhile.
    let _ = cluster::signal(&pid, "CONT");
    thawed
}

/// Drops what the pod sends to the API server, until somebody else leads.
fn cut_off(leader: &Gateway) -> anyhow::Result<()> {
    let nft = |text: &str| {
        let output = cluster::inside("nft").arg(text).output().context("cannot start nft")?;
        match output.status.success() {
            true => Ok(()),
            false => bail!("nft: {}", String::from_utf8_lossy(&output.stderr).trim()),
        }
    };
    let address = &leader.address;
    nft(&format!(
        "table ip e2e {{\nchain cut {{\ntype filter hook input priority 0\nip saddr {address} tcp dport 6443 drop\n}}\n}}"
    ))?;
    std::thread::sleep(GOAL + Duration::from_secs(5));
    nft("delete table ip e2e")
}

/// Who holds the lease.
fn holder() -> anyhow::Result<String> {
    let lease = get(&["lease", "fairway-fairway", "--namespace", SYSTEM])?;
    Ok(text(&lease, "/spec/holderIdentity"))
}

/// The pod that leads.
fn leader() -> anyhow::Result<Gateway> {
    let attempt = || {
        let holder = holder()?;
        let found = tools::gateways()?.into_iter().find(|pod| holder.starts_with(&pod.name));
        found.with_context(|| format!("no pod is {holder:?}"))
    };
    Ok(tools::eventually("a pod leads", GOAL, attempt)?.0)
}

/// Waits until every pod is ready again.
fn settle() -> anyhow::Result<()> {
    std::thread::sleep(Duration::from_secs(3));
    let deployment = format!("deployment/{}", tools::RELEASE);
    kubectl(&["--namespace", SYSTEM, "rollout", "status", &deployment, "--timeout=120s"]).map(drop)
}
