//! The Debian packages that a node needs.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::steps::{quiet, say};

/// A file that shows that a package is there, and the package.
const PACKAGES: [(&str, &str); 8] = [
    ("/usr/bin/containerd", "containerd"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/ptp", "containernetworking-plugins"),
    ("/usr/sbin/iptables", "iptables"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/conntrack", "conntrack"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/usr/bin/curl", "curl"),
];

/// Installs what is missing, once, and says so.
pub(super) fn install() -> anyhow::Result<()> {
    let mut missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if !["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].iter().any(|path| Path::new(path).exists()) {
        missing.push("iproute2");
    }
    if !["/usr/sbin/sysctl", "/sbin/sysctl"].iter().any(|path| Path::new(path).exists()) {
        missing.push("procps");
    }
    if !["/usr/bin/cc", "/usr/bin/gcc"].iter().any(|path| Path::new(path).exists()) {
        missing.extend(["gcc", "libc6-dev"]);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("a node needs {names}: install them with this machine's package manager");
    }
    say(&format!("    installing Debian packages, once: {names}"));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
        command
    };
    quiet("package lists", &mut apt(&["update", "-q"]))?;
    let mut install = apt(&["install", "-q", "-y", "--no-install-recommends"]);
    quiet(&names, install.args(&missing))
}
