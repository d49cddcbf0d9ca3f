//! Two installations in one cluster: each serves the routes of its class, and they share nothing
//! but the definitions.

use std::time::Duration;

use anyhow::bail;

use super::load::Load;
use super::tools::{self, SECOND, SECOND_SYSTEM, SYSTEM, TEAM, helm};
use super::{Extent, Figures, team};
use crate::cluster;

/// A while in which something that is not meant to happen would have happened.
const WHILE: Duration = Duration::from_secs(3);

pub(super) fn run(_: Extent) -> anyhow::Result<Figures> {
    let first = team::ready(&[], 1)?;
    tools::install_as(SECOND, SECOND_SYSTEM, &["--set=class=second", "--set=crds.enabled=false"])?;
    cluster::apply(&team::route("other", "/other", "").replace("spec:", "spec:\n  class: second"))?;
    let second = tools::address_of("second-fairway", SECOND_SYSTEM)?;
    let patience = Duration::from_secs(10);
    tools::answers(&format!("http://{second}/other/quotes"), 200, patience)?;
    for (name, system) in [("finance", SYSTEM), ("other", SECOND_SYSTEM)] {
        programmed(name, system)?;
    }
    let own = [(&first, "/e/fin/quotes", 200), (&second, "/other/quotes", 200)];
    let others = [(&first, "/other/quotes", 404), (&second, "/e/fin/quotes", 404)];
    for (address, path, status) in own.into_iter().chain(others) {
        let (found, body) = tools::ask(&format!("http://{address}{path}"), None)?;
        if found != status {
            bail!("{path} at {address} answers {found} {body}, not {status}");
        }
    }

    let load = Load::start(&first, "/e/fin/quotes", 200, false)?;
    let before = version("finance")?;
    let removed = helm(&["uninstall", SECOND, "--namespace", SECOND_SYSTEM, "--wait"]);
    std::thread::sleep(WHILE);
    let outcome = load.stop()?;
    removed?;
    outcome.all_good()?;
    if version("finance")? != before {
        bail!("the route of the first installation was written when the second went");
    }
    let (status, _) = tools::ask(&format!("http://{first}/other/quotes"), None)?;
    if status != 404 {
        bail!("the first installation took over a route of the second: {status}");
    }
    Ok(vec![format!(
        "each installation answers its own route and 404 for the other's; the second uninstalled: {}",
        outcome.tell()
    )])
}

/// Waits until the route is live on both replicas of the installation in this namespace, and on no
/// other one.
fn programmed(name: &str, system: &str) -> anyhow::Result<()> {
    tools::programmed(name, 20)?;
    let replicas = tools::get(&["gatewayreplicas", "--namespace", system])?;
    let count = replicas["items"].as_array().map_or(0, Vec::len);
    if count != 2 {
        bail!("{count} replicas report in {system}, not 2");
    }
    Ok(())
}

/// The version of a route, which every write changes.
fn version(name: &str) -> anyhow::Result<String> {
    let route = tools::get(&[&*format!("serviceroute/{name}"), "--namespace", TEAM])?;
    Ok(tools::text(&route, "/metadata/resourceVersion"))
}
