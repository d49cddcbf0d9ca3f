//! The life of a route as its team sees it, with kubectl.

use std::time::Duration;

use anyhow::bail;

use super::tools::{self, TEAM, kubectl};
use super::{Extent, Figures, team};
use crate::cluster;

/// Asked from a pod, as a neighbour in the cluster does.
const NEIGHBOUR: [&str; 5] = ["run", "neighbour", "--rm", "--attach", "--restart=Never"];

pub(super) fn run(_: Extent) -> anyhow::Result<Figures> {
    let address = team::ready(&[], 1)?;
    let url = |path: &str| format!("http://{address}{path}");
    let mut figures = Vec::new();
    let patience = Duration::from_secs(10);
    tools::programmed("finance", 10)?;

    let image = format!("--image={}", super::IMAGE);
    let name = format!("http://fairway.{}.svc.cluster.local/e/fin/quotes", tools::SYSTEM);
    let mut from_pod = NEIGHBOUR.to_vec();
    from_pod.extend([
        &*image,
        "--image-pull-policy=Never",
        "--namespace",
        TEAM,
        "--",
        "get",
        &name,
    ]);
    let said = kubectl(&from_pod)?;
    if !said.contains("quotes") {
        bail!("a pod got {said:?}");
    }
    figures.push("a pod reaches /e/fin/quotes by the name of the Service".to_owned());

    let edited = team::route("finance", "/e/money", "");
    cluster::apply(&edited)?;
    let live = tools::answers(&url("/e/money/quotes"), 200, patience)?;
    let gone = tools::answers(&url("/e/fin/quotes"), 404, patience)?;
    figures.push(format!(
        "edited: the new path answers after {} ms, the old one is gone after {} ms",
        live.as_millis(),
        (live + gone).as_millis()
    ));

    cluster::apply(
        &team::route("broken", "/e/broken", "").replace("service: finance", "service: finnance"),
    )?;
    kubectl(&[
        "wait",
        "serviceroute/broken",
        "--namespace",
        TEAM,
        "--for=condition=ResolvedRefs=False",
        "--timeout=10s",
    ])?;
    let shown = kubectl(&["describe", "serviceroute/broken", "--namespace", TEAM])?;
    if !shown.contains("did you mean finance?") {
        bail!("describe does not say what to write:\n{shown}");
    }
    let mut page = String::new();
    for args in [
        &["get", "serviceroutes", "--namespace", TEAM][..],
        &["get", "serviceroutes", "--namespace", TEAM, "--output=wide"],
        &["describe", "serviceroute/broken", "--namespace", TEAM],
        &["get", "gatewayreplicas", "--namespace", tools::SYSTEM],
        &["get", "leases", "--namespace", tools::SYSTEM],
        &["explain", "serviceroute.spec.rules.backends"],
        &["wait", "serviceroute/finance", "--namespace", TEAM, "--for=condition=Programmed"],
    ] {
        page.push_str(&format!("$ kubectl {}\n{}\n", args.join(" "), kubectl(args)?));
    }
    let place = tools::output_folder()?.join("kubectl.txt");
    std::fs::write(&place, page)?;
    figures.push(format!("what kubectl shows is in {}", place.display()));

    kubectl(&["delete", "serviceroute/finance", "--namespace", TEAM])?;
    let gone = tools::answers(&url("/e/money/quotes"), 404, patience)?;
    figures.push(format!("deleted: gone after {} ms", gone.as_millis()));
    Ok(figures)
}
