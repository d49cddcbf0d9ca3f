//! The node's network: a namespace, a bridge without ports, and nothing of the machine's own.

use std::process::Command;

use anyhow::Context;

use super::config::{ADDRESS, NAMESPACE};
use super::inside;
use crate::steps::quiet;

/// Settings inside the namespace. Load generators open many short connections to one address:
/// all ports are theirs, and one that has waited a second may be used again.
const SETTINGS: [&str; 3] =
    ["net.ipv4.ip_forward=1", "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1"];

/// Makes the namespace.
pub(super) fn up() -> anyhow::Result<()> {
    ip(&["netns", "add", NAMESPACE])?;
    let node = format!("{ADDRESS}/32");
    for args in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", "fwnode", "type", "bridge"],
        &["address", "add", &node, "dev", "fwnode"],
        &["link", "set", "fwnode", "up"],
        // Without a route, connecting to the address of a Service fails before it is rewritten.
        &["route", "add", "default", "dev", "fwnode", "src", ADDRESS],
    ] {
        ip(&[&["-n", NAMESPACE], args].concat())?;
    }
    for setting in SETTINGS {
        quiet("sysctl", inside("sysctl").args(["-q", "-w", setting]))?;
    }
    Ok(())
}

/// Removes the namespace and, with it, its links, routes and rules.
pub(super) fn down() {
    let _ = Command::new("ip").args(["netns", "delete", NAMESPACE]).output();
    // The first `ip netns add` of a machine mounts the folder onto itself.
    let others = std::fs::read_dir("/run/netns").map_or(0, Iterator::count);
    if others == 0 {
        let _ = Command::new("umount").arg("/run/netns").output();
    }
}

/// Whether the namespace is there.
pub(super) fn exists() -> bool {
    std::path::Path::new("/run/netns").join(NAMESPACE).exists()
}

fn ip(args: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(args).output().context("cannot start ip")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        anyhow::bail!("ip {}: {said}", args.join(" "));
    }
    Ok(())
}
