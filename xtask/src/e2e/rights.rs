//! Least rights, proved: what the other scenarios asked of the API server against what the chart
//! grants.

use std::time::Duration;

use anyhow::bail;

use super::tools::TEAM;
use super::{Extent, Figures, audit, team, tools};
use crate::cluster;

pub(super) fn run(_: Extent) -> anyhow::Result<Figures> {
    // Each right is used at least once, whatever ran before.
    let address = team::ready(&[], 1)?;
    cluster::apply(&team::route("endpoints", "/p/fin", ", discovery: endpoints"))?;
    tools::answers(&format!("http://{address}/p/fin/quotes"), 200, Duration::from_secs(30))?;
    cluster::apply(team::GRANTS)?;
    happens_twice()?;
    let used = || {
        let (asked, forbidden, unused) = audit::rights()?;
        if !forbidden.is_empty() {
            bail!("forbidden: {}", forbidden.join(", "));
        }
        if !unused.is_empty() {
            bail!("granted and never used: {}", unused.join(", "));
        }
        Ok(asked)
    };
    let (asked, _) = tools::eventually("every right was used", Duration::from_secs(60), used)?;
    tools::kubectl(&["delete", "crd", "referencegrants.gateway.networking.k8s.io"])?;
    Ok(vec![format!("{asked} requests to the API server: 0 forbidden, no granted verb unused")])
}

/// A route breaks and is mended, and breaks again in the same way: an Event is made, and counted.
fn happens_twice() -> anyhow::Result<()> {
    let good = team::route("told", "/told", "");
    let broken = good.replace("service: finance", "service: finnance");
    for (object, resolved) in [(&broken, "False"), (&good, "True"), (&broken, "False")] {
        cluster::apply(object)?;
        let condition = format!("--for=condition=ResolvedRefs={resolved}");
        let wait = ["wait", "serviceroute/told", "--namespace", TEAM, &condition, "--timeout=10s"];
        tools::kubectl(&wait)?;
    }
    Ok(())
}
