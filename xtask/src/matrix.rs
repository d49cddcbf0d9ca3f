//! `cargo xtask matrix`: every protocol with every other, large bodies, and clients that are not ours,
//! against the binary.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::Args;

use crate::steps::{pass, quiet, say, step};
use crate::{python, root, target};

/// The WebSocket package of Node, and its version.
const WS: &str = "ws@8.18.3";
/// Programs, and the packages of Debian that they come in.
const PROGRAMS: [(&str, &str); 4] =
    [("curl", "curl"), ("nghttp", "nghttp2-client"), ("node", "nodejs"), ("npm", "npm")];

#[derive(Debug, Args)]
pub(crate) struct MatrixArgs {
    /// The size of large bodies, in MiB.
    #[arg(long, default_value_t = 1024)]
    large: u64,
    /// How long a client of the token streams takes nothing, in seconds.
    #[arg(long, default_value_t = 30)]
    stall: u64,
    /// The debug binary: sooner built, and slow.
    #[arg(long)]
    debug: bool,
}

pub(crate) fn run(args: &MatrixArgs) -> anyhow::Result<()> {
    let profile = if args.debug { "dev" } else { "release" };
    step("build", || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(["build", "--profile", profile]);
        // Both in one, so that the gateway stands beside what runs it.
        pass(cargo.args(["--package", "fairway", "--package", "fairway-tests", "--bins"]))
    })?;
    let packages = step("clients", || {
        programs()?;
        python::run()?;
        python::clients()?;
        node()
    })?;
    let folder = target().join(if args.debug { "debug" } else { "release" });
    step("matrix", || {
        let mut matrix = Command::new(folder.join("matrix"));
        matrix.args([format!("--large={}", args.large), format!("--stall={}", args.stall)]);
        pass(matrix.arg("--node").arg(packages))
    })
}

/// Installs the programs of Debian that are missing.
fn programs() -> anyhow::Result<()> {
    let missing = |program: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("command -v {program}")]).stdout(Stdio::null());
        !command.status().is_ok_and(|status| status.success())
    };
    let packages: Vec<&str> =
        PROGRAMS.iter().filter(|(name, _)| missing(name)).map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    say(&format!("    installing Debian packages: {names}"));
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]).args(&packages);
    pass(install.stdout(Stdio::null())).with_context(|| format!("install {names}"))
}

/// Installs the package of Node where it is missing; gives the folder of packages.
fn node() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let folder = PathBuf::from(home).join(".cache/fairway/node");
    let stamp = folder.join("packages.txt");
    if std::fs::read_to_string(&stamp).ok().as_deref() != Some(WS) {
        std::fs::create_dir_all(&folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]);
        quiet("Node packages", npm.arg("--prefix").arg(&folder).arg(WS))?;
        std::fs::write(stamp, WS).context("cannot note the package")?;
    }
    Ok(folder.join("node_modules"))
}
