//! An upgrade to a chart whose definition of ServiceRoute has a further version, in which objects are
//! stored from then on, while routes of the old one are there and serve.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::load::Load;
use super::tools::{self, RELEASE, SYSTEM, TEAM, get};
use super::{Extent, Figures, team};
use crate::cluster;
use crate::steps::quiet;

const STORED: u32 = 50;
const DEFINITION: &str = "serviceroutes.fairway.dev";

pub(super) fn run(_: Extent) -> anyhow::Result<Figures> {
    let address = team::ready(&[], 2)?;
    let stored: Vec<String> =
        (0..STORED).map(|n| team::route(&format!("old-{n}"), &format!("/old/{n}"), "")).collect();
    cluster::apply(&stored.join("---\n"))?;
    let last = format!("http://{address}/old/{}/quotes", STORED - 1);
    tools::answers(&last, 200, Duration::from_secs(10))?;

    let load = Load::start(&address, "/old/0/quotes", 200, false)?;
    let result = upgraded(&address);
    let outcome = load.stop()?;
    // Another chart could not be installed over the stored version.
    tools::clean_up()?;
    tools::delete_definitions()?;
    result?;
    outcome.all_good()?;
    Ok(vec![format!(
        "{STORED} routes stored as v1alpha1, upgraded to a definition that stores v1alpha2: read, edited and served in both; {}",
        outcome.tell()
    )])
}

fn upgraded(address: &str) -> anyhow::Result<()> {
    let chart = next_chart()?.display().to_string();
    tools::install_from(&chart, RELEASE, SYSTEM, &[])?;
    let versions = get(&["crd", DEFINITION])?;
    if versions["status"]["storedVersions"] != serde_json::json!(["v1alpha1", "v1alpha2"]) {
        bail!("stored versions are {}", versions["status"]["storedVersions"]);
    }
    let seen = get(&["serviceroutes.v1alpha2.fairway.dev", "--namespace", TEAM])?;
    let count = seen["items"].as_array().map_or(0, Vec::len);
    if count != STORED as usize + 1 {
        bail!("{count} routes are read in the new version, not {}", STORED + 1);
    }
    let patience = Duration::from_secs(10);
    // One that was stored as the old version is edited in the new one, and one is new there.
    for (name, path) in [("old-1", "/edited"), ("fresh", "/fresh")] {
        let object = team::route(name, path, "").replace("/v1alpha1", "/v1alpha2");
        cluster::apply(&object)?;
        tools::answers(&format!("http://{address}{path}/quotes"), 200, patience)?;
        tools::programmed(name, 20)?;
    }
    Ok(())
}

/// A copy of the chart, with a version more in the definition.
fn next_chart() -> anyhow::Result<PathBuf> {
    let folder = tools::output_folder()?.join("next-chart");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("cannot remove the copy of the chart")?;
    }
    quiet("copy the chart", Command::new("cp").arg("-r").arg(tools::chart()).arg(&folder))?;
    let file: &Path = &folder.join("charts/crds/templates").join(format!("{DEFINITION}.yaml"));
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    std::fs::write(file, with_another_version(&text)?).context("cannot write the definition")?;
    Ok(folder)
}

fn with_another_version(definition: &str) -> anyhow::Result<String> {
    let mark = "\n  versions:\n";
    let (head, old) = definition.split_once(mark).context("the definition has no versions")?;
    let new = old.replace("\n    name: v1alpha1\n", "\n    name: v1alpha2\n");
    let old = old.replace("\n    storage: true\n", "\n    storage: false\n");
    if new == old {
        bail!("the definition has no version v1alpha1");
    }
    Ok(format!("{head}{mark}{}\n{}\n", old.trim_end(), new.trim_end()))
}
