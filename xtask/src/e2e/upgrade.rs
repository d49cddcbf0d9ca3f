//! Rolling upgrades and rollbacks of the gateway itself, while clients ask.

use std::time::Duration;

use super::load::{Both, Outcome};
use super::tools::{self, RELEASE, SYSTEM, helm};
use super::{Extent, Figures, team};

/// Requests a second, half of them on connections of their own.
const RATE: u32 = 500;

pub(super) fn run(extent: Extent) -> anyhow::Result<Figures> {
    let address = team::ready(&[], 2)?;
    let rounds = extent.choose(1, 10);
    let load = Both::start(&address, "/e/fin/quotes", RATE)?;
    let upgrades = (0..rounds).try_for_each(round);
    let outcome = load.stop()?;
    upgrades?;
    outcome.all_good()?;
    let mut figures = vec![format!(
        "{rounds} rolling upgrades and {rounds} rollbacks at {RATE} requests/s: {}",
        outcome.tell()
    )];
    if extent == Extent::Full {
        let outcome = alone()?;
        figures.push(format!(
            "one replica, 3 rolling upgrades at 2000 requests/s: {}",
            outcome.tell()
        ));
    }
    Ok(figures)
}

fn round(number: u32) -> anyhow::Result<()> {
    std::thread::sleep(Duration::from_secs(1));
    tools::install(&[&format!("--set=podAnnotations.round=r{number}")])?;
    helm(&["rollback", RELEASE, "--namespace", SYSTEM, "--wait", "--timeout=180s"]).map(drop)
}

/// One replica, and four times the load: the surge alone must do.
fn alone() -> anyhow::Result<Outcome> {
    tools::install(&["--set=replicas=1"])?;
    let load = Both::start(&tools::service_address()?, "/e/fin/quotes", 2000)?;
    let upgrades = (0..3).try_for_each(|number| {
        tools::install(&["--set=replicas=1", &format!("--set=podAnnotations.round=a{number}")])
            .map(drop)
    });
    let outcome = load.stop()?;
    upgrades.map(|()| outcome)
}
