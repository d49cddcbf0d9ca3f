//! `cargo xtask cluster`: one real Kubernetes node in a network namespace of its own, from which no
//! packet leaves, and which `down` removes without a trace.

mod cgroups;
mod config;
mod network;
mod packages;
mod pki;
mod processes;
mod start;
mod stop;

use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::steps::say;
pub(crate) use config::{ADDRESS, NAMESPACE, folder};
pub(crate) use processes::{pid_of, signal};
pub(crate) use start::{
    api_server_starts, apply, create, kubectl, load_image, restart_api_server, tag_image, up,
};
pub(crate) use stop::{down, leftovers};

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Start the node; one that is there already, or half there, is removed first.
    Up,
    /// End the node and remove everything that it made.
    Down,
    /// Say what runs, and what a node has left behind.
    Status,
    /// Run kubectl against the node.
    #[command(trailing_var_arg = true, allow_hyphen_values = true)]
    Kubectl { args: Vec<String> },
    /// Run a command inside the node's network: its Services and pods answer there.
    #[command(trailing_var_arg = true, allow_hyphen_values = true)]
    Exec { args: Vec<String> },
    /// Put an image archive into the node.
    LoadImage { archive: PathBuf },
}

pub(crate) fn run(command: &ClusterCommand) -> anyhow::Result<()> {
    require_root("cargo xtask cluster")?;
    match command {
        ClusterCommand::Up => {
            up()?;
            say("    try: cargo xtask cluster kubectl get pods --all-namespaces");
            Ok(())
        }
        ClusterCommand::Down => down(),
        ClusterCommand::Status => status(),
        ClusterCommand::Kubectl { args } => ended(kubectl_command()?.args(args).status()),
        ClusterCommand::Exec { args } => {
            let (program, rest) = args.split_first().context("name a command to run")?;
            ended(inside(program).args(rest).status())
        }
        ClusterCommand::LoadImage { archive } => load_image(archive),
    }
}

/// A node needs namespaces, mounts and cgroups.
pub(crate) fn require_root(what: &str) -> anyhow::Result<()> {
    if !is_root() {
        bail!(
            "{what} makes network namespaces, mounts and cgroups: run it as root (everything else works without)"
        );
    }
    Ok(())
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

/// A command that runs in the node's network. `ip netns exec` would mount another /sys, without
/// the cgroups.
pub(crate) fn inside(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{NAMESPACE}")).arg("--").arg(program);
    command
}

/// kubectl with all rights.
pub(crate) fn kubectl_command() -> anyhow::Result<Command> {
    tool("kubectl")
}

/// A program from the cache that reads the node's kubeconfig.
pub(crate) fn tool(name: &str) -> anyhow::Result<Command> {
    let mut command = inside(crate::kube::folder()?.join(name));
    command.env("KUBECONFIG", folder().join("admin.kubeconfig"));
    Ok(command)
}

fn ended(status: std::io::Result<ExitStatus>) -> anyhow::Result<()> {
    let status = status.context("cannot start nsenter")?;
    if status.success() {
        return Ok(());
    }
    std::process::exit(status.code().unwrap_or(1));
}

fn status() -> anyhow::Result<()> {
    let running = processes::all();
    for (name, pid, alive) in &running {
        say(&format!("{name:<24} pid {pid:<8} {}", if *alive { "runs" } else { "has ended" }));
    }
    if running.iter().any(|(_, _, alive)| *alive) {
        return ended(kubectl_command()?.args(["get", "pods", "--all-namespaces"]).status());
    }
    say("no node is up: cargo xtask cluster up");
    for left in leftovers() {
        say(&format!("a node that ended left {left}: cargo xtask cluster down"));
    }
    Ok(())
}

/// Whether a node runs.
pub(crate) fn is_up() -> bool {
    processes::all().iter().any(|(name, _, alive)| name == "kubelet" && *alive)
}
