//! Rolling updates of a backend whose pods end at once, while clients ask.

use std::time::Duration;

use super::load::Load;
use super::tools::{self, TEAM, kubectl};
use super::{Extent, Figures, team};
use crate::cluster;

const RATE: u32 = 500;

pub(super) fn run(extent: Extent) -> anyhow::Result<Figures> {
    let address = team::ready(&[], 3)?;
    cluster::apply(&team::route("endpoints", "/p/fin", ", discovery: endpoints"))?;
    tools::answers(&format!("http://{address}/p/fin/quotes"), 200, Duration::from_secs(30))?;
    let rounds = extent.choose(1, 10);
    let mut figures = Vec::new();
    let mut failed = None;
    for (name, path) in [("dns", "/e/fin/quotes"), ("endpoints", "/p/fin/quotes")] {
        let load = Load::start(&address, path, RATE, false)?;
        let updates = (0..rounds).try_for_each(|_| update());
        let outcome = load.stop()?;
        updates?;
        figures.push(format!(
            "discovery {name}: {rounds} rolling updates of 3 pods at {RATE} GETs/s: {}",
            outcome.tell()
        ));
        failed = failed.or(outcome.all_good().err());
    }
    match failed {
        None => Ok(figures),
        Some(error) => Err(error.context(figures.join("\n"))),
    }
}

fn update() -> anyhow::Result<()> {
    std::thread::sleep(Duration::from_secs(1));
    kubectl(&["--namespace", TEAM, "rollout", "restart", "deployment/finance"])?;
    kubectl(&["--namespace", TEAM, "rollout", "status", "deployment/finance", "--timeout=90s"])
        .map(drop)
}
