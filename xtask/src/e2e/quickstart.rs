//! From a bare cluster to the first answer, by the commands of the README as they are printed there.

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail};

use super::tools::{self, SYSTEM};
use super::{Extent, Figures};
use crate::{cluster, root};

/// Under which heading of the README the commands stand.
const HEADING: &str = "## Five minutes in a cluster";
/// More than so many, and it is no quick start.
const MOST: usize = 3;

pub(super) fn run(_: Extent) -> anyhow::Result<Figures> {
    let readme = root().join("README.md");
    let text = std::fs::read_to_string(&readme)
        .with_context(|| format!("cannot read {}", readme.display()))?;
    let script = script(&text)?;
    let count = commands(script).len();
    if count > MOST {
        bail!("{count} commands are too many, {MOST} are the goal:\n{script}");
    }
    provide_image(script)?;
    bare()?;
    let began = Instant::now();
    let said = execute(script)?;
    let took = began.elapsed();
    if !said.contains("HTTP/1.1 200 OK") {
        bail!("the commands of the README do not end with 200:\n{said}");
    }
    std::fs::write(
        tools::output_folder()?.join("quickstart.txt"),
        format!("{script}\n---\n{said}\n"),
    )?;
    Ok(vec![format!(
        "from a bare cluster to the first 200: {count} commands of the README, {:.1} s",
        took.as_secs_f64()
    )])
}

/// The first block of shell under the heading.
fn script(readme: &str) -> anyhow::Result<&str> {
    let (_, section) = readme.split_once(HEADING).context("the README lacks its heading")?;
    let (_, block) = section.split_once("```sh\n").context("no commands under the heading")?;
    let (block, _) = block.split_once("\n```").context("the commands have no end")?;
    Ok(block)
}

/// What a reader enters: lines, those that go on put together.
fn commands(script: &str) -> Vec<String> {
    let whole = script.replace("\\\n", " ");
    let lines = whole.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The image under the name that the commands give, as if the node had pulled it.
fn provide_image(script: &str) -> anyhow::Result<()> {
    let (_, rest) = script.split_once("image.repository=").context("the README names no image")?;
    let repository = rest.split([',', ' ', '\n']).next().unwrap_or_default();
    let chart = std::fs::read_to_string(root().join("charts/fairway/Chart.yaml"))?;
    let version = chart.lines().find_map(|line| line.strip_prefix("appVersion:"));
    let version = version.context("the chart has no appVersion")?.trim().trim_matches('"');
    cluster::tag_image(super::IMAGE, &format!("{repository}:{version}"))
}

/// Nothing of Fairway is in the cluster.
fn bare() -> anyhow::Result<()> {
    tools::clean_up()?;
    tools::delete_definitions()
}

/// Runs the commands in the node's network, in the folder of the README, and ends what they leave
/// behind.
fn execute(script: &str) -> anyhow::Result<String> {
    let mut shell = cluster::inside("sh");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = shell
        .args(["-ec", &format!("trap 'kill $!' EXIT\n{script}")])
        .current_dir(root())
        .env("PATH", format!("{}:{path}", crate::kube::folder()?.display()))
        .env("KUBECONFIG", cluster::folder().join("admin.kubeconfig"))
        .envs(tools::helm_home())
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .context("cannot start nsenter")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if !output.status.success() {
        bail!("the commands of the README fail in {SYSTEM}:\n{said}");
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::{MOST, commands, script};

    #[test]
    fn the_readme_has_the_commands_of_a_quick_start() {
        let readme = include_str!("../../../README.md");
        let commands = commands(script(readme).unwrap());
        assert_eq!(commands.len(), MOST, "{commands:?}");
        for (command, begins) in commands.iter().zip(["helm install", "kubectl", "curl"]) {
            assert!(command.starts_with(begins), "{command}");
        }
    }
}
